"""A llama.cpp that is broken costs its worker's rows alone, and they say why."""

import pathlib
import unittest

from framework_case import WORKER, BrokenFrameworkTest, search_path


class Broken(BrokenFrameworkTest):
    WORK = '{"kind": "gemm", "dtype": "f32", "layout": "nt", "m": 16, "n": 16, "k": 16}'

    def setUp(self):
        super().setUp()
        self.real = pathlib.Path(search_path(WORKER).split(":")[0])
        if not (self.real / "libllama.so").exists():
            self.skipTest("the worker has no search path of its own")
        self.copy_worker(self.folder / "p" / "lib")
        for file in self.real.glob("lib*.so*"):
            if not file.name.startswith("libllama.so"):
                (self.libraries / file.name).symlink_to(file)

    def whole(self):
        for file in self.real.glob("libllama.so*"):
            (self.libraries / file.name).symlink_to(file)

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
        self.assert_its_row_stands()


if __name__ == "__main__":
    unittest.main()
