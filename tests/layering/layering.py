"""Checks the shape of the sources, and prints each fault as file:line: what.

    python3 tests/layering/layering.py ROOT

Includes and CMake links follow allowed.txt; files stay small; few of them pay for nlohmann/json;
none holds a path of somebody's machine.
"""

import re
import sys
from pathlib import Path

MAX_LINES = {".h": 300, ".cpp": 500, ".cu": 500, ".mm": 500, ".py": 500}
MAX_NLOHMANN = 15
CODE = {".h", ".cpp", ".cu", ".mm"}
BUILT = ("src", "workers", "bench", "tests", "examples")
EVERYWHERE = BUILT + ("cmake", "data", "docs", "schema", "scripts", ".ci")
MACHINE_PATH = re.compile(r"(?<![\w.}~])/(?:home|root|work|Users)/\w")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def read_table(path):
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return {row[0]: row[1:] for row in rows if not row[0].startswith("#")}


def row_of(file, root, table):
    """The row of the table that `file` falls under, or None."""
    parts = file.relative_to(root).parts
    if parts[0] == "workers":
        return "workers"
    if parts[0] != "src" or len(parts) < 3:
        return None
    for depth in range(len(parts) - 2, 0, -1):
        if "/".join(parts[1 : depth + 1]) in table:
            return "/".join(parts[1 : depth + 1])
    return parts[1]


def allows(table, row, what):
    return any(what == a or what.startswith(a + "/") for a in [row, *table.get(row, [])])


def files(root, folders, suffixes=None):
    for folder in folders:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                if suffixes is None or file.suffix in suffixes:
                    yield file


def includes(file):
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        if found := INCLUDE.match(line):
            yield number, found[1], found[2]


def check_includes(root, table):
    used = {}  # row -> {folder: first place}
    for file in files(root, ("src", "workers"), CODE):
        row = row_of(file, root, table)
        if row is None:
            continue
        if row not in table:
            yield f"{file}:1: src/{row} is not in allowed.txt"
            continue
        for number, quote, name in includes(file):
            if quote != '"' or not (root / "src" / name).exists():
                continue
            used.setdefault(row, {}).setdefault(name.split("/")[0], f"{file}:{number}")
            if not allows(table, row, name):
                yield f"{file}:{number}: {row} may not include {name}"
    yield from check_links(root, table, used)


def links(root, table):
    """Of each row: the libraries that its CMakeLists.txt files name, and where each library stands."""
    home, linked = {}, {}
    for file in files(root, ("src", "workers"), {".txt"}):
        row = row_of(file, root, table)
        if file.name != "CMakeLists.txt" or row is None:
            continue
        text = re.sub(r"#.*", "", file.read_text())
        for name, body in re.findall(r"ridge_library\(\s*(\w+)([^)]*)\)", text):
            home[name] = row if name == row else f"{row}/{name}"
            depends = re.search(r"\bDEPENDS\s((?:\s*[a-z_]\w*)*)", body)
            for other in depends[1].split() if depends else []:
                linked.setdefault(row, {})[other] = file
        # ridge_worker() and the like take DEPENDS too; plain CMake names ridge_<library>.
        for body in re.findall(r"\bDEPENDS\s((?:\s*[a-z_]\w*)*)", text):
            for other in body.split():
                linked.setdefault(row, {})[other] = file
        for other in re.findall(r"\bridge_(\w+)(?!\w*\s*\()", text):
            linked.setdefault(row, {})[other] = file
    return home, linked


def check_links(root, table, used):
    home, linked = links(root, table)
    for row, others in linked.items():
        for other, file in others.items():
            if other in home and not allows(table, row, home[other]):
                yield f"{file}:1: {row} may not link {other}"

    def reach(row, seen):
        for other in linked.get(row, {}):
            if other in home and other not in seen:
                seen.add(other)
                reach(home[other].split("/")[0], seen)
        return seen

    for row, folders in used.items():
        # A folder whose CMakeLists.txt is not written yet has nothing to hold against.
        if row not in linked:
            continue
        reached = {home[name].split("/")[0] for name in reach(row, set())}
        for folder, place in folders.items():
            if folder != row.split("/")[0] and folder not in reached:
                yield f"{place}: {row} includes {folder}/, but its CMakeLists.txt does not link it"


def check_sizes(root):
    for file in files(root, BUILT, MAX_LINES):
        lines = len(file.read_text(errors="replace").splitlines())
        if lines > MAX_LINES[file.suffix]:
            yield f"{file}:{lines}: longer than {MAX_LINES[file.suffix]} lines"


def check_nlohmann(root):
    users = []
    for file in files(root, BUILT, CODE):
        for number, _, name in includes(file):
            if name.startswith("nlohmann/"):
                users.append(file)
                if file.suffix == ".h":
                    yield f"{file}:{number}: a header makes all who include it pay for nlohmann/json"
    if len(users) > MAX_NLOHMANN:
        yield f"{users[-1]}:1: {len(users)} sources include nlohmann/json, {MAX_NLOHMANN} may"


def check_paths(root):
    tops = (file for file in sorted(root.iterdir()) if file.is_file() and file.name != ".git")
    for file in [*tops, *files(root, EVERYWHERE)]:
        for number, line in enumerate(file.read_bytes().splitlines(), 1):
            if found := MACHINE_PATH.search(line.decode(errors="replace")):
                yield f"{file}:{number}: a path of one machine: {found[0]}…"


def faults(root, table):
    yield from check_includes(root, table)
    yield from check_sizes(root)
    yield from check_nlohmann(root)
    yield from check_paths(root)


def main():
    root = Path(sys.argv[1])
    table = read_table(Path(__file__).with_name("allowed.txt"))
    found = list(faults(root, table))
    print("\n".join(found) if found else "The layers hold.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
