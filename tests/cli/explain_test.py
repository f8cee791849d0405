"""ridge explain, on run files with known rows: what it says, what it refuses, and in one line."""

import copy
import json
import os

from harness import RidgeTest, main

HEADER = {
    "type": "header", "schema": {"name": "ridgepoint-run", "version": "1.0.0"}, "id": "aaaaaaaa",
    "started_utc": "2026-11-21T00:00:00Z", "argv": ["ridge", "run"], "machine_key": "one-4c",
    "machine": {"cpu": {"model": "AMD EPYC", "cores": 4, "sockets": 1, "caches": []}},
    "tool": {}, "settings": {}, "workers": []}


def row(work, ns, flops=0, read=0, written=0, **settings):
    settings = {"cache": "cold", "timing": "pipelined", "form": "plain", "threads": 0,
                "graph": False, **settings}
    rate = flops or read + written
    return {"type": "row", "workload": work, "settings": settings, "worker": "cpu", "device": "0",
            "status": "ok", "reason": None,
            "time": {"median_ns": ns, "ci_low_ns": ns * 0.99, "ci_high_ns": ns * 1.01, "n": 100,
                     "rounds": 3, "round_medians_ns": [ns, ns, ns]},
            "rate": {"value": rate * 1e9 / ns, "ci_low": None, "ci_high": None,
                     "unit": "FLOP/s" if flops else "B/s"},
            "cost": {"model_flops": flops, "executed_flops": flops, "bytes_read": read,
                     "bytes_written": written, "footprint_bytes": read + written},
            "check": {"status": "passed", "elements": 1}, "flags": []}


def product(m, n, k, rate, dtype="f32", **settings):
    flops, width = 2 * m * n * k, {"f32": 4, "bf16": 2, "f16": 2}[dtype]
    return row({"kind": "gemm", "dtype": dtype, "m": m, "n": n, "k": k}, flops * 1e9 / rate, flops,
               (m * k + k * n) * width, m * n * width, **settings)


def stream(op, size, rate, **settings):
    read = {"read": 1, "write": 0, "copy": 1, "triad": 2}[op] * size
    written = 0 if op == "read" else size
    return row({"kind": "stream", "op": op, "bytes": size}, (read + written) * 1e9 / rate, 0, read,
               written, **settings)


ROWS = [product(2048, 2048, 2048, 1e12), product(1024, 1024, 1024, 9e11),
        product(1024, 1024, 1024, 4e11, form="packed"), product(1, 4096, 4096, 4.5e10),
        stream("read", 1 << 28, 1e11), stream("write", 1 << 28, 8e10)]


class Explain(RidgeTest):
    def write(self, name, *lines, **changes):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [{**HEADER, **changes}, *(lines or ROWS)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def explained(self, *paths):
        result = self.ridge("explain", *paths, "-o", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout), result.stderr

    def test_each_row_has_its_limit(self):
        out, _ = self.explained(self.write("a.jsonl"))
        by_key = {one["row_key"]: one for one in out["rows"]}
        self.assertEqual(len(by_key), len(ROWS))

        def of(part):
            (found,) = [one for key, one in by_key.items() if part in key]
            return found

        best = of("2048x2048x2048")
        self.assertTrue(best["limits"][0]["is_roof"])
        good = by_key["gemm/f32/1024x1024x1024@cpu:0/cold/pipelined"]
        self.assertEqual(good["bound"], "compute f32")
        self.assertAlmostEqual(good["limits"][0]["share"], 0.9, 6)
        slow = of("/packed")
        self.assertIsNone(slow["bound"])
        self.assertAlmostEqual(slow["headroom"], 2.5, 6)
        self.assertIn("plain weights: ×2.2 here", slow["advice"])
        decode = of("gemm/f32/1x4096x4096")
        self.assertEqual(decode["bound"], "memory read")
        self.assertAlmostEqual(decode["limits"][0]["share"], 0.9, 2)
        self.assertEqual({(r["kind"], r["operation"]) for r in out["roofs"]},
                         {("compute", "f32"), ("memory", "read"), ("memory", "write")})
        self.assertAlmostEqual(out["ridge_points"][0]["flop_per_byte"], 10, 6)
        for roof in out["roofs"]:
            self.assertIsNone(roof["chip"]["share"], "the chip is unknown")
        self.assertTrue(out["chips"][0]["candidates"])

    def test_markdown_says_the_same(self):
        text = self.ridge("explain", self.write("a.jsonl")).stdout
        for part in ("## one-4c", "compute, the roof", "| compute 90 %", "| none (40 %)",
                     "| memory read 90 %", "×2.5 left on the table", "unknown chip",
                     "nearest: ", "f32 10"):
            self.assertIn(part, text)

    def test_runs_of_one_machine_are_merged(self):
        self.write("raw/a.jsonl", *ROWS[:1])
        self.write("raw/b.jsonl", *ROWS[1:], id="bbbbbbbb", started_utc="2026-11-22T00:00:00Z")
        (self.folder / "raw/b.samples.jsonl").write_text("not a run\n")
        whole, _ = self.explained(self.folder / "raw")
        self.assertEqual([run["id"] for run in whole["runs"]], ["aaaaaaaa", "bbbbbbbb"])
        alone, _ = self.explained(self.write("all.jsonl"))
        key = "gemm/f32/1024x1024x1024@cpu:0/cold/pipelined"
        shares = [[row["limits"][0]["share"] for row in out["rows"] if row["row_key"] == key]
                  for out in (whole, alone)]
        self.assertEqual(shares[0], shares[1])
        # The same file twice is the same run.
        twice, _ = self.explained(self.folder / "all.jsonl", self.folder / "all.jsonl")
        self.assertEqual(len(twice["runs"]), 1)

    def test_two_machines_are_refused(self):
        a = self.write("a.jsonl")
        b = self.write("b.jsonl", machine_key="other-8c", id="bbbbbbbb")
        self.assert_usage(self.ridge("explain", a, b), "one-4c", "other-8c", "one machine")

    def test_a_dtype_without_a_roof_is_refused(self):
        out, _ = self.explained(self.write("a.jsonl", *ROWS, product(1, 64, 64, 1e9, "f16")))
        (f16,) = [one for one in out["rows"] if "f16" in one["row_key"]]
        self.assertIn("no roof of f16 products", f16["refused"])
        self.assertEqual(f16["limits"], [])

    def test_what_is_no_run_is_told_in_one_line(self):
        good = self.write("good.jsonl").read_text()
        cases = {
            "missing.jsonl": (None, "No such file"),
            "empty.jsonl": ("", "empty"),
            "blank.jsonl": ("\n\n", "empty"),
            "text.jsonl": ("hello\n", "text.jsonl:1", "byte"),
            "binary.jsonl": ("\x00\x01\x02" * 999, "binary.jsonl:1"),
            "list.jsonl": ("[1, 2]\n", "header"),
            "row.jsonl": (good.split("\n", 1)[1], "row.jsonl:1", "header"),
            "foreign.jsonl": (json.dumps({**HEADER, "schema": {"name": "other", "version": "1"}}),
                              "foreign.jsonl:1", "other"),
            "newer.jsonl": (json.dumps({**HEADER, "schema": {"name": "ridgepoint-run",
                                                             "version": "2.0.0"}}), "newer"),
            "no-key.jsonl": (json.dumps({k: v for k, v in HEADER.items() if k != "machine_key"}),
                             "no-key.jsonl:1", "machine_key"),
            "cut-header.jsonl": (good[:40], "cut-header.jsonl:1", "byte"),
        }
        for name, (text, *mentions) in cases.items():
            with self.subTest(name):
                path = self.folder / name
                if text is not None:
                    path.write_text(text)
                self.assert_usage(self.ridge("explain", path), name, *mentions)
        (self.folder / "nothing").mkdir()
        self.assert_usage(self.ridge("explain", self.folder / "nothing"), "nothing", "no run file")
        self.assert_usage(self.ridge("explain", self.folder / "absent/"), "absent")
        self.assert_usage(self.ridge("explain", self.write("x.jsonl"), "-o", "csv"), "csv")
        self.assertEqual(self.ridge("explain").returncode, 2)
        if os.geteuid() != 0:
            closed = self.write("closed.jsonl")
            closed.chmod(0)
            self.assert_usage(self.ridge("explain", closed), "closed.jsonl")

    def test_a_torn_run_is_explained_with_a_warning(self):
        path = self.write("torn.jsonl")
        whole = path.read_text()
        path.write_text(whole[:-30])
        out, warnings = self.explained(path)
        self.assertEqual(len(out["rows"]), len(ROWS) - 1)
        self.assertRegex(warnings, r"\Aridge: [^\n]*torn.jsonl:7: [^\n]+\n\Z")

    def test_many_bad_lines_are_no_storm(self):
        path = self.write("bad.jsonl")
        with path.open("a") as file:
            file.writelines("{\n" for _ in range(100_000))
        out, warnings = self.explained(path)
        self.assertEqual(len(out["rows"]), len(ROWS))
        self.assertLess(len(warnings.splitlines()), 10)
        self.assertIn("99995 more", warnings)

    def test_rows_that_claim_nonsense_make_no_roof(self):
        odd = copy.deepcopy(ROWS)
        for time in (0, -5, 1e-320, None):
            bad = product(512, 512, 512, 1e12)
            bad["time"]["median_ns"] = time
            odd.append(bad)
        bad = product(640, 640, 640, 1e12)
        bad["rate"]["value"] = -1
        odd.append(bad)
        out, _ = self.explained(self.write("odd.jsonl", *odd))
        for roof in out["roofs"]:
            self.assertLessEqual(roof["rate"], 1.0001e12)

    def test_an_empty_run_has_no_rows(self):
        path = self.folder / "headeronly.jsonl"
        path.write_text(json.dumps(HEADER) + "\n")
        out, _ = self.explained(path)
        self.assertEqual((out["rows"], out["roofs"]), ([], []))
        self.assertEqual(self.ridge("explain", path).returncode, 0)


if __name__ == "__main__":
    main()
