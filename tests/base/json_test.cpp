#include "base/json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <ostream>

#include "data.h"

namespace ridge {

void showValue(const Json& json, std::ostream& out) { out << json.dump(); }  // for RapidCheck

namespace {

std::string utf8(uint32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

// Any Unicode text, with NUL, quotes, escapes and astral characters among it.
std::string any_text() {
  std::string text;
  for (int left = *rc::gen::inRange(0, 8); left > 0; --left) {
    const uint32_t most = *rc::gen::element<uint32_t>(0x20, 0x80, 0x800, 0x110000);
    const uint32_t c = *rc::gen::inRange<uint32_t>(0, most);
    text += utf8(c >= 0xd800 && c < 0xe000 ? '"' : c);  // surrogates are no characters
  }
  return text;
}

Json any_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 7 : 5)) {
    case 0: return Json();
    case 1: return Json(*rc::gen::arbitrary<bool>());
    case 2: return Json(*rc::gen::arbitrary<int64_t>());
    case 3: return Json(std::bit_cast<double>(*rc::gen::arbitrary<uint64_t>()));
    case 4: return Json(any_text());
    case 5: {
      Json out = Json::array();
      for (int left = *rc::gen::inRange(0, 5); left > 0; --left) out.push(any_json(depth - 1));
      return out;
    }
    default: {
      Json out = Json::object();
      for (int left = *rc::gen::inRange(0, 5); left > 0; --left) {
        const std::string key = any_text();
        out.set(key, any_json(depth - 1));
      }
      return out;
    }
  }
}

rc::Gen<Json> any_json() {
  return full_size(rc::gen::exec([] { return any_json(4); }));
}

RC_GTEST_PROP(Json, ParsingWhatWasWrittenGivesTheSameValue, ()) {
  const Json json = *any_json();
  for (const int indent : {-1, 0, 2}) {
    const auto again = Json::parse(json.dump(indent));
    RC_ASSERT(again.ok());
    RC_ASSERT(*again == json);
  }
  RC_ASSERT(json.dump().find('\n') == std::string::npos);  // a line of a JSON Lines file
}

// Whatever the bytes, parse() answers; and what it accepts it can write and read again.
void survives(const std::string& text) {
  const auto first = Json::parse(text);
  if (!first) {
    RC_ASSERT(!first.error().message.empty());
    return;
  }
  const std::string written = first->dump();
  RC_ASSERT(Json::parse(written).value().dump() == written);
}

RC_GTEST_PROP(Json, GarbageNeverCrashes, (const std::vector<uint8_t>& bytes)) {
  survives(std::string(bytes.begin(), bytes.end()));
}

RC_GTEST_PROP(Json, DamagedJsonNeverCrashes, ()) {
  std::string text = (*any_json()).dump();
  for (int left = *full_size(rc::gen::inRange(1, 4)); left > 0 && !text.empty(); --left) {
    const auto at = *full_size(rc::gen::inRange<size_t>(0, text.size()));
    switch (*full_size(rc::gen::inRange(0, 3))) {
      case 0: text[at] = static_cast<char>(*full_size(rc::gen::inRange(0, 256))); break;
      case 1: text.resize(at); break;
      default: text.insert(at, 1, *rc::gen::elementOf(std::string("[]{},:\"\\0-eE.u")));
    }
  }
  survives(text);
}

TEST(Json, DepthIsLimited) {
  const auto nested = [](size_t depth, char open, char close) {
    return std::string(depth, open) + std::string(depth, close);
  };
  EXPECT_TRUE(Json::parse(nested(100, '[', ']')));
  const auto deep = Json::parse(nested(101, '[', ']'));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().message, "nested deeper than 100 levels");
  std::string endless;
  EXPECT_FALSE(Json::parse(endless.assign(10'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 101; ++i) objects += "{\"a\":";
  EXPECT_EQ(Json::parse(objects).error().message, "nested deeper than 100 levels");
}

TEST(Json, ErrorsNameTheByte) {
  EXPECT_EQ(Json::parse("[1, 2,, 3]").error().message, "not JSON at byte 7");
  EXPECT_FALSE(Json::parse(""));
  EXPECT_FALSE(Json::parse("{} {}"));
  EXPECT_FALSE(Json::parse("NaN"));
  EXPECT_FALSE(Json::parse("[1e999]"));
  EXPECT_FALSE(Json::parse("\"\xff\""));
}

TEST(Json, NumbersKeepWhetherTheyWereIntegers) {
  EXPECT_TRUE(Json::parse("3")->is_int());
  EXPECT_FALSE(Json::parse("3.0")->is_int());
  EXPECT_EQ(Json(3.0).dump(), "3.0");
  EXPECT_EQ(Json(3).as_double(), 3.0);
  EXPECT_EQ(Json::parse("-9223372036854775808")->as_int(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(Json::parse("18446744073709551615")->as_double(), 0x1p64);
  EXPECT_EQ(Json::parse("-9223372036854775809")->as_double(), -0x1p63);
}

TEST(Json, NaNAndInfinitiesBecomeNull) {
  EXPECT_TRUE(Json(std::nan("")).is_null());
  EXPECT_TRUE(Json(std::numeric_limits<double>::infinity()).is_null());
  EXPECT_EQ(Json(Json::Array{-std::numeric_limits<double>::infinity(), 1}).dump(), "[null,1]");
  EXPECT_EQ(Json(std::optional<double>()).dump(), "null");
}

TEST(Json, BadUtf8IsReplacedWhenWritten) {
  EXPECT_EQ(Json("a\xff"
                 "b")
                .dump(),
            "\"a\xef\xbf\xbd"
            "b\"");
}

TEST(Json, MembersKeepTheirOrderAndAreSetInPlace) {
  Json json;
  json.set("z", 1).set("a", 2).set("z", "three");
  EXPECT_EQ(json.dump(), R"({"z":"three","a":2})");
  EXPECT_EQ(json.find("a")->as_int(), 2);
  EXPECT_EQ(json.find("b"), nullptr);
  EXPECT_EQ(Json(1).find("a"), nullptr);
  // A name given twice: the first counts, and only it is written again.
  EXPECT_EQ(Json::parse(R"({"a": 1, "a": 2})")->find("a")->as_int(), 1);
  EXPECT_EQ(Json::parse(R"({"a": 1, "a": 2})")->dump(), R"({"a":1})");
}

TEST(Json, TypeNames) {
  const std::pair<const char*, const char*> cases[] = {
      {"null", "null"},     {"true", "a boolean"}, {"1", "an integer"}, {"1.5", "a number"},
      {"\"\"", "a string"}, {"[]", "an array"},    {"{}", "an object"}};
  for (const auto& [text, name] : cases) EXPECT_EQ(type_name(*Json::parse(text)), name);
}

}  // namespace
}  // namespace ridge
