"""kill -9 of ridge: whatever moment it comes at, the run file can be read with every finished row in
it, and no worker is left behind."""

import json
import os
import pathlib
import random
import signal
import time
import unittest

from harness import SIM, SOURCE, RidgeTest, environment, gemm, main, wait_until

DEAF = SOURCE / "tests/cli/workers/ridge-worker-deaf.py"
KILLS = 30


@unittest.skipUnless(os.path.exists("/proc/self/stat"), "looks for processes in /proc")
class Orphans(RidgeTest):
    def setUp(self):
        super().setUp()
        (self.workers / "ridge-worker-deaf.py").symlink_to(DEAF)

    def no_worker_left(self):
        gone = wait_until(lambda: not self.own_workers(), 2)
        self.assertTrue(gone, f"orphans: {self.own_workers()}")

    def finished_rows(self, path):
        """Row keys of the whole lines of a run file, read without ridge's help."""
        lines = path.read_bytes().split(b"\n")[:-1]
        rows = [json.loads(line) for line in lines]
        return {row["row_key"] for row in rows if row["type"] == "row"}

    def test_kill_at_any_moment(self):
        work = gemm(m=[16, 17, 18, 19], settings={"cache": ["cold", "hot"]})
        seed = random.randrange(2**32)
        dice = random.Random(seed)
        rows_seen = 0
        for attempt in range(KILLS):
            with self.subTest(seed=seed, attempt=attempt):
                self.out = self.folder / f"out{attempt}"
                process = self.start(*self.run_args(work, budget="4s", rounds=3), env=self.own())
                # A third before or while the first rows come, the rest anywhere after.
                if attempt % 3 == 0:
                    time.sleep(dice.uniform(0, 0.3))
                else:
                    wait_until(lambda: any(map(self.finished_rows, self.run_files())), 20)
                    time.sleep(dice.uniform(0, 0.9))
                process.kill()
                process.wait()
                self.no_worker_left()
                for path in self.run_files():
                    finished = self.finished_rows(path)
                    shown = self.stored(path)
                    self.assertEqual({row["row_key"] for row in shown}, finished)
                    for row in shown:
                        self.assertEqual(row["status"], "ok")
                    rows_seen += len(finished)
        self.assertGreater(rows_seen, 0, "no kill came after a row: nothing was tested")

    def test_kill_while_the_worker_hangs(self):
        for mode in ("hang@hello", "hang@prepare", "hang@time", "chatter", "close@time"):
            with self.subTest(mode=mode):
                process = self.start(*self.run_args(), env=self.own(RIDGE_TEST_MODE=mode))
                self.assertTrue(wait_until(lambda: self.own_workers() - {process.pid}, 20))
                time.sleep(0.3)
                process.kill()
                process.wait()
                self.no_worker_left()

    def test_kill_while_a_worker_is_parked(self):
        """Parked is stopped: it goes with ridge, by kill -9, by Ctrl-C, and at a run's end."""
        (self.workers / "ridge-worker-other").symlink_to(pathlib.Path(SIM) / "ridge-worker-sim")

        def stopped(pid):
            try:
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                return False
            return stat.rsplit(")", 1)[1].split()[0] == "T"

        def one_is_stopped():
            return any(stopped(pid) for pid in self.own_workers())

        def run(budget):
            return self.start("run", "--worker", "sim,other", "--out", self.out, "--work", gemm(),
                              "--budget", budget, "--rounds", 3, env=self.own())

        for end in (signal.SIGKILL, signal.SIGINT):
            with self.subTest(end=end):
                process = run("20s")
                self.assertTrue(wait_until(one_is_stopped, 20))
                process.send_signal(end)
                process.wait()
                self.no_worker_left()
        process = run("1s")
        self.assertEqual(process.wait(), 0)
        self.no_worker_left()

    def test_kill_with_a_deaf_worker_of_another_language(self):
        for last in ("hello", "prepare"):
            with self.subTest(last=last):
                env = self.own(RIDGE_TEST_DEAF=last)
                process = self.start("run", "--worker", "deaf", "--out", self.out, "--work", gemm(),
                                     env=env)
                self.assertTrue(wait_until(lambda: self.own_workers() - {process.pid}, 20))
                time.sleep(0.3)
                process.kill()
                process.wait()
                self.no_worker_left()

    def test_a_deaf_worker_meets_its_deadline(self):
        env = self.own(RIDGE_TEST_DEAF="prepare")
        result = self.ridge("run", "--worker", "deaf,sim", "--out", self.out, "--work", gemm(),
                            "--rounds", 1, "--budget", "0.2s", "--deadline", 2, "-o", "jsonl",
                            env=env)
        rows = {row["worker"]: row for row in map(json.loads, result.stdout.splitlines())}
        self.assertEqual(result.returncode, 1)
        self.assertEqual(rows["deaf"]["status"], "failed")
        self.assertIn("no answer within", rows["deaf"]["reason"])
        self.assertEqual(rows["sim"]["status"], "ok", rows["sim"]["reason"])
        self.no_worker_left()

    def test_no_worker_is_left_after_an_ordinary_run(self):
        for mode in ("honest", "hang@bye", "hang@release", "exit@time"):
            self.ridge(*self.run_args(), "--deadline", 2, env=self.own(RIDGE_TEST_MODE=mode))
            self.assertFalse(self.own_workers(), mode)

    def test_a_worker_sees_the_end_of_its_stdin(self):
        """Without ridge, too: whoever starts a worker and goes takes it along."""
        import subprocess
        worker = subprocess.Popen([f"{SIM}/ridge-worker-sim"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, env=environment())
        worker.stdin.write(b'{"id": 1, "do": "hello", "protocol": [1]}\n')
        worker.stdin.flush()
        self.assertIn(b'"worker"', worker.stdout.readline())
        worker.stdin.close()
        self.assertEqual(worker.wait(20), 0)
        worker.stdout.close()


if __name__ == "__main__":
    main()
