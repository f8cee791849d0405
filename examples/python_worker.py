#!/usr/bin/env python3
"""A Ridgepoint worker in Python: NumPy's gemm and stream in f32; docs/adding-a-worker.md explains it.

    mkdir w && ln -s $PWD/examples/python_worker.py w/ridge-worker-numpy
    RIDGE_WORKER_PATH=w ridge check --worker numpy
"""
import json, os, pathlib, select, time
import numpy as np

M32, M64 = (1 << 32) - 1, (1 << 64) - 1
SIZES = pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")  # "1024K\n"
CACHE = max((int(file.read_text()[:-2]) << 10 for file in SIZES), default=64 << 20)
MOST_COPIES = 512  # of tiny operands, which then stay warm rather than take minutes to fill
now = time.perf_counter_ns


def mix64(x):
    x = (x + 0x9E3779B97F4A7C15) & M64
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & M64
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & M64
    return x ^ x >> 31


def tensor_key(seed, salt, copy, name):
    hashed = 0xCBF29CE484222325
    for byte in name.encode():
        hashed = ((hashed ^ byte) * 0x100000001B3) & M64
    return mix64(mix64(mix64(mix64(seed) ^ salt) ^ copy) ^ hashed)


def generate(key, array, first=0):
    """Elements first, first + 1, … (below 2^32) of a tensor, in [-1, 1). Arrays of uint32 wrap."""
    a, b = np.uint32(mix64(key) & M32 | 1), np.uint32(mix64(key) >> 32)
    for at in range(0, array.size, 1 << 18):  # in parts that stay in a cache
        part = array[at:at + (1 << 18)]
        h = np.arange(first + at, first + at + part.size).astype(np.uint32) * a + b
        h = (h ^ h >> np.uint32(16)) * np.uint32(0x7FEB352D)
        h = (h ^ h >> np.uint32(15)) * np.uint32(0x846CA68B)
        part[:] = ((h ^ h >> np.uint32(16)).view(np.int32) >> 8) * np.float32(2.0**-23)


def plan(work, settings):
    """The tensors' shapes, and what computes the outputs (c, sum) from the inputs; None: not ours."""
    if (settings.get("form") == "packed" or settings.get("threads") or work.get("nontemporal")
            or work.get("weights")):
        return None
    if work["kind"] == "gemm" and work["dtype"] == "f32" == (work.get("output") or "f32"):
        m, n, k, nt = work["m"], work["n"], work["k"], work.get("layout") == "nt"
        return (dict(a=(m, k), b=(n, k) if nt else (k, n), c=(m, n)),
                lambda a, b, c: np.matmul(a, b.T if nt else b, out=c))
    if work["kind"] == "stream":
        n = work["bytes"] // 4
        chunks = np.arange(0, n, 8192)
        return {"read": (dict(a=n, sum=chunks.size),
                         lambda a, sum: np.add.reduceat(a, chunks, out=sum)),
                "write": (dict(s=1, c=n), lambda s, c: c.fill(s[0])),
                "copy": (dict(a=n, c=n), lambda a, c: np.copyto(c, a)),
                "triad": (dict(a=n, b=n, s=1, c=n), lambda a, b, s, c: np.add(
                    np.multiply(b, s, out=c), a, out=c))}[work["op"]]


class Worker:
    """A method a request, by its name. self.ops: handle -> (compute, [{tensor name: array}])."""
    def __init__(self, lines, out):
        self.lines, self.out, self.ops = lines, out, []

    def say(self, id, **what):
        print(json.dumps({"id": id, **what}), file=self.out, flush=True)

    def serve(self):
        for line in iter(self.lines.readline, b""):  # until ridge goes
            asked = json.loads(line)
            try:
                self.say(asked["id"], ok=True, **getattr(self, asked["do"])(asked))
            except Exception as error:
                self.say(asked["id"], error=f"{type(error).__name__}: {error}")
            if asked["do"] == "bye":
                return

    def hello(self, asked):
        self.seed = asked["seed"]
        empty = sorted(b - a for a, b in ((now(), now()) for _ in range(1001)))
        return dict(protocol=1, worker="numpy", libraries={"numpy": np.__version__},
                    devices=[dict(id="0", name="CPU", cache_bytes=CACHE, dtypes=["f32"])],
                    clock_tick_ns=min(filter(None, empty)), clock_overhead_ns=empty[500])

    def supports(self, asked):
        no = "only plain gemm and stream in f32, with the threads that NumPy takes"
        return dict(supports=[None if plan(one["workload"], one["settings"]) else no
                              for one in asked["list"]])

    def prepare(self, asked):
        begin, (shapes, compute) = now(), plan(asked["workload"], asked["settings"])
        size = 4 * sum(int(np.prod(shape)) for shape in shapes.values())
        one = asked["settings"].get("cache") == "hot" or size >= 16 * CACHE
        copies = 1 if one else min(MOST_COPIES, max(2, 2 * CACHE // size + 2))
        self.ops.append((compute, [{name: np.empty(shape, np.float32) for name, shape in
                                    shapes.items()} for _ in range(copies)]))
        return dict(handle=len(self.ops) - 1, copies=copies, bytes_held=size * copies,
                    prepare_ns=now() - begin, kernel="numpy")

    def fill(self, tensors, salt, copy):  # fresh inputs, poisoned outputs
        for name, array in tensors.items():
            array.fill(np.nan)
            if name not in ("c", "sum"):
                generate(tensor_key(self.seed, salt, copy, name), array.reshape(-1))

    def check(self, asked):
        (compute, copies), took = self.ops[asked["handle"]], {}
        tensors = copies[asked["copy"]]
        if asked["run"]:
            self.fill(tensors, asked["salt"], asked["copy"])
            begin = now()
            compute(**tensors)
            took = dict(run_ns=now() - begin)
        values = tensors[asked["tensor"]].reshape(-1)[asked["elements"]].tolist()
        return dict(values=[None if v != v else v for v in values], **took)  # NaN is null

    def time(self, asked):
        compute, copies = self.ops[asked["handle"]]
        for copy, tensors in enumerate(copies):
            self.fill(tensors, asked["salt"], copy)
        self.say(asked["id"], event="started")
        ops, starts, times, begin = 0, [], [], now()
        for _ in range(asked["most_samples"]):
            start = now()
            for _ in range(asked["ops_per_sample"]):
                compute(**copies[ops % len(copies)])
                ops += 1
            starts.append(start - begin)
            times.append(now() - start)
            over = starts[-1] + times[-1] > asked["most_ns"]
            heard = select.select([self.lines], [], [], 0)[0]  # cancel, or the end
            if over or heard or sum(times) > 1e8:  # rarely: its reading disturbs the machine
                self.say(asked["id"], event="samples", start_ns=starts, host_ns=times)
                starts, times = [], []
            if over or heard:
                break
        if times:
            self.say(asked["id"], event="samples", start_ns=starts, host_ns=times)
        return dict(ops=ops)

    def release(self, asked):
        self.ops[asked["handle"]] = None
        return {}

    cancel = park = bye = lambda self, asked: {}


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")  # the protocol's own: what a library prints goes to stderr
    os.dup2(2, 1)
    Worker(open(0, "rb", buffering=0), out).serve()
