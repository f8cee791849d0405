"""Comparing stored runs: sides, refusals, verdicts, baselines, exit codes, and hostile files."""

import json
import re
import time

from harness import RidgeTest, gemm, main


class Compare(RidgeTest):
    def measure(self, name, *works, rounds=3, extra=()):
        """A run in a folder of its own; its file."""
        args = self.run_args(*(works or [gemm()]), rounds=rounds)
        args[args.index("--out") + 1] = self.folder / name
        result = self.ridge(*args, *extra)
        self.assertEqual(result.returncode, 0, result.stderr)
        (path,) = [p for p in (self.folder / name / "raw").rglob("*.jsonl")
                   if ".samples." not in p.name]
        return path

    def changed(self, path, name, change):
        """A copy of a run file whose rows (or header) `change` has seen."""
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            change(line)
        out = self.folder / name
        out.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return out

    def slower(self, path, name, factor):
        def change(line):
            if line["type"] != "row":
                return
            time_ = line["time"]
            for key in ("median_ns", "ci_low_ns", "ci_high_ns"):
                if time_[key] is not None:
                    time_[key] *= factor
            # Tight rounds, so that the truth is the factor and nothing else.
            middle = time_["median_ns"]
            time_["round_medians_ns"] = [middle * (1 + 1e-4 * i) for i in (-2, -1, 0, 1, 2)]

        return self.changed(path, name, change)

    def json_of(self, *args, code=0):
        result = self.ridge("compare", *args, "-o", "json")
        self.assertEqual(result.returncode, code, result.stderr)
        return json.loads(result.stdout)

    def test_a_planted_slowdown_and_its_exit_code(self):
        path = self.measure("r", gemm(), gemm(32), rounds=5)
        base, slow = self.slower(path, "base.jsonl", 1.0), self.slower(path, "slow.jsonl", 1.1)
        found = self.json_of(base, slow)
        self.assertEqual(found["sides"], [str(base), str(slow)])
        self.assertEqual([p["verdict"] for p in found["pairs"]], ["SLOWER"] * 2)
        for pair in found["pairs"]:
            self.assertAlmostEqual(pair["ratio"], 1 / 1.1, places=3)
        self.assertEqual([p["verdict"] for p in self.json_of(slow, base)["pairs"]], ["FASTER"] * 2)
        self.assertEqual([p["verdict"] for p in self.json_of(base, base)["pairs"]], ["SAME"] * 2)
        self.assertEqual(self.ridge("compare", base, slow).returncode, 0)
        self.assertEqual(self.ridge("compare", base, slow, "--fail-on-regression").returncode, 4)
        self.assertEqual(self.ridge("compare", base, slow, "--fail-on-regression=5").returncode, 4)
        self.assertEqual(self.ridge("compare", base, slow, "--fail-on-regression=15").returncode, 0)
        self.assertEqual(self.ridge("compare", slow, base, "--fail-on-regression").returncode, 0)
        text = self.ridge("compare", base, slow).stdout
        self.assertIn("SLOWER", text)
        self.assertIn("band", text)

    def test_dtypes_of_one_run(self):
        path = self.measure("r", gemm(dtype=["f32", "f64"]))
        found = self.json_of(path, "--across", "dtype")
        self.assertEqual(found["sides"], ["f32", "f64"])
        self.assertEqual([p["key"] for p in found["pairs"]],
                         ["gemm/*/16x16x16@sim:0/cold/pipelined"])
        self.assertEqual(found["recommended"][0]["job"], "gemm/*/16x16x16 cold/pipelined")

    def test_what_differs_beside_is_refused(self):
        path = self.measure("r")

        def other_machine(line):
            if line["type"] == "header":
                line["machine_key"] = "another-box"

        def other_method(line):
            if line["type"] == "header":
                line["tool"]["method_version"] = 999

        machine = self.changed(path, "machine.jsonl", other_machine)
        (pair,) = self.json_of(path, machine)["pairs"]
        self.assertIn("machine differs", pair["refused"])
        self.assertIn("another-box", pair["refused"])
        self.assertIsNone(pair["ratio"])
        (pair,) = self.json_of(path, machine, "--across", "machine")["pairs"]
        self.assertIsNone(pair["refused"])
        method = self.changed(path, "method.jsonl", other_method)
        for across in ("version", "machine", "machine,version"):
            found = self.json_of(path, method, "--across", across)
            for pair in found["pairs"]:
                self.assertIsNotNone(pair["refused"])
        self.assertIn("method_version", self.ridge("compare", path, method).stdout)

    def test_one_run_without_rounds(self):
        a, b = self.measure("a", rounds=1), self.measure("b", rounds=1)
        (pair,) = self.json_of(a, b)["pairs"]
        self.assertEqual((pair["verdict"], pair["note"]), ("UNCLEAR", "one run"))
        self.assertGreater(pair["ratio"], 0)

    def test_folders(self):
        self.measure("a"), self.measure("b")
        found = self.json_of(self.folder / "a", self.folder / "b")
        self.assertEqual(len(found["pairs"]), 1)
        (self.folder / "none").mkdir()
        self.assert_usage(self.ridge("compare", self.folder / "a", self.folder / "none"),
                          "no run file")

    def test_baselines(self):
        path = self.measure("a", extra=["--save-baseline", "main"])
        saved = list((self.folder / "a/baselines/main").glob("*.jsonl"))
        self.assertEqual([p.name for p in saved], [path.name])
        self.assertEqual(saved[0].read_text(), path.read_text())
        slow = self.slower(path, "slow.jsonl", 1.2)
        result = self.ridge("compare", slow, "--baseline", "main", "--out", self.folder / "a",
                            "--fail-on-regression", "-o", "json")
        self.assertIn(result.returncode, (0, 4), result.stderr)
        found = json.loads(result.stdout)
        self.assertEqual(found["sides"][0], "baseline main")
        # A run that is held against it at once, and takes its place.
        args = self.run_args(gemm(), rounds=3, form="md")
        args[args.index("--out") + 1] = self.folder / "a"
        result = self.ridge(*args, "--baseline", "main", "--save-baseline", "main")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("baseline main", result.stdout)
        now = [p.name for p in (self.folder / "a/baselines/main").glob("*.jsonl")]
        self.assertEqual(len(now), 1)
        self.assertNotEqual(now, [path.name])
        self.assert_usage(self.ridge("compare", path, "--baseline", "nobody"), "nobody",
                          "--save-baseline")
        self.assert_usage(self.ridge("compare", path, "--baseline", "../x"), "../x")
        self.assert_usage(self.ridge(*self.run_args(), "--save-baseline", "a/b"), "a/b")
        self.assert_usage(self.ridge(*self.run_args(form="md"), "--baseline", "nobody"), "nobody")
        self.assert_usage(self.ridge(*self.run_args(), "--baseline", "main"), "ridge compare")

    def test_usage(self):
        path = self.measure("a")
        self.assert_usage(self.ridge("compare"), "compare")
        self.assert_usage(self.ridge("compare", path), "one side")
        self.assert_usage(self.ridge("compare", path, path, "--across", "colour"), "colour", "dtype")
        self.assert_usage(self.ridge("compare", path, path, "-o", "xml"), "xml", "md")
        self.assert_usage(self.ridge("compare", path, path, "--band", "-1"))
        self.assert_usage(self.ridge("compare", path, path, "--fail-on-regression=lots"))
        self.assert_usage(self.ridge("compare", path, self.folder / "no.jsonl"), "no.jsonl")

    def test_files_that_are_no_runs(self):
        path = self.measure("a")
        text = path.read_bytes()
        cases = {
            "empty": b"", "zeros": b"\0" * 4096, "text": b"hello\n", "list": b"[]\n",
            "json": b'{"type": "header"}\n', "foreign": b'{"schema": {"name": "x"}}\n',
            "half": text[:len(text.splitlines()[0]) // 2], "binary": bytes(range(256)) * 99,
            "newer": text.replace(b'"version":"1.0.0"', b'"version":"9.0.0"', 1),
        }
        for name, content in cases.items():
            bad = self.folder / f"{name}.jsonl"
            bad.write_bytes(content)
            for args in ((path, bad), (bad, path)):
                with self.subTest(name=name):
                    result = self.ridge("compare", *args)
                    self.assertEqual(result.returncode, 2, result.stdout + result.stderr)
                    self.assertIn(bad.name, result.stderr)
                    self.assertNotIn("internal error", result.stderr)

    def test_truncated_at_every_part(self):
        path = self.measure("a", gemm(), gemm(32))
        text = path.read_bytes()
        for part in range(1, 12):
            cut = self.folder / "cut.jsonl"
            cut.write_bytes(text[:len(text) * part // 12])
            result = self.ridge("compare", path, cut)
            self.assertIn(result.returncode, (0, 2), result.stderr)
            self.assertNotIn("internal error", result.stderr)

    def test_a_hundred_thousand_rows(self):
        path = self.measure("a")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        header = next(line for line in lines if line["type"] == "header")
        row = next(line for line in lines if line["type"] == "row")
        header["row_keys"] = []
        big = self.folder / "big.jsonl"
        with big.open("w") as out:
            out.write(json.dumps(header) + "\n")
            for i in range(100_000):
                row["workload"] = {**row["workload"], "m": i + 1}
                row["key"] = re.sub(r"\d+x", f"{i + 1}x", row["key"], count=1)
                row["row_key"] = row["key"] + "@sim:0/cold/pipelined"
                out.write(json.dumps(row) + "\n")
        began = time.monotonic()
        result = self.ridge("compare", big, big, "-o", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(json.loads(result.stdout)["pairs"]), 100_000)
        print(f"compare, twice 100,000 rows: {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
