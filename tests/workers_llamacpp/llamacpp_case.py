"""What the tests of the llama.cpp worker share: ridge with that worker alone, under its own lock."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

RIDGE = os.environ["RIDGE_TEST_BINARY"]
WORKER = pathlib.Path(os.environ["RIDGE_TEST_WORKER"])


class LlamacppTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ridge-l-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = {}

    def ridge(self, *args, path=str(WORKER.parent)):
        env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGE_")}
        env.update(RIDGE_WORKER_PATH=path, RIDGE_LOCK=str(self.folder / "lock"), **self.environment)
        return subprocess.run([RIDGE, *map(str, args)], env=env, cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=500)

    def check(self, *items):
        """The rows of `ridge check` on the processor: of these items, or of the conformance suite."""
        args = ["check", "--worker", "llamacpp", "--device", "cpu", "-o", "jsonl"]
        if items:
            suite = self.folder / "suite.json"
            suite.write_text(json.dumps({"name": "llamacpp", "about": "the llama.cpp worker's own",
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

    def assert_right(self, rows, why=""):
        for row in rows:
            with self.subTest(row=row["row_key"]):
                self.assertEqual(row["status"], "ok", row["reason"])
                self.assertGreater(row["check"]["elements"], 0, why)

    def refusal(self, work, **settings):
        (row,) = self.check({**work, "settings": settings})
        self.assertEqual(row["status"], "unsupported", row["row_key"])
        self.assertRegex(row["reason"], r"\A[^\n]{10,200}\Z")
        return row["reason"]
