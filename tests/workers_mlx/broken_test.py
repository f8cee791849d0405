"""An MLX that is broken costs the MLX worker's rows alone, and they say why."""

import pathlib
import unittest

from framework_case import WORKER, BrokenFrameworkTest, search_path


class Broken(BrokenFrameworkTest):
    def setUp(self):
        super().setUp()
        folders = [pathlib.Path(folder) for folder in search_path(WORKER).split(":") if folder]
        holds = [folder for folder in folders if (folder / "libmlx.so").exists()]
        if not holds:
            self.skipTest("the worker has no search path of its own")
        self.real = holds[0]
        # As a wheel unpacks: MLX looks for its own libraries beside the folder mlx/.
        self.copy_worker(self.folder / "s" / "mlx" / "lib")
        for libraries in self.real.parent.parent.glob("mlx*.libs"):
            (self.folder / "s" / libraries.name).symlink_to(libraries)
        for folder in folders:
            for file in folder.glob("*.so*"):
                if file.name != "libmlx.so" and not (self.libraries / file.name).exists():
                    (self.libraries / file.name).symlink_to(file)

    def test_truncated(self):
        with (self.real / "libmlx.so").open("rb") as whole:
            (self.libraries / "libmlx.so").write_bytes(whole.read(1 << 20))
        self.assert_only_its_rows_are_lost(f"{self.libraries}/libmlx.so is cut short: 1 MiB of")

    def test_not_a_library(self):
        (self.libraries / "libmlx.so").write_text("<p>404 Not Found</p>\n" * 100)
        self.assert_only_its_rows_are_lost("libmlx.so", "invalid ELF header")

    def test_missing(self):
        self.assert_only_its_rows_are_lost("libmlx.so", "not found here", str(self.libraries))

    def test_whole_it_works(self):
        """The copy itself is sound: what fails above fails for want of the library alone."""
        (self.libraries / "libmlx.so").symlink_to(self.real / "libmlx.so")
        self.assert_its_row_stands()


if __name__ == "__main__":
    unittest.main()
