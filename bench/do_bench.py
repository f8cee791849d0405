#!/usr/bin/env python3
"""PyTorch's rows of ridge against triton's do_bench of the same call, in turn, on a GPU.

  bench/do_bench.py RIDGE [SUITE] [TURNS] [further arguments of ridge run]

Each turn is one `ridge run --worker torch --device cuda:0 --suite SUITE` (frameworks) and then do_bench
of every row that it gave: triton.testing.do_bench clears the second-level cache before each call and
takes each call's device time, so it is held against `cold` rows. Prints a line a row: both medians, and
their ratio (above 1: ridge says faster), and what do_bench says of no work at all. Needs Python's
torch and triton; PyTorch's rates depend on the values multiplied, so inputs are uniform on [-1, 1)
here as there.
"""

import json
import math
import statistics
import subprocess
import sys

import torch
import torch.nn.functional as F
from triton.testing import do_bench

DTYPES = {"f32": torch.float32, "tf32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
          "fp8": torch.float8_e4m3fn, "int8": torch.int8, "f64": torch.float64}


def uniform(shape, dtype):
    if dtype == torch.int8:
        return torch.randint(-128, 128, shape, device="cuda", dtype=torch.int8)
    x = torch.rand(shape, device="cuda", dtype=torch.float32) * 2 - 1
    return x.to(dtype)


def gemm(work):
    dtype = DTYPES[work["dtype"]]
    torch.backends.cuda.matmul.allow_tf32 = work["dtype"] == "tf32"
    m, n, k = work["m"], work["n"], work["k"]
    if "weights" in work or work.get("output"):
        return None
    a = uniform((m, k), dtype)
    nt = work["layout"] == "nt"
    b = uniform((n, k), dtype).t() if nt else uniform((k, n), dtype)
    if work["dtype"] == "int8":
        return lambda: torch._int_mm(a, b)
    if work["dtype"] == "fp8":
        one = torch.ones((), device="cuda")
        b = b if nt else b.t().contiguous().t()
        return lambda: torch._scaled_mm(a, b, one, one, out_dtype=torch.bfloat16)
    out = torch.empty((m, n), device="cuda", dtype=dtype)
    return lambda: torch.mm(a, b, out=out)


def stream(work):
    n = work["bytes"] // 4
    a, b, c = (uniform((n,), torch.float32) for _ in range(3))
    return {"copy": lambda: c.copy_(a), "triad": lambda: torch.add(a, b, alpha=3.0, out=c),
            "write": lambda: c.fill_(2.0)}.get(work["op"])


def attention(work):
    if work["mask"] == "window" or (work["mask"] == "causal" and work["seq_q"] != work["seq_kv"]):
        return None
    dtype = DTYPES[work["dtype"]]
    torch.backends.cuda.matmul.allow_tf32 = work["dtype"] == "tf32"
    b, h, g, d = work["batch"], work["heads"], work["kv_heads"], work["head_dim"]
    q = uniform((b, h, work["seq_q"], d), dtype)
    k, v = (uniform((b, g, work["seq_kv"], d), dtype) for _ in range(2))

    def forward():
        return F.scaled_dot_product_attention(q, k, v, is_causal=work["mask"] == "causal",
                                              enable_gqa=h != g)
    if work["pass"] == "fwd":
        return forward
    inputs = [x.requires_grad_() for x in (q, k, v)]
    out, grad = forward(), uniform((b, h, work["seq_q"], d), dtype)
    return lambda: torch.autograd.grad(out, inputs, grad, retain_graph=True)


def peer_ns(row):
    make = {"gemm": gemm, "stream": stream, "attention": attention}.get(row["workload"]["kind"])
    call = make(row["workload"]) if make else None
    if call is None or row["settings"]["cache"] != "cold" or row["settings"].get("backend"):
        return None
    return do_bench(call, warmup=100, rep=500, return_mode="median") * 1e6


def main():
    ridge, suite = sys.argv[1], (sys.argv[2:3] or ["frameworks"])[0]
    turns = int((sys.argv[3:4] or ["3"])[0])
    ours, peers, spread = {}, {}, {}
    for _ in range(turns):
        run = subprocess.run([ridge, "run", "--worker", "torch", "--device", "cuda:0", "--suite", suite,
                              "-o", "jsonl", *sys.argv[4:]], stdout=subprocess.PIPE, text=True, check=False)
        for line in run.stdout.splitlines():
            row = json.loads(line)
            if row["status"] != "ok" or row["settings"]["graph"]:
                continue
            with torch.no_grad() if row["workload"].get("pass") != "bwd" else torch.enable_grad():
                peer = peer_ns(row)
            torch.cuda.empty_cache()
            if peer is None:
                continue
            key = row["row_key"]
            ours.setdefault(key, []).append(row["time"]["median_ns"])
            peers.setdefault(key, []).append(peer)
    print("| work | ridge, µs | do_bench, µs | do_bench / ridge |")
    print("|---|---:|---:|---:|")
    long = []
    for key in ours:
        a, b = statistics.median(ours[key]), statistics.median(peers[key])
        if a >= 1e5:
            long.append(b / a)
        print(f"| {key} | {a / 1e3:.1f} | {b / 1e3:.1f} | {b / a:.3f} |")
    if long:
        mean = math.exp(statistics.fmean(map(math.log, long)))
        print(f"\n{len(long)} rows of at least 100 µs: {min(long):.3f} to {max(long):.3f}, "
              f"geometric mean {mean:.3f}")
    few = torch.zeros(32, device="cuda")
    nothing, little = (do_bench(call, warmup=50, rep=200, return_mode="median") * 1e3
                       for call in (lambda: None, few.zero_))
    print(f"what do_bench says of no work: {nothing:.2f} µs; of setting 32 numbers: {little:.2f} µs")


if __name__ == "__main__":
    main()
