"""The JSON Schemas of schema/ against what ridge really writes and says."""

import copy
import json
import sys
import warnings

from harness import SIM, SOURCE, RidgeTest, environment, gemm, main

try:
    import jsonschema
except ImportError:
    print("skipped: the Python module jsonschema is missing (apt install python3-jsonschema)")
    sys.exit(77)

warnings.simplefilter("ignore", DeprecationWarning)  # RefResolver: old versions have nothing else
SCHEMAS = {path.name: json.loads(path.read_text())
           for path in sorted((SOURCE / "schema").glob("*.schema.json"))}
NAMES = {"row", "run", "protocol", "suite", "machine", "chips", "links", "explanation", "fit"}


def validator(name, part=""):
    schema = SCHEMAS[f"{name}.schema.json"]
    wanted = {"$ref": schema["$id"] + part} if part else schema
    resolver = jsonschema.RefResolver(schema["$id"], schema, store=SCHEMAS)
    return jsonschema.Draft202012Validator(wanted, resolver=resolver)


class Schemas(RidgeTest):
    def valid(self, value, name, part=""):
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"[:500]
                  for e in validator(name, part).iter_errors(value)]
        self.assertEqual(errors, [], json.dumps(value)[:500])

    def invalid(self, value, name, part=""):
        self.assertFalse(validator(name, part).is_valid(value), json.dumps(value)[:500])

    def measured(self, *works, env=None, rounds=3):
        result = self.ridge(*self.run_args(*works, rounds=rounds), env=env)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_the_schemas_are_schemas(self):
        self.assertTrue({f"{name}.schema.json" for name in NAMES} <= set(SCHEMAS))
        for name, schema in SCHEMAS.items():
            jsonschema.Draft202012Validator.check_schema(schema)
            self.assertEqual(schema["$id"], name)

    def test_a_fit(self):
        shown = self.ridge("fit", "tiny-moe", "--memory", "1MiB,24GiB", "--kv", "f16,q8_0",
                           "--context", "1k,max", "-o", "json")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        fit = json.loads(shown.stdout)
        self.valid(fit, "fit")
        self.assertEqual(len(fit["rows"]), 7 * 2 * 2)
        for change in ("total_bytes", "fits"):
            broken = copy.deepcopy(fit)
            del broken["rows"][0][change]
            self.invalid(broken, "fit")

    def test_a_run_file_and_its_samples(self):
        stream = '{"kind": "stream", "op": ["read", "write", "copy", "triad"], "bytes": 65536}'
        self.measured(gemm(dtype=["f32", "f64", "bf16"]), stream)
        files = list(self.out.rglob("*.jsonl"))
        self.assertEqual(len(files), 2)
        types = set()
        for path in files:
            for line in path.read_text().splitlines():
                value = json.loads(line)
                types.add(value["type"])
                self.valid(value, "run")
        self.assertEqual(types, {"header", "row", "summary", "samples"})

    def test_rows_of_every_status(self):
        seen = set()
        for mode in ("honest", "zero-fill", "segv@time", "exit@hello", "abort@supports",
                     "null-values", "fast-device", "unicode", "hang@check"):
            env = environment(RIDGE_TEST_MODE=mode)
            args = [*self.run_args(gemm(), gemm(dtype="int8")), "--deadline", 1]
            for line in self.ridge(*args, env=env).stdout.splitlines():
                row = json.loads(line)
                seen.add(row["status"])
                self.valid(row, "row")
        self.assertEqual(seen, {"ok", "unsupported", "failed", "incorrect"})

    def test_what_a_row_may_not_be(self):
        (row,) = self.measured(gemm(), rounds=1)
        for path, value in ((["status"], "fine"), (["rate", "unit"], "GB/s"),
                            (["rate", "value"], 0), (["flags"], ["fast"]),
                            (["flags"], ["drift", "drift"]), (["time", "n"], -1),
                            (["workload", "m"], 0), (["workload", "speed"], 9),
                            (["settings", "cache"], "icy"), (["reason"], "ok, with a reason"),
                            (["check", "status"], "wrong"), (["key"], "gemm")):
            other = copy.deepcopy(row)
            target = other
            for step in path[:-1]:
                target = target[step]
            target[path[-1]] = value
            self.invalid(other, "row")
        for member in ("key", "row_key", "workload", "settings", "worker", "device", "status",
                       "time", "rate", "check", "flags"):
            self.invalid({k: v for k, v in row.items() if k != member}, "row")
        self.valid({**row, "energy": {"joule": 5}}, "row")
        incorrect = {**row, "status": "incorrect", "reason": "wrong"}
        self.invalid(incorrect, "row")  # it still has a rate

    def test_suites(self):
        for path in sorted((SOURCE / "data/suites").glob("*.json")):
            with self.subTest(path.name):
                self.valid(json.loads(path.read_text()), "suite")
        item = json.loads(gemm())
        good = {"name": "x", "items": [item]}
        self.valid(good, "suite")
        for bad in ({"name": "x"}, {"items": [item]}, {**good, "items": []},
                    {**good, "rounds": 0}, {**good, "row": 5}, {**good, "seconds_per_row": 0},
                    {"name": "x", "items": [{**item, "m": 0}]},
                    {"name": "x", "items": [{**item, "m": []}]},
                    {"name": "x", "items": [{**item, "speed": 5}]},
                    {"name": "x", "items": [{**item, "kind": "knitting"}]}):
            self.invalid(bad, "suite")

    def test_chips_and_links(self):
        chips = json.loads((SOURCE / "data/chips.json").read_text())
        links = json.loads((SOURCE / "data/links.json").read_text())
        self.valid(chips, "chips")
        self.valid(links, "links")
        for path, value in ((["sources", "sm", "kind"], "rumour"), (["sources", "sm", "date"], None),
                            (["chips", 0, "status"], "soon"), (["chips", 0, "models"], []),
                            (["chips", 0, "peaks"], []), (["chips", 0, "colour"], "green"),
                            (["chips", 0, "peaks", 0, "tflops"], 0),
                            (["chips", 0, "peaks", 0, "dtypes"], ["f31"]),
                            (["chips", 0, "peaks", 0, "sparsity"], "sparse"),
                            (["chips", 0, "bandwidth", "source"], ""),
                            (["chips", 0, "models", 0, "cores"], 0)):
            other = copy.deepcopy(chips)
            target = other
            for step in path[:-1]:
                target = target[step]
            target[path[-1]] = value
            self.invalid(other, "chips")
        for member in ("id", "kind", "vendor", "name", "status", "models", "peaks"):
            other = copy.deepcopy(chips)
            del other["chips"][0][member]
            self.invalid(other, "chips")
        for bad in ({"payload": [1]}, {"lanes": 0, "gigabits_per_s": 8, "payload": [1, 1]}):
            other = copy.deepcopy(links)
            other["links"][0]["factors"] = bad
            self.invalid(other, "links")

    def test_info_says_which_chips_these_are(self):
        machine = json.loads(self.ridge("info", "-o", "json").stdout)
        self.valid(machine, "machine")
        ids = {chip["id"] for chip in json.loads((SOURCE / "data/chips.json").read_text())["chips"]}
        self.assertEqual(machine["chips"][0]["device"], "cpu")
        for device in machine["chips"]:
            self.assertTrue(device["chip"] in ids or device["chip_reason"], device)
        self.assertIn("Published figures", self.ridge("info").stdout)

    def test_explanations(self):
        stream = '{"kind": "stream", "op": ["read", "write"], "bytes": 65536}'
        calls = '{"kind": "dispatch", "ops": [1, 2, 4, 8]}'
        self.measured(gemm(dtype=["f32", "bf16"], m=256, n=256, k=256), gemm(), stream, calls)
        result = self.ridge("explain", self.out, "-o", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        out = json.loads(result.stdout)
        self.valid(out, "explanation")
        self.assertGreaterEqual(len(out["rows"]), 6)
        self.assertTrue(any(row["limits"] for row in out["rows"]), out["rows"])
        for path, value in ((["roofs", 0, "rate"], 0), (["roofs", 0, "kind"], "speed"),
                            (["rows", 0, "status"], "fine"), (["rows", 0, "limits"], None),
                            (["rows", 0, "headroom"], "much"), (["runs"], []),
                            (["schema", "name"], "other")):
            other = copy.deepcopy(out)
            target = other
            for step in path[:-1]:
                target = target[step]
            target[path[-1]] = value
            self.invalid(other, "explanation")

    def tapped(self, mode, *works):
        log = self.folder / "tap"
        env = environment(RIDGE_WORKER_PATH=str(SOURCE / "tests/cli/workers"),
                          RIDGE_TEST_TAPPED=f"{SIM}/ridge-worker-sim", RIDGE_TEST_TAP=str(log),
                          RIDGE_TEST_MODE=mode)
        result = self.ridge("run", "--worker", "tap", "--out", self.out, "--budget", "0.3s",
                            "--rounds", 1, "-o", "jsonl", *sum((["--work", w] for w in works), []),
                            env=env)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [(line[:1], json.loads(line[2:])) for line in log.read_text().splitlines()]

    def test_protocol_messages(self):
        stream = '{"kind": "stream", "op": "read", "bytes": 65536}'
        verbs, events = {}, set()
        seen = set()
        for mode in ("honest", "honest-device"):
            verbs.clear()
            for side, message in self.tapped(mode, gemm(), gemm(dtype="bf16"), stream):
                self.valid(message, "protocol")
                if side == ">":
                    self.valid(message, "protocol", "#/$defs/request")
                    verbs[message["id"]] = message["do"]
                    if message["do"] == "hello":
                        verbs = {message["id"]: "hello"}  # a new session counts from 1
                elif "event" in message:
                    self.valid(message, "protocol", "#/$defs/event")
                    events.add(message["event"])
                else:
                    verb = verbs[message["id"]]
                    seen.add(verb)
                    part = f"#/$defs/{verb}_reply"
                    if f"{verb}_reply" not in SCHEMAS["protocol.schema.json"]["$defs"]:
                        part = "#/$defs/reply"
                    self.valid(message, "protocol", part)
            (self.folder / "tap").unlink()
        self.assertTrue({"hello", "supports", "prepare", "check", "time", "release"} <= seen, seen)
        self.assertEqual(events, {"started", "samples"})

    def test_what_a_message_may_not_be(self):
        for bad in ({}, {"id": 1, "do": "dance"}, {"do": "bye"}, {"id": "1", "do": "bye"},
                    {"id": 1, "do": "time"}, {"id": 1, "do": "hello"}):
            self.invalid(bad, "protocol", "#/$defs/request")
        for bad in ({"id": 1, "ok": True, "handle": 1, "copies": 0}, {"id": 1, "ok": True},
                    {"ok": True, "handle": 1}, {"id": 1, "ok": False, "handle": 1}):
            self.invalid(bad, "protocol", "#/$defs/prepare_reply")
        self.invalid({"id": 1, "event": "samples", "start_ns": [0], "host_ns": [0]}, "protocol",
                     "#/$defs/event")


if __name__ == "__main__":
    main()
