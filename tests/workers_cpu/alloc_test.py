"""alloc in a control group of 2 GiB: right within 5 %, nobody is killed, every time.

  alloc_test.py RIDGE WORKER_FOLDER [TIMES]
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from control_group import WHY_NOT, group, join, kills

RIDGE, WORKERS = sys.argv[1], sys.argv[2]
TIMES = int(sys.argv[3]) if len(sys.argv) > 3 else 3
LIMIT = 2 << 30
OWN = 96 << 20  # ridge, the worker and what they map take their part of the limit

SUITE = {"name": "alloc", "about": "alloc alone", "rounds": 1, "seconds_per_row": 1,
         "most_seconds": 10,
         "items": [{"kind": "alloc", "what": ["single", "total"],
                    "settings": {"timing": "isolated"}}]}


def available():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 1 << 62


class Alloc(unittest.TestCase):
    def test_two_gibibytes(self):
        with group(LIMIT) as folder, tempfile.TemporaryDirectory() as out:
            if folder is None:
                self.skipTest(WHY_NOT)
            if available() < 3 << 30:
                self.skipTest("less than 3 GiB of memory are available")
            suite = pathlib.Path(out, "alloc.json")
            suite.write_text(json.dumps(SUITE))

            for _ in range(TIMES):
                run = subprocess.run([RIDGE, "run", "--suite", str(suite), "--worker", "cpu", "-o",
                                      "json", "--out", out], preexec_fn=lambda: join(folder),
                                     timeout=300, capture_output=True, text=True,
                                     env={**os.environ, "RIDGE_WORKER_PATH": WORKERS})
                self.assertEqual(run.returncode, 0, run.stderr)
                rows = json.loads(run.stdout)["results"]
                self.assertEqual(len(rows), 2, run.stdout)
                for row in rows:
                    self.assertEqual(row["status"], "ok", row)
                    value = row["values"][0]
                    print(row["key"], value["value"] / (1 << 30), row["notes"])
                    self.assertEqual(value["unit"], "B")
                    self.assertLessEqual(value["value"], LIMIT)
                    self.assertGreaterEqual(value["value"], 0.95 * (LIMIT - OWN))
            self.assertIn(kills(folder), (0, None), "the kernel killed")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
