#!/usr/bin/env python3
"""llama-bench against ridge-worker-llamacpp, in turn, on the same model in the same memory.

  bench/llama_bench.py WORKER LLAMA_BENCH MODEL.json [options]

WORKER is ridge-worker-llamacpp, LLAMA_BENCH that of the llama.cpp it links (`scripts/frameworks --list
llamacpp` says where: bin/llama-bench). The worker makes the model, with random weights, as a GGUF file
in memory; llama-bench opens that very file through /proc, so this needs Linux. Each round times llama-bench, the
worker, the worker, llama-bench (A B B A), each some samples. Prints a line a test: both medians in
tokens per second, the ratio (llama-bench's time over the worker's; above 1: the worker is faster) as
the median over neighbouring turns, its range, and that of the two best samples, which other work on the
machine disturbs least.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys


class Worker:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.id = 0
        self.ask("hello", protocol=[1], seed=1)

    def ask(self, what, **more):
        """The reply, and the events before it."""
        self.id += 1
        self.process.stdin.write(json.dumps({"id": self.id, "do": what, **more}) + "\n")
        self.process.stdin.flush()
        events = []
        for line in self.process.stdout:
            message = json.loads(line)
            if "event" in message:
                events.append(message)
                continue
            if not message.get("ok"):
                sys.exit(f"{what}: {message.get('error') or message.get('unsupported')}")
            return message, events
        sys.exit("the worker is gone")

    def time(self, handle, samples):
        """Nanoseconds of each sample."""
        _, events = self.ask("time", handle=handle, salt=7, ops_per_sample=1, most_samples=samples,
                             most_ns=1e12)
        return [ns for event in events if event["event"] == "samples" for ns in event["host_ns"]]

    def model_file(self):
        for fd in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            if "ridge-model" in str(fd.readlink()):
                return str(fd)
        sys.exit("the worker holds no model")


def parse_test(text):
    found = re.fullmatch(r"(pp|tg)(\d+)(?:@d?(\d+))?", text)
    if not found:
        sys.exit(f"a test is pp512, tg128 or pp512@4096, not {text}")
    kind, tokens, depth = found.groups()
    return {"kind": "prefill" if kind == "pp" else "decode", "tokens": int(tokens), "depth": int(depth or 0), "batch": 1}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("worker")
    parser.add_argument("llama_bench")
    parser.add_argument("model", help="a configuration as in data/models")
    parser.add_argument("--file", help="the same model in a file (`ridge model MODEL -o FILE`), for llama-bench to open")
    parser.add_argument("--format", default="q8_0")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda:N")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kv", default="f16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=3, help="in each turn")
    parser.add_argument("--tests", default="pp512,tg64", help="pp512,tg128,tg64@1024 ...")
    args = parser.parse_args()
    model = json.loads(pathlib.Path(args.model).read_text())
    on_cpu = args.device == "cpu"

    worker = Worker(args.worker)
    print(f"{model['name']} {args.format} on {args.device}, {args.rounds} rounds of A B B A, "
          f"{args.samples} samples a turn")
    for text in args.tests.split(","):
        test = parse_test(text)
        work = {**test, "model": model, "format": args.format, "kv": args.kv}
        settings = {"cache": "hot", "timing": "isolated", "threads": args.threads if on_cpu else 0}
        prepared, _ = worker.ask("prepare", workload=work, settings=settings, device=args.device, salt=7)
        handle = prepared["handle"]
        worker.time(handle, 1)
        count = ["-p", test["tokens"], "-n", 0] if test["kind"] == "prefill" else ["-p", 0, "-n", test["tokens"]]
        where = ["-dev", "none", "-ngl", 0, "-t", args.threads] if on_cpu else [
            "-dev", f"CUDA{args.device.partition(':')[2]}"]
        command = [args.llama_bench, "-m", args.file or worker.model_file(), *count, "-d", test["depth"], *where,
                   "-ctk", args.kv, "-ctv", args.kv, "-r", args.samples, "-o", "json"]

        def bench():
            run = subprocess.run([str(part) for part in command], text=True, capture_output=True)
            if run.returncode != 0:
                sys.exit(f"{' '.join(map(str, command))}: {run.stderr[-2000:]}")
            return json.loads(run.stdout)[0]["samples_ns"]

        ratios, theirs, ours = [], [], []
        for _ in range(args.rounds):
            for first in (True, False):
                a, b = (bench(), worker.time(handle, args.samples)) if first else reversed(
                    (worker.time(handle, args.samples), bench()))
                theirs += a
                ours += b
                ratios.append(statistics.median(a) / statistics.median(b))
        worker.ask("release", handle=handle)
        rate = lambda ns: test["tokens"] / (statistics.median(ns) * 1e-9)
        print(f"{text:>12}  llama-bench {rate(theirs):9.2f} tok/s  ridge {rate(ours):9.2f} tok/s  "
              f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), "
              f"best {min(theirs) / min(ours):.3f}", flush=True)
    worker.ask("bye")


if __name__ == "__main__":
    main()
