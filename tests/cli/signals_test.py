"""Ctrl-C and its relatives: finished rows are kept and printed, the exit code is 130."""

import json
import signal
import time

from harness import RidgeTest, environment, gemm, main, wait_until

MANY = gemm(m=list(range(16, 26)))


class Signals(RidgeTest):
    def interrupt(self, process, signal_number=signal.SIGINT, seconds=20):
        began = time.monotonic()
        process.send_signal(signal_number)
        stdout, stderr = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - began, seconds, "it did not hear the signal")
        self.assertEqual(process.returncode, 130, stderr)
        return stdout, stderr

    def rows_so_far(self):
        files = self.run_files()
        if not files:
            return 0
        return files[0].read_text().count('"type":"row"')

    def test_finished_rows_are_kept_and_printed(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                self.out = self.folder / f"out{number}"
                process = self.start(*self.run_args(MANY, budget="12s", rounds=2))
                self.assertTrue(wait_until(lambda: self.rows_so_far() >= 2, 60))
                stdout, stderr = self.interrupt(process, number)
                printed = [json.loads(line) for line in stdout.splitlines()]
                self.assertGreaterEqual(len(printed), 2)
                self.assertTrue(all(row["status"] == "ok" for row in printed))
                self.assertIn("interrupted", stderr)
                (path,) = self.run_files()
                self.assertEqual(self.stored(path), printed)
                summary = json.loads(path.read_text().splitlines()[-1])
                self.assertEqual(summary["type"], "summary")
                self.assertIs(summary["interrupted"], True)

    def test_a_table_is_printed_too(self):
        process = self.start(*self.run_args(MANY, budget="12s", rounds=2, form="md"))
        self.assertTrue(wait_until(lambda: self.rows_so_far() >= 1, 60))
        stdout, _ = self.interrupt(process)
        self.assertIn("| gemm/f32/", stdout)

    def test_while_a_worker_does_not_answer(self):
        """Deadlines are a minute: an interrupt does not wait for them."""
        for mode in ("hang@hello", "hang@supports", "hang@prepare", "hang@check", "hang@time",
                     "chatter"):
            with self.subTest(mode):
                self.out = self.folder / mode
                process = self.start(*self.run_args(), env=self.own(RIDGE_TEST_MODE=mode))
                self.assertTrue(wait_until(lambda: self.own_workers() - {process.pid}, 20))
                time.sleep(0.3)
                self.interrupt(process)
                self.assertFalse(self.own_workers())

    def test_twice_ends_at_once(self):
        env = environment(RIDGE_TEST_MODE="hang@time")
        process = self.start(*self.run_args(), env=env)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)

    def test_check_is_interrupted_as_well(self):
        env = environment(RIDGE_TEST_SLEEP="200")
        process = self.start("check", "--worker", "sim", env=env)
        time.sleep(1)
        self.interrupt(process)

    def test_before_anything_was_measured(self):
        process = self.start(*self.run_args(MANY, budget="12s"))
        time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertIn(process.returncode, (130, -signal.SIGINT))  # not yet caught: the shell's way


if __name__ == "__main__":
    main()
