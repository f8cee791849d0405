"""Odd places to run in: beside another ridge, without /sys, on one core, with little memory, …"""

import fcntl
import json
import os
import pathlib
import pty
import resource
import shutil
import signal
import subprocess
import threading
import unittest

from harness import BINARY, LOCK, SIM, RidgeTest, environment, gemm, main, wait_until

NOTICED = "measures on this machine: rows will be flagged contended"
BIG = gemm(m=8192, n=8192, k=1, dtype="f64")  # 512 MiB of answers


class Beside(RidgeTest):
    def flags(self, path):
        return [row["flags"] for row in self.stored(path)]

    def test_two_runs_notice_each_other(self):
        runs = [self.start(*self.run_args(rounds=5, budget="4s", form="md")) for _ in range(2)]
        for run, other in zip(runs, reversed(runs)):
            stdout, stderr = run.communicate(timeout=60)
            self.assertEqual(run.returncode, 0, stderr)
            lines = [line for line in stderr.splitlines() if NOTICED in line]
            self.assertEqual(len(lines), 1, stderr)
            self.assertIn(f"(process {other.pid})", lines[0])
            self.assertIn("contended", stdout)
        for path in self.run_files():
            for flags in self.flags(path):
                self.assertIn("contended", flags)

    def test_one_that_rests_between_measurements_is_noticed(self):
        """It uses no processor time at all: nothing but its lock tells of it."""
        with open(LOCK, "a+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_SH)
            result = self.ridge(*self.run_args(rounds=3, budget="0.5s"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr.count(NOTICED), 1, result.stderr)
        self.assertIn(f"(process {os.getpid()})", result.stderr)
        self.assertIn("contended", json.loads(result.stdout)["flags"])

    def test_one_that_was_killed_is_forgotten(self):
        process = self.start(*self.run_args(rounds=5, budget="30s"))
        self.assertTrue(wait_until(self.run_files, 30))
        beside = self.ridge(*self.run_args(rounds=1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        after = self.ridge(*self.run_args(rounds=1))
        self.assertIn(f"(process {process.pid})", beside.stderr)
        self.assertEqual(after.returncode, 0, after.stderr)
        self.assertNotIn(NOTICED, after.stderr)

    def test_where_no_lock_can_be_it_runs_all_the_same(self):
        for place in ("/proc/none/lock", "/dev/null/lock", str(self.folder)):
            result = self.ridge(*self.run_args(), env=environment(RIDGE_LOCK=place))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotIn("lock", result.stderr)


class Files(RidgeTest):
    def isolated(self, mounts, *args, env=None):
        """Runs ridge in a mount namespace of its own, after the mounts; skips where forbidden."""
        script = f'{mounts} || exit 99; exec "$@"'
        if not shutil.which("unshare"):
            self.skipTest("no unshare here")
        result = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", BINARY, *map(str, args)],
            env=environment() if env is None else env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, cwd=self.folder)
        if result.returncode == 99 or "unshare" in result.stderr:
            self.skipTest(f"only root may mount: {result.stderr.strip()}")
        return result

    def test_results_that_have_no_place(self):
        for place in ("/dev/null/results", "/proc/results"):
            self.out = place
            self.assert_usage(self.ridge(*self.run_args()), place, "--out")

    def test_a_results_folder_that_is_read_only(self):
        self.out.mkdir()
        result = self.isolated(f"mount -t tmpfs -o ro none {self.out}", *self.run_args())
        self.assert_usage(result, "Read-only", "--out")

    def test_a_home_that_is_read_only_or_missing(self):
        home = self.folder / "home"
        home.mkdir()
        env = environment(HOME=str(home), XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None)
        result = self.isolated(f"mount -t tmpfs -o ro none {home}", *self.run_args(), env=env)
        self.assertEqual(result.returncode, 0, result.stderr)
        for value in ("/proc/none", None):
            result = self.ridge(*self.run_args(), env=environment(HOME=value))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["status"], "ok")

    def test_without_sys(self):
        result = self.isolated("mount -t tmpfs none /sys", *self.run_args(rounds=3))
        self.assertEqual(result.returncode, 0, result.stderr)
        row = json.loads(result.stdout)
        self.assertEqual(row["status"], "ok")
        (path,) = self.run_files()
        told = json.loads(path.read_text().splitlines()[0])["telemetry"]
        for name in ("temperature", "throttle", "energy", "power_saving"):
            self.assertIsNone(told[name])
            self.assertGreater(len(told[name + "_reason"]), 5)
        for name in ("temperature_max_celsius", "throttle_events", "energy_j_per_op"):
            self.assertIsNone(row["telemetry"][name])
        for form in ("md", "json"):
            shown = self.isolated("mount -t tmpfs none /sys", "info", "-o", form)
            self.assertEqual(shown.returncode, 0, shown.stderr)
            self.assertEqual(shown.stderr, "")


class Small(RidgeTest):
    def test_one_core(self):
        core = min(os.sched_getaffinity(0))
        result = self.ridge(*self.run_args(gemm(m=[16, 17]), rounds=3),
                            preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        self.assertEqual(result.returncode, 0, result.stderr)
        for line in result.stdout.splitlines():
            self.assertEqual(json.loads(line)["status"], "ok")
        (path,) = self.run_files()
        machine = json.loads(path.read_text().splitlines()[0])["machine"]
        self.assertIn(f'"{core}"', json.dumps(machine), "the affinity is kept")

    def test_512_mib_of_memory(self):
        """What fits is measured; what does not is told so, and costs nothing."""
        most = 512 << 20

        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

        result = self.ridge(*self.run_args(gemm(), BIG, gemm(m=17)), preexec_fn=limit)
        self.assertEqual(result.returncode, 0, result.stderr)
        rows = {row["key"]: row for row in map(json.loads, result.stdout.splitlines())}
        self.assertEqual(len(rows), 3)
        for key, row in rows.items():
            if "8192" not in key:
                self.assertEqual(row["status"], "ok", row["reason"])
            else:
                self.assertEqual(row["status"], "unsupported")
                self.assertIn("are available", row["reason"])


class Language(RidgeTest):
    def numbers(self, env):
        shown = {}
        for form in ("md", "csv", "json", "jsonl"):
            result = self.ridge("show", self.path, "-o", form, env=env)
            self.assertEqual(result.returncode, 0, result.stderr)
            shown[form] = result.stdout
        return shown

    def test_a_locale_with_comma_decimals(self):
        """Numbers are written, read and parsed as ever: of options, files and the protocol."""
        locale = self.folder / "locales"
        locale.mkdir()
        made = shutil.which("localedef") and subprocess.run(
            ["localedef", "--no-archive", "-i", "de_DE", "-f", "UTF-8", locale / "de_DE.UTF-8"],
            capture_output=True).returncode in (0, 1)
        if not made or not (locale / "de_DE.UTF-8").is_dir():
            self.skipTest("localedef cannot make de_DE.UTF-8 here")
        env = environment(LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8", LOCPATH=str(locale))
        # It is a locale with commas, or this would prove nothing.
        probe = subprocess.run(["/usr/bin/printf", "%.1f"] + ["1,5"], env=env, capture_output=True)
        if probe.stdout != b"1,5":
            self.skipTest("localedef makes no whole locale here")
        result = self.ridge(*self.run_args(budget="0.25s"), env=env)
        self.assertEqual(result.returncode, 0, result.stderr)
        row = json.loads(result.stdout)
        self.assertEqual(row["status"], "ok")
        self.assertNotEqual(row["time"]["median_ns"], int(row["time"]["median_ns"]))
        (self.path,) = self.run_files()
        self.assertEqual(self.numbers(env), self.numbers(environment(LC_ALL="C")))

    def test_no_program_asks_for_a_locale(self):
        """Without setlocale or std::locale::global a C or C++ program keeps the C locale."""
        if not shutil.which("nm"):
            self.skipTest("no nm here")
        for program in (BINARY, str(pathlib.Path(SIM) / "ridge-worker-sim")):
            symbols = subprocess.run(["nm", "-D", "--undefined-only", program], check=True,
                                     capture_output=True, text=True).stdout
            self.assertIn("write", symbols)
            for call in ("setlocale", "_ZNSt6locale6global"):
                self.assertNotRegex(symbols, rf"\b{call}", program)


class Terminal(RidgeTest):
    def on_terminal(self, term):
        """What a run writes to stderr where that is a terminal."""
        ours, theirs = pty.openpty()
        written = b""

        def drain():
            nonlocal written
            while True:
                try:
                    got = os.read(ours, 4096)
                except OSError:
                    return
                if not got:
                    return
                written += got

        env = environment(TERM=term)
        args = self.run_args(gemm(m=[16, 17, 18]), rounds=3, budget="3s")
        process = subprocess.Popen([BINARY, *map(str, args)], env=env, cwd=self.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        reader = threading.Thread(target=drain)
        reader.start()
        process.communicate(timeout=60)
        reader.join()
        os.close(ours)
        self.assertEqual(process.returncode, 0, written)
        return written.decode()

    def test_a_dumb_terminal_gets_lines(self):
        dumb = self.on_terminal("dumb")
        self.assertIn("ridge: ", dumb)
        self.assertNotIn("\x1b", dumb)
        self.assertNotIn("\r", dumb.replace("\r\n", "\n"))
        self.assertIn("\x1b[K", self.on_terminal("xterm"))


if __name__ == "__main__":
    main()
