#!/usr/bin/env python3
"""A run file of many rows, made from a real one: each row again with another shape and key.

  bench/many_rows.py RUN.jsonl 100000 > many.jsonl
  /usr/bin/time -v ridge explain many.jsonl > /dev/null
"""

import copy
import json
import sys


def main():
    path, wanted = sys.argv[1], int(sys.argv[2])
    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
    header = next(line for line in lines if line["type"] == "header")
    rows = {line["row_key"]: line for line in lines if line["type"] == "row"}
    header["row_keys"] = []
    print(json.dumps(header, separators=(",", ":")))
    kept = [row for row in rows.values() if row["workload"]["kind"] in ("gemm", "stream")]
    for i in range(wanted):
        row = copy.deepcopy(kept[i % len(kept)])
        work = row["workload"]
        field = "n" if work["kind"] == "gemm" else "bytes"
        step = i // len(kept)
        old = work[field]
        work[field] = old + (step if field == "n" else 4096 * step)
        grown = work[field] / old  # cost and time grow with the shape, so that rates stay
        row["cost"] = {name: value * grown for name, value in row["cost"].items()}
        for name in ("median_ns", "ci_low_ns", "ci_high_ns"):
            if row["time"][name] is not None:
                row["time"][name] *= grown
        row["key"] = row["key"].replace(str(old), str(work[field]), 1)
        print(json.dumps(row, separators=(",", ":")))


if __name__ == "__main__":
    main()
