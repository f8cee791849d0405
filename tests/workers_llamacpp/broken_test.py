"""A llama.cpp that is broken costs its worker's rows alone, and they say why."""

import pathlib
import unittest

import framework_case


class Broken(framework_case.BrokenFrameworkTest):
    LIBRARY = "libllama.so.0"
    WORK = '{"kind": "gemm", "dtype": "f32", "layout": "nt", "m": 16, "n": 16, "k": 16}'

    def setUp(self):
        super().setUp()
        self.real = pathlib.Path(framework_case.search_path(framework_case.WORKER).split(":")[0])
        if not (self.real / "libllama.so").exists():
            self.skipTest("the worker has no search path of its own")
        self.copy_worker(self.folder / "p" / "lib")
        self.link_the_rest(self.real)

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


if __name__ == "__main__":
    unittest.main()
