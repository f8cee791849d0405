"""A PyTorch that is broken costs the torch worker's rows alone, and they say why."""

import os
import pathlib
import unittest

import framework_case


class Broken(framework_case.BrokenFrameworkTest):
    LIBRARY = "libtorch_cpu.so"

    def setUp(self):
        super().setUp()
        old = framework_case.search_path(framework_case.WORKER)
        if not old:
            self.skipTest("the worker has no search path of its own")
        self.real = pathlib.Path(old.split(":")[0])
        self.assertTrue((self.real / self.LIBRARY).exists(), old)
        self.copy_worker(self.folder / "l")
        # CUDA's run time lies in the path's second folder, where the machine has none of its own.
        for folder in filter(None, old.split(":")):
            self.link_the_rest(pathlib.Path(folder))

    def test_a_driver_without_libraries_leaves_the_processor(self):
        """libtorch_cuda.so cannot be opened: that is said, and rows on the processor stand."""
        self.whole()
        (self.libraries / "libtorch_cuda.so").unlink(missing_ok=True)
        self.environment["LD_LIBRARY_PATH"] = os.environ["RIDGE_TEST_FAKE"]
        rows = [line for line in self.run_both().stdout.splitlines() if "torch:cpu" in line]
        self.assertTrue(any("FLOPS" in line for line in rows), rows)
        self.assertIn("cuda refused libtorch_cuda.so cannot be opened: libtorch_cuda.so: cannot open",
                      self.ridge("list", path=f"{self.workers}").stdout)


if __name__ == "__main__":
    unittest.main()
