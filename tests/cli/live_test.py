"""Live comparisons: verdicts on planted slowdowns, exit codes, what is kept whatever ends them."""

import json
import os
import random
import signal
import time
import unittest

from harness import SOURCE, RidgeTest, gemm, main, wait_until

try:
    import jsonschema
except ImportError:
    jsonschema = None

KILLS = 8


class Live(RidgeTest):
    def build(self, name, **variables):
        """A folder that holds the simulated worker with variables of its own."""
        folder = self.folder / name
        folder.mkdir()
        lines = [f"export {key}='{value}'" for key, value in variables.items()]
        worker = folder / "ridge-worker-sim"
        worker.write_text("\n".join(["#!/bin/sh", *lines,
                                     f"exec '{self.workers}/ridge-worker-sim' \"$@\"", ""]))
        worker.chmod(0o755)
        return folder

    def live_args(self, *works, sides=(), rounds=6, budget="1.5s"):
        args = ["compare", "--live", "--worker", "sim", "--out", self.out, "--rounds", rounds,
                "--budget", budget, "-o", "json"]
        for work in works or [gemm()]:
            args += ["--work", work]
        for side in sides:
            args += ["--side", side]
        return args

    def builds(self, a, b):
        return [f"build={a}", f"build={b}"]

    def compared(self, args, *more, code=0):
        result = self.ridge(*args, *more, env=self.own())
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return json.loads(result.stdout)

    def decided(self, args, *more, verdict, code=0):
        """What is compared until the verdict is sure: what else a machine does may make it UNCLEAR,
        and that is honest; the opposite is not."""
        for _ in range(5):
            result = self.ridge(*args, *more, env=self.own())
            found = json.loads(result.stdout)
            verdicts = {row["verdict"] for row in found["rows"]}
            self.assertLessEqual(verdicts, {verdict, "UNCLEAR"}, result.stdout)
            if verdicts == {verdict}:
                self.assertEqual(result.returncode, code, result.stdout + result.stderr)
                return found
        self.fail(f"never sure: {result.stdout}")

    def files(self, found):
        """The run files of A and B: header and last line of each row."""
        out = []
        for side in "ab":
            path = self.folder / found[side]["file"]
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            rows = {line["row_key"]: line for line in lines if line["type"] == "row"}
            out.append((lines[0], rows, lines[-1]))
        return out

    def valid(self, found):
        if not jsonschema:
            return
        schema = json.loads((SOURCE / "schema/compare-live.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        errors = [e.message for e in jsonschema.Draft202012Validator(schema).iter_errors(found)]
        self.assertEqual(errors, [], json.dumps(found)[:800])

    def whole_rounds_only(self, path):
        """Each row line of a file that something ended: an even number of visits, or a reason."""
        rows = 0
        for line in path.read_bytes().split(b"\n")[:-1]:
            row = json.loads(line)
            if row["type"] == "row" and row["status"] == "ok":
                self.assertEqual(row["time"]["rounds"] % 2, 0)
                self.assertGreater(row["time"]["rounds"], 0)
                rows += 1
        return rows

    def no_worker_left(self):
        gone = wait_until(lambda: not self.own_workers(), 2)
        self.assertTrue(gone, f"orphans: {self.own_workers()}")

    def test_a_planted_slowdown_and_its_exit_code(self):
        # Busy for 2 and for 5 ms an op: what else the machine does hits both.
        fast = self.build("fast", RIDGE_TEST_LEAST=2000)
        slow = self.build("slow", RIDGE_TEST_LEAST=5000)
        works = [gemm(), gemm(17)]
        args = self.live_args(*works, sides=self.builds(fast, slow), rounds=8, budget="3s")
        found = self.decided(args, "--fail-on-regression", verdict="SLOWER", code=4)
        self.valid(found)
        self.assertEqual(len(found["rows"]), 2)
        for row in found["rows"]:
            self.assertEqual(row["rounds"], 8)
            self.assertLess(row["speedup"], 1)
            self.assertLess(row["ci_low"], row["speedup"])
            self.assertGreater(row["b_ns"], row["a_ns"])
        self.assertEqual(found["a"]["label"], f"build={fast}")
        self.assertIn("/slow/", found["b"]["workers"][0])
        # Below the percentage that was asked for: no regression. Faster: none either.
        self.compared(args, "--fail-on-regression=9000")
        self.decided(self.live_args(*works, sides=self.builds(slow, fast), rounds=8, budget="3s"),
                     "--fail-on-regression", verdict="FASTER")

    def test_the_two_files_compare_as_they_were_measured(self):
        fast = self.build("fast", RIDGE_TEST_LEAST=2000)
        slow = self.build("slow", RIDGE_TEST_LEAST=5000)
        live = self.decided(self.live_args(sides=self.builds(fast, slow)), verdict="SLOWER")
        files = [live["a"]["file"], live["b"]["file"]]
        for order, verdict in ((files, "SLOWER"), (files[::-1], "FASTER")):
            result = self.ridge("compare", *order, "-o", "json")
            self.assertEqual(result.returncode, 0, result.stderr)
            (pair,) = json.loads(result.stdout)["pairs"]
            self.assertEqual((pair["verdict"], pair["noise"]), (verdict, 0))
            speedup = live["rows"][0]["speedup"]
            self.assertAlmostEqual(pair["ratio"], speedup if verdict == "SLOWER" else 1 / speedup,
                                   places=6)

    def test_a_against_itself(self):
        works = [gemm(m=[16, 17, 18, 19])]
        found = self.compared(self.live_args(*works, budget="4s"))
        self.assertEqual([found[side]["label"] for side in "ab"], ["as it is"] * 2)
        # Busy for 2 ms an op. On a machine that does other work one comparison in 40 may be wrong
        # about some row, as its 95 % say; not twice about the same.
        same = self.build("same", RIDGE_TEST_LEAST=2000)
        wrong = set()
        for _ in range(3):
            found = self.compared(self.live_args(*works, sides=self.builds(same, same), budget="4s"))
            self.valid(found)
            self.assertEqual(len(found["rows"]), 4)
            called = {(row["row_key_a"], row["verdict"]) for row in found["rows"]
                      if row["verdict"] not in ("SAME", "UNCLEAR")}
            self.assertFalse(called & wrong, found["rows"])
            wrong |= called
            if not called:
                break

    def test_settings_differ_by_side(self):
        args = self.live_args(gemm(), sides=["cache=cold", "cache=hot,timing=isolated"], rounds=3)
        found = self.compared(args)
        self.valid(found)
        (row,) = found["rows"]
        self.assertEqual(row["row_key_a"], "gemm/f32/16x16x16@sim:0/cold/pipelined")
        self.assertEqual(row["row_key_b"], "gemm/f32/16x16x16@sim:0/hot/isolated")
        (header_a, rows_a, _), (header_b, rows_b, _) = self.files(found)
        self.assertEqual(header_a["settings"]["live"]["side"], "A")
        self.assertEqual(header_b["settings"]["live"]["side"], "B")
        self.assertEqual(header_a["settings"]["live"]["id"], header_b["settings"]["live"]["id"])
        self.assertEqual(header_a["settings"]["live"]["id"], found["id"])
        self.assertEqual(list(rows_a), header_a["row_keys"])
        self.assertEqual(list(rows_b), header_b["row_keys"])
        self.assertEqual(rows_a[row["row_key_a"]]["time"]["rounds"], 6)

    def test_the_table(self):
        args = self.live_args(rounds=3)
        args[args.index("json")] = "md"
        result = self.ridge(*args, "--band", "3.5", env=self.own())
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("at least 3.5 % and at most 10 %", result.stdout)
        self.assertIn("| gemm/f32/16x16x16@sim:0/cold/pipelined |", result.stdout)
        self.assertIn("3 rounds, each in fresh processes", result.stdout)
        for path in self.run_files():
            self.assertIn(path.name, result.stdout)
            self.assertIn(path.name, result.stderr)

    def test_a_side_that_fails_costs_its_row_only(self):
        well = self.build("well")
        works = [gemm(), gemm(17), gemm(dtype="int8")]
        for mode, status in (("segv@time", "failed"), ("transpose", "incorrect")):
            for bad_is_a in (True, False):
                with self.subTest(mode=mode, bad_is_a=bad_is_a):
                    bad = self.build(f"{status}{bad_is_a}", RIDGE_TEST_MODE=mode,
                                     RIDGE_TEST_WORK="17x16x16")
                    sides = self.builds(*((bad, well) if bad_is_a else (well, bad)))
                    args = self.live_args(*works, sides=sides, rounds=3, budget="0.5s")
                    found = self.compared(args, code=1)
                    self.valid(found)
                    rows = {row["row_key_a"].split("@")[0]: row for row in found["rows"]}
                    self.assertIsNotNone(rows["gemm/f32/16x16x16"]["verdict"])
                    row = rows["gemm/f32/17x16x16"]
                    self.assertEqual((row["status"], row["verdict"]), (status, None))
                    self.assertIn(f"{'A' if bad_is_a else 'B'}: {status}: ", row["reason"])
                    row = rows["gemm/int8/16x16x16"]
                    self.assertEqual((row["status"], row["verdict"]), ("unsupported", None))
                    # Each file tells what became of its rows.
                    kept = [{key.split("@")[0]: r for key, r in rows.items()}
                            for _, rows, _ in self.files(found)]
                    self.assertEqual(kept[0 if bad_is_a else 1]["gemm/f32/17x16x16"]["status"], status)
                    for side in kept:
                        self.assertEqual(side["gemm/f32/16x16x16"]["time"]["rounds"], 6)
                        self.assertEqual(side["gemm/int8/16x16x16"]["status"], "unsupported")
                    if bad_is_a:
                        self.assertIn("the other side failed",
                                      kept[1]["gemm/f32/17x16x16"]["reason"])

    def test_usage(self):
        def wrong(*args, mentions):
            full = self.live_args()
            with self.subTest(args=args):
                self.assert_usage(self.ridge(*full, *args, env=self.own()), *mentions)
                self.assertFalse(self.out.exists(), "nothing may be written")

        wrong("--side", "cache=hot", mentions=["--side", "twice"])
        wrong(*["--side", "cache=hot"] * 3, mentions=["--side", "3 times"])
        for text, mentions in {"colour=red": ["colour", "worker, device, build"],
                               "cache=icy": ["icy"], "cache": ["KEY=VALUE"], "=hot": ["KEY=VALUE"],
                               "cache=": ["KEY=VALUE"], "cache=hot,": ["KEY=VALUE"],
                               "cache=hot,cache=cold": ["twice"], "threads=-1": ["threads"],
                               "threads=many": ["threads"], "graph=7": ["graph"]}.items():
            wrong("--side", text, "--side", "cache=hot", mentions=mentions)
            wrong("--side", "cache=hot", "--side", text, mentions=mentions)
        both = lambda text: ["--side", text] * 2
        wrong(*both("worker=cuba"), mentions=["cuba", "sim"])
        wrong("--side", "worker=sim", "--side", "cache=hot", mentions=["both sides name a worker"])
        wrong("--side", "device=0", "--side", "cache=hot", mentions=["both sides name a device"])
        wrong(*both("device=9"), mentions=["'9'", "found: 0"])
        wrong(*both(f"build={self.folder}/nowhere"), mentions=["nowhere", "no worker found"])
        for value in ("0", "2", "501", "three"):
            wrong("--rounds", value, mentions=["--rounds"])
        for value in ("0", "-1", "soon"):
            wrong(f"--budget={value}", mentions=["--budget"])
        wrong("--filter", "knitting", mentions=["knitting"])
        full = self.live_args()
        csv = ["csv" if arg == "json" else arg for arg in full]
        self.assert_usage(self.ridge(*csv, env=self.own()), "csv", "md")
        self.assert_usage(self.ridge(full[0], "run.jsonl", *full[1:], env=self.own()), "--live",
                          "run files")
        wrong("--baseline", "main", mentions=["--live", "--baseline"])
        wrong("--save-baseline", "main", mentions=["--live", "--save-baseline"])
        wrong("--across", "worker", mentions=["--live", "--across"])
        self.assert_usage(self.ridge("compare", "--side", "cache=hot", "x.jsonl"), "--live")

    def test_an_interrupt_keeps_whole_rounds(self):
        slow = self.build("slow", RIDGE_TEST_LEAST=2000)
        args = self.live_args(gemm(m=[16, 17, 18]), sides=self.builds(slow, slow), rounds=100,
                              budget="60s")
        process = self.start(*args, env=self.own())
        # Both sides have the first row of their third round.
        self.assertTrue(wait_until(lambda: len(self.run_files()) == 2 and all(
            p.read_text().count('"type":"row"') >= 7 for p in self.run_files()), 60))
        time.sleep(random.uniform(0, 0.3))
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - began, 20, "it did not hear the signal")
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn("interrupted", stderr)
        found = json.loads(stdout)
        self.valid(found)
        self.assertIs(found["interrupted"], True)
        self.assertEqual(found["rounds"], 100)
        self.no_worker_left()
        kept = self.files(found)
        for header, rows, summary in kept:
            self.assertEqual(summary["type"], "summary")
            self.assertIs(summary["interrupted"], True)
        for path in self.run_files():
            self.assertGreaterEqual(self.whole_rounds_only(path), 7)
            self.stored(path)
        for row in found["rows"]:
            visits = [rows[row[f"row_key_{side}"]]["time"]["rounds"]
                      for side, (_, rows, _) in zip("ab", kept)]
            self.assertEqual(row["rounds"], min(visits) // 2)
            self.assertLessEqual(abs(visits[0] - visits[1]), 2)

    def test_an_interrupt_before_three_rounds_says_how_many_there_are(self):
        slow = self.build("slow", RIDGE_TEST_LEAST=2000)
        args = self.live_args(sides=self.builds(slow, slow), rounds=100, budget="200s")
        args[args.index("json")] = "md"
        process = self.start(*args, env=self.own())
        self.assertTrue(wait_until(lambda: len(self.run_files()) == 2 and any(
            '"type":"row"' in p.read_text() for p in self.run_files()), 60))
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertRegex(stdout, r"100 rounds asked for \([0-9] whole\)")
        self.assertIn("Not compared:", stdout)

    @unittest.skipUnless(os.path.exists("/proc/self/stat"), "looks for processes in /proc")
    def test_kill_at_any_moment(self):
        slow = self.build("slow", RIDGE_TEST_LEAST=500)
        seed = random.randrange(2**32)
        dice = random.Random(seed)
        rows_seen = 0
        for attempt in range(KILLS):
            with self.subTest(seed=seed, attempt=attempt):
                self.out = self.folder / f"out{attempt}"
                args = self.live_args(gemm(m=[16, 17], dtype=["f32", "int8"]),
                                      sides=self.builds(slow, slow), rounds=50, budget="8s")
                process = self.start(*args, env=self.own())
                if attempt % 4 == 0:
                    time.sleep(dice.uniform(0, 0.4))
                else:
                    wait_until(lambda: any(map(self.whole_rounds_only, self.run_files())), 20)
                    time.sleep(dice.uniform(0, 1.4))
                process.kill()
                process.wait()
                self.no_worker_left()
                for path in self.run_files():
                    rows_seen += self.whole_rounds_only(path)
                    shown = self.stored(path)
                    # What cannot be measured is told before anything is.
                    if any(row["status"] == "ok" for row in shown):
                        self.assertIn("unsupported", {row["status"] for row in shown})
        self.assertGreater(rows_seen, 0, "no kill came after a row: nothing was tested")


if __name__ == "__main__":
    main()
