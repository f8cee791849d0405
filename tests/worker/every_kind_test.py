"""Every worker that was built here answers for every kind of work there is: yes, or why not."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

RIDGE = os.environ["RIDGE_TEST_BINARY"]

MODEL = {"model": "tiny-llama", "format": "f16", "tokens": 4}
WORK = [
    {"kind": "gemm", "dtype": "f32", "m": 16, "n": 16, "k": 16},
    {"kind": "stream", "op": "copy", "bytes": 4096},
    {"kind": "attention", "dtype": "f32", "batch": 1, "heads": 1, "kv_heads": 1, "seq_q": 8, "seq_kv": 8,
     "head_dim": 16},
    {"kind": "prefill", "batch": 1, "depth": 0, **MODEL},
    {"kind": "decode", "batch": 1, "depth": 0, **MODEL},
    {"kind": "load_model", **MODEL},
    {"kind": "workingset", "op": "read", "bytes": 4096},
    {"kind": "convstack", "dtype": "f32", "channels": 16, "spatial": 4, "depth": 2},
    {"kind": "dispatch", "ops": 3},
    {"kind": "sustained", "seconds": 2, "dtype": "f32", "m": 16, "n": 16, "k": 16},
    {"kind": "load", "bytes": 4096},
    {"kind": "alloc", "what": "single"},
]


def ridge(*args, **more):
    return subprocess.run([RIDGE, *map(str, args)], text=True, capture_output=True, timeout=200,
                          stdin=subprocess.DEVNULL, check=True, **more).stdout


class EveryKind(unittest.TestCase):
    def test_is_answered(self):
        known = json.loads(ridge("list", "-o", "json"))
        self.assertEqual({kind["kind"] for kind in known["kinds"]}, {work["kind"] for work in WORK})
        with tempfile.TemporaryDirectory() as folder:
            suite = pathlib.Path(folder) / "suite.json"
            suite.write_text(json.dumps({"name": "every", "about": "every kind", "rounds": 1,
                                         "seconds_per_row": 1, "most_seconds": 9, "items": WORK}))
            text = ridge("run", "--suite", suite, "--dry-run", cwd=folder)
        self.assertIn("gemm/f32/16x16x16@cpu:0", text)
        self.assertNotIn("failed", text)


if __name__ == "__main__":
    unittest.main()
