"""examples/cpp_worker: built as a project of its own that takes the SDK from a checkout."""

import os
import pathlib
import subprocess
import unittest

from example import SOURCE, ExampleTest

BUILD = pathlib.Path(os.environ["RIDGE_TEST_BUILD"])


class CppWorker(ExampleTest):
    def run_tool(self, *args):
        result = subprocess.run([str(arg) for arg in args], text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=500)
        self.assertEqual(result.returncode, 0, result.stdout[-4000:])

    def setUp(self):
        super().setUp()
        cmake = os.environ["CMAKE"]
        self.run_tool(cmake, "-G", os.environ["GENERATOR"], "-S", SOURCE / "examples/cpp_worker",
                      "-B", BUILD, "-DCMAKE_CXX_COMPILER=" + os.environ["CXX"])
        self.run_tool(cmake, "--build", BUILD, "--target", "ridge-worker-loops")
        (self.folder / "ridge-worker-loops").symlink_to(BUILD / "ridge-worker-loops")

    def test_check_and_run(self):
        def wanted(row):
            work = row["workload"]
            if row["settings"]["form"] == "packed":
                return False
            if work["kind"] == "gemm":
                return work["dtype"] == "f32" and work["layout"] == "nn"
            return work["kind"] == "stream" and not work["nontemporal"]

        self.assert_checks("loops", wanted)
        self.assert_runs("loops")


if __name__ == "__main__":
    unittest.main(verbosity=1)
