"""layering.py must find each fault that is planted, and none in a good tree."""

import tempfile
import unittest
from pathlib import Path

import layering

TABLE = layering.read_table(Path(__file__).with_name("allowed.txt"))

GOOD = {
    "src/base/json.h": "#pragma once\n",
    "src/base/json.cpp": '#include "base/json.h"\n#include <nlohmann/json.hpp>\n',
    "src/base/CMakeLists.txt": "ridge_library(base\n  SOURCES json.cpp)\n",
    "src/stats/summary.h": '#include "base/json.h"\n',
    "src/stats/CMakeLists.txt": "ridge_library(stats SOURCES s.cpp DEPENDS base LINK fmt::fmt)\n",
    "src/worker/protocol.h": '#include "base/json.h"\n',
    "src/worker/client.h": '#include "worker/protocol.h"\n',
    "src/worker/sdk/serve.h": '#include "worker/protocol.h"\n',
    "src/worker/CMakeLists.txt": "ridge_library(worker DEPENDS base)\n"
                                 "ridge_library(sdk DEPENDS base)  # not stats\n",
    "src/cli/main.cpp": '#include "stats/summary.h"\n#include "worker/client.h"\n',
    "src/cli/CMakeLists.txt": "target_link_libraries(ridge PRIVATE ridge_stats ridge_worker)\n",
    "workers/cpu/main.cpp": '#include "worker/sdk/serve.h"\n#include "gemm.h"\n',
    "workers/cpu/gemm.h": "// see https://example.org/home/page and build/root/x\n",
    "workers/cpu/CMakeLists.txt": "ridge_worker(cpu SOURCES main.cpp DEPENDS sdk LINK dnnl)\n",
}


def faults(**changed):
    """The faults of the good tree with these files on top."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in {**GOOD, **changed}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return [f.replace(folder + "/", "") for f in layering.faults(root, TABLE)]


class Layering(unittest.TestCase):
    def expect(self, changed, *expected):
        self.assertEqual(faults(**changed), list(expected))

    def test_a_good_tree(self):
        self.expect({})

    def test_an_include_that_is_not_allowed(self):
        self.expect(
            {"src/base/units.cpp": '#include "stats/summary.h"\n'},
            "src/base/units.cpp:1: base may not include stats/summary.h",
        )

    def test_the_sdk_knows_no_client_and_a_worker_only_the_sdk(self):
        self.expect(
            {"src/worker/sdk/loop.cpp": '\n  #  include "worker/client.h"\n',
             "workers/cpu/x.cu": '#include "worker/client.h"\n'},
            "src/worker/sdk/loop.cpp:2: worker/sdk may not include worker/client.h",
            "workers/cpu/x.cu:1: workers may not include worker/client.h",
        )

    def test_a_link_that_is_not_allowed(self):
        self.expect(
            {"src/base/CMakeLists.txt": "ridge_library(base SOURCES a.cpp DEPENDS stats)\n"},
            "src/base/CMakeLists.txt:1: base may not link stats",
        )
        self.expect(
            {"workers/cpu/CMakeLists.txt": "target_link_libraries(w ridge_sdk ridge_worker)\n"},
            "workers/cpu/CMakeLists.txt:1: workers may not link worker",
        )

    def test_an_include_without_a_link(self):
        self.expect(
            {"src/cli/CMakeLists.txt": "target_link_libraries(ridge PRIVATE ridge_worker)\n"},
            "src/cli/main.cpp:1: cli includes stats/, but its CMakeLists.txt does not link it",
        )

    def test_a_folder_without_a_row(self):
        self.expect({"src/misc/a.h": "\n"}, "src/misc/a.h:1: src/misc is not in allowed.txt")

    def test_long_files(self):
        self.expect({"src/base/l.h": "\n" * 300, "src/base/l.cpp": "\n" * 500})
        self.expect(
            {"src/base/l.h": "\n" * 301, "tests/base/l.cpp": "\n" * 501},
            "src/base/l.h:301: longer than 300 lines",
            "tests/base/l.cpp:501: longer than 500 lines",
        )

    def test_nlohmann_everywhere(self):
        some = {f"src/base/n{i:02}.cpp": "#include <nlohmann/json.hpp>\n" for i in range(14)}
        self.expect(some)
        self.expect(
            {**some, "src/base/n99.cpp": "#include <nlohmann/json_fwd.hpp>\n"},
            "src/base/n99.cpp:1: 16 sources include nlohmann/json, 15 may",
        )
        self.expect(
            {"src/base/n.h": "#include <nlohmann/json.hpp>\n"},
            "src/base/n.h:1: a header makes all who include it pay for nlohmann/json",
        )

    def test_paths_of_a_machine(self):
        for top in ("home", "root", "work", "Users"):  # in pieces, as this file is checked too
            path = f"/{top}/" + "somebody"
            self.expect({"docs/x.md": f"\nrun `{path}/ridge`\n"},
                        f"docs/x.md:2: a path of one machine: /{top}/" + "s…")
        self.expect({"test": "cd /" + "root/x\n"},
                    "test:1: a path of one machine: /" + "root/x…")


if __name__ == "__main__":
    unittest.main()
