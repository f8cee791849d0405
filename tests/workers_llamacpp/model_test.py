"""Models through libllama: the same tokens give the same logits, however they are cut and computed.

The worker is asked by its protocol. What the logits have to be, `ridge check` says (conformance_test.py);
here ways that must agree are held against each other.
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest

from framework_case import WORKER

TINY = {"name": "tiny", "model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 256,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "intermediate_size": 512,
        "vocab_size": 320, "tie_word_embeddings": True, "max_position_embeddings": 4096,
        "rope_theta": 1000000.0, "rms_norm_eps": 1e-6}
LLAMA = {**TINY, "name": "tiny-llama", "model_type": "llama", "tie_word_embeddings": False}
MIXTRAL = {**LLAMA, "name": "tiny-moe", "model_type": "mixtral", "num_experts": 4,
           "num_experts_per_tok": 2, "norm_topk_prob": True}
DEEPSEEK = {**LLAMA, "name": "tiny-deepseek", "model_type": "deepseek", "num_experts": 6,
            "num_experts_per_tok": 2, "moe_intermediate_size": 256, "n_shared_experts": 2,
            "first_k_dense_replace": 1}
# Relative to the root mean square. With an f32 cache and without flash attention all is f32, added up
# in another order; flash attention takes keys and values as f16 and adds values up in it.
EXACT, FLASH = 1e-5, 2e-2
CLOSE = 5e-2  # 8-bit activations, 8-bit caches


class Worker:
    """One process of the worker."""

    def __init__(self):
        self.process = subprocess.Popen([WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.id = 0
        self.ask("hello", protocol=[1], seed=11)

    def ask(self, what, **more):
        self.id += 1
        self.process.stdin.write(json.dumps({"id": self.id, "do": what, **more}) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            message = json.loads(line)
            if "event" not in message:
                return message
        raise AssertionError("the worker is gone")

    def prepare(self, work, **settings):
        settings = {"cache": "hot", "timing": "isolated", "backend": "unfused", **settings}
        return self.ask("prepare", workload=work, settings=settings, device="cpu", salt=5)

    def logits(self, work, salt=5, **settings):
        """All of them, of one run on fresh tokens, and what the worker says of the work."""
        ready = self.prepare(work, **settings)
        assert "handle" in ready, ready
        rows = work.get("batch", 1) * (work["tokens"] if work.get("logits") == "all" else 1)
        count = rows * work["model"]["vocab_size"]
        reply = self.ask("check", handle=ready["handle"], tensor="logits", copy=0, run=True, salt=salt,
                         elements=list(range(count)))
        assert "values" in reply, reply
        self.ask("release", handle=ready["handle"])
        return reply["values"], ready

    def time(self, handle):
        return self.ask("time", handle=handle, salt=8, ops_per_sample=1, most_samples=5, most_ns=1e10)

    def model_files(self):
        """The model's file in memory, by number."""
        files = pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir()
        return {file.stat().st_ino for file in files if "ridge-model" in str(file.readlink())}

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


def distance(a, b):
    """Root mean square of the difference, relative to that of b."""
    assert len(a) == len(b) and None not in a and None not in b
    norm = math.sqrt(sum(y * y for y in b))
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b))) / norm


def prefill(tokens, depth=0, **more):
    return {"kind": "prefill", "model": TINY, "format": "f32", "kv": "f32", "tokens": tokens,
            "depth": depth, "batch": 1, **more}


def decode(tokens, depth=0, **more):
    return {**prefill(tokens, depth, **more), "kind": "decode"}


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = Worker()
        cls.addClassCleanup(cls.worker.close)

    def same(self, a, b, within=EXACT, **settings):
        first, second = self.worker.logits(a)[0], self.worker.logits(b, **settings)[0]
        self.assertGreater(max(first) - min(first), 0.1)  # not all alike
        self.assertLess(distance(first, second), within)

    def test_a_prompt_in_parts_is_the_whole_prompt(self):
        for model in (TINY, LLAMA, MIXTRAL, DEEPSEEK):
            with self.subTest(model=model["name"]):
                self.same(prefill(40, model=model), prefill(15, 25, model=model))
                self.same(prefill(40, model=model), decode(9, 31, model=model))
                self.same(prefill(12, model=model), decode(12, model=model))

    def test_every_row_of_all_logits(self):
        rows = self.worker.logits(prefill(30, logits="all"))[0]
        width = TINY["vocab_size"]
        for tokens in (1, 2, 17, 30):
            alone = self.worker.logits(prefill(tokens))[0]
            self.assertLess(distance(rows[(tokens - 1) * width:tokens * width], alone), EXACT)

    def test_prompts_of_several_calls(self):
        """A call takes 2048 tokens: the logits of the first have to outlive the second."""
        small = {**TINY, "num_hidden_layers": 1, "vocab_size": 64}
        width, tokens = small["vocab_size"], 2060
        rows = self.worker.logits(prefill(tokens, model=small, logits="all"))[0]
        for last in (2, 2048, 2049, 2060):
            alone = self.worker.logits(prefill(last, model=small))[0]
            self.assertLess(distance(rows[(last - 1) * width:last * width], alone), EXACT)
        batch = self.worker.logits(prefill(1500, model=small, batch=2))[0]
        alone = self.worker.logits(prefill(1500, model=small))[0]
        self.assertLess(distance(batch[:width], alone), EXACT)

    def test_sequences_do_not_see_each_other(self):
        width = TINY["vocab_size"]
        for work in (prefill(21, 8), decode(5, 24)):
            alone = self.worker.logits(work)[0]
            three = self.worker.logits({**work, "batch": 3})[0]
            self.assertLess(distance(three[:width], alone), EXACT)
            self.assertGreater(distance(three[width:2 * width], alone), 0.1)
            self.assertGreater(distance(three[width:2 * width], three[2 * width:]), 0.1)

    def test_settings_change_the_way_not_the_answer(self):
        for settings in ({"micro_batch": 16}, {"threads": 1}):
            with self.subTest(**settings):
                self.same(prefill(70, 20), prefill(70, 20), **settings)
        for way in ("flash", ""):
            with self.subTest(backend=way):
                self.same(prefill(70, 20), prefill(70, 20), within=FLASH, backend=way)
        for asked, came_to in (("unfused", "unfused"), ("flash", "flash"), ("", "flash")):
            ready = self.worker.prepare(prefill(8), backend=asked, micro_batch=16)
            self.assertEqual(ready["backend"], came_to)
            self.assertIn("256 tokens a call, 16 at a time", ready["notes"])
            self.assertGreater(ready["bytes_held"], 1 << 20)
            self.worker.ask("release", handle=ready["handle"])

    def test_every_cache_and_format(self):
        exact = self.worker.logits(prefill(40, 10))[0]
        for kv in ("f16", "bf16", "q8_0"):
            with self.subTest(kv=kv):
                near = self.worker.logits(prefill(40, 10, kv=kv), backend="flash")[0]
                self.assertLess(distance(near, exact), CLOSE)
                self.assertGreater(distance(near, exact), 0)
        for format in ("f16", "bf16", "q8_0", "q4_0", "q4_k_m", "q6_k"):
            with self.subTest(format=format):
                self.same(prefill(40, format=format), decode(6, 34, format=format), within=CLOSE)
                rounded = self.worker.logits(prefill(50, format=format))[0]
                self.assertGreater(distance(rounded, exact), 0)

    def test_tokens_and_weights_follow_from_salt_and_seed(self):
        one, again = (self.worker.logits(prefill(20), salt=3)[0] for _ in range(2))
        other = self.worker.logits(prefill(20), salt=4)[0]
        self.assertEqual(one, again)
        self.assertGreater(distance(other, one), 0.1)

    def test_timed_again_and_again_the_answer_stays(self):
        for work in (decode(4, 60), prefill(33, 60), prefill(33)):
            ready = self.worker.prepare(work)
            handle, elements = ready["handle"], list(range(TINY["vocab_size"]))
            fresh = self.worker.ask("check", handle=handle, tensor="logits", copy=0, run=True, salt=8,
                                    elements=elements)["values"]
            timed = self.worker.time(handle)
            self.assertEqual(timed["ops"], 5)
            self.assertTrue(any("cache" in note for note in timed["notes"]), timed["notes"])
            after = self.worker.ask("check", handle=handle, tensor="logits", copy=0, run=False, salt=8,
                                    elements=elements)["values"]
            self.assertLess(distance(after, fresh), EXACT)
            self.worker.ask("release", handle=handle)

    @unittest.skipUnless(sys.platform == "linux", "files of a process are seen in /proc")
    def test_one_model_is_loaded_once(self):
        worker = Worker()
        self.addCleanup(worker.close)
        worker.logits(prefill(1, format="f16"))
        first = worker.model_files()
        worker.logits(decode(3, 5, format="f16", kv="f16"))
        self.assertEqual(worker.model_files(), first)
        self.assertEqual(len(first), 1)
        worker.logits(prefill(1, format="q8_0"))
        self.assertNotEqual(worker.model_files(), first)
        self.assertEqual(len(worker.model_files()), 1)  # the one before it is gone
        worker.logits({"kind": "load_model", "model": TINY, "format": "f16", "tokens": 8})
        self.assertEqual(worker.model_files(), set())  # beside a load none stays

    def test_loading_ends_with_the_answer(self):
        """… of the same prompt through the model as it stands there already."""
        for model in (TINY, MIXTRAL):
            prompt = self.worker.logits(prefill(8, model=model, kv="f16"))[0]
            load = {"kind": "load_model", "model": model, "format": "f32", "tokens": 8}
            for cache in ("hot", "cold"):
                with self.subTest(model=model["name"], cache=cache):
                    ready = self.worker.prepare(load, cache=cache)
                    if "lies in memory" in ready.get("unsupported", ""):
                        continue  # where temporary files do
                    handle, elements = ready["handle"], list(range(model["vocab_size"]))
                    ask = {"handle": handle, "tensor": "logits", "copy": 0, "salt": 5, "elements": elements}
                    self.assertEqual(set(self.worker.ask("check", run=False, **ask)["values"]), {None})
                    first = self.worker.ask("check", run=True, **ask)["values"]
                    self.assertLess(distance(first, prompt), EXACT)
                    self.worker.time(handle)
                    timed = self.worker.ask("check", run=False, **{**ask, "salt": 8})["values"]
                    self.assertGreater(distance(timed, prompt), 0.1)  # other tokens
                    self.worker.ask("release", handle=handle)

    def test_a_file_of_the_users_is_loaded(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "m.gguf"
            path.write_bytes(b"GGUF and nothing else")
            load = {"kind": "load_model", "model": TINY, "format": "f32", "tokens": 8,
                    "file": {"path": str(path), "label": "F32", "matrix_bytes": 1000, "embedding_bytes": 0,
                             "expert_bytes": 0}}
            ready = self.worker.prepare(load)
            reply = self.worker.ask("check", handle=ready["handle"], tensor="logits", copy=0, run=True,
                                    salt=5, elements=[0])
            self.assertIn(f"cannot load {path}", reply["error"])
            self.worker.ask("release", handle=ready["handle"])

    def test_times_of_single_tokens(self):
        for tokens, has_p99 in ((4, False), (30, True)):  # in five samples
            ready = self.worker.prepare(decode(tokens))
            timed = self.worker.time(ready["handle"])
            values = {value["name"]: value["value"] for value in timed["values"]}
            self.assertEqual(set(values), {"token_p50", "token_p99"} if has_p99 else {"token_p50"})
            self.assertGreater(values["token_p50"], 0)
            self.assertGreaterEqual(values.get("token_p99", 1), values["token_p50"])
            self.worker.ask("release", handle=ready["handle"])
        ready = self.worker.prepare(prefill(8))
        self.assertFalse(self.worker.time(ready["handle"]).get("values"))
        self.worker.ask("release", handle=ready["handle"])

    def test_refusals(self):
        windowed = {**LLAMA, "name": "w", "model_type": "mistral", "sliding_window": 32}
        cases = [
            (prefill(40, model=windowed), {}, "without its window of 32"),
            (prefill(8), {"backend": "cudnn"}, "no backend 'cudnn'"),
            (prefill(8, kv="q8_0"), {"backend": "unfused"}, "with flash attention alone"),
            (prefill(8), {"graph": True}, "all work as graphs"),
            (prefill(8), {"form": "packed"}, "packed"),
            (prefill(8, batch=1000), {}, "at most"),
            (prefill(8, format="q4_k_m", model={**TINY, "hidden_size": 72}), {}, ""),
            (prefill(8, file={"path": "/nowhere.gguf", "label": "Q8_0", "matrix_bytes": 1000,
                              "embedding_bytes": 0, "expert_bytes": 0}), {}, "/nowhere.gguf"),
        ]
        for work, settings, why in cases:
            with self.subTest(why=why):
                reply = self.worker.prepare(work, **settings)
                self.assertIn(why, reply.get("unsupported", "nothing"), reply)
                self.assertNotIn("\n", reply["unsupported"])


if __name__ == "__main__":
    unittest.main()
