"""The torch worker on the processor: right answers, and refusals that say why in one line."""

import unittest

from framework_case import FrameworkTest

GEMM = {"kind": "gemm", "dtype": "f32", "m": 48, "n": 32, "k": 64}
ATTENTION = {"kind": "attention", "dtype": "f32", "batch": 1, "heads": 4, "kv_heads": 2, "seq_q": 24,
             "seq_kv": 24, "head_dim": 32}


def dtype(row):
    return row["workload"].get("dtype")


class Conformance(FrameworkTest):
    def test_the_whole_suite(self):
        rows = self.check()
        for row in rows:
            work, settings = row["workload"], row["settings"]
            if work["kind"] == "attention":
                continue  # below, by every back end
            plain = settings.get("form", "plain") == "plain" and not work.get("nontemporal")
            has = (work["kind"] == "gemm" and dtype(row) not in ("tf32", "fp8") and
                   "output" not in work and "weights" not in work or
                   work["kind"] == "convstack" or
                   work["kind"] in ("stream", "dispatch", "sustained") or
                   work["kind"] == "workingset" and work["op"] == "read")
            with self.subTest(row=row["row_key"]):
                if plain and has:
                    self.assertEqual(row["status"], "ok", row["reason"])
                    self.assertGreater(row["check"]["elements"], 0)
                    self.assertIn("eager", row["notes"])
                    self.assertTrue(any(note.startswith("threads: ") for note in row["notes"]))
                else:
                    self.assertEqual(row["status"], "unsupported")
                    self.assertRegex(row["reason"], r"\A[^\n]{10,200}\Z")

    def test_attention_by_every_back_end(self):
        rows = self.check(
            {**ATTENTION, "batch": 2, "dtype": ["f32", "bf16", "f16"], "kv_heads": [4, 2],
             "shape": [{"seq_q": 17, "seq_kv": 17}, {"seq_q": 1, "seq_kv": 33},
                       {"seq_q": 9, "seq_kv": 40}],
             "mask": ["none", "causal"], "pass": ["fwd", "bwd"],
             "settings": {"backend": ["", "flash", "math"]}},
            {**ATTENTION, "dtype": ["f32", "bf16"], "seq_kv": 50, "mask": "window", "window": 13,
             "pass": ["fwd", "bwd"], "settings": {"backend": ["", "flash", "math"]}})
        self.assertEqual(len(rows), 3 * 2 * 3 * 2 * 2 * 3 + 2 * 2 * 3)
        for row in rows:
            with self.subTest(row=row["row_key"]):
                self.assertEqual(row["status"], "ok", row["reason"])
                backend = row["settings"].get("backend")
                if backend:
                    self.assertIn(f": {backend}", row["kernel"])
                # The products of its unfused way are in f32: said of every row that ran so.
                half = dtype(row) != "f32"
                if ": math" in row["kernel"]:
                    self.assertEqual(row.get("executed_dtype"), "f32" if half else None)

    def test_refusals(self):
        self.assertIn("no backend 'cudnn'", self.refusal(ATTENTION, backend="cudnn"))
        self.assertIn("no backend 'flash'", self.refusal(GEMM, backend="flash"))
        self.assertIn("no tf32", self.refusal({**ATTENTION, "dtype": "tf32"}))
        self.assertIn("CUDA only", self.refusal(GEMM, graph=True))
        self.assertIn("q4_0 weights", self.refusal({**GEMM, "layout": "nt", "weights": "q4_0"}))
        self.assertIn("physical core", self.refusal(GEMM, threads=4096))
        self.assertIn("gives no f32 from bf16",
                      self.refusal({**GEMM, "dtype": "bf16", "output": "f32"}))
        self.assertIn("cpu worker", self.refusal({"kind": "alloc", "what": "single"},
                                                 timing="isolated"))

    def test_every_thread_count_is_right(self):
        threads = [1, 2, 1]
        rows = self.check(*[{**GEMM, "m": 130 + i, "settings": {"threads": n}}
                            for i, n in enumerate(threads)])
        for row in rows:
            n = row["settings"]["threads"]
            if row["status"] == "ok":
                self.assertIn(f"threads: {n}, OpenMP, kept to as many cores", row["notes"])
            else:
                self.assertIn(f"{n} threads: this process has", row["reason"])

    def test_its_libraries_are_named(self):
        text = self.ridge("list").stdout
        self.assertRegex(text, r"torch +\| cpu: .*\| torch \d+\.\d+\.\d+.*, torch isa \w+")


if __name__ == "__main__":
    unittest.main()
