"""The llama.cpp worker on the processor: right answers, and refusals that say why in one line."""

import json
import pathlib
import unittest

from llamacpp_case import LlamacppTest

ROOT = pathlib.Path(__file__).parents[2]

GEMM = {"kind": "gemm", "dtype": "f32", "layout": "nt", "m": 48, "n": 32, "k": 64}
ATTENTION = {"kind": "attention", "dtype": "f16", "batch": 1, "heads": 4, "kv_heads": 2,
             "seq_q": 24, "seq_kv": 24, "head_dim": 64}


def model(name):
    return json.loads((ROOT / "data" / "models" / f"{name}.json").read_text())


class Conformance(LlamacppTest):
    def test_the_whole_suite(self):
        right = set()
        for row in self.check():
            with self.subTest(row=row["row_key"]):
                if row["status"] == "ok":
                    self.assertGreater(row["check"]["elements"], 0)
                    right.add("/".join(row["key"].split("/")[:2]))
                else:
                    self.assertEqual(row["status"], "unsupported")
                    self.assertRegex(row["reason"], r"\A[^\n]{10,200}\Z")
        self.assertLessEqual({"attention/f32", "attention/bf16", "stream/copy",
                              "dispatch/1"}, right)

    def test_products(self):
        shapes = [{"m": 1, "n": 32, "k": 64}, {"m": 48, "n": 33, "k": 96}, {"m": 130, "n": 70, "k": 512}]
        rows = self.check({**GEMM, "dtype": ["f32", "f16", "bf16"], "output": ["f32"], "shape": shapes},
                          {**GEMM, "dtype": ["f16", "bf16"], "shape": shapes})
        self.assertEqual(len(rows), 15)
        self.assert_right(rows)
        for row in rows:
            if row["workload"]["dtype"] != "f32":
                self.assertTrue(any(note.startswith("A and C are f32") for note in row["notes"]))

    def test_quantised_products(self):
        """Plain, and laid out anew where ggml does that here."""
        shapes = [{"m": 1, "n": 64, "k": 512}, {"m": 7, "n": 33, "k": 256}, {"m": 130, "n": 96, "k": 768}]
        rows = self.check({**GEMM, "weights": ["q8_0", "q4_0", "q4_k", "q6_k"], "shape": shapes,
                           "settings": {"form": ["plain", "packed"]}})
        self.assertEqual(len(rows), 24)
        plain = [row for row in rows if row["settings"].get("form", "plain") == "plain"]
        self.assertEqual(len(plain), 12)
        self.assert_right(plain)
        for row in rows:
            if row["status"] == "ok":
                self.assertTrue(any(note.startswith("the product rounds A to") for note in row["notes"]))
            else:
                self.assertIn("out anew", row["reason"])

    def test_models_answer_as_the_reference_says(self):
        tiny = {"kind": "prefill", "tokens": 9, "depth": 0, "batch": 1}
        settings = {"timing": "isolated", "threads": 1}
        rows = self.check(
            *[{**tiny, "model": model(name), "format": ["f32", "f16", "q8_0", "q4_k_m"], "settings": settings}
              for name in ("tiny-llama", "tiny-qwen3", "tiny-moe", "tiny-deepseek")],
            *[{**tiny, "kind": "decode", "model": model(name), "format": "f16", "depth": 5, "batch": 2,
               "settings": settings} for name in ("tiny-llama", "tiny-qwen3")])
        self.assertEqual(len(rows), 18)
        self.assert_right(rows)

    def test_models_answer_once_they_are_loaded(self):
        load = {"kind": "load_model", "tokens": 8}
        rows = self.check(
            *[{**load, "model": model(name), "format": ["f16", "q8_0"],
               "settings": {"timing": "isolated", "cache": ["hot", "cold"]}}
              for name in ("tiny-llama", "tiny-moe")])
        self.assertEqual(len(rows), 8)
        self.assert_right([row for row in rows if "lies in memory" not in (row["reason"] or "")])
        load |= {"model": model("tiny-llama"), "format": "f16"}
        self.assertIn("isolated", self.refusal(load))
        self.assertIn("cold or hot", self.refusal(load, timing="isolated", cache="warm"))

    def test_attention_either_way(self):
        shapes = [{"seq_q": 17, "seq_kv": 17}, {"seq_q": 1, "seq_kv": 33}, {"seq_q": 9, "seq_kv": 40},
                  {"seq_q": 70, "seq_kv": 600}]
        common = {**ATTENTION, "batch": 2, "kv_heads": [4, 2], "shape": shapes, "mask": ["none", "causal"]}
        rows = self.check(
            {**common, "dtype": ["f32", "bf16"],
             "settings": {"backend": ["", "flash", "unfused"], "threads": 1}},
            {**common, "dtype": "f16", "settings": {"backend": "unfused", "threads": 1}},
            {**ATTENTION, "dtype": ["f32", "bf16"], "seq_kv": 50, "mask": "window", "window": 13,
             "settings": {"backend": ["flash", "unfused"]}},
            {**ATTENTION, "dtype": "bf16", "seq_q": 1, "seq_kv": 2048,
             "settings": {"backend": ["flash", "unfused"]}})
        self.assertEqual(len(rows), 2 * 2 * 4 * 2 * 3 + 2 * 4 * 2 + 4 + 2)
        self.assert_right(rows)
        for row in rows:
            way = row["settings"].get("backend") or "flash"
            self.assertEqual("flash_attn_ext" in row["kernel"], way == "flash", row["row_key"])
        self.assertIn("in f16", self.refusal({**ATTENTION, "dtype": "f16"}, backend="flash"))

    def test_threads_graphs_and_the_rest(self):
        rows = self.check({**GEMM, "m": 130, "settings": {"threads": 1}},
                          {**GEMM, "m": 131}, {**GEMM, "m": 132, "settings": {"threads": 1}},
                          {"kind": "dispatch", "ops": [1, 7, 100], "settings": {"graph": [False, True]}},
                          {"kind": "stream", "op": "copy", "bytes": [256, 33024, 1048576]})
        self.assert_right(rows)
        self.assertIn("threads: 1, ggml's pool, not pinned", rows[0]["notes"])
        self.assertIn("threads: 1, ggml's pool, not pinned", rows[2]["notes"])

    def test_refusals(self):
        cases = [
            (GEMM, {"backend": "flash"}, "no backend 'flash'"),
            (GEMM, {"graph": True}, "all work as graphs"),
            (GEMM, {"threads": 4096}, "physical core"),
            ({**GEMM, "layout": "nn"}, {}, "layout nt"),
            ({**GEMM, "dtype": "tf32"}, {}, "true f32"),
            ({**GEMM, "dtype": "int8"}, {}, "no int8 product"),
            ({**GEMM, "dtype": "f64"}, {}, "no f64 product"),
            ({**GEMM, "weights": "q4_g64"}, {}, "q4_g64 weights are MLX's"),
            (GEMM, {"form": "packed"}, "lays no f32 weights out anew"),
            ({**ATTENTION, "pass": "bwd"}, {}, "forward only"),
            (ATTENTION, {"backend": "cudnn"}, "no backend 'cudnn'"),
            ({"kind": "stream", "op": "triad", "bytes": 1024}, {}, "several passes"),
            ({"kind": "stream", "op": "copy", "bytes": 1024, "nontemporal": True}, {}, "bypass"),
            ({"kind": "alloc", "what": "single"}, {"timing": "isolated"}, "malloc"),
        ]
        for work, settings, why in cases:
            with self.subTest(why=why):
                self.assertIn(why, self.refusal(work, **settings))

    def test_its_libraries_are_named(self):
        text = self.ridge("list").stdout
        self.assertRegex(text, r"llamacpp +\| cpu: .*\| llama.cpp \d+\.\d+\.\d+.*, ggml \d+\.\d+")
        self.assertRegex(text, r"ggml commit [0-9a-f]{7,}, ggml back ends .*CPU, ggml cpu .+")

    def test_the_shell_changes_nothing(self):
        """… and nothing but the protocol comes out on stdout."""
        self.environment = {"OMP_NUM_THREADS": "1", "GGML_NO_BACKTRACE": "1", "LLAMA_ARG_THREADS": "1"}
        self.assert_right(self.check({**GEMM, "m": 200}))


if __name__ == "__main__":
    unittest.main()
