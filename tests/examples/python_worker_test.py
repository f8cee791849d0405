"""examples/python_worker.py: its generator against the vectors, its answers against `ridge check`."""

import importlib.util
import json
import sys
import unittest

from example import SOURCE, ExampleTest

try:
    import numpy as np
except ImportError:
    print("skipped: NumPy is missing (apt install python3-numpy)")
    sys.exit(77)

EXAMPLE = SOURCE / "examples/python_worker.py"


class PythonWorker(ExampleTest):
    def install(self, change=None):
        """The example as ridge-worker-numpy, with one piece of its text replaced by another."""
        text = EXAMPLE.read_text()
        if change:
            self.assertEqual(text.count(change[0]), 1, change[0])
            text = text.replace(*change)
        worker = self.folder / "ridge-worker-numpy"
        worker.write_text(text)
        worker.chmod(0o755)

    def test_generator_vectors(self):
        spec = importlib.util.spec_from_file_location("python_worker", EXAMPLE)
        example = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(example)
        compared = 0
        vectors = json.loads((SOURCE / "tests/base/data/generator_vectors.json").read_text())
        for vector in vectors["vectors"]:
            key = example.tensor_key(int(vector["seed"]), int(vector["salt"]), int(vector["copy"]),
                                     vector["tensor"])
            self.assertEqual(f"{key:016x}", vector["key"])
            # tf32's vectors have scale 1, and the values of f32.
            (unit,) = [e for e in vector["elements"] if e["dtype"] == "tf32"]
            self.assertEqual(unit["scale"], 1)
            for index, value in zip(vector["index"], unit["values"]):
                if index >= 1 << 32:
                    continue
                before = min(index, 1000)  # an element does not depend on where its array begins
                array = np.empty(before + 1, np.float32)
                example.generate(key, array, index - before)
                self.assertEqual(float(array[before]), value)
                compared += 1
        self.assertGreater(compared, 20)

    def test_parts_fit_together(self):
        spec = importlib.util.spec_from_file_location("python_worker", EXAMPLE)
        example = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(example)
        whole = np.empty((1 << 18) * 2 + 77, np.float32)
        example.generate(12345, whole)
        for first in (1, (1 << 18) - 1, 1 << 18, (1 << 19) + 5):
            some = np.empty(50, np.float32)
            example.generate(12345, some, first)
            self.assertEqual(some.tolist(), whole[first:first + 50].tolist())

    def test_check(self):
        self.install()

        def wanted(row):
            work, settings = row["workload"], row["settings"]
            if settings["form"] == "packed" or settings["threads"] != 0:
                return False
            if work["kind"] == "gemm":
                return work["dtype"] == "f32" and "weights" not in work
            return work["kind"] == "stream" and not work["nontemporal"]

        self.assert_checks("numpy", wanted)

    def test_run(self):
        self.install()
        self.assert_runs("numpy")

    def test_the_check_would_notice(self):
        """Each contract of the protocol that the example keeps, broken: no row passes."""
        for change, work in (
                # nothing computed: the poison is found
                (("np.matmul(a, b.T if nt else b, out=c)", "None"), "gemm"),
                # outputs that keep what they held, and a time that computes nothing anew
                (("compute(**copies[ops % len(copies)])", "pass"), "copy"),
                # the same inputs whatever the salt
                (("tensor_key(self.seed, salt,", "tensor_key(self.seed, 1,"), "copy"),
                # one copy used for all
                (("copies[ops % len(copies)]", "copies[0]"), "copy")):
            self.install(change)
            wanted = {"gemm": '{"kind": "gemm", "dtype": "f32", "m": 8, "n": 8, "k": 8}',
                      "copy": '{"kind": "stream", "op": "copy", "bytes": 65536}'}[work]
            with self.subTest(change[1]):
                result, (row,) = self.rows("check", "--worker", "numpy", "--work", wanted)
                self.assertEqual(row["status"], "incorrect", row)
                self.assertEqual(result.returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=1)
