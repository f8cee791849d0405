"""The worker of MLX: right where it says yes, one line where it says no.

  worker_test.py RIDGE WORKER_FOLDER
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RIDGE, WORKERS = sys.argv[1], sys.argv[2]
HERE = pathlib.Path(__file__).parent
FORMAT = ["--worker", "mlx", "-o", "json"]


class Mlx(unittest.TestCase):
    def check(self, *arguments, env=None):
        """Rows of `ridge check`."""
        run = subprocess.run(
            [RIDGE, "check", *arguments, *FORMAT], capture_output=True, text=True, timeout=500,
            env={**os.environ, "RIDGE_WORKER_PATH": WORKERS, **(env or {})})
        self.assertTrue(run.stdout, run.stderr)
        return json.loads(run.stdout)["results"]

    def each(self, works, **more):
        """A row for each work and settings, in their order."""
        suite = {"name": "each", "rounds": 1, "seconds_per_row": 0.02, "most_seconds": 60,
                 "items": [{**work, "settings": settings} for work, settings in works]}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(suite, file)
            file.flush()
            rows = self.check("--suite", file.name, "--device", "cpu", **more)
        self.assertEqual(len(rows), len(works))
        return rows

    def assert_right_or_refused(self, rows):
        for row in rows:
            key = row["row_key"]
            self.assertIn(row["status"], ("ok", "unsupported"), f"{key}: {row['reason']}")
            if row["status"] == "unsupported":
                self.assertEqual(len(row["reason"].splitlines()), 1, key)
                self.assertLess(len(row["reason"]), 200, key)
            else:
                self.assertTrue(row["check"]["elements"] > 0 or row["key"].startswith("alloc"), key)

    def test_conformance(self):
        rows = self.check("--suite", "conformance")
        self.assert_right_or_refused(rows)
        right = {row["key"].split("/")[0] + "/" + row["key"].split("/")[1]
                 for row in rows if row["status"] == "ok"}
        self.assertLessEqual({"gemm/f32", "gemm/f64", "gemm/bf16", "gemm/f16", "stream/copy",
                              "stream/triad", "stream/read", "stream/write", "convstack/f32",
                              "convstack/bf16", "dispatch/1", "sustained/2s"}, right)
        weights = [row for row in rows if "/w-q" in row["key"] and row["status"] == "ok"]
        self.assertGreaterEqual(len(weights), 6)

    def test_attention_graphs_and_back_ends(self):
        rows = self.check("--suite", str(HERE / "suite.json"))
        self.assert_right_or_refused(rows)
        right = [row["row_key"] for row in rows if row["status"] == "ok"]
        for part in ("/causal@", "/window-17@", "/causal/bwd@", "/window-17/bwd@", "h4:2", "/s1:96/"):
            self.assertTrue(any(part in key for key in right), part)
        refused = [row["row_key"] for row in rows if row["status"] != "ok"]
        self.assertTrue(any(key.endswith("/flash") for key in refused))

    def test_refusals_say_why(self):
        gemm = {"kind": "gemm", "dtype": "f32", "m": 8, "n": 8, "k": 64}
        cases = [
            ({**gemm, "dtype": "tf32"}, {}, "a CPU has no tf32"),
            ({**gemm, "dtype": "fp8"}, {}, "no fp8 product"),
            ({**gemm, "dtype": "int8"}, {}, "no int8 product"),
            ({**gemm, "dtype": "bf16", "output": "f32"}, {}, "dtype of their operands"),
            ({**gemm, "dtype": "bf16", "m": 8192, "n": 8192, "k": 8192}, {}, "would take about 275 s"),
            ({**gemm, "dtype": "bf16", "layout": "nt", "weights": "q4_g64"}, {}, "adds bf16 products"),
            ({**gemm, "layout": "nt", "weights": "q4_0"}, {}, "no product with q4_0 weights"),
            ({**gemm, "dtype": "bf16"}, {"threads": 4096}, "physical core"),
            (gemm, {"form": "packed"}, "no packed"),
            (gemm, {"backend": "cublas"}, "no backend 'cublas'"),
            ({"kind": "stream", "op": "copy", "bytes": 1024, "nontemporal": True}, {}, "bypass"),
            ({"kind": "workingset", "op": "chase", "bytes": 1024}, {"threads": 1}, "each step"),
            ({"kind": "load", "bytes": 4096}, {"timing": "isolated"}, "raw files"),
            ({"kind": "alloc", "what": "single"}, {"timing": "isolated"}, "malloc"),
        ]
        rows = self.each([(work, settings) for work, settings, _ in cases])
        for row, (_, _, why) in zip(rows, cases):
            self.assertEqual(row["status"], "unsupported", row["row_key"])
            self.assertIn(why, row["reason"])

    def test_a_graph_needs_a_compiler_on_a_cpu(self):
        with tempfile.TemporaryDirectory() as empty:
            row, = self.each([({"kind": "dispatch", "ops": 2}, {"graph": True})], env={"PATH": empty})
        self.assertEqual(row["status"], "unsupported")
        self.assertIn("calls g++", row["reason"])

    def test_rows_say_what_computed(self):
        """… and what the shell says of threads and MLX changes nothing."""
        work = {"kind": "gemm", "dtype": "f32", "m": 96, "n": 96, "k": 96}
        hostile = {"OPENBLAS_NUM_THREADS": "1", "MLX_DISABLE_COMPILE": "1"}
        for threads, env in ((1, {}), (0, {}), (0, hostile)):
            row, = self.each([(work, {"threads": threads})], env=env)
            self.assertEqual(row["status"], "ok", row["reason"])
            notes = [note for note in row["notes"] if note.startswith("BLAS: ")]
            self.assertEqual(len(notes), 1, row["notes"])
            self.assertRegex(notes[0], r"^BLAS: .+ \(.*\), \d+ threads?$")
            if threads == 1:
                self.assertTrue(notes[0].endswith(", 1 thread"), notes)
        half, conv, back = self.each([
            ({**work, "dtype": "bf16"}, {}),
            ({"kind": "convstack", "dtype": "bf16", "channels": 16, "spatial": 35, "depth": 3}, {}),
            ({"kind": "attention", "dtype": "f32", "batch": 1, "heads": 2, "kv_heads": 2, "seq_q": 16,
              "seq_kv": 16, "head_dim": 16, "pass": "bwd"}, {})])
        self.assertTrue(any("one thread of scalar code" in note for note in half["notes"]))
        self.assertEqual(conv["executed_dtype"], "f32")
        self.assertIn("vjp: forward computed again inside, unfused", back["notes"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
