// Messages as values: there and back again, and nothing foreign breaks a parser.

#include "worker/protocol.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace {

using namespace ridge;
using namespace ridge::protocol;

template <class T>
Json through_text(const T& message) {
  return *Json::parse(to_json(message).dump());
}

RC_GTEST_PROP(Protocol, TimesSurviveTheText, (std::vector<double> raw)) {
  Samples samples;
  for (const double value : raw) {
    if (!(std::fabs(value) <= 1e15) || value == 0) continue;
    samples.start_ns.push_back(value);
    samples.host_ns.push_back(std::fabs(value));
  }
  auto back = parse_samples(through_text(samples));
  RC_ASSERT(back.ok());
  RC_ASSERT(back->start_ns == samples.start_ns);
  RC_ASSERT(back->host_ns == samples.host_ns);
  RC_ASSERT(back->device_ns.empty());
}

RC_GTEST_PROP(Protocol, RequestsSurviveTheText,
              (int64_t handle, std::string tensor, std::vector<int64_t> elements, bool run)) {
  std::erase_if(tensor, [](char c) { return (c & 0x80) != 0; });  // not UTF-8: replaced
  const uint64_t salt = static_cast<uint64_t>(handle) >> 2;
  auto check = parse_check(through_text(Check{handle, tensor, 3, run, salt, elements}));
  RC_ASSERT(check.ok());
  RC_ASSERT(check->handle == handle);
  RC_ASSERT(check->tensor == tensor);
  RC_ASSERT(check->elements == elements);
  RC_ASSERT(check->run == run);
  RC_ASSERT(check->salt == salt);
  auto time = parse_time(through_text(Time{handle, salt, 7, 8, 9.5}));
  RC_ASSERT(time.ok());
  RC_ASSERT(time->ops_per_sample == 7);
  RC_ASSERT(time->most_samples == 8);
  RC_ASSERT(time->most_ns == 9.5);
}

TEST(Protocol, AnswersSurviveTheText) {
  const Hello hello{.worker = "x",
                    .libraries = {{"b", "2"}, {"a", "1"}},
                    .devices = {{"0", "name", 5, 6, {"f32"}}, {"1", "", std::nullopt, 0, {}}},
                    .clock_tick_ns = 1.5,
                    .clock_overhead_ns = 20};
  auto back = parse_hello(through_text(hello));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(hello));
  const Prepared prepared{.handle = 1,
                          .copies = 2,
                          .bytes_held = 3,
                          .prepare_ns = 4,
                          .kernel = "k",
                          .notes = {"n"},
                          .executed_dtype = "tf32",
                          .backend = "unfused"};
  EXPECT_EQ(to_json(*parse_prepared(through_text(prepared))), to_json(prepared));
  EXPECT_EQ(parse_prepared(through_text(Prepared{.unsupported = "no"}))->unsupported, "no");
  const Prepare prepare{Gemm{.m = 1, .n = 2, .k = 3}, {.threads = 4}, "0", 77};
  EXPECT_EQ(to_json(*parse_prepare(through_text(prepare))), to_json(prepare));
}

TEST(Protocol, ANanIsNullAndStaysOne) {
  auto checked = parse_checked(through_text(Checked{{1.0, std::nan(""), -2.0}, 5.0}));
  ASSERT_TRUE(checked);
  EXPECT_TRUE(std::isnan(checked->values[1]));
  EXPECT_EQ(checked->values[2], -2.0);
}

TEST(Protocol, UnknownMembersArePassedOver) {
  auto json = to_json(Timed{.ops = 3}).set("spans", Json::array()).set("later", 7);
  EXPECT_TRUE(parse_timed(json));
  EXPECT_TRUE(parse_hello(to_json(Hello{.worker = "x"}).set("mood", "good")));
}

TEST(Protocol, RefusesWhatCannotBe) {
  EXPECT_FALSE(parse_hello(to_json(Hello{.worker = std::string(65, 'x')})));
  EXPECT_FALSE(parse_prepared(to_json(Prepared{.copies = 0})));
  EXPECT_FALSE(parse_prepared(to_json(Prepared{.copies = -5})));
  EXPECT_FALSE(parse_time(to_json(Time{.ops_per_sample = 0})));
  EXPECT_FALSE(parse_samples(to_json(Samples{{0}, {1}, {-1}})));
  EXPECT_FALSE(parse_samples(to_json(Samples{{0, 1}, {1}, {}})));
  EXPECT_FALSE(parse_samples(to_json(Samples{{0}, {1}, {1, 2}})));
  EXPECT_FALSE(parse_samples(to_json(Samples{{0}, {2e15}, {}})));
  EXPECT_FALSE(parse_samples(to_json(Samples{{-2e15}, {1}, {}})));
  EXPECT_FALSE(parse_prepared(to_json(Prepared{.bytes_held = -1})));
  EXPECT_FALSE(parse_prepared(to_json(Prepared{.prepare_ns = -1})));
  EXPECT_FALSE(parse_checked(to_json(Checked{{}, -1.0})));
  EXPECT_FALSE(parse_timed(to_json(Timed{.ops = -1})));
  EXPECT_FALSE(parse_timed(to_json(Timed{.bytes_peak = -1})));
  const std::vector<Device> many(257);
  EXPECT_FALSE(parse_hello(to_json(Hello{.worker = "x", .devices = many})));
}

// Any JSON in place of any message: an error or a value, never an exception.
rc::Gen<Json> any_json(int depth) {
  const auto leaf =
      rc::gen::oneOf(rc::gen::just(Json()),
                     rc::gen::map(rc::gen::arbitrary<bool>(), [](bool b) { return Json(b); }),
                     rc::gen::map(rc::gen::arbitrary<int64_t>(), [](int64_t i) { return Json(i); }),
                     rc::gen::map(rc::gen::arbitrary<double>(), [](double d) { return Json(d); }),
                     rc::gen::just(Json("text")));
  if (depth == 0) return leaf;
  const auto key = rc::gen::element<std::string>(
      "handle", "copies", "devices", "libraries", "worker", "protocol", "values", "start_ns",
      "host_ns", "device_ns", "workload", "settings", "device", "ops", "elements", "tensor", "kind",
      "m", "n", "k", "dtype", "id", "name", "unsupported", "kernel", "notes", "salt");
  return rc::gen::oneOf(
      leaf,
      rc::gen::map(rc::gen::container<std::vector<Json>>(any_json(depth - 1)),
                   [](std::vector<Json> items) { return Json(std::move(items)); }),
      rc::gen::map(rc::gen::container<std::vector<std::pair<std::string, Json>>>(
                       rc::gen::pair(key, any_json(depth - 1))),
                   [](Json::Object members) { return Json(std::move(members)); }));
}

TEST(Protocol, NoJsonBreaksAParser) {
  rc::check([] {
    const Json json = *any_json(3);
    (void)parse_hello(json);
    (void)parse_prepare(json);
    (void)parse_prepared(json);
    (void)parse_check(json);
    (void)parse_checked(json);
    (void)parse_time(json);
    (void)parse_samples(json);
    (void)parse_timed(json);
  });
}

}  // namespace
