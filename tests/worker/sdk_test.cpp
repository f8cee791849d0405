// The worker's side of the protocol, without processes: Session, HostOp, the rotation, the arena.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "worker/sdk/host_op.h"
#include "worker/sdk/session.h"

namespace {

using namespace ridge;
using namespace ridge::sdk;

// Copies, or throws, or runs out of memory.
class CopyOp : public HostOp {
 public:
  CopyOp(const Task& task, Arena& arena, std::vector<int64_t>* ran)
      : HostOp(task, arena, [](int64_t n, const auto& body) { body(0, n); }), ran_(ran) {}
  void run(int64_t copy) override {
    ran_->push_back(copy);
    std::memcpy(data("c", copy), data("a", copy),
                static_cast<size_t>(std::get<Stream>(task().work).bytes));
  }
  std::vector<int64_t>* ran_;
};

class CopyWorker : public Worker {
 public:
  Description describe() override {
    return {"copier", {}, {{.id = "0", .name = "x", .cache_bytes = 4096, .dtypes = {"f32"}}}};
  }
  Result<void> supports(const Workload& work, const Settings&, std::string_view) override {
    const auto* stream = std::get_if<Stream>(&work);
    if (!stream || stream->op != Stream::Op::copy) return Error{"copies only"};
    return {};
  }
  Result<std::unique_ptr<Op>> prepare(const Task& task) override {
    if (throws == 1) throw std::bad_alloc();
    if (throws == 2) throw std::runtime_error("the library says no");
    return std::unique_ptr<Op>(std::make_unique<CopyOp>(task, arena, &ran));
  }
  void park() override { ++parked; }
  int throws = 0, parked = 0;
  std::vector<int64_t> ran;
  Arena arena{int64_t{1} << 30};
};

class SessionTest : public testing::Test {
 protected:
  Json ask(const std::string& text) {
    return session_.answer(1, *Json::parse(text), [&](const Json& e) { events_.push_back(e); });
  }
  std::string error_of(const std::string& text) {
    const Json reply = ask(text);
    const Json* error = reply.find("error");
    return error ? error->as_string() : "";
  }
  void greet() { ASSERT_TRUE(ask(R"({"do": "hello", "protocol": [1, 9], "seed": 3})").find("ok")); }
  Json prepare(const std::string& settings = "{}") {
    return ask(R"({"do": "prepare", "workload": {"kind": "stream", "op": "copy", "bytes": 1024},
                   "device": "0", "settings": )" +
               settings + "}");
  }

  CopyWorker worker_;
  std::atomic<int64_t> cancelled_{-1};
  Session session_{worker_, cancelled_};
  std::vector<Json> events_;
};

TEST_F(SessionTest, HelloComesFirst) {
  EXPECT_EQ(error_of(R"({"do": "park"})"), "the first request must be hello");
  EXPECT_NE(error_of(R"({"do": "hello", "protocol": [2, 3]})").find("speaks protocol 1"),
            std::string::npos);
  greet();
  EXPECT_EQ(error_of(R"({"do": "park"})"), "");
}

TEST_F(SessionTest, NonsenseIsAnErrorEach) {
  greet();
  for (const char* text :
       {R"({})", R"({"do": 5})", R"({"do": "dance"})", R"({"do": "check"})", R"({"do": "time"})",
        R"({"do": "check", "handle": 9, "tensor": "c", "elements": [0]})",
        R"({"do": "check", "handle": "x", "tensor": "c", "elements": [0]})",
        R"({"do": "time", "handle": 9, "most_samples": 1, "most_ns": 1})", R"({"do": "release"})",
        R"({"do": "release", "handle": 9})", R"({"do": "supports"})",
        R"({"do": "supports", "list": 5})"}) {
    EXPECT_NE(error_of(text), "") << text;
  }
  const Json answers = ask(R"({"do": "supports", "list": [5, {}, null]})");
  EXPECT_EQ(answers.find("supports")->as_array().size(), 3u);
}

TEST_F(SessionTest, WorkOfALaterVersionIsUnsupported) {
  greet();
  const Json reply = ask(R"({"do": "prepare", "device": "0", "settings": {},
                            "workload": {"kind": "knitting"}})");
  ASSERT_TRUE(reply.find("unsupported"));
}

TEST_F(SessionTest, AnExceptionIsAnAnswer) {
  greet();
  worker_.throws = 1;
  EXPECT_EQ(prepare().find("error")->as_string(), "out of memory");
  worker_.throws = 2;
  EXPECT_EQ(prepare().find("error")->as_string(), "the library says no");
  worker_.throws = 0;
  EXPECT_TRUE(prepare().find("ok"));
}

TEST_F(SessionTest, WhatWasLeftBehindIsGivenBackBeforeMemoryIsShort) {
  greet();
  const auto copy = [&](int64_t bytes) {
    return ask(R"({"do": "prepare", "device": "0", "settings": {}, "workload":
                   {"kind": "stream", "op": "copy", "bytes": )" +
               std::to_string(bytes) + "}}");
  };
  EXPECT_TRUE(copy(1024).find("handle"));
  EXPECT_EQ(worker_.parked, 0) << "the pages of earlier work are worth keeping";
  const Json refused = copy(int64_t{1} << 43);
  EXPECT_EQ(refused.find("unsupported")->as_string().find("needs 16 TiB, and "), 0u);
  EXPECT_EQ(worker_.parked, 1);
}

TEST_F(SessionTest, OpsRotateThroughAllCopies) {
  greet();
  const Json reply = prepare();
  const int64_t copies = reply.find("copies")->as_int();
  EXPECT_GE(copies * 2048, 2 * 4096);
  worker_.ran.clear();
  const Json timed = ask(R"({"do": "time", "handle": 1, "salt": 4, "ops_per_sample": 3,
                             "most_samples": 5, "most_ns": 1e12})");
  ASSERT_TRUE(timed.find("ok"));
  EXPECT_EQ(timed.find("ops")->as_int(), 15);
  ASSERT_EQ(worker_.ran.size(), 15u);
  for (size_t i = 0; i < 15; ++i) EXPECT_EQ(worker_.ran[i], static_cast<int64_t>(i) % copies);
  EXPECT_EQ(*events_.front().find("event"), Json("started"));
}

TEST_F(SessionTest, TimeBeginsWithPoisonAndFreshInputs) {
  greet();
  prepare(R"({"cache": "hot"})");
  const std::string read = R"({"do": "check", "handle": 1, "tensor": "c", "elements": [0, 255]})";
  ask(R"({"do": "time", "handle": 1, "salt": 4, "most_samples": 0, "most_ns": 1})");
  const Json poison = *ask(read).find("values");
  for (const Json& value : poison.as_array()) EXPECT_TRUE(value.is_null());
  ask(R"({"do": "time", "handle": 1, "salt": 4, "most_samples": 1, "most_ns": 1})");
  const Json first = *ask(read).find("values");
  ask(R"({"do": "time", "handle": 1, "salt": 5, "most_samples": 1, "most_ns": 1})");
  EXPECT_NE(*ask(read).find("values"), first);
  const double right = random_element(tensor_key(3, 4, 0, "a"), DType::f32, 1, 255);
  EXPECT_EQ(first.as_array()[1].as_double(), right);
}

TEST_F(SessionTest, CancelStopsAfterTheSampleInHand) {
  greet();
  prepare(R"({"cache": "hot"})");
  cancelled_ = 1;
  const Json timed = ask(R"({"do": "time", "handle": 1, "most_samples": 1000, "most_ns": 1e12})");
  EXPECT_EQ(timed.find("ops")->as_int(), 1);
}

TEST(Rotation, MovesMoreThanTwiceTheCache) {
  for (const int64_t cache : {int64_t{0}, int64_t{1}, int64_t{32} << 20, int64_t{480} << 20}) {
    for (const int64_t footprint : {int64_t{1} << 20, int64_t{100} << 20, int64_t{8} << 30}) {
      const int64_t copies = rotation_copies(CacheMode::cold, footprint, cache, int64_t{1} << 42);
      if (footprint >= 16 * std::max<int64_t>(cache, 1)) {
        EXPECT_EQ(copies, 1);
      } else {
        EXPECT_GE(copies, 2);
        EXPECT_GT(copies * footprint, 2 * cache);
      }
    }
  }
  EXPECT_EQ(rotation_copies(CacheMode::hot, 1 << 20, 1 << 30, int64_t{1} << 42), 1);
  EXPECT_EQ(rotation_copies(CacheMode::cold, 1 << 20, 1 << 30, 4 << 20), 2);  // memory is short
  EXPECT_EQ(rotation_copies(CacheMode::cold, 1 << 20, 1 << 30, 0), 1);
  EXPECT_LE(rotation_copies(CacheMode::cold, 256, int64_t{1} << 30, int64_t{1} << 42), 4096);
  EXPECT_GE(rotation_copies(CacheMode::cold, 0, 100, 100), 1);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;
  EXPECT_GE(rotation_copies(CacheMode::cold, 1 << 20, kMost, int64_t{1} << 42), 2);
}

TEST(ArenaTest, NeverGivesTheSameOffsetInAPage) {
  Arena arena(int64_t{1} << 28);
  std::vector<uintptr_t> offsets;
  for (int i = 0; i < 32; ++i) {
    const auto address = reinterpret_cast<uintptr_t>(arena.allocate(10'000));
    EXPECT_EQ(address % 64, 0u);
    for (const uintptr_t other : offsets) EXPECT_NE(address % 4096, other);
    offsets.push_back(address % 4096);
  }
}

TEST(ArenaTest, RefusesWhatItHasNot) {
  Arena arena(int64_t{1} << 22);
  EXPECT_THROW(arena.allocate(int64_t{1} << 40), std::bad_alloc);
  EXPECT_THROW(arena.allocate(-1), std::bad_alloc);
  EXPECT_THROW(arena.allocate(std::numeric_limits<int64_t>::max()), std::bad_alloc);
  void* first = arena.allocate(1 << 20);
  std::memset(first, 1, 1 << 20);
  arena.reset();
  EXPECT_EQ(arena.allocate(1 << 20), first);
  arena.discard();
  EXPECT_EQ(arena.used(), 0);
}

}  // namespace
