"""Validates what show_machine prints, here and for every fixture, against the JSON Schema, and
that every null has its reason beside it.

    schema_test.py SHOW_MACHINE SCHEMA FIXTURES FAKE_NVML
"""

import json
import re
import subprocess
import sys
from pathlib import Path

try:
    import jsonschema
except ImportError:
    print("skipped: the Python module jsonschema is missing (apt install python3-jsonschema)")
    sys.exit(77)

UNITS = re.compile(r"_(bytes_per_s|transfers_per_s|bytes|bits|hz|s|w|celsius|cores|ticks)$")
QUANTITIES = re.compile(r"bandwidth|clock_m|memory_total|memory_free|uptime|temperature|power_limit")


def faults(value, path=""):
    """Nulls without a reason, reasons without a null, and quantities without a unit."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from faults(item, f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        stems = {key, UNITS.sub("", key)}
        if item is None and not any(value.get(stem + "_reason") for stem in stems):
            yield f"{path}.{key} is null without a reason"
        if key.endswith("_reason"):
            if not item:
                yield f"{path}.{key} is empty"
            stem = key[: -len("_reason")]
            about = [k for k in value if k != key and stem in (k, UNITS.sub("", k))]
            if not about:
                yield f"{path}.{key} is about nothing"
            if any(value[k] is not None and not isinstance(value[k], list) for k in about):
                yield f"{path}.{key} stands beside a known value"
        elif QUANTITIES.search(key) and not UNITS.search(key) and not isinstance(item, dict):
            yield f"{path}.{key} has no unit in its name"
        yield from faults(item, f"{path}.{key}")


def main():
    show, schema_file, fixtures, fake = sys.argv[1:5]
    schema = json.loads(Path(schema_file).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    cases = {"this machine": [], "this machine with fake GPUs": ["--nvml", fake]}
    for folder in sorted(p for p in Path(fixtures).iterdir() if p.is_dir()):
        cases[folder.name] = ["--root", folder, "--hwloc", folder / "hwloc.xml", "--nvml", fake]
        cases[folder.name + " without hwloc"] = ["--root", folder]
    cases["nothing at all"] = ["--root", fixtures]
    failed = 0
    for name, arguments in cases.items():
        command = [show, "--format", "json", *map(str, arguments)]
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        machine = json.loads(text)
        found = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(machine)]
        found += faults(machine)
        for fault in found:
            print(f"{name}: {fault}")
        failed += bool(found)
        # The schema must not be one that takes anything.
        broken = json.loads(text)
        broken["cpu"]["cores"] = "two"
        if validator.is_valid(broken):
            print(f"{name}: the schema takes a wrong type")
            failed += 1
        missing = json.loads(text)
        del missing["memory"]
        if validator.is_valid(missing):
            print(f"{name}: the schema takes a machine without memory")
            failed += 1
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
