// The client against every fault at every request: it says what happened, kills, and never waits
// longer than it was told to.

#include <gtest/gtest.h>

#include <algorithm>

#include "paths.h"
#include "sim_fixture.h"

namespace {

using namespace ridge;
using sim_test::Environment;
using sim_test::gemm;
using sim_test::hot;
using sim_test::kPatience;

const std::vector<std::string> kVerbs = {"hello", "supports", "prepare", "check",
                                         "time",  "park",     "release", "bye"};

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

struct Ending {
  std::string verb;     // at which an error came
  std::string message;  // empty: none came
  bool alive = true;    // after it
  std::vector<std::string> stderr_tail;
};

// Goes through all requests until one fails. `deadline_s` bounds only the answer to `verb`.
Ending go_through(const std::string& verb, double deadline_s) {
  Ending end;
  const auto within = [&](const std::string& asked) {
    end.verb = asked;
    return asked == verb ? deadline_s : kPatience;
  };
  auto client = Client::start(paths::worker(), 1, within("hello"));
  if (!client) {
    end.message = client.error().message;
    end.alive = false;
    return end;
  }
  const auto failed = [&](const auto& result) {
    if (result) return false;
    end.message = result.error().message;
    end.alive = client->alive();
    end.stderr_tail = client->stderr_tail();
    return true;
  };
  const Workload work = gemm(8, 8, 8);
  if (failed(client->supports({{work, hot(), "0", 0}}, within("supports")))) return end;
  auto prepared = client->prepare({work, hot(), "0", 0}, within("prepare"));
  if (failed(prepared)) return end;
  const protocol::Check check{
      .handle = prepared->handle, .tensor = "c", .run = true, .salt = 1, .elements = {0, 63}};
  if (failed(client->check(check, within("check")))) return end;
  const protocol::Time time{.handle = prepared->handle, .most_samples = 20, .most_ns = 1e9};
  const auto more = [](const protocol::Samples&) { return true; };
  if (failed(client->time(time, more, within("time")))) return end;
  if (failed(client->park(within("park")))) return end;
  if (failed(client->release(prepared->handle, within("release")))) return end;
  client->bye();
  end.verb = "bye";
  end.alive = client->alive();
  end.stderr_tail = client->stderr_tail();
  return end;
}

// A fault that comes instead of an answer, and what the error must say.
struct Fault {
  std::string what;
  std::string says;
  double deadline_s = kPatience;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.what; }

class Faults : public testing::TestWithParam<Fault> {};

TEST_P(Faults, AtEveryRequest) {
  const auto& [what, says, deadline_s] = GetParam();
  for (const std::string& verb : kVerbs) {
    SCOPED_TRACE(what + "@" + verb);
    const Environment environment{{"RIDGE_TEST_MODE", what + "@" + verb}};
    const double slow_start = verb == "hello" ? 2 : 0;
    const Ending end = go_through(verb, std::max(deadline_s, slow_start));
    EXPECT_EQ(end.verb, verb);
    EXPECT_FALSE(end.alive);
    if (verb == "bye") {
      EXPECT_EQ(end.message, "");  // good manners at the end are not asked for
      continue;
    }
    EXPECT_TRUE(end.message.starts_with(verb + ": ")) << end.message;
    // Events keep a timing alive until its own time is over.
    const std::string expected = what + verb == "eventstime" ? "does not stop" : says;
    EXPECT_NE(end.message.find(expected), std::string::npos) << end.message;
    EXPECT_EQ(end.message.find('\n'), std::string::npos) << end.message;
    if (verb == "hello") {  // there is no client to ask for it: the error must hold it
      EXPECT_NE(end.message.find("these were its last words"), std::string::npos) << end.message;
      continue;
    }
    ASSERT_FALSE(end.stderr_tail.empty());
    EXPECT_EQ(end.stderr_tail.back(), "sim: these were its last words");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Deadly, Faults,
    testing::Values(Fault{"exit", "exited with code 3"}, Fault{"abort", "killed by signal 6"},
                    Fault{"segv", "killed by signal 11"}, Fault{"illegal", "killed by signal 4"},
                    Fault{"hang", "no answer within", 0.2},
                    Fault{"garbage", "wrote what is no message: '...{[ this is no message'"},
                    Fault{"no-object", "wrote what is no message: '[1, 2, 3]'"},
                    Fault{"half", "exited with code 0 after half a line: '{\"id\": "},
                    Fault{"long-line", "wrote a line of more than 16 MiB"},
                    Fault{"kill", "killed by signal 9 (Killed), most likely out of memory"},
                    Fault{"child", "exited with code 3"}, Fault{"close", "closed its stdout"},
                    Fault{"drip", "no answer within", 0.3},
                    Fault{"blank-lines", "no answer within", 0.3},
                    Fault{"events", "no answer within", 0.3},
                    Fault{"strangers", "answers requests that nobody made"},
                    Fault{"wide", "more than 1000000 values"}),
    [](const auto& fault) {
      std::string name = fault.param.what;
      std::erase(name, '-');
      return name;
    });

// Under a limit of address space an allocation fails, and C++ ends the program.
TEST(Fault, OutOfMemory) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer's shadow does not fit under the limit";
  for (const std::string& verb : kVerbs) {
    if (verb == "bye") continue;
    const Environment environment{{"RIDGE_TEST_MODE", "rlimit@" + verb}};
    const Ending end = go_through(verb, kPatience);
    EXPECT_EQ(end.verb, verb);
    EXPECT_FALSE(end.alive);
    EXPECT_NE(end.message.find("killed by signal 6"), std::string::npos) << end.message;
    const std::string last = end.stderr_tail.empty() ? end.message : end.stderr_tail.back();
    // Two threads may fail at once; then the runtime says only that it gives up.
    EXPECT_TRUE(last.find("bad_alloc") != std::string::npos ||
                last.find("terminate called") != std::string::npos)
        << last;
  }
}

// Late, but in time; and events before an answer, which any request may have.
TEST(Fault, SlowAnswersAndEventsAreNone) {
  for (const std::string what : {"slow", "event"}) {
    for (const std::string& verb : kVerbs) {
      const Environment environment{{"RIDGE_TEST_MODE", what + "@" + verb}};
      const Ending end = go_through(verb, kPatience);
      EXPECT_EQ(end.verb, "bye") << what << "@" << verb << ": " << end.message;
    }
  }
  const Environment environment{{"RIDGE_TEST_MODE", "hang@check"}};
  EXPECT_EQ(go_through("check", 0.05).message, "check: no answer within 0.05 s");
}

// A line of 10 MiB is read; what it says is cut, in the middle of no character.
TEST(Fault, ABookIsCutShort) {
  for (const std::string& verb : kVerbs) {
    if (verb == "bye") continue;
    const Environment environment{{"RIDGE_TEST_MODE", "book@" + verb}};
    const Ending end = go_through(verb, kPatience);
    EXPECT_EQ(end.verb, verb);
    EXPECT_EQ(end.alive, verb != "hello");
    EXPECT_TRUE(end.message.starts_with(verb + ": ☃ снег")) << end.message.substr(0, 80);
    EXPECT_GT(end.message.size(), 4000u);
    EXPECT_LT(end.message.size(), 4300u);
    EXPECT_EQ(end.message.find('\x1b'), std::string::npos);
    EXPECT_EQ(Json(end.message), *Json::parse(Json(end.message).dump())) << "not UTF-8";
  }
}

// It fills its stdout and does not read its stdin, while we still write a long request.
TEST(Fault, AWorkerThatOnlyWritesFillsNoMemory) {
  const Environment environment{{"RIDGE_TEST_MODE", "gush@hello"}};
  auto client = Client::start(paths::worker(), 1, kPatience);
  ASSERT_TRUE(client) << client.error().message;
  const std::vector<protocol::Prepare> questions(20'000, {gemm(8, 8, 8), hot(), "0", 0});
  auto answers = client->supports(questions, kPatience);
  ASSERT_FALSE(answers);
  EXPECT_FALSE(client->alive());
  EXPECT_TRUE(answers.error().message.starts_with("supports: w")) << answers.error().message;
}

// Faults while a timing is cancelled: it ends by itself, and the next request tells.
TEST(Fault, AtCancel) {
  struct Case {
    std::string what, verb, says;
  };
  for (const auto& [what, verb, says] : std::vector<Case>{{"exit", "time", "exited with code 3"},
                                                          {"segv", "time", "killed by signal 11"},
                                                          {"illegal", "time", "killed by signal 4"},
                                                          {"kill", "time", "killed by signal 9"},
                                                          {"child", "time", "exited with code 3"},
                                                          {"garbage", "time", "what is no message"},
                                                          {"hang", "park", "no answer within"},
                                                          {"polite", "", ""},
                                                          {"twice", "", ""},
                                                          {"wrong-id", "", ""},
                                                          {"event", "", ""},
                                                          {"flood", "", ""},
                                                          {"flood-line", "", ""}}) {
    SCOPED_TRACE(what + "@cancel");
    const Environment environment{{"RIDGE_TEST_MODE", what + "@cancel"}};
    auto client = Client::start(paths::worker(), 1, kPatience);
    ASSERT_TRUE(client);
    auto prepared = client->prepare({gemm(8, 8, 8), hot(), "0", 0}, kPatience);
    ASSERT_TRUE(prepared);
    auto reply = client->time(
        {.handle = prepared->handle,
         .most_samples = int64_t{1} << 40,
         .most_ns = verb == "time" ? 6e10 : 5e8},
        [](const protocol::Samples&) { return false; }, kPatience);
    auto after = client->park(what == "hang" ? 0.3 : kPatience);
    const std::string error = !reply ? reply.error().message : !after ? after.error().message : "";
    EXPECT_TRUE(error.starts_with(verb)) << error;
    EXPECT_NE(error.find(says), std::string::npos) << error;
    EXPECT_EQ(client->alive(), verb.empty());
    EXPECT_EQ(error.empty(), verb.empty()) << error;
  }
}

TEST(Fault, AWrongIdIsNoAnswer) {
  for (const auto& [what, verb] : std::vector<std::pair<std::string, std::string>>{
           {"wrong-id", "hello"}, {"wrong-id", "time"}, {"text-id", "check"}}) {
    SCOPED_TRACE(what + "@" + verb);
    const Environment environment{{"RIDGE_TEST_MODE", what + "@" + verb}};
    const Ending end = go_through(verb, 1);
    EXPECT_EQ(end.verb, verb);
    EXPECT_FALSE(end.alive);
    EXPECT_NE(end.message.find("to requests that nobody made"), std::string::npos) << end.message;
  }
}

TEST(Fault, ASecondAnswerIsPassedOver) {
  for (const std::string& verb : kVerbs) {
    const Environment environment{{"RIDGE_TEST_MODE", "twice@" + verb}};
    const Ending end = go_through(verb, kPatience);
    EXPECT_EQ(end.verb, "bye") << verb << ": " << end.message;
    EXPECT_EQ(end.message, "");
  }
}

TEST(Fault, AnErrorInGoodOrderLeavesTheWorkerAlive) {
  for (const std::string& verb : kVerbs) {
    if (verb == "bye") continue;
    const Environment environment{{"RIDGE_TEST_MODE", "polite@" + verb}};
    const Ending end = go_through(verb, kPatience);
    EXPECT_EQ(end.verb, verb);
    EXPECT_TRUE(end.message.starts_with(verb + ": sim: no, thank you")) << end.message;
    EXPECT_EQ(end.alive, verb != "hello");
  }
}

TEST(Fault, MissingOrWrongMembersAreGarbage) {
  for (const std::string what : {"no-fields", "wrong-types"}) {
    for (const std::string verb : {"hello", "supports", "prepare", "check", "time"}) {
      SCOPED_TRACE(what + "@" + verb);
      const Environment environment{{"RIDGE_TEST_MODE", what + "@" + verb}};
      const Ending end = go_through(verb, kPatience);
      EXPECT_EQ(end.verb, verb);
      EXPECT_FALSE(end.alive);
      EXPECT_TRUE(end.message.starts_with(verb)) << end.message;
    }
  }
}

TEST(Fault, AFloodOnStderrBlocksNobody) {
  for (const std::string what : {"flood", "flood-line"}) {
    for (const std::string& verb : kVerbs) {
      const Environment environment{{"RIDGE_TEST_MODE", what + "@" + verb}};
      const Ending end = go_through(verb, kPatience);
      EXPECT_EQ(end.verb, "bye") << verb << ": " << end.message;
      EXPECT_LE(end.stderr_tail.size(), 12u);
      for (const std::string& line : end.stderr_tail) EXPECT_LE(line.size(), 500u);
    }
  }
}

TEST(Fault, ImpossibleAnswersOfHello) {
  for (const std::string what : {"negative-clock", "huge-clock", "later-protocol", "same-devices",
                                 "many-devices", "negative-memory"}) {
    const Environment environment{{"RIDGE_TEST_MODE", what}};
    auto client = Client::start(paths::worker(), 1, kPatience);
    EXPECT_FALSE(client) << what;
  }
}

TEST(Fault, ImpossibleTimesAndCounts) {
  const std::vector<std::pair<std::string, std::string>> faults = {
      {"nan-times", "not a number"},
      {"zero-times", "zero, negative"},
      {"negative-times", "zero, neg"},
      {"overlap", "samples overlap"},
      {"disorder", "samples overlap"},
      {"uneven", "differ in length"},
      {"no-copies", "'copies' must be"},
      {"few-values", "1 values for 2 elements"},
      {"many-values", "3 values for 2"},
      {"text-values", "must hold only numbers"},
      {"negative-start", "overlap"},
      {"negative-ops", "must not be negative"},
      {"huge-times", "eleven days"},
      {"negative-held", "'bytes_held' must not"},
      {"negative-run", "'run_ns' must"},
      {"negative-prepare", "'prepare_ns' must not"},
      {"started-late", "started twice"},
      {"never-started", "before it has started"},
      {"negative-peak", "'bytes_peak' must not"}};
  for (const auto& [what, says] : faults) {
    const Environment environment{{"RIDGE_TEST_MODE", what}};
    const Ending end = go_through("none", kPatience);
    EXPECT_FALSE(end.alive) << what;
    EXPECT_NE(end.message.find(says), std::string::npos) << what << ": " << end.message;
  }
}

// A stream without end: no cancel, no limit of samples, no request's time holds it.
TEST(Fault, AnEndlessStreamIsCutOff) {
  for (const std::string what : {"endless", "chatter"}) {
    const Environment environment{{"RIDGE_TEST_MODE", what}};
    auto client = Client::start(paths::worker(), 1, kPatience);
    ASSERT_TRUE(client);
    auto prepared = client->prepare({gemm(8, 8, 8), hot(), "0", 0}, kPatience);
    ASSERT_TRUE(prepared);
    int64_t seen = 0;
    const protocol::Time request{.handle = prepared->handle, .most_samples = 1000, .most_ns = 1e8};
    auto reply = client->time(
        request,
        [&](const protocol::Samples& samples) {
          seen += static_cast<int64_t>(samples.host_ns.size());
          return false;
        },
        0.5);
    ASSERT_FALSE(reply);
    EXPECT_FALSE(client->alive());
    EXPECT_LE(seen, 1000) << "more samples than were asked for fill the memory";
  }
}

TEST(Fault, AnInterruptIsHeardThroughAnEndlessStream) {
  const Environment environment{{"RIDGE_TEST_MODE", "chatter"}};
  auto client = Client::start(paths::worker(), 1, kPatience);
  ASSERT_TRUE(client);
  auto prepared = client->prepare({gemm(8, 8, 8), hot(), "0", 0}, kPatience);
  ASSERT_TRUE(prepared);
  client->interrupt_with([] { return true; });
  auto reply = client->time(
      {.handle = prepared->handle, .most_samples = 1000, .most_ns = 1e9},
      [](const protocol::Samples&) { return true; }, kPatience);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().message, "time: interrupted");
}

}  // namespace
