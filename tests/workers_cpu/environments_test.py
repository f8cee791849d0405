"""The real worker in odd places: one core, 512 MiB of memory, no /sys, commas, closed ends, …

Each place gives the rows that the plain one gives, right, or says in one line why not. What is
measured there is nobody's concern here: no time, no rate, no flag is looked at.
"""
import contextlib
import json
import math
import os
import pathlib
import pty
import re
import resource
import shutil
import subprocess
import threading
import unittest

import framework_case
from control_group import WHY_NOT, group, join, kills

MEMORY = 512 << 20
ISOLATED = ["unshare", "-m", "sh", "-c"]  # a mount namespace of its own
TWO_THREADS = {"kind": "gemm", "dtype": "f32", "m": 33, "n": 48, "k": 80,
               "settings": {"threads": 2}}
ITEMS = [{"kind": "gemm", "dtype": ["f32", "bf16", "int8"], "m": 64, "n": 48, "k": 80,
          "settings": {"form": ["plain", "packed"]}},
         TWO_THREADS,
         {"kind": "stream", "op": "copy", "bytes": [8192, 4 << 20]},
         {"kind": "attention", "dtype": ["f32", "bf16"], "batch": 1, "heads": 4, "kv_heads": 2,
          "seq_q": 33, "seq_kv": 65, "head_dim": 64, "mask": "causal", "pass": ["fwd", "bwd"]},
         {"kind": "dispatch", "ops": [1, 16]},
         {"kind": "workingset", "op": ["read", "chase"], "bytes": 28672,
          "settings": {"threads": 1, "cache": "hot"}}]
# What any processor must have, the smallest one too.
ALWAYS = {"gemm/f32/64x48x80", "stream/copy/8KiB", "dispatch/16", "workingset/chase/28KiB",
          "attention/f32/b1/h4:2/s33:65/d64/causal", "attention/f32/b1/h4:2/s33:65/d64/causal/bwd"}
RUN = ["--work", json.dumps({"kind": "gemm", "dtype": "f32", "m": 64, "n": 64, "k": 64}),
       "--work", json.dumps({"kind": "stream", "op": "copy", "bytes": 1 << 20}),
       "--work", json.dumps({"kind": "dispatch", "ops": 16})]
# In this order: what the first ones took must not be missing for the last ones.
BIG = [{"kind": "gemm", "dtype": "f32", "m": 8192, "n": 8192, "k": 8192},  # 768 MiB
       {"kind": "gemm", "dtype": "f32", "m": 1, "n": 8192, "k": 8192,      # 256 MiB, packed twice
        "settings": {"form": ["plain", "packed"]}},
       {"kind": "stream", "op": "copy", "bytes": 128 << 20},  # 256 MiB again
       # Small tensors and score matrices of 256 MiB each.
       {"kind": "attention", "dtype": "f32", "batch": 1, "heads": 8, "kv_heads": 8, "seq_q": 2048,
        "seq_kv": 4096, "head_dim": 64, "pass": "bwd"},
       {"kind": "gemm", "dtype": "f32", "m": 64, "n": 48, "k": 80}]


def shapes(rows):
    """What must be the same everywhere: which rows there are, right or why not, and by what."""
    return {row["row_key"]: (row["status"], row["reason"], row["kernel"]) for row in rows}


class Environments(framework_case.FrameworkTest):
    DEVICE = "0"
    plain = None  # what a plain place gives, once for all tests

    def setUp(self):
        super().setUp()
        self.out = self.folder / "results"
        if Environments.plain is None:
            Environments.plain = shapes(self.rows())

    def assert_each_is_right_or_says_why(self, rows):
        for row in rows:
            if row["status"] == "ok":
                self.assertEqual(row["check"]["status"], "passed", row["row_key"])
                self.assertGreater(row["check"]["elements"], 0, row["row_key"])
            else:
                self.assertEqual(row["status"], "unsupported", row["row_key"])
                self.assertRegex(row["reason"], r"\A[^\n]{5,300}\Z", row["row_key"])

    def rows(self, *items):
        """The rows of `ridge check`, each of which is right or says why not."""
        rows = self.check(*(items or ITEMS))
        self.assert_each_is_right_or_says_why(rows)
        if not items:
            self.assertLessEqual(ALWAYS, {row["key"] for row in rows if row["status"] == "ok"})
        return rows

    def stored(self):
        (path,) = [p for p in self.out.rglob("*.jsonl") if ".samples." not in p.name]
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return {line["row_key"]: line for line in lines if line["type"] == "row"}  # the last counts

    def short_run(self, code=0):
        """`ridge run`, whose rows are told and stored alike."""
        result = self.ridge("run", "--worker", "cpu", "--rounds", 1, "--budget", "1s",
                            "-o", "jsonl", "--out", self.out, *RUN)
        self.assertEqual(result.returncode, code, result.stderr)
        stored = self.stored()
        self.assertEqual(len(stored), 3)
        self.assert_each_is_right_or_says_why(stored.values())
        for key, row in stored.items():
            self.assertEqual(row["status"], "ok", f"{key}: {row['reason']}")
            self.assertTrue(math.isfinite(row["rate"]["value"]) and row["rate"]["value"] > 0, row)
        told = {row["row_key"]: row for row in map(json.loads, result.stdout.splitlines())}
        if code == 0:
            self.assertEqual(told, stored)
        return result

    def assert_as_ever(self):
        self.assertEqual(shapes(self.rows()), self.plain)
        return self.short_run()

    def isolate(self, mount):
        """ridge runs in a mount namespace of its own, after the mount; skips where forbidden."""
        if not shutil.which("unshare"):
            self.skipTest("no unshare here")
        probe = subprocess.run([*ISOLATED, mount], capture_output=True, text=True)
        if probe.returncode != 0:
            self.skipTest(f"only root may mount: {probe.stderr.strip()}")
        self.launcher = [*ISOLATED, f'{mount} && exec "$@"', "sh"]

    def test_one_core(self):
        core = max(os.sched_getaffinity(0))  # not the one that comes first by default
        self.options = {"preexec_fn": lambda: os.sched_setaffinity(0, {core})}
        rows = shapes(self.rows())
        for key, told in rows.items():
            if key.endswith("/2t"):
                self.assertEqual(told[0], "unsupported")
                self.assertEqual(told[1], "2 threads: this process has 1 physical core")
            else:
                self.assertEqual(told[0], self.plain[key][0], key)
        self.assertEqual(rows.keys(), self.plain.keys())
        self.short_run()

    def assert_big_is_told(self):
        rows = {f"{row['key']} {row['settings']['form']}": row for row in self.rows(*BIG)}
        self.assertEqual(len(rows), 6)
        for key in ("gemm/f32/8192x8192x8192 plain", "attention/f32/b1/h8/s2048:4096/d64/bwd plain"):
            self.assertEqual(rows[key]["status"], "unsupported", key)
            self.assertRegex(rows[key]["reason"], "^needs ")
        self.assertRegex(rows["gemm/f32/8192x8192x8192 plain"]["reason"],
                         r"^needs 768 MiB, and [\d.]+ MiB are available$")
        self.assertEqual(rows["gemm/f32/64x48x80 plain"]["status"], "ok")
        return rows

    def test_a_control_group_of_512_mib(self):
        """What fits is measured, whatever came before; what does not is refused, not killed."""
        with group(MEMORY) as folder:
            if folder is None:
                self.skipTest(WHY_NOT)
            self.options = {"preexec_fn": lambda: join(folder)}
            self.assert_as_ever()
            rows = self.assert_big_is_told()
            self.assertEqual(rows["gemm/f32/1x8192x8192 plain"]["status"], "ok")
            self.assertEqual(rows["stream/copy/128MiB plain"]["status"], "ok",
                             rows["stream/copy/128MiB plain"]["reason"])
            self.assertIn(kills(folder), (0, None), "the kernel killed")

    def limited(self, what):
        def limit():
            # A thread's stack takes 8 MiB of addresses: on many cores they alone would fill it.
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
            resource.setrlimit(what, (MEMORY, MEMORY))

        self.options = {"preexec_fn": limit}
        self.rows()
        self.assert_big_is_told()
        self.short_run()

    def test_an_address_space_of_512_mib(self):
        self.limited(resource.RLIMIT_AS)

    def test_512_mib_of_data(self):
        self.limited(resource.RLIMIT_DATA)

    def test_without_sys(self):
        self.isolate("mount -t tmpfs none /sys")
        self.assert_as_ever()

    def test_a_home_that_is_read_only(self):
        home = self.folder / "home"
        home.mkdir()
        self.isolate(f"mount -t tmpfs -o ro none {home}")
        self.environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"),
                            "XDG_CONFIG_HOME": str(home / "config")}
        self.assert_as_ever()

    def test_a_locale_with_comma_decimals(self):
        locale = self.folder / "locales"
        locale.mkdir()
        if shutil.which("localedef"):
            subprocess.run(["localedef", "--no-archive", "-i", "de_DE", "-f", "UTF-8",
                            locale / "de_DE.UTF-8"], capture_output=True)
        self.environment = {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}
        if (locale / "de_DE.UTF-8").is_dir():
            self.environment["LOCPATH"] = str(locale)
        # It is a locale with commas, or this would prove nothing.
        probe = subprocess.run(["/usr/bin/printf", "%.1f", "1,5"], capture_output=True,
                               env={**os.environ, **self.environment})
        if probe.stdout != b"1,5":
            self.skipTest("no de_DE.UTF-8 here, and localedef cannot make it")
        self.assert_as_ever()

    def test_a_dumb_terminal(self):
        self.environment = {"TERM": "dumb"}
        ours, theirs = pty.openpty()
        written = []

        def drain():
            with contextlib.suppress(OSError):  # how Linux says that the other end is closed
                while got := os.read(ours, 4096):
                    written.append(got)

        reader = threading.Thread(target=drain)
        reader.start()
        self.options = {"stderr": theirs}
        try:
            self.assert_as_ever()
        finally:
            os.close(theirs)
            reader.join()
            os.close(ours)
        text = b"".join(written).decode()
        self.assertIn("ridge: ", text)
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\r", text.replace("\r\n", "\n"))

    def test_closed_stdin(self):
        self.options = {"preexec_fn": lambda: os.close(0)}
        self.assert_as_ever()

    def test_closed_stdout(self):
        """Nothing can be told, and that is said; what was measured is kept all the same."""
        self.options = {"preexec_fn": lambda: os.close(1)}
        complaint = "ridge: cannot write the results to stdout\n"
        result = self.ridge("check", "--worker", "cpu", "--work", json.dumps(TWO_THREADS))
        self.assertEqual((result.returncode, result.stderr), (1, complaint))
        result = self.short_run(code=1)
        self.assertEqual(result.stderr.count("cannot"), 1, result.stderr)
        self.assertIn(complaint, result.stderr)

    def test_the_worker_alone_with_closed_ends(self):
        """Nobody speaks to it, so it goes; it says so where an answer would have no way out."""
        for closed, code, says in (("<&-", 0, ""), ("</dev/null", 0, ""), (">&-", 1, "closed")):
            command = ["sh", "-c", f'exec "$1" {closed}', "sh", framework_case.WORKER]
            result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                    text=True, timeout=60)
            self.assertEqual(result.returncode, code, closed)
            self.assertRegex(result.stderr, re.compile(rf"\A[^\n]*{says}[^\n]*\n?\Z"), closed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
