"""What the tests of the llama.cpp worker have beside those of any framework."""

from framework_case import FrameworkTest


class LlamacppTest(FrameworkTest):
    def assert_right(self, rows, why=""):
        for row in rows:
            with self.subTest(row=row["row_key"]):
                self.assertEqual(row["status"], "ok", row["reason"])
                self.assertGreater(row["check"]["elements"], 0, why)

    def refusal(self, work, **settings):
        reason = super().refusal(work, **settings)
        self.assertRegex(reason, r"\A[^\n]{10,200}\Z")
        return reason
