"""What the tests of the executable share: starting ridge with the simulated worker."""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("RIDGE_TEST_SOURCE", pathlib.Path(__file__).parents[2]))
BINARY = os.environ.get("RIDGE_TEST_BINARY", str(SOURCE / "build/tests/bin/ridge"))
SIM = os.environ.get("RIDGE_TEST_SIM", str(SOURCE / "build/tests/tests/sim"))
GEMM = {"kind": "gemm", "dtype": "f32", "m": 16, "n": 16, "k": 16}
# Its own: tests that run beside this one are not to be noticed.
LOCK = os.path.join(tempfile.gettempdir(), f"ridge-test-{os.getpid()}.lock")
PATIENCE = 120  # seconds after which a test gives up: far longer than anything takes


def gemm(m=16, n=16, k=16, **more):
    return json.dumps({**GEMM, "m": m, "n": n, "k": k, **more})


def environment(**changes):
    """The caller's, without what would change ridge's mind, with the simulated worker to be found."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("RIDGE_")}
    env["RIDGE_WORKER_PATH"] = SIM
    env["RIDGE_LOCK"] = LOCK
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def processes(needle):
    """Pids of live processes (no zombies) whose command line or executable holds the text."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except (OSError, IndexError):
            continue
        if needle in line and state not in "ZX":
            found.append(int(folder.name))
    return found


def wait_until(condition, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.03)
    return condition()


class RidgeTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ridge-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "results"
        # A worker path of its own: other tests may run the same worker at the same time.
        self.workers = self.folder / "workers"
        self.workers.mkdir()
        (self.workers / "ridge-worker-sim").symlink_to(pathlib.Path(SIM) / "ridge-worker-sim")

    def own(self, **changes):
        """environment() with a simulated worker whose path no other test has."""
        return environment(**{"RIDGE_WORKER_PATH": str(self.workers), **changes})

    def own_workers(self):
        return set(processes(str(self.folder)))

    def ridge(self, *args, env=None, **options):
        return subprocess.run(
            [BINARY, *map(str, args)], env=environment() if env is None else env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", timeout=PATIENCE, cwd=self.folder, **options)

    def start(self, *args, env=None, **options):
        """As ridge(), without waiting."""
        process = subprocess.Popen(
            [BINARY, *map(str, args)], env=environment() if env is None else env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", cwd=self.folder, **options)

        def clean():
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(clean)
        return process

    def run_args(self, *works, budget="0.2s", rounds=1, form="jsonl"):
        args = ["run", "--worker", "sim", "--out", self.out, "--budget", budget, "--rounds", rounds,
                "-o", form]
        for work in works or [gemm()]:
            args += ["--work", work]
        return args

    def run_files(self):
        return sorted(p for p in self.out.rglob("*.jsonl") if ".samples." not in p.name)

    def stored(self, path):
        """The rows that `ridge show` finds in a run file."""
        shown = self.ridge("show", path, "-o", "jsonl")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def assert_usage(self, result, *mentions):
        """Exactly one clear line on stderr, nothing on stdout, exit code 2."""
        self.assertEqual(result.returncode, 2, f"{result.stdout}{result.stderr}")
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Aridge: [^\n]+\n\Z")
        for text in mentions:
            self.assertIn(text, result.stderr)


def main():
    try:
        unittest.main(verbosity=1)
    finally:
        pathlib.Path(LOCK).unlink(missing_ok=True)
