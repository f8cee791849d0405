"""A PyTorch that is broken costs the torch worker's rows alone, and they say why."""

import os
import pathlib
import unittest

from framework_case import WORKER, BrokenFrameworkTest, search_path


class Broken(BrokenFrameworkTest):
    def setUp(self):
        super().setUp()
        old = search_path(WORKER)
        if not old:
            self.skipTest("the worker has no search path of its own")
        self.real = pathlib.Path(old.split(":")[0])
        self.assertTrue((self.real / "libtorch_cpu.so").exists(), old)
        self.copy_worker(self.folder / "l")
        # CUDA's run time lies in the path's second folder, where the machine has none of its own.
        for folder in old.split(":"):
            for file in pathlib.Path(folder).glob("*.so*") if folder else ():
                if file.name != "libtorch_cpu.so" and not (self.libraries / file.name).exists():
                    (self.libraries / file.name).symlink_to(file)

    def test_truncated(self):
        with (self.real / "libtorch_cpu.so").open("rb") as whole:
            (self.libraries / "libtorch_cpu.so").write_bytes(whole.read(1 << 20))
        self.assert_only_its_rows_are_lost(f"{self.libraries}/libtorch_cpu.so is cut short: 1 MiB of")

    def test_not_a_library(self):
        (self.libraries / "libtorch_cpu.so").write_text("<p>404 Not Found</p>\n" * 100)
        self.assert_only_its_rows_are_lost("libtorch_cpu.so", "invalid ELF header")

    def test_a_driver_without_libraries_leaves_the_processor(self):
        """libtorch_cuda.so cannot be opened: that is said, and rows on the processor stand."""
        (self.libraries / "libtorch_cpu.so").symlink_to(self.real / "libtorch_cpu.so")
        (self.libraries / "libtorch_cuda.so").unlink(missing_ok=True)
        self.environment["LD_LIBRARY_PATH"] = os.environ["RIDGE_TEST_FAKE"]
        rows = [line for line in self.run_both().stdout.splitlines() if "torch:cpu" in line]
        self.assertTrue(any("FLOPS" in line for line in rows), rows)
        self.assertIn("cuda refused libtorch_cuda.so cannot be opened: libtorch_cuda.so: cannot open",
                      self.ridge("list", path=f"{self.workers}").stdout)

    def test_missing(self):
        self.assert_only_its_rows_are_lost("libtorch_cpu.so", "not found here", str(self.libraries))

    def test_whole_it_works(self):
        """The copy itself is sound: what fails above fails for want of the library alone."""
        (self.libraries / "libtorch_cpu.so").symlink_to(self.real / "libtorch_cpu.so")
        self.assert_its_row_stands()


if __name__ == "__main__":
    unittest.main()
