"""Makes data/attention_vectors.json: attention forward and backward in float64, by plain Python.

Written from the comment of struct Attention (src/workload/kinds/attention.h) alone: every sum over
every (query, key) pair that the mask lets through, in exactly rounded sums, on the generator's
inputs. The C++ reference is held against it.

    python3 tests/workload/attention_vectors.py > tests/workload/data/attention_vectors.json
"""

import json
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "base"))
from generator_vectors import element, tensor_key  # noqa: E402

SEED, SALT, COPY = 2026, 11, 1
SCALES = {"q": math.sqrt(6), "k": math.sqrt(6), "v": 1.0, "grad_o": 1.0}

CASES = [
    dict(dtype="f32", batch=1, heads=1, kv_heads=1, seq_q=1, seq_kv=1, head_dim=1),
    dict(dtype="f32", batch=1, heads=2, kv_heads=1, seq_q=3, seq_kv=5, head_dim=4, mask="causal"),
    dict(dtype="bf16", batch=2, heads=4, kv_heads=2, seq_q=4, seq_kv=4, head_dim=3),
    dict(dtype="f16", batch=1, heads=3, kv_heads=3, seq_q=5, seq_kv=9, head_dim=6, mask="window",
         window=3),
    dict(dtype="f32", batch=1, heads=2, kv_heads=2, seq_q=1, seq_kv=7, head_dim=5, mask="causal"),
    dict(dtype="tf32", batch=1, heads=4, kv_heads=1, seq_q=6, seq_kv=6, head_dim=2, mask="window",
         window=2),
    dict(dtype="f32", batch=1, heads=2, kv_heads=1, seq_q=7, seq_kv=3, head_dim=4),
    dict(dtype="f32", batch=2, heads=2, kv_heads=1, seq_q=4, seq_kv=4, head_dim=3, mask="causal"),
    dict(dtype="f32", batch=1, heads=1, kv_heads=1, seq_q=4, seq_kv=6, head_dim=3, mask="window",
         window=100),
]


def tensor(name, dtype, shape):
    """[batch][head][row][column], row-major."""
    key = tensor_key(SEED, SALT, COPY, name)
    stored = "f32" if dtype == "tf32" else dtype
    batch, heads, rows, columns = shape
    numbers = (element(key, stored, SCALES[name], i) for i in range(math.prod(shape)))
    return [[[[next(numbers) for _ in range(columns)] for _ in range(rows)] for _ in range(heads)]
            for _ in range(batch)]


def sees(case, query, key):
    position = query + case["seq_kv"] - case["seq_q"]
    mask = case.get("mask", "none")
    if mask == "none":
        return True
    if key > position:
        return False
    return mask == "causal" or key > position - case["window"]


def dot(x, y):
    return math.fsum(a * b for a, b in zip(x, y))


def solve(case):
    heads, kv_heads, d = case["heads"], case["kv_heads"], case["head_dim"]
    queries = (case["batch"], heads, case["seq_q"], d)
    keys = (case["batch"], kv_heads, case["seq_kv"], d)
    q, g = (tensor(name, case["dtype"], queries) for name in ("q", "grad_o"))
    k, v = (tensor(name, case["dtype"], keys) for name in ("k", "v"))
    scale = 1 / math.sqrt(d)
    out = {name: [] for name in ("o", "grad_q", "grad_k", "grad_v")}
    pairs = sum(sees(case, i, j) for i in range(case["seq_q"]) for j in range(case["seq_kv"]))
    for b in range(case["batch"]):
        terms_k = [[[[] for _ in range(d)] for _ in range(case["seq_kv"])] for _ in range(kv_heads)]
        terms_v = [[[[] for _ in range(d)] for _ in range(case["seq_kv"])] for _ in range(kv_heads)]
        for h in range(heads):
            kv = h // (heads // kv_heads)
            for i in range(case["seq_q"]):
                seen = [j for j in range(case["seq_kv"]) if sees(case, i, j)]
                powers = [math.exp(scale * dot(q[b][h][i], k[b][kv][j])) for j in seen]
                total = math.fsum(powers)
                p = [power / total for power in powers]
                dp = [dot(g[b][h][i], v[b][kv][j]) for j in seen]
                mean = dot(p, dp)
                ds = [x * (y - mean) for x, y in zip(p, dp)]
                for c in range(d):
                    out["o"].append(math.fsum(x * v[b][kv][j][c] for x, j in zip(p, seen)))
                    out["grad_q"].append(
                        scale * math.fsum(x * k[b][kv][j][c] for x, j in zip(ds, seen)))
                    for n, j in enumerate(seen):
                        terms_k[kv][j][c].append(scale * ds[n] * q[b][h][i][c])
                        terms_v[kv][j][c].append(p[n] * g[b][h][i][c])
        for kv in range(kv_heads):
            for j in range(case["seq_kv"]):
                out["grad_k"] += [math.fsum(terms) for terms in terms_k[kv][j]]
                out["grad_v"] += [math.fsum(terms) for terms in terms_v[kv][j]]
    return {"work": dict(kind="attention", **case), "visible_pairs": pairs, **out}


def main():
    lines = ",\n".join(json.dumps(solve(case)) for case in CASES)
    print(f'{{"seed": {SEED}, "salt": {SALT}, "copy": {COPY}, "cases": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
