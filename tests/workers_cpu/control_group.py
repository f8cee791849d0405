"""A control group that limits memory, of either version, for what a test starts."""
import contextlib
import os
import pathlib
import uuid

WHY_NOT = "no control group can be made here (root, and a writable /sys/fs/cgroup, would do)"


@contextlib.contextmanager
def group(limit):
    """A control group with that limit: its folder, or None where none can be made."""
    name = "ridge-test-" + uuid.uuid4().hex[:8]
    for root, file in (("/sys/fs/cgroup", "memory.max"),
                       ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
        folder = pathlib.Path(root, name)
        try:
            folder.mkdir()
            if not (folder / file).exists():  # no such group: a plain folder, or one without memory
                raise FileNotFoundError(file)
            (folder / file).write_text(str(limit))
            (folder / "cgroup.procs").read_text()
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()
        return
    yield None


def join(folder):
    """For a process that has been forked and is to run in the group."""
    (folder / "cgroup.procs").write_text(str(os.getpid()))


def kills(folder):
    """How often the kernel killed in the group; None where it does not count."""
    for name in ("memory.events", "memory.oom_control"):
        with contextlib.suppress(OSError):
            for line in (folder / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return None
