"""What the tests of the examples share: a worker under a name of its own, checked and measured."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["RIDGE_TEST_SOURCE"])
RIDGE = os.environ["RIDGE_TEST_BINARY"]


class ExampleTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ridge-example-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def ridge(self, *args):
        """Only what lies in the test's own folder is found by the name that is asked for."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGE_")}
        # The system's Python has the NumPy that the distribution installs.
        env.update(RIDGE_WORKER_PATH=str(self.folder), PATH="/usr/bin:" + env.get("PATH", ""))
        return subprocess.run([RIDGE, *map(str, args)], env=env, cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=500)

    def rows(self, *args):
        result = self.ridge(*args, "-o", "jsonl")
        return result, [json.loads(line) for line in result.stdout.splitlines()]

    def assert_checks(self, name, wanted):
        """`ridge check` finds it right in just the rows of the conformance suite that are wanted."""
        result, rows = self.rows("check", "--worker", name)
        bad = [(row["row_key"], row["status"], row["reason"], row.get("stderr_tail")) for row in rows
               if row["status"] in ("failed", "incorrect")]
        self.assertEqual(bad, [])
        self.assertEqual(result.returncode, 0, result.stderr)
        right = {row["row_key"] for row in rows if row["status"] == "ok"}
        self.assertEqual(right, {row["row_key"] for row in rows if wanted(row)})
        self.assertGreater(len(right), 20)
        for row in rows:
            if row["status"] == "ok":
                self.assertEqual(row["check"]["status"], "passed", row["row_key"])
                self.assertGreater(row["check"]["elements"], 0, row["row_key"])

    def assert_runs(self, name):
        """`ridge run` gives a rate for a product and for each stream."""
        works = ['{"kind": "gemm", "dtype": "f32", "m": 96, "n": 64, "k": 128}',
                 '{"kind": "stream", "op": ["read", "write", "copy", "triad"], "bytes": 4194304}']
        result, rows = self.rows("run", "--worker", name, "--rounds", 3, "--budget", "3s",
                                 *sum((["--work", work] for work in works), []))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(len(rows), 5)
        for row in rows:
            self.assertEqual(row["status"], "ok", row)
            self.assertGreater(row["rate"]["value"], 0)
