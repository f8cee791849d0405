#include "store/row.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "any_row.h"

namespace {

using namespace ridge;

RC_GTEST_PROP(Row, SurvivesTheText, ()) {
  const Row row = store_test::any_row();
  const std::string text = to_json(row).dump();
  RC_ASSERT(text.find('\n') == std::string::npos);
  auto json = Json::parse(text);
  RC_ASSERT(json.ok());
  auto back = parse_row(*json, "here");
  RC_ASSERT(back.ok());
  RC_ASSERT(to_json(*back).dump() == text);  // what is shown of a file is what was printed
  RC_ASSERT(back->row_key() == row.row_key());
  RC_ASSERT(back->work == row.work);
  RC_ASSERT(back->settings == row.settings);
  RC_ASSERT(back->flags == row.flags);
}

Row plain_row() {
  Row row;
  row.work = Gemm{.m = 2, .n = 3, .k = 4};
  row.worker = "w";
  row.device = "0";
  row.status = Status::ok;
  row.cost = cost(row.work, {});
  return row;
}

TEST(Row, UnknownMembersAreIgnored) {
  Json json = to_json(plain_row());
  json.set("energy", Json::object().set("joule", 5));
  Json time = *json.find("time");
  json.set("time", time.set("p42_ns", 3.0));
  Json flags = Json::array();
  flags.push("drift");
  flags.push("a_flag_of_tomorrow");
  json.set("flags", flags);
  auto row = parse_row(json, "here");
  ASSERT_TRUE(row) << row.error().message;
  EXPECT_EQ(row->flags, std::vector{Flag::drift});
}

TEST(Row, WhatIsMissingOrWrongIsNamed) {
  for (const char* member :
       {"workload", "settings", "worker", "device", "status", "time", "rate", "cost", "check"}) {
    Json json = to_json(plain_row());
    std::erase_if(json.as_object(), [&](const auto& m) { return m.first == member; });
    auto missing = parse_row(json, "file:7");
    ASSERT_FALSE(missing) << member;
    EXPECT_NE(missing.error().message.find(member), std::string::npos) << missing.error().message;
    EXPECT_TRUE(missing.error().message.starts_with("file:7"));
    for (const Json& wrong : {Json(5), Json("text"), Json::array(), Json(true)}) {
      Json other = to_json(plain_row());
      if (wrong == Json("text") &&
          (member == std::string("worker") || member == std::string("device"))) {
        continue;
      }
      EXPECT_FALSE(parse_row(other.set(member, wrong), "x")) << member << wrong.dump();
    }
  }
  EXPECT_FALSE(parse_row(to_json(plain_row()).set("status", "splendid"), "x"));
}

TEST(Row, FlagsAreAddedOnce) {
  Row row = plain_row();
  row.add(Flag::drift);
  row.add(Flag::drift);
  EXPECT_EQ(row.flags.size(), 1u);
  EXPECT_TRUE(row.has(Flag::drift));
  EXPECT_FALSE(row.has(Flag::imprecise));
}

TEST(Row, HalfWidthNeedsAnInterval) {
  Row row = plain_row();
  EXPECT_FALSE(relative_half_width(row));
  row.rate = {100, 90, 110, RateUnit::byte_per_s};
  EXPECT_DOUBLE_EQ(*relative_half_width(row), 0.1);
  row.rate.value = 0;
  EXPECT_FALSE(relative_half_width(row));
}

TEST(Flags, EveryFlagHasItsTexts) {
  std::set<std::string_view> names;
  for (const FlagText& text : flag_texts()) {
    EXPECT_TRUE(names.insert(text.name).second) << text.name;
    EXPECT_FALSE(text.cause.empty());
    EXPECT_FALSE(text.advice.empty());
    EXPECT_EQ(parse_flag(text.name), text.flag);
    EXPECT_EQ(text_of(text.flag).name, text.name);
  }
  EXPECT_EQ(names.size(), 22u);
  EXPECT_FALSE(parse_flag("fast"));
}

TEST(Status, NamesAreStable) {
  EXPECT_EQ(name(Status::ok), "ok");
  EXPECT_EQ(name(Status::unsupported), "unsupported");
  EXPECT_EQ(name(Status::failed), "failed");
  EXPECT_EQ(name(Status::incorrect), "incorrect");
  EXPECT_EQ(parse_status("failed"), Status::failed);
  EXPECT_FALSE(parse_status("OK"));
}

}  // namespace
