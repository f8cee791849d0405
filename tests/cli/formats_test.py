"""What goes to stdout: the contract that other tools rely on, in every format."""

import csv
import io
import json
import locale
import math
import os
import unittest

from harness import RidgeTest, environment, gemm, main

STREAM = '{"kind": "stream", "op": "triad", "bytes": 1048576}'
HEADER = ["key", "worker", "device", "cache", "timing", "form", "threads", "status", "rate",
          "rate_ci_low", "rate_ci_high", "rate_unit", "median_ns", "ci_low_ns", "ci_high_ns", "n",
          "rounds", "check", "flags", "kernel", "reason", "bytes_peak", "values", "test", "model_type",
          "model_filename", "model_size", "model_n_params", "n_prompt", "n_gen", "n_depth", "n_parallel",
          "n_ubatch", "type_k", "type_v", "flash_attn", "time_per_token_ns", "j_per_token"]


def table_lines(text):
    return [line for line in text.splitlines() if line.startswith("|")]


class Formats(RidgeTest):
    def measured(self, form, *extra, works=(gemm(m=[16, 17]), STREAM), rounds=3, env=None):
        result = self.ridge(*self.run_args(*works, form=form, rounds=rounds), *extra, env=env)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def check_interval(self, row):
        """Either an interval, the same in time and rate, or a flag that says why there is none."""
        time, rate = row["time"], row["rate"]
        ends = (time["ci_low_ns"], time["ci_high_ns"], rate["ci_low"], rate["ci_high"])
        if None in ends:
            self.assertEqual(ends, (None,) * 4)
            self.assertTrue({"few_samples", "autocorrelated", "not_steady", "bimodal"} &
                            set(row["flags"]), row["flags"])
            return
        self.assertLessEqual(time["ci_low_ns"], time["median_ns"])
        self.assertGreaterEqual(time["ci_high_ns"], time["median_ns"])
        self.assertAlmostEqual(rate["ci_low"] * time["ci_high_ns"],
                               rate["ci_high"] * time["ci_low_ns"], delta=1000)
        self.assertLessEqual(rate["ci_low"], rate["value"])

    def test_jsonl_contract(self):
        lines = self.measured("jsonl").splitlines()
        rows = [json.loads(line) for line in lines]
        self.assertEqual([row["key"] for row in rows],
                         ["gemm/f32/16x16x16", "gemm/f32/17x16x16", "stream/triad/1MiB"])
        for row in rows:
            self.assertEqual(row["row_key"], f"{row['key']}@sim:0/cold/pipelined")
            self.assertIn(row["workload"]["kind"], ("gemm", "stream"))
            self.assertIsInstance(row["settings"], dict)
            self.assertEqual((row["worker"], row["device"]), ("sim", "0"))
            self.assertEqual(row["status"], "ok")
            time, rate = row["time"], row["rate"]
            for value in (time["median_ns"], time["n"], rate["value"]):
                self.assertGreater(value, 0)
                self.assertTrue(math.isfinite(value))
            self.check_interval(row)
            self.assertEqual(row["check"]["status"], "passed")
            self.assertGreater(row["check"]["elements"], 0)
            self.assertIsInstance(row["flags"], list)
            for flag in row["flags"]:
                self.assertIsInstance(flag, str)
        self.assertEqual(rows[0]["workload"], {"kind": "gemm", "dtype": "f32", "layout": "nn",
                                               "m": 16, "n": 16, "k": 16})
        self.assertEqual([row["rate"]["unit"] for row in rows], ["FLOP/s", "FLOP/s", "B/s"])
        self.assertAlmostEqual(rows[0]["rate"]["value"] * rows[0]["time"]["median_ns"],
                               2 * 16**3 * 1e9, delta=1)
        self.assertAlmostEqual(rows[2]["rate"]["value"] * rows[2]["time"]["median_ns"],
                               3 * 2**20 * 1e9, delta=1000)

    def test_what_is_not_known_is_null(self):
        rows = [json.loads(line) for line in self.measured(
            "jsonl", works=(gemm(dtype="int8"), gemm()), rounds=1).splitlines()]
        self.assertEqual(rows[0]["status"], "unsupported")
        self.assertEqual(rows[0]["reason"], "sim: f32, f64 only")
        self.assertIsNone(rows[0]["rate"]["value"])
        self.assertIsNone(rows[0]["time"]["median_ns"])
        self.assertIsNone(rows[1]["rate"]["ci_low"])  # one round has no interval
        self.assertIn("few_samples", rows[1]["flags"])

    def test_the_stored_run_is_what_was_printed(self):
        printed = [json.loads(line) for line in self.measured("jsonl").splitlines()]
        (path,) = self.run_files()
        self.assertEqual(self.stored(path), printed)
        header = json.loads(path.read_text().splitlines()[0])
        self.assertEqual(header["type"], "header")
        self.assertEqual(header["settings"]["rounds"], 3)
        self.assertEqual(header["workers"][0]["worker"], "sim")
        self.assertEqual(json.loads(path.read_text().splitlines()[-1])["type"], "summary")

    def test_all_formats_of_a_stored_run_agree(self):
        printed = self.measured("md")
        (path,) = self.run_files()
        rows = self.stored(path)
        shown = self.ridge("show", path).stdout
        self.assertEqual(table_lines(shown), table_lines(printed))
        text = self.ridge("show", path, "-o", "csv").stdout
        for row, line in zip(rows, csv.DictReader(io.StringIO(text)), strict=True):
            self.assertEqual(line["key"], row["key"])
            self.assertEqual(float(line["rate"]), row["rate"]["value"])
            self.assertEqual(float(line["median_ns"]), row["time"]["median_ns"])
            self.assertEqual(line["flags"].split(), row["flags"])
        whole = json.loads(self.ridge("show", path, "-o", "json").stdout)
        self.assertEqual(whole["results"], rows)
        self.assertEqual(whole["schema"]["name"], "ridgepoint-run")
        known = {flag["name"] for flag in whole["flags"]}
        self.assertTrue(known.issuperset(flag for row in rows for flag in row["flags"]))

    def test_several_files_are_one_table(self):
        self.measured("md", rounds=1)
        self.measured("md", rounds=1, works=(gemm(m=18),))
        files = self.run_files()
        self.assertEqual(len(files), 2)
        lines = list(csv.reader(io.StringIO(self.ridge("show", *files, "-o", "csv").stdout)))
        self.assertEqual(lines[0], HEADER)
        self.assertEqual(len(lines), 5)
        for line in lines:
            self.assertEqual(len(line), len(HEADER))
        rows = self.ridge("show", *files, "-o", "jsonl").stdout.splitlines()
        self.assertEqual(len(rows), 4)
        # A folder is all its runs, without the samples that lie beside them.
        folder = files[0].parent
        self.assertTrue(list(folder.glob("*.samples.jsonl")))
        self.assertEqual(self.ridge("show", folder, "-o", "jsonl").stdout.splitlines(), rows)

    def test_md_is_a_github_table(self):
        lines = table_lines(self.measured("md"))
        self.assertEqual(len(lines), 2 + 3)
        columns = lines[0].count("|") - 1
        self.assertRegex(lines[1], r"^(\|:?-{3,}:?)+\|$")
        for line in lines:
            self.assertEqual(line.replace("\\|", "").count("|") - 1, columns)
            self.assertEqual(len(line), len(lines[0]))

    def test_names_with_everything_in_them(self):
        """Pipes, quotes, commas and other scripts in what a worker says stay in their cells."""
        env = environment(RIDGE_TEST_MODE="unicode")
        text = self.measured("csv", env=env, rounds=1)
        for line in csv.reader(io.StringIO(text)):
            self.assertEqual(len(line), len(HEADER))
        self.assertEqual(self.ridge("list", env=env).returncode, 0)
        listed = json.loads(self.ridge("list", "-o", "json", env=env).stdout)
        device = [w for w in listed["workers"] if w["worker"] == "sim"][0]["devices"][0]
        self.assertEqual(device["name"], "процессор 🚀")

    def test_a_worker_cannot_paint_the_terminal(self):
        env = environment(RIDGE_TEST_MODE="escape")
        for form in ("md", "csv", "json", "jsonl"):
            text = self.measured(form, env=env, rounds=1)
            self.assertNotIn("\x1b", text, form)
            self.assertNotIn("\x07", text, form)

    def test_no_escapes_where_nobody_wants_them(self):
        for change in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": None}):
            result = self.ridge(*self.run_args(form="md"), env=environment(**change))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotIn("\x1b", result.stdout + result.stderr)

    def test_numbers_have_points_in_every_locale(self):
        name = None
        for candidate in ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"):
            try:
                locale.setlocale(locale.LC_NUMERIC, candidate)
                name = candidate
                break
            except locale.Error:
                continue
        locale.setlocale(locale.LC_NUMERIC, "C")
        if name is None:
            self.skipTest("no locale with comma decimals is installed here")
        env = environment(LC_ALL=name, LANG=name)
        for row in csv.DictReader(io.StringIO(self.measured("csv", env=env))):
            self.assertGreater(float(row["rate"]), 0)
        for line in self.measured("jsonl", env=env).splitlines():
            self.assertGreater(json.loads(line)["rate"]["value"], 0)

    def test_only_results_on_stdout(self):
        result = self.ridge(*self.run_args(form="jsonl", rounds=1))
        for line in result.stdout.splitlines():
            json.loads(line)
        for line in result.stderr.splitlines():
            self.assertTrue(line.startswith("ridge: "), line)
        self.assertRegex(result.stderr.splitlines()[0], r"1 rows? in 1 rounds?, about .* s")

    def test_a_failed_row_is_in_every_format(self):
        env = environment(RIDGE_TEST_MODE="segv@time", RIDGE_TEST_WORK="17x")
        for form in ("md", "csv", "json", "jsonl"):
            result = self.ridge(*self.run_args(gemm(m=[16, 17]), form=form), env=env)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn("killed by signal 11", result.stdout)
        row = self.stored(self.run_files()[-1])[1]
        self.assertEqual(row["status"], "failed")
        self.assertEqual(row["stderr_tail"][-1], "sim: these were its last words")
        self.assertIsNone(row["rate"]["value"])

    def test_an_incorrect_row_has_no_rate_and_exit_code_1(self):
        env = environment(RIDGE_TEST_MODE="zero-fill")
        result = self.ridge(*self.run_args(form="md"), env=env)
        self.assertEqual(result.returncode, 1)
        self.assertIn("incorrect", result.stdout)
        self.assertNotIn("FLOPS", result.stdout)

    def test_check_says_who_is_right(self):
        result = self.ridge("check", "--worker", "sim", "--filter", "gemm/f32.*x(1|33|96)x")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        wrong = self.ridge("check", "--worker", "sim", "--filter", "gemm/f32.*x(33|96)x",
                           env=environment(RIDGE_TEST_MODE="transpose"))
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("incorrect: c[", wrong.stdout)

    def test_strict_tells_the_unstable_apart(self):
        env = environment(RIDGE_TEST_SLEEP="3")  # sleeping ops do not agree within 1 %
        result = self.ridge(*self.run_args(rounds=3), "--strict", env=env)
        row = json.loads(result.stdout)
        unstable = {"imprecise", "drift", "bimodal", "not_steady"} & set(row["flags"])
        self.assertEqual(result.returncode, 3 if unstable else 0)


if __name__ == "__main__":
    main()
