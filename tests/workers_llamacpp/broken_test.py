"""A llama.cpp that is broken costs its worker's rows alone, and they say why.

The worker is copied and its search path for libraries, in the copy, led to a folder of our own.
"""

import os
import pathlib
import subprocess
import unittest

from llamacpp_case import WORKER, LlamacppTest

SIM = pathlib.Path(os.environ["RIDGE_TEST_SIM"])


def search_path(file):
    text = subprocess.run(["readelf", "-d", file], text=True, capture_output=True, check=True).stdout
    lines = [line for line in text.splitlines() if "PATH)" in line]
    return lines[0].split("[", 1)[1].rsplit("]", 1)[0] if lines else ""


class Broken(LlamacppTest):
    def setUp(self):
        super().setUp()
        self.old = search_path(WORKER)
        self.real = pathlib.Path(self.old.split(":")[0])
        if not (self.real / "libllama.so").exists():
            self.skipTest("the worker has no search path of its own")
        prefix = self.folder / "p"
        self.libraries, self.workers, self.modules = prefix / "lib", self.folder / "w", prefix / "bin"
        for folder in (self.libraries, self.workers):
            folder.mkdir(parents=True)
        (self.workers / "ridge-worker-sim").symlink_to(SIM / "ridge-worker-sim")
        bytes_of_worker = WORKER.read_bytes()
        new = str(self.libraries).encode()
        self.assertEqual(bytes_of_worker.count(self.old.encode()), 1)
        self.assertLessEqual(len(new), len(self.old))
        copy = self.workers / "ridge-worker-llamacpp"
        copy.write_bytes(bytes_of_worker.replace(self.old.encode(), new.ljust(len(self.old), b"\0")))
        copy.chmod(0o755)
        for file in self.real.glob("lib*.so*"):
            if not file.name.startswith("libllama.so"):
                (self.libraries / file.name).symlink_to(file)

    def whole(self):
        for file in self.real.glob("libllama.so*"):
            (self.libraries / file.name).symlink_to(file)

    def run_both(self):
        return self.ridge("run", "--worker", "sim,llamacpp", "--rounds", 1, "--budget", "0.2s",
                          "--work", '{"kind": "gemm", "dtype": "f32", "layout": "nt", "m": 16, '
                          '"n": 16, "k": 16}', "-o", "md", "--out", self.folder / "out",
                          path=f"{self.workers}")

    def assert_only_its_rows_are_lost(self, *says):
        result = self.run_both()
        self.assertIn("| gemm", result.stdout, result.stderr)
        self.assertIn("sim", result.stdout)
        everything = result.stdout + result.stderr + self.ridge("list", path=f"{self.workers}").stdout
        for text in says:
            self.assertIn(text, everything)

    def test_truncated(self):
        with (self.real / "libllama.so").open("rb") as whole:
            (self.libraries / "libllama.so.0").write_bytes(whole.read(1 << 20))
        self.assert_only_its_rows_are_lost(f"{self.libraries}/libllama.so.0 is cut short: 1 MiB of")

    def test_not_a_library(self):
        (self.libraries / "libllama.so.0").write_text("<p>404 Not Found</p>\n" * 100)
        self.assert_only_its_rows_are_lost("libllama.so.0", "invalid ELF header")

    def test_missing(self):
        self.assert_only_its_rows_are_lost("libllama.so.0", "not found here", str(self.libraries))

    def test_no_back_end(self):
        """libllama is there, and no module of ggml's for this processor."""
        self.whole()
        if not (self.real.parent / "bin" / "libggml-cpu.so").exists():
            self.skipTest("this ggml has its back ends inside")
        for file in self.libraries.glob("libggml*"):
            target = file.resolve()
            file.unlink()
            file.write_bytes(target.read_bytes())
        self.assert_only_its_rows_are_lost("has no back end for this processor", "scripts/frameworks")

    def test_whole_it_works(self):
        """The copy itself is sound: what fails above fails for want of the library alone."""
        self.whole()
        rows = [line for line in self.run_both().stdout.splitlines() if "llamacpp" in line]
        self.assertTrue(any("FLOPS" in line for line in rows), rows)


if __name__ == "__main__":
    unittest.main()
