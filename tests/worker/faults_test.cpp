// The client against every fault at every request: it says what happened, kills, and never waits
// longer than it was told to.

#include <gtest/gtest.h>

#include <algorithm>

#include "sim_fixture.h"

namespace {

using namespace ridge;
using sim_test::Environment;
using sim_test::gemm;
using sim_test::hot;
using sim_test::kPatience;

const std::vector<std::string> kVerbs = {"hello", "supports", "prepare", "check",
                                         "time",  "park",     "release", "bye"};

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
  auto client = Client::start(SIM_WORKER, 1, within("hello"));
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
    EXPECT_NE(end.message.find(says), std::string::npos) << end.message;
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
                    Fault{"long-line", "wrote a line of more than 16 MiB"}),
    [](const auto& fault) {
      std::string name = fault.param.what;
      std::erase(name, '-');
      return name;
    });

TEST(Fault, AClosedStdoutIsTheEnd) {
  const Environment environment{{"RIDGE_TEST_MODE", "close@check"}};
  const Ending end = go_through("check", kPatience);
  EXPECT_EQ(end.message, "check: closed its stdout");
  EXPECT_FALSE(end.alive);
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
  for (const std::string& verb : kVerbs) {
    const Environment environment{{"RIDGE_TEST_MODE", "flood@" + verb}};
    const Ending end = go_through(verb, kPatience);
    EXPECT_EQ(end.verb, "bye") << verb << ": " << end.message;
    EXPECT_LE(end.stderr_tail.size(), 12u);
  }
}

TEST(Fault, ImpossibleAnswersOfHello) {
  for (const std::string what :
       {"negative-clock", "huge-clock", "later-protocol", "same-devices"}) {
    const Environment environment{{"RIDGE_TEST_MODE", what}};
    auto client = Client::start(SIM_WORKER, 1, kPatience);
    EXPECT_FALSE(client) << what;
  }
}

TEST(Fault, ImpossibleTimesAndCounts) {
  const std::vector<std::pair<std::string, std::string>> faults = {
      {"nan-times", "not a number"},     {"zero-times", "zero, negative"},
      {"negative-times", "zero, neg"},   {"overlap", "samples overlap"},
      {"disorder", "samples overlap"},   {"uneven", "differ in length"},
      {"no-copies", "'copies' must be"}, {"few-values", "1 values for 2 elements"},
      {"many-values", "3 values for 2"}, {"text-values", "must hold only numbers"},
      {"negative-start", "overlap"},     {"negative-ops", "from -1 ops"}};
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
    auto client = Client::start(SIM_WORKER, 1, kPatience);
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
  auto client = Client::start(SIM_WORKER, 1, kPatience);
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
