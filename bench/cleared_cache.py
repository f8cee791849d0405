#!/usr/bin/env python3
"""What clearing the second-level cache with zeros, as triton's do_bench does, costs the op timed after it.

  bench/cleared_cache.py

Times calls by CUDA events behind a full queue, so that no submission counts: 1 to 8 calls in a row over
inputs that rotate through as many copies as keep the cache cold, and the same after 256 MiB of zeros were
written, whose dirty lines must go while the first call runs. Prints both, what a further call takes, and
do_bench's figure. Needs Python's torch and triton, and an NVIDIA GPU.
"""

import statistics

import torch
import torch.nn.functional as F
from triton.testing import do_bench

COPIES = 24
CALLS = (1, 2, 3, 4, 6, 8)


def uniform(*shape):
    return torch.rand(shape, device="cuda") * 2 - 1


def backward(causal):
    q, k, v, grad = (uniform(1, 8, 512, 128) for _ in range(4))
    inputs = [x.requires_grad_() for x in (q, k, v)]
    out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return lambda: torch.autograd.grad(out, inputs, grad, retain_graph=True)


def copy():
    a, b = uniform(64 << 20), uniform(64 << 20)
    return lambda: b.copy_(a)


def timed(calls, n, zeros):
    """Median µs of n calls in a row."""
    took, at = [], 0
    for _ in range(60):
        torch.cuda._sleep(1_000_000 * (2 + n // 2))  # cycles in which the host submits
        if zeros is not None:
            zeros.zero_()
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(n):
            calls[at % len(calls)]()
            at += 1
        end.record()
        torch.cuda.synchronize()
        took.append(begin.elapsed_time(end) * 1e3)
    return statistics.median(took)


def main():
    zeros = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    for name, make, copies in (
            ("attention/f32/b1/h8/s512/d128/bwd", lambda: backward(False), COPIES),
            ("attention/f32/b1/h8/s512/d128/causal/bwd", lambda: backward(True), COPIES),
            ("stream/copy/256MiB", copy, 4)):
        calls = [make() for _ in range(copies)]
        for call in calls:
            call()
        print(f"{name}: do_bench {do_bench(calls[0], warmup=100, rep=500, return_mode='median') * 1e3:.1f} µs")
        for how, written in (("rotated", None), ("after zeros", zeros)):
            took = {n: timed(calls, n, written) for n in CALLS}
            each = (took[8] - took[4]) / 4
            print(f"  {how}: one {took[1]:.1f} µs, a further one {each:.1f} µs; "
                  + ", ".join(f"{n}: {took[n]:.1f}" for n in CALLS), flush=True)


if __name__ == "__main__":
    main()
