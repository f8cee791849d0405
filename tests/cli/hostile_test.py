"""Hostile workers under the whole of ridge: the row in hand fails with its cause, the others are
measured and stored, ridge's memory stays bounded, and no process is left behind."""

import json
import os
import pathlib
import subprocess
import unittest

from harness import BINARY, SIM, RidgeTest, gemm, main

MOST_MIB = 160  # ridge needs about 15, and a line of 16 MiB a few times its size

# A gibibyte, or all there ever is, of each.
FLOODS = {
    "long-line@time": "more than 16 MiB", "long-line@check": "more than 16 MiB",
    "blank-lines@prepare": "no answer within", "strangers@check": "nobody made",
    "events@prepare": "no answer within", "events@time": "time: ",
    "wide@check": "more than 1000000 values", "endless": "more than the", "chatter": "time: ",
    "flood@time": "", "flood-line@check": "", "book@check": "check: ☃",
}


def cgroup_of(limit):
    """A new memory cgroup (v1 or v2) and its file for processes, or None where none can be made."""
    for base, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                       ("/sys/fs/cgroup", "memory.max")):
        folder = pathlib.Path(base) / f"ridge-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / name).write_text(str(limit))
            return folder
        except OSError:
            folder.rmdir()
    return None


def no_swap(folder, limit):
    """Forbids the group to swap; true where it is forbidden, or there is no swap."""
    for name, value in (("memory.memsw.limit_in_bytes", limit), ("memory.swap.max", 0)):
        try:
            (folder / name).write_text(str(value))
            return True
        except OSError:
            continue
    return len(pathlib.Path("/proc/swaps").read_text().splitlines()) < 2


class Hostile(RidgeTest):
    WORKS = [gemm(m=16), gemm(m=17), gemm(m=18)]

    def run_hostile(self, mode, deadline=6, **more):
        """Runs three rows of which the second is the hostile one's. The rows, and ridge's memory."""
        self.out = self.folder / mode
        env = self.own(RIDGE_TEST_MODE=mode, RIDGE_TEST_WORK="17x16x16", **more)
        args = [*self.run_args(*self.WORKS), "--deadline", deadline]
        with open(self.folder / "out", "w+") as out, open(self.folder / "err", "w+") as err:
            process = subprocess.Popen([BINARY, *map(str, args)], env=env, stdout=out, stderr=err,
                                       stdin=subprocess.DEVNULL, cwd=self.folder)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            rows = {row["workload"]["m"]: row for row in map(json.loads, out)}
        self.assertFalse(self.own_workers(), "orphans")
        self.assertEqual(set(rows), {16, 17, 18})
        for m in (16, 18):
            self.assertEqual(rows[m]["status"], "ok", rows[m]["reason"])
        (path,) = self.run_files()
        self.assertEqual({row["key"]: row["status"] for row in self.stored(path)},
                         {row["key"]: row["status"] for row in rows.values()})
        self.assertLess(path.stat().st_size, 1 << 20, "what a worker says is not kept without end")
        return process.returncode, rows[17], usage.ru_maxrss / 1024

    def test_floods_fill_no_memory(self):
        for mode, says in FLOODS.items():
            with self.subTest(mode=mode):
                # A gibibyte takes its time.
                code, row, mib = self.run_hostile(mode, 6 if says else 60)
                self.assertEqual(row["status"], "failed" if says else "ok", row["reason"])
                self.assertEqual(code, 1 if says else 0)
                self.assertIn(says, row["reason"] or "")
                self.assertLess(mib, MOST_MIB)

    def test_a_child_of_a_dead_worker_goes_too(self):
        for verb in ("prepare", "time"):
            _, row, _ = self.run_hostile(f"child@{verb}")
            self.assertIn("exited with code 3", row["reason"])

    def test_the_last_words_of_a_worker_without_memory(self):
        _, row, _ = self.run_hostile("rlimit@check")
        self.assertIn("killed by signal 6", row["reason"])
        self.assertIn("bad_alloc", "".join(row["stderr_tail"]))

    def test_a_cgroup_kills_the_worker_only(self):
        folder = cgroup_of(64 << 20)
        if not folder:
            self.skipTest("no memory cgroup can be made here")
        self.addCleanup(folder.rmdir)
        if not no_swap(folder, 64 << 20):
            self.skipTest("this group's memory may be swapped out")
        worker = self.workers / "ridge-worker-sim"
        worker.unlink()
        worker.write_text(f"#!/bin/sh\necho $$ >{folder}/cgroup.procs\n"
                          f"exec {SIM}/ridge-worker-sim\n")
        worker.chmod(0o755)
        _, row, _ = self.run_hostile("eat@check")
        self.assertEqual(row["status"], "failed")
        self.assertIn("killed by signal 9 (Killed), most likely out of memory", row["reason"])


if __name__ == "__main__":
    main()
