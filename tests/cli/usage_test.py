"""Mistakes in what was asked for: one clear line, exit code 2, nothing measured, nothing printed."""

import json
import pathlib

from harness import RidgeTest, environment, gemm, main

HUGE = 2**60


class Usage(RidgeTest):
    def check(self, args, *mentions, env=None):
        with self.subTest(args=[str(a)[:80] for a in args]):
            self.assert_usage(self.ridge(*args, env=env), *mentions)
            self.assertFalse((self.folder / "results").exists(), "nothing may be written")

    def test_flags_and_commands(self):
        self.check([], "--help")
        self.check(["measure"])
        self.check(["run", "--frobnicate"], "--frobnicate")
        self.check(["run", "extra"], "extra")
        self.check(["show"], "RUN")
        self.check(["show", "--out", "x", "file"])
        self.check(["run", "--rounds"], "--rounds")

    def test_unknown_names(self):
        self.check(["run", "--suite", "quikc"], "quikc", "quick")
        self.check(["run", "--suite", "none.json"], "none.json")
        self.check(["run", "--suite", "/"], "/")
        self.check(["list", "--suite", "quikc"], "quikc")
        self.check(["check", "--suite", "quikc"], "quikc")
        self.check(["run", "--worker", "cuba"], "cuba", "sim")
        self.check(["run", "--worker", "sim,cuba"], "cuba")
        self.check(["run", "--worker", "sim", "--work", gemm(), "--device", "9"], "'9'", "found: 0")
        for command in (["run"], ["check"], ["list"], ["info"], ["show", "file"]):
            self.check([*command, "-o", "xml"], "xml", "md")
        self.check(["info", "-o", "csv"], "csv")

    def test_numbers(self):
        for flag, values in {
            "--rounds": ["0", "-1", "1001", "three", "1.5", "99999999999999999999"],
            "--budget": ["0", "-5", "soon", "5 parsecs", "nan", "inf", "1e400", "s"],
            "--seed": ["-1", "x", "99999999999999999999"],
            "--deadline": ["0", "-1", "nan", "inf", "never"],
        }.items():
            for value in values:
                self.check(["run", "--worker", "sim", "--work", gemm(), f"{flag}={value}"])
        self.check(["run", "--fast", "--rigorous"], "exclude")

    def test_filter(self):
        for pattern in ("(", "[", "*", "a{2,1}", "\\"):
            self.check(["run", "--worker", "sim", "--filter", pattern], "--filter")
        self.check(["run", "--worker", "sim", "--filter", "knitting"], "knitting", "matches")
        self.check(["run", "--worker", "sim", "--filter", "(" * 50000 + ")" * 50000], "--filter")
        self.check(["run", "--worker", "sim", "--filter", "(\n"], "--filter")

    def test_work(self):
        for text in ("", "{", "[]", "5", '"gemm"', "null", "{}", '{"kind": 5}', '{"kind": ""}',
                     '{"kind": "knitting"}', "{" * 500, '{"kind":"gemm"}', "{'kind': 'gemm'}",
                     gemm() + "}", gemm(speed="fast"), gemm(dtype="f33"), gemm(dtype=16),
                     gemm(layout="tt"), gemm(output="int8"), gemm(m="16"), gemm(m=1.5),
                     gemm(m=None), gemm(settings=5), gemm(settings={"cache": "icy"}),
                     gemm(settings={"temperature": 5}), gemm(settings={"threads": -1}),
                     gemm(settings={"threads": 2**40}), gemm(settings={"timing": 5})):
            self.check(["run", "--worker", "sim", "--work", text])
        for m in (0, -1, 2**24 + 1, HUGE, -HUGE, 10**30):
            self.check(["run", "--worker", "sim", "--work", gemm(m=m)], "m")
        self.check(["run", "--worker", "sim", "--work", gemm(m=2**24, n=2**24, k=2**24)], "16 TiB")
        stream = {"kind": "stream", "op": "copy", "bytes": 1024}
        for change in ({"op": "fly"}, {"op": None}, {"bytes": 0}, {"bytes": -256}, {"bytes": 1000},
                       {"bytes": HUGE}, {"nontemporal": 1}, {"op": "read", "nontemporal": True}):
            text = json.dumps({**stream, **change})
            self.check(["run", "--worker", "sim", "--work", text])
        self.check(["run", "--worker", "sim", "--work", gemm(), "--work", gemm()], "twice")

    def test_work_beside_a_suite(self):
        work = ["--worker", "sim", "--work", gemm()]
        for command in ("run", "check"):
            for suite in (["--suite", "quick"], ["--suite=quick"]):
                self.check([command, *suite, *work], "--work", "leave --suite out")
                self.check([command, *work, *suite], "--work", "leave --suite out")
        self.check(["compare", "--live", "--suite", "quick", *work], "leave --suite out")
        self.check(["run", *work, "--suite", "quick"], "leave --suite out",
                   env=environment(RIDGE_SUITE="quick"))

    def suite(self, value):
        path = self.folder / "own.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return ["run", "--worker", "sim", "--suite", "own.json"]

    def test_malformed_suites(self):
        whole = json.dumps({"name": "own", "rounds": 3, "items": [json.loads(gemm())]})
        for end in range(len(whole)):  # torn at every byte
            path = self.suite(whole[:end])
            if end % 7 == 0:
                self.check(path, "own.json")
        item = json.loads(gemm())
        for value in ("", "\0", "[]", "5", "{}", {"name": "x"}, {"items": [item]},
                      {"name": 5, "items": [item]}, {"name": "x", "items": {}},
                      {"name": "x", "items": []}, {"name": "x", "items": [5]},
                      {"name": "x", "items": [[]]}, {"name": "x", "items": [item], "rows": 5},
                      {"name": "x", "items": [item], "rounds": 0},
                      {"name": "x", "items": [item], "rounds": 2.5},
                      {"name": "x", "items": [item], "seconds_per_row": -1},
                      {"name": "x", "items": [item], "most_seconds": 0},
                      {"name": "x", "items": [item], "most_seconds": "long"},
                      {"name": "x", "items": [{**item, "m": []}]},
                      {"name": "x", "items": [{**item, "settings": {"cache": []}}]},
                      {"name": "x", "items": [{**item, "shape": [{"m": 1, "q": 2}]}]},
                      {"name": "x", "items": [item, item]},
                      {"name": "x", "items": [{**item, "m": [8, 8]}]},
                      "{" + '"a":{' * 200 + "}" * 201):
            self.check(self.suite(value), "own.json")

    def test_too_many_combinations(self):
        axis = list(range(1, 101))
        item = {**json.loads(gemm()), "m": axis, "n": axis, "k": axis}
        self.check(self.suite({"name": "x", "items": [item]}), "combinations")
        item = {**json.loads(gemm()), "m": list(range(1, 60000))}
        self.check(self.suite({"name": "x", "items": [item, {**item, "n": 3}]}), "100000")

    def test_stored_runs(self):
        self.check(["show", "missing.jsonl"], "missing.jsonl")
        self.check(["show", "."], "folder")
        for name, text in {"empty": "", "text": "hello\n", "number": "5\n", "binary": "\0\1\2",
                           "row-first": '{"type": "row"}\n', "old": '{"type": "header"}\n'}.items():
            (self.folder / name).write_text(text)
            self.check(["show", name], name)

    def test_environment(self):
        env = environment(RIDGE_SUITE="quikc")
        self.check(["run"], "quikc", env=env)
        self.check(["run"], "knitting", env=environment(RIDGE_FILTER="knitting", RIDGE_WORKER="sim"))
        self.check(["run"], env=environment(RIDGE_ROUNDS="none", RIDGE_WORKER="sim"))

    def test_no_worker_at_all(self):
        other = self.folder / "bin"
        other.mkdir()
        binary = other / "ridge"
        binary.write_bytes(pathlib.Path(__import__("harness").BINARY).read_bytes())
        binary.chmod(0o755)
        import subprocess
        result = subprocess.run([binary, "run", "--work", gemm()], capture_output=True, text=True,
                                env=environment(RIDGE_WORKER_PATH=None), cwd=self.folder)
        self.assert_usage(result, "no worker", "RIDGE_WORKER_PATH")

    def test_a_file_in_the_way_of_the_results(self):
        (self.folder / "file").write_text("")
        self.assert_usage(self.ridge("run", "--worker", "sim", "--work", gemm(), "--out", "file"),
                          "file")

    def test_a_newline_in_a_name_stays_one_line(self):
        self.check(["run", "--suite", "a\nb"])
        self.check(["run", "--worker", "a\nridge: all is well"])


class NotAMistake(RidgeTest):
    def test_help_and_version_go_to_stdout(self):
        for args in (["--help"], ["--version"], ["run", "--help"], ["show", "--help"]):
            result = self.ridge(*args)
            self.assertEqual(result.returncode, 0)
            self.assertEqual(result.stderr, "")
            self.assertIn("ridge", result.stdout.lower())

    def test_empty_variables_are_unset(self):
        names = ("SUITE", "FILTER", "WORKER", "DEVICE", "BUDGET", "ROUNDS", "SEED", "FORMAT", "OUT")
        empty = environment(**{f"RIDGE_{name}": "" for name in names})
        empty["RIDGE_WORKER_PATH"] = environment()["RIDGE_WORKER_PATH"]
        args = ["run", "--worker", "sim", "--work", gemm(), "--dry-run"]
        plain, with_empty = self.ridge(*args), self.ridge(*args, env=empty)
        self.assertEqual(with_empty.returncode, 0, with_empty.stderr)
        self.assertEqual(plain.stdout, with_empty.stdout)
        result = self.ridge("list", "--suite", "quick", env=empty)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.ridge("info", "-o", "json", env=empty).returncode, 0)

    def test_variables_that_are_set_count(self):
        env = environment(RIDGE_WORKER="sim", RIDGE_FORMAT="csv", RIDGE_OUT=str(self.out),
                          RIDGE_ROUNDS="1", RIDGE_BUDGET="0.1s", RIDGE_FILTER="17x")
        result = self.ridge("run", "--work", gemm(m=[16, 17]), env=env)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(result.stdout.splitlines()), 2)
        self.assertEqual(len(self.run_files()), 1)

    def test_work_overrides_the_suite_of_the_environment(self):
        args = ["run", "--worker", "sim", "--work", gemm(), "--dry-run"]
        plain, with_suite = self.ridge(*args), self.ridge(*args, env=environment(RIDGE_SUITE="cpu"))
        self.assertEqual(with_suite.returncode, 0, with_suite.stderr)
        self.assertEqual(plain.stdout, with_suite.stdout)

    def test_a_dry_run_measures_and_writes_nothing(self):
        result = self.ridge(*self.run_args(gemm(), gemm(dtype="bf16")), "--dry-run")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("gemm/f32/16x16x16@sim:0", result.stdout)
        self.assertIn("not supported (1 row): sim: ", result.stdout)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    main()
