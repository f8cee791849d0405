#!/usr/bin/env python3
"""How often a live comparison of the cpu worker with itself errs, and whether it finds what is planted.

  bench/aa.py --ridge PREFIX [--repetitions N] [--budget 40s] [--planted WORKER --slower 0.15]

PREFIX holds bin/ridge and libexec/ridge. Each repetition is one `ridge compare --live` of 24 works
with a seed of its own; with --planted, side B is that worker (tests/planted of the build folder), whose
ops take so much longer. What each said goes to --out as JSON Lines, the counts to stdout.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

WORKS = [
    {"kind": "gemm", "dtype": ["f32", "bf16", "int8"],
     "shape": [{"m": n, "n": n, "k": n} for n in (256, 384, 512, 768)],
     "settings": {"form": "packed"}},
    {"kind": "stream", "op": ["read", "copy", "triad"], "bytes": [1 << 20, 1 << 22, 1 << 24],
     "settings": {"cache": "hot"}},
    {"kind": "stream", "op": ["read", "copy", "triad"], "bytes": 1 << 26},
]


def batch(args, seed, folder):
    command = [str(args.ridge / "bin/ridge"), "compare", "--live", "-o", "json", "--worker", "cpu",
               "--rounds", str(args.rounds), "--budget", args.budget, "--seed", str(seed),
               "--out", str(folder / "results")]
    for work in WORKS:
        command += ["--work", json.dumps(work)]
    env = dict(os.environ)
    if args.planted:
        other = folder / "other"
        other.mkdir(exist_ok=True)
        link = other / "ridge-worker-cpu"
        link.unlink(missing_ok=True)
        link.symlink_to(args.planted.resolve())
        command += ["--side", "worker=cpu", "--side", f"worker=cpu,build={other}"]
        env["RIDGE_TEST_SLOWER"] = str(args.slower)
    result = subprocess.run(command, capture_output=True, text=True, env=env)
    if result.returncode:
        sys.exit(f"{' '.join(command)}\nended with {result.returncode}: {result.stderr}")
    return json.loads(result.stdout), result.stderr.splitlines()[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ridge", type=pathlib.Path, required=True)
    parser.add_argument("--repetitions", type=int, default=17)
    parser.add_argument("--first", type=int, default=1, help="seed of the first repetition")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--budget", default="40s")
    parser.add_argument("--planted", type=pathlib.Path)
    parser.add_argument("--slower", type=float, default=0.15)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("aa.jsonl"))
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, args.out.open("a") as out:
        for seed in range(args.first, args.first + args.repetitions):
            report, last = batch(args, seed, pathlib.Path(folder))
            for row in report["rows"]:
                row["seed"], row["planted"] = seed, args.slower if args.planted else 0
                out.write(json.dumps(row) + "\n")
            out.flush()
            rows += report["rows"]
            print(f"{seed}: {last}", file=sys.stderr)
    for verdict in ("FASTER", "SLOWER", "SAME", "UNCLEAR"):
        count = sum(row["verdict"] == verdict for row in rows)
        print(f"{verdict:8} {count:5} of {len(rows)}  {100 * count / len(rows):5.1f} %")
    bands = sorted(row["band"] for row in rows if row["band"])
    if len(bands) > 1:
        quantiles = statistics.quantiles(bands, n=20)
        print(f"band: median {100 * statistics.median(bands):.1f} %, "
              f"95 of 100 below {100 * quantiles[-1]:.1f} %, widest {100 * bands[-1]:.1f} %")


if __name__ == "__main__":
    main()
