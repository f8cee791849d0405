"""A PyTorch that is broken costs the torch worker's rows alone, and they say why.

The worker is copied and its search path for libraries, in the copy, led to a folder of our own.
"""

import os
import pathlib
import subprocess
import unittest

from torch_case import WORKER, TorchTest

SIM = pathlib.Path(os.environ["RIDGE_TEST_SIM"])


def dynamic(file):
    return subprocess.run(["readelf", "-d", file], text=True, capture_output=True,
                          check=True).stdout


class Broken(TorchTest):
    def setUp(self):
        super().setUp()
        lines = [line for line in dynamic(WORKER).splitlines() if "PATH)" in line]
        if not lines:
            self.skipTest("the worker has no search path of its own")
        self.old = lines[0].split("[", 1)[1].rsplit("]", 1)[0]
        self.real = pathlib.Path(self.old.split(":")[0])
        self.assertTrue((self.real / "libtorch_cpu.so").exists(), self.old)
        self.libraries, self.workers = self.folder / "l", self.folder / "w"
        for folder in (self.libraries, self.workers):
            folder.mkdir()
        (self.workers / "ridge-worker-sim").symlink_to(SIM / "ridge-worker-sim")
        bytes_of_worker = WORKER.read_bytes()
        new = str(self.libraries).encode()
        self.assertEqual(bytes_of_worker.count(self.old.encode()), 1)
        self.assertLessEqual(len(new), len(self.old))
        copy = self.workers / "ridge-worker-torch"
        copy.write_bytes(bytes_of_worker.replace(self.old.encode(), new.ljust(len(self.old), b"\0")))
        copy.chmod(0o755)
        # CUDA's run time lies in the path's second folder, where the machine has none of its own.
        for folder in self.old.split(":"):
            for file in pathlib.Path(folder).glob("*.so*") if folder else ():
                if file.name != "libtorch_cpu.so" and not (self.libraries / file.name).exists():
                    (self.libraries / file.name).symlink_to(file)

    def run_both(self):
        return self.ridge("run", "--worker", "sim,torch", "--rounds", 1, "--budget", "0.2s",
                          "--work", '{"kind": "gemm", "dtype": "f32", "m": 16, "n": 16, "k": 16}',
                          "-o", "md", "--out", self.folder / "out",
                          path=f"{self.workers}")

    def assert_only_torch_is_lost(self, *says):
        result = self.run_both()
        self.assertIn("| gemm", result.stdout, result.stderr)
        self.assertIn("sim", result.stdout)
        everything = result.stdout + result.stderr + self.ridge("list", path=f"{self.workers}").stdout
        for text in says:
            self.assertIn(text, everything)

    def test_truncated(self):
        with (self.real / "libtorch_cpu.so").open("rb") as whole:
            (self.libraries / "libtorch_cpu.so").write_bytes(whole.read(1 << 20))
        self.assert_only_torch_is_lost(f"{self.libraries}/libtorch_cpu.so is cut short: 1 MiB of")

    def test_not_a_library(self):
        (self.libraries / "libtorch_cpu.so").write_text("<p>404 Not Found</p>\n" * 100)
        self.assert_only_torch_is_lost("libtorch_cpu.so", "invalid ELF header")

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
        self.assert_only_torch_is_lost("libtorch_cpu.so", "not found here", str(self.libraries))

    def test_whole_it_works(self):
        """The copy itself is sound: what fails above fails for want of the library alone."""
        (self.libraries / "libtorch_cpu.so").symlink_to(self.real / "libtorch_cpu.so")
        rows = [line for line in self.run_both().stdout.splitlines() if "torch" in line]
        self.assertTrue(any("FLOPS" in line for line in rows), rows)


if __name__ == "__main__":
    unittest.main()
