"""Where results cannot go where they should: full disks, closed pipes, shared folders."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import unittest

from harness import BINARY, RidgeTest, environment, gemm, main


class FullDisk(RidgeTest):
    def check_full(self, result):
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("| gemm/f32/16x16x16", result.stdout)  # measured and shown all the same
        complaints = [line for line in result.stderr.splitlines() if "cannot write" in line]
        self.assertTrue(complaints, result.stderr)
        self.assertIn("measuring goes on", complaints[0])
        self.assertLessEqual(len(complaints), 2, "a complaint a row is a flood")

    def test_a_limit_of_file_size(self):
        args = self.run_args(gemm(m=[16, 17, 18, 19]), rounds=3, form="md")
        self.assertEqual(self.ridge(*args).returncode, 0)
        (whole,) = self.run_files()
        most = len(whole.read_bytes().splitlines()[0]) + 4000  # the header and two rows or so
        self.out = self.folder / "limited"

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        args = self.run_args(gemm(m=[16, 17, 18, 19]), rounds=3, form="md")
        result = self.ridge(*args, preexec_fn=limit)
        self.check_full(result)
        (path,) = self.run_files()
        shown = self.ridge("show", path)
        self.assertEqual(shown.returncode, 0, shown.stderr)

    def test_a_small_filesystem(self):
        small = self.folder / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small],
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("only root may mount a small filesystem")
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        self.out = small
        works = [gemm(m=list(range(16, 26)))]
        result = self.ridge(*self.run_args(*works, rounds=3, budget="4s", form="md"))
        self.check_full(result)

    def test_a_disk_that_is_full_from_the_start(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

        result = self.ridge(*self.run_args(), preexec_fn=limit)
        self.assert_usage(result, "cannot write", "--out")
        self.assertEqual([p for p in self.out.rglob("*") if p.is_file()], [])


class Pipes(RidgeTest):
    def setUp(self):
        super().setUp()
        result = self.ridge(*self.run_args(gemm(m=list(range(16, 20)))))
        self.assertEqual(result.returncode, 0, result.stderr)
        (self.path,) = self.run_files()

    def shell(self, command, **more):
        return subprocess.run(["/bin/sh", "-c", command, "sh", BINARY, str(self.path)],
                              capture_output=True, text=True, env=environment(), cwd=self.folder,
                              timeout=60, **more)

    def test_head(self):
        for form in ("md", "csv", "json", "jsonl"):
            files = " ".join(['"$2"'] * 200)
            result = self.shell(f'"$1" show {files} -o {form} | head -1')
            self.assertEqual(len(result.stdout.splitlines()), 1)
            self.assertLessEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_closed_stdout(self):
        for command in ('"$1" show "$2" >&-', '"$1" show "$2" > /dev/full', '"$1" list >&-',
                        '"$1" info -o json >&-'):
            if "/dev/full" in command and not os.path.exists("/dev/full"):
                continue
            result = self.shell(command)
            self.assertEqual(result.returncode, 1, command)
            self.assertEqual(result.stderr, "ridge: cannot write the results to stdout\n")

    def test_closed_stdin_and_stderr(self):
        plain = self.shell('"$1" show "$2"').stdout
        self.assertEqual(self.shell('"$1" show "$2" <&-').stdout, plain)
        self.assertEqual(self.shell('"$1" show "$2" 2>&-').stdout, plain)
        self.assertEqual(self.shell('"$1" show "$2" <&- 2>&-').stdout, plain)

    def test_a_run_with_everything_closed_keeps_its_rows_apart(self):
        """The file that is opened next must not take stdout's place."""
        work = gemm(m=21)
        for closed, code in (("<&- 2>&-", 0), (">&-", 1), ("<&- >&- 2>&-", 1)):
            out = self.folder / f"out{len(closed)}"
            result = self.shell(f'"$1" run --worker sim --rounds 1 --budget 0.1s --out {out} '
                                f"--work '{work}' -o md {closed}")
            self.assertEqual(result.returncode, code, result.stderr)
            (path,) = [p for p in out.rglob("*.jsonl") if ".samples." not in p.name]
            for line in path.read_text().splitlines():
                json.loads(line)
            (row,) = self.stored(path)
            self.assertEqual(row["status"], "ok", row["reason"])


class Sharing(RidgeTest):
    def test_two_runs_into_one_folder(self):
        runs = [self.start(*self.run_args(gemm(m=[16 + i]), rounds=3, budget="1s"))
                for i in range(2)]
        for run in runs:
            _, stderr = run.communicate(timeout=60)
            self.assertEqual(run.returncode, 0, stderr)
        files = self.run_files()
        self.assertEqual(len(files), 2)
        keys = {self.stored(path)[0]["key"] for path in files}
        self.assertEqual(keys, {"gemm/f32/16x16x16", "gemm/f32/17x16x16"})
        self.assertEqual(len(list(self.out.rglob("*.samples.jsonl"))), 2)

    def test_a_file_that_grows_can_be_read(self):
        process = self.start(*self.run_args(gemm(m=list(range(16, 20))), rounds=3, budget="2s"))
        reads = 0
        while process.poll() is None:
            for path in self.run_files():
                self.stored(path)
                reads += 1
        self.assertGreater(reads, 0)


if __name__ == "__main__":
    main()
