"""Models on the command line: llama-bench's flags, their mistakes, tables and exports."""

import csv
import io
import json

from harness import RidgeTest, gemm, main

MODEL = ["-m", "tiny-llama"]


class Models(RidgeTest):
    def check(self, args, *mentions):
        with self.subTest(args=args):
            self.assert_usage(self.ridge(*args), *mentions)
            self.assertFalse((self.folder / "results").exists(), "nothing may be written")

    def rows(self, *args):
        """Keys of what would be measured, without worker and device."""
        result = self.ridge("run", "--worker", "sim", *args, "--dry-run")
        self.assertEqual(result.returncode, 0, result.stderr)
        cells = [line.split("|")[1].strip() for line in result.stdout.splitlines()[2:]]
        return [cell.replace("@sim:0/hot/isolated", "") for cell in cells]

    def test_rows_are_llama_benchs(self):
        self.assertEqual(self.rows(*MODEL, "-p", "8", "-n", "4"),
                         ["prefill/tiny-llama/f16/pp8", "decode/tiny-llama/f16/tg4"])
        self.assertEqual(self.rows(*MODEL, "-p", "0", "-n", "2,4"),
                         ["decode/tiny-llama/f16/tg2", "decode/tiny-llama/f16/tg4"])
        self.assertEqual(self.rows(*MODEL, "-p", "4-12+4", "-n", "1-4*2", "-d", "0,8"),
                         [f"{kind}{depth}" for depth in ("", "/d8")
                          for kind in [f"prefill/tiny-llama/f16/pp{n}" for n in (4, 8, 12)]
                          + [f"decode/tiny-llama/f16/tg{n}" for n in (1, 2, 4)]])
        self.assertEqual(self.rows("-m", "tiny-llama,tiny-qwen3", "--weights", "q8_0", "-n", "0",
                                   "-p", "8"),
                         ["prefill/tiny-llama/q8_0/pp8", "prefill/tiny-qwen3/q8_0/pp8"])

    def test_flags_of_several_letters(self):
        self.assertEqual(self.rows(*MODEL, "-p", "0", "-n", "0", "-pg", "16,4"),
                         ["prefill/tiny-llama/f16/pp16", "decode/tiny-llama/f16/tg4/d16"])
        self.assertEqual(self.rows(*MODEL, "-p", "8", "-n", "0", "-ub", "4", "-t", "2", "-fa", "1",
                                   "-ctk", "q8_0", "-ctv", "q8_0", "-np", "2"),
                         ["prefill/tiny-llama/f16/kv-q8_0/b2/pp8/2t/ub4/flash"])

    def test_mistakes(self):
        run = ["run", "--worker", "sim"]
        self.check([*run, "-p", "512"], "-p", "-m")
        self.check([*run, "-n", "128"], "-n", "-m")  # not the dry run that it used to be
        self.check([*run, "-ub", "128"], "-ub", "-m")
        self.check([*run, *MODEL, "--suite", "quick"], "-m", "--suite", "exclude")
        self.check([*run, *MODEL, "--suite=quick"], "--suite")
        self.check([*run, *MODEL, "--work", gemm()], "-m", "--work", "exclude")
        self.check([*run, "-m", "tiny-lama"], "tiny-lama", "tiny-llama")
        self.check([*run, "-m", str(self.folder)], str(self.folder))
        self.check([*run, "-m", ""], "-m")
        self.check([*run, *MODEL, "-p", "0", "-n", "0"], "nothing")
        self.check([*run, *MODEL, "-p", "12-4"], "-p", "12-4")
        self.check([*run, *MODEL, "-d", "x"], "-d", "'x'")
        self.check([*run, *MODEL, "-pg", "512"], "-pg", "512,128")
        self.check([*run, *MODEL, "-fa", "yes"], "-fa", "auto")
        self.check([*run, *MODEL, "-ctk", "q8_0"], "-ctk", "-ctv")
        self.check([*run, *MODEL, "-ctk", "q3"], "q3", "q8_0")
        self.check([*run, *MODEL, "--weights", "q3_k"], "--weights", "q4_k_m")
        self.check([*run, *MODEL, "-b", "768"], "-b", "-ub")
        self.check([*run, *MODEL, "-r", "0"], "--rounds")
        self.check([*run, *MODEL, "--load", "warm"], "--load", "cold", "hot")
        self.check([*run, "--load", "hot"], "--load", "-m")
        self.check([*run, *MODEL, "-ngl", "99"], "-ngl", "--device")
        self.check([*run, *MODEL, "--delay", "5"], "--delay")
        self.check([*run, "-hf", "some/model"], "-hf", "-m")

    def test_a_variable_that_names_a_suite_does_not_matter(self):
        result = self.ridge("run", "--worker", "sim", *MODEL, "-p", "8", "-n", "0", "--dry-run",
                            env=self.own(RIDGE_SUITE="quick"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("prefill/tiny-llama/f16/pp8", result.stdout)

    def test_a_suite_names_models(self):
        item = {"kind": "decode", "model": ["tiny-llama", "tiny-qwen3"], "format": ["f16", "q8_0"],
                "batch": 1, "depth": 0, "tokens": 2,
                "settings": {"cache": "hot", "timing": "isolated"}}
        (self.folder / "own.json").write_text(json.dumps({"name": "own", "items": [item]}))
        self.assertEqual(self.rows("--suite", "own.json"),
                         [f"decode/tiny-{model}/{weights}/tg2" for model in ("llama", "qwen3")
                          for weights in ("f16", "q8_0")])
        item["model"] = "nobody"
        (self.folder / "own.json").write_text(json.dumps({"name": "own", "items": [item]}))
        self.check(["run", "--suite", "own.json"], "own.json", "nobody")
        for suite in ("llm-small", "llm-7b"):
            result = self.ridge("list", "--suite", suite)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("decode/", result.stdout)

    def measured(self, *args):
        return self.ridge("run", "--worker", "sim", *MODEL, "-p", "6", "-n", "3", "-r", "3",
                          "--budget", "0.3s", "--out", str(self.out), *args, env=self.own())

    def test_the_table_and_the_exports(self):
        result = self.measured()
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        lines = result.stdout.splitlines()
        header = [cell.strip() for cell in lines[0].split("|")[1:-1]]
        for title in ("model", "size", "params", "backend", "threads", "test", "t/s", "TTFT",
                      "TPOT", "limit"):
            self.assertIn(title, header)
        self.assertNotIn("how", header)
        rows = [dict(zip(header, [cell.strip() for cell in line.split("|")[1:-1]]))
                for line in lines[2:4]]
        self.assertEqual([row["test"] for row in rows], ["pp6", "tg3"])
        self.assertEqual(rows[0]["model"], "tiny-llama f16")
        self.assertTrue(rows[0]["TTFT"] and not rows[0]["TPOT"])
        self.assertTrue(rows[1]["TPOT"] and not rows[1]["TTFT"])
        self.assertIn("make and load", result.stdout)
        self.assertIn("peak memory", result.stdout)

        stored = self.ridge("show", *self.run_files(), "-o", "csv")
        table = list(csv.DictReader(io.StringIO(stored.stdout)))
        self.assertEqual([row["test"] for row in table], ["pp6", "tg3"])
        prompt, generated = table
        self.assertEqual((prompt["n_prompt"], prompt["n_gen"], prompt["n_depth"]), ("6", "0", "0"))
        self.assertEqual((generated["n_prompt"], generated["n_gen"]), ("0", "3"))
        self.assertEqual(generated["rate_unit"], "token/s")
        self.assertAlmostEqual(float(generated["rate"]), 3e9 / float(generated["median_ns"]),
                               delta=1e-6 * float(generated["rate"]))
        self.assertAlmostEqual(float(generated["time_per_token_ns"]),
                               float(generated["median_ns"]) / 3, delta=1)
        self.assertEqual(prompt["time_per_token_ns"], "")
        self.assertEqual((prompt["type_k"], prompt["n_ubatch"]), ("f16", "512"))
        self.assertIn("make_and_load=", prompt["values"])
        self.assertGreater(int(prompt["bytes_peak"]), 0)

        stored = self.ridge("show", *self.run_files(), "-o", "json")
        self.assertEqual([row["test"] for row in json.loads(stored.stdout)["results"]],
                         ["pp6", "tg3"])

    def test_loads(self):
        result = self.measured("--load", "hot,cold")
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        loads = [line for line in result.stdout.splitlines() if "load+pp8 |" in line]
        self.assertEqual(len(loads), 2, result.stdout)
        header = [cell.strip() for cell in result.stdout.splitlines()[0].split("|")[1:-1]]
        for line, state in zip(loads, ("hot", "cold")):
            row = dict(zip(header, [cell.strip() for cell in line.split("|")[1:-1]]))
            self.assertEqual(row["how"], f"page cache {state}")
            self.assertEqual(row["t/s"], "–")  # tokens are not what it counts
            self.assertTrue(row["TTFT"] and not row["TPOT"])
        stored = self.ridge("show", *self.run_files(), "-o", "csv")
        rows = [row for row in csv.DictReader(io.StringIO(stored.stdout)) if row["test"] == "load+pp8"]
        self.assertEqual(len(rows), 2)
        for row in rows:
            self.assertEqual((row["rate_unit"], row["n_prompt"], row["n_gen"]), ("B/s", "8", "0"))
            self.assertAlmostEqual(float(row["rate"]),
                                   int(row["model_size"]) * 1e9 / float(row["median_ns"]),
                                   delta=1e-6 * float(row["rate"]))
            self.assertEqual(row["flags"].find("cache_not_cold"), -1)
            self.assertNotIn("load=", row["values"])  # its own time says it

    def test_columns_of_what_differs(self):
        result = self.measured("-ub", "4", "-np", "2")
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        self.assertIn("how", result.stdout.splitlines()[0])
        self.assertIn("2 sequences, ub 4", result.stdout)

    def test_other_work_has_its_table_below(self):
        item = {"kind": "decode", "model": "tiny-llama", "format": "f16", "batch": 1, "depth": 0,
                "tokens": 2, "settings": {"cache": "hot", "timing": "isolated"}}
        result = self.ridge("run", "--worker", "sim", "--work", json.dumps(item), "--work", gemm(),
                            "--rounds", "1", "--budget", "0.2s", "--out", str(self.out),
                            env=self.own())
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        self.assertLess(result.stdout.index(" tg2 |"), result.stdout.index("gemm/f32/16x16x16"))
        stored = self.ridge("show", *self.run_files(), "-o", "csv")
        self.assertEqual([row["test"] for row in csv.DictReader(io.StringIO(stored.stdout))],
                         ["tg2", ""])


if __name__ == "__main__":
    main()
