"""What the tests of workers on a framework share: ridge with that worker alone, under its own lock."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

RIDGE = os.environ["RIDGE_TEST_BINARY"]
WORKER = pathlib.Path(os.environ["RIDGE_TEST_WORKER"])
SIM = pathlib.Path(os.environ["RIDGE_TEST_SIM"])
NAME = WORKER.name.removeprefix("ridge-worker-")


class FrameworkTest(unittest.TestCase):
    maxDiff = 4000
    DEVICE = "cpu"  # as this worker calls the processor

    def setUp(self):
        # As short as can be: its path takes the place of a shorter one in a copy of the worker.
        folder = tempfile.TemporaryDirectory(prefix="ridge-t-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = {}
        self.launcher = []  # what stands before ridge: a program that changes where it runs
        self.options = {}   # of subprocess.run

    def ridge(self, *args, path=str(WORKER.parent)):
        env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGE_")}
        env.update(RIDGE_WORKER_PATH=path, RIDGE_LOCK=str(self.folder / "lock"), **self.environment)
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **self.options}
        return subprocess.run([*self.launcher, RIDGE, *map(str, args)], env=env, cwd=self.folder,
                              text=True, stdin=subprocess.DEVNULL, timeout=500, **options)

    def check(self, *items, worker=NAME):
        """The rows of `ridge check` on the processor: of these items, or of the conformance suite."""
        args = ["check", "--worker", worker, "--device", self.DEVICE, "-o", "jsonl"]
        if items:
            suite = self.folder / "suite.json"
            suite.write_text(json.dumps({"name": NAME, "about": f"the {NAME} worker's own",
                                         "rounds": 1, "seconds_per_row": 0.02, "most_seconds": 60,
                                         "items": items}))
            args += ["--suite", suite]
        result = self.ridge(*args)
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        bad = [(row["row_key"], row["reason"], row.get("stderr_tail")) for row in rows
               if row["status"] in ("failed", "incorrect")]
        self.assertEqual(bad, [], result.stderr)
        self.assertEqual(result.returncode, 0, result.stderr)
        return rows

    def refusal(self, work, **settings):
        (row,) = self.check({**work, "settings": settings})
        self.assertEqual(row["status"], "unsupported", row["row_key"])
        self.assertNotIn("\n", row["reason"])
        return row["reason"]


def search_path(file):
    text = subprocess.run(["readelf", "-d", file], text=True, capture_output=True, check=True).stdout
    lines = [line for line in text.splitlines() if "PATH)" in line]
    return lines[0].split("[", 1)[1].rsplit("]", 1)[0] if lines else ""


class BrokenFrameworkTest(FrameworkTest):
    """The worker is copied beside the simulated one, and the copy's search path for libraries led to
    a folder of our own. Derive from framework_case.BrokenFrameworkTest, without importing the name:
    unittest would run it as it is."""

    WORK = '{"kind": "gemm", "dtype": "f32", "m": 16, "n": 16, "k": 16}'
    LIBRARY = ""  # that breaks, by the name that the loader asks for; its folder is self.real

    def copy_worker(self, libraries):
        self.libraries, self.workers = libraries, self.folder / "w"
        for folder in (self.libraries, self.workers):
            folder.mkdir(parents=True)
        (self.workers / "ridge-worker-sim").symlink_to(SIM / "ridge-worker-sim")
        old, new = search_path(WORKER).encode(), str(libraries).encode()
        bytes_of_worker = WORKER.read_bytes()
        self.assertEqual(bytes_of_worker.count(old), 1)
        self.assertLessEqual(len(new), len(old))
        copy = self.workers / WORKER.name
        copy.write_bytes(bytes_of_worker.replace(old, new.ljust(len(old), b"\0")))
        copy.chmod(0o755)

    def run_both(self):
        return self.ridge("run", "--worker", f"sim,{NAME}", "--rounds", 1, "--budget", "0.2s",
                          "--work", self.WORK, "-o", "md", "--out", self.folder / "out",
                          path=f"{self.workers}")

    def assert_only_its_rows_are_lost(self, *says):
        result = self.run_both()
        self.assertIn("| gemm", result.stdout, result.stderr)
        self.assertIn("sim", result.stdout)
        everything = result.stdout + result.stderr + self.ridge("list", path=f"{self.workers}").stdout
        for text in says:
            self.assertIn(text, everything)

    def assert_its_row_stands(self):
        rows = [line for line in self.run_both().stdout.splitlines() if NAME in line]
        self.assertTrue(any("FLOPS" in line for line in rows), rows)

    def names(self):
        """What the library's files are called: "libllama.so*"."""
        return self.LIBRARY.split(".so")[0] + ".so*"

    def link_the_rest(self, folder):
        for file in folder.glob("*.so*"):
            if not file.match(self.names()) and not (self.libraries / file.name).exists():
                (self.libraries / file.name).symlink_to(file)

    def whole(self):
        for file in self.real.glob(self.names()):
            (self.libraries / file.name).symlink_to(file)

    def test_truncated(self):
        with (self.real / self.LIBRARY).open("rb") as whole:
            (self.libraries / self.LIBRARY).write_bytes(whole.read(1 << 20))
        self.assert_only_its_rows_are_lost(f"{self.libraries}/{self.LIBRARY} is cut short: 1 MiB of")

    def test_not_a_library(self):
        (self.libraries / self.LIBRARY).write_text("<p>404 Not Found</p>\n" * 100)
        self.assert_only_its_rows_are_lost(self.LIBRARY, "invalid ELF header")

    def test_missing(self):
        self.assert_only_its_rows_are_lost(self.LIBRARY, "not found here", str(self.libraries))

    def test_of_another_version(self):
        """A library in front of the framework's answers with version 999 when it is asked."""
        self.whole()
        self.environment["LD_PRELOAD"] = os.environ["RIDGE_TEST_OTHER_VERSION"]
        self.assert_only_its_rows_are_lost("999.0.0", "but this worker was compiled against")
        unnamed = self.ridge("run", "--rounds", 1, "--budget", "0.2s", "--work", self.WORK,
                             "-o", "jsonl", "--out", self.folder / "out", path=f"{self.workers}")
        status = {row["worker"]: row["status"] for row in map(json.loads, unnamed.stdout.splitlines())}
        self.assertEqual((status["sim"], status[NAME]), ("ok", "unsupported"), unnamed.stderr)
        self.assertEqual(unnamed.returncode, 0, unnamed.stderr)

    def test_whole_it_works(self):
        """The copy itself is sound: what fails above fails for want of the library alone."""
        self.whole()
        self.assert_its_row_stands()
