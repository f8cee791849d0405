"""The pictures of `ridge explain`: when they are there, how wide, in which characters and colours."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios

from harness import BINARY, PATIENCE, RidgeTest, environment, gemm, main

UTF8 = {"LC_ALL": "C.UTF-8", "COLUMNS": None, "NO_COLOR": None, "TERM": "xterm"}


def in_fences(text):
    parts = text.split("\n```\n")
    return "\n".join(parts[1::2])


class Pictures(RidgeTest):
    def setUp(self):
        super().setUp()
        works = [gemm(m=side, n=side, k=side) for side in (16, 64, 128)]
        works.append(json.dumps({"kind": "stream", "op": "read", "bytes": 1 << 20}))
        result = self.ridge(*self.run_args(*works))
        self.assertEqual(result.returncode, 0, result.stderr)
        (self.run_file,) = self.run_files()

    def explain(self, *args, **changes):
        result = self.ridge("explain", self.run_file, *args, env=environment(**{**UTF8, **changes}))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def on_terminal(self, columns, **changes):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        process = subprocess.Popen([BINARY, "explain", str(self.run_file)], stdout=theirs,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=environment(**{**UTF8, **changes}))
        os.close(theirs)
        out = b""
        try:
            while chunk := os.read(ours, 65536):
                out += chunk
        except OSError:  # how the end of a terminal shows on Linux
            pass
        os.close(ours)
        self.assertEqual(process.wait(timeout=PATIENCE), 0)
        return in_fences(out.decode().replace("\r\n", "\n"))

    def test_a_roofline_in_unicode_80_wide_without_colour(self):
        picture = in_fences(self.explain())
        self.assertIn("Roofline of ", picture)
        self.assertIn("gemm/f32/64x64x64", picture)
        self.assertIn("┤", picture)
        self.assertNotIn("\x1b", picture)
        self.assertLessEqual(max(map(len, picture.splitlines())), 80)

    def test_ascii_without_a_utf8_locale(self):
        picture = in_fences(self.explain(LC_ALL="C"))
        self.assertIn("Roofline of ", picture)
        self.assertTrue(picture.isascii(), picture)

    def test_as_wide_as_columns_says(self):
        for columns in (40, 120, 200):
            picture = in_fences(self.explain(COLUMNS=str(columns)))
            width = max(map(len, picture.splitlines()))
            self.assertLessEqual(width, columns)
            self.assertGreater(width, columns - 4)
        self.assertIn("needs 40 columns, here are 39",
                      " ".join(in_fences(self.explain(COLUMNS="39")).split()))

    def test_none_where_none_is_wanted(self):
        self.assertNotIn("Roofline of ", self.explain("--no-pictures"))
        json.loads(self.explain("-o", "json"))

    def test_a_terminal_gives_its_width_and_gets_colour(self):
        coloured = self.on_terminal(100)
        self.assertIn("\x1b[", coloured)
        for changes in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            plain = self.on_terminal(100, **changes)
            self.assertNotIn("\x1b", plain)
            self.assertEqual(plain, in_fences(self.explain(COLUMNS="100")))


if __name__ == "__main__":
    main()
