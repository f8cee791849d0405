#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"

namespace ridge {
namespace {

Json parsed(std::string_view text) { return Json::parse(text).value(); }

TEST(Fields, ReadsEveryType) {
  const Json json = parsed(R"({"b": true, "i": -3, "l": 5000000000, "u": 7, "d": 2, "s": "x",
      "j": [1, {}], "vd": [1, 2.5, null], "vi": [1, 2], "vs": ["a", "b"], "o": 9})");
  bool b = false;
  int i = 0;
  int64_t l = 0;
  uint64_t u = 0;
  double d = 0;
  std::string s;
  Json j;
  std::vector<double> vd;
  std::vector<int64_t> vi;
  std::vector<std::string> vs;
  std::optional<int> o, absent;
  int kept = 11;
  Fields f(json, "here");
  f.required("b", b).required("i", i).required("l", l).required("u", u).required("d", d);
  f.required("s", s).required("j", j).required("vd", vd).required("vi", vi).required("vs", vs);
  f.optional("o", o).optional("absent", absent).optional("kept", kept);
  ASSERT_TRUE(f.done()) << f.done().error().message;
  EXPECT_TRUE(b);
  EXPECT_EQ(i, -3);
  EXPECT_EQ(l, 5000000000);
  EXPECT_EQ(u, 7u);
  EXPECT_EQ(d, 2.0);
  EXPECT_EQ(s, "x");
  EXPECT_EQ(j, parsed("[1, {}]"));
  ASSERT_EQ(vd.size(), 3u);
  EXPECT_EQ(vd[1], 2.5);
  EXPECT_TRUE(std::isnan(vd[2]));
  EXPECT_EQ(vi, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(vs, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(o, 9);
  EXPECT_EQ(absent, std::nullopt);
  EXPECT_EQ(kept, 11);
}

// Reads one member of type T from {"m": text}; the message of the error.
template <class T>
std::string error_of(std::string_view text) {
  T out{};
  const Json json = parsed("{\"m\": " + std::string(text) + "}");
  Fields f(json, "runs/a.jsonl: line 3");
  f.required("m", out);
  return f.done() ? "" : f.done().error().message;
}

TEST(Fields, AWrongTypeNamesFileMemberAndWhatWasFound) {
  const std::string at = "runs/a.jsonl: line 3: 'm' ";
  EXPECT_EQ(error_of<bool>("1"), at + "must be a boolean, found an integer");
  EXPECT_EQ(error_of<int>("1.5"), at + "must be a 32-bit integer, found a number");
  EXPECT_EQ(error_of<int>("3000000000"), at + "must be a 32-bit integer, found an integer");
  EXPECT_EQ(error_of<int64_t>("\"1\""), at + "must be an integer, found a string");
  EXPECT_EQ(error_of<uint64_t>("-1"), at + "must be a non-negative integer, found an integer");
  EXPECT_EQ(error_of<double>("true"), at + "must be a number, found a boolean");
  EXPECT_EQ(error_of<std::string>("[]"), at + "must be a string, found an array");
  EXPECT_EQ(error_of<std::vector<double>>("{}"),
            at + "must be an array of numbers, found an object");
  EXPECT_EQ(error_of<std::vector<double>>("[1, \"2\"]"), at + "must hold only numbers");
  EXPECT_EQ(error_of<std::vector<int64_t>>("[1.5]"), at + "must hold only integers");
  EXPECT_EQ(error_of<std::vector<std::string>>("[null]"), at + "must hold only strings");
  EXPECT_EQ(error_of<std::optional<int>>("\"x\""), at + "must be a 32-bit integer, found a string");
  EXPECT_EQ(error_of<int>("null"), at + "is missing");
}

TEST(Fields, MissingAndUnknownMembers) {
  const Json json = parsed(R"({"m": 4, "lay0ut": "row"})");
  int m = 0, n = 0;
  std::string layout;
  Fields f(json, "suite.json: item 2");
  f.required("m", m).optional("layout", layout);
  ASSERT_FALSE(f.done());
  EXPECT_EQ(f.done().error().message,
            "suite.json: item 2: unknown member 'lay0ut' (known: m, layout)");
  EXPECT_TRUE(f.done(Fields::Unknown::allow));
  f.required("n", n);
  EXPECT_EQ(f.done(Fields::Unknown::allow).error().message, "suite.json: item 2: 'n' is missing");
}

TEST(Fields, TheFirstErrorIsKept) {
  const Json json = parsed(R"({"a": "x", "b": "y"})");
  int a = 1, b = 2;
  Fields f(json, "w");
  f.required("a", a).required("b", b);
  f.fail("c", "is late");
  EXPECT_EQ(f.done().error().message, "w: 'a' must be a 32-bit integer, found a string");
  EXPECT_EQ(a, 1);
}

TEST(Fields, SomethingElseThanAnObject) {
  int m = 0;
  const Json list = parsed("[1]");
  Fields f(list, "w");
  f.optional("m", m);
  EXPECT_EQ(f.done().error().message, "w: expected an object, found an array");
}

}  // namespace
}  // namespace ridge
