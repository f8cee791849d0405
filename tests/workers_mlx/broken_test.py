"""An MLX that is broken costs the MLX worker's rows alone, and they say why."""

import pathlib
import unittest

import framework_case


class Broken(framework_case.BrokenFrameworkTest):
    LIBRARY = "libmlx.so"

    def setUp(self):
        super().setUp()
        path = framework_case.search_path(framework_case.WORKER)
        folders = [pathlib.Path(folder) for folder in path.split(":") if folder]
        holds = [folder for folder in folders if (folder / self.LIBRARY).exists()]
        if not holds:
            self.skipTest("the worker has no search path of its own")
        self.real = holds[0]
        # As a wheel unpacks: MLX looks for its own libraries beside the folder mlx/.
        self.copy_worker(self.folder / "s" / "mlx" / "lib")
        for libraries in self.real.parent.parent.glob("mlx*.libs"):
            (self.folder / "s" / libraries.name).symlink_to(libraries)
        for folder in folders:
            self.link_the_rest(folder)


if __name__ == "__main__":
    unittest.main()
