// The client against an honest worker: every request, events, cancelling, errors that are no fault.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "machine/cpu_time.h"
#include "measure/check.h"
#include "paths.h"
#include "sim_fixture.h"

namespace {

using namespace ridge;
using sim_test::Environment;
using sim_test::gemm;
using sim_test::hot;
using sim_test::kPatience;

Client started() {
  auto client = Client::start(paths::worker(), 7, kPatience);
  EXPECT_TRUE(client) << client.error().message;
  return *std::move(client);
}

protocol::Prepared prepared(Client& client, const Workload& work, const Settings& settings = {}) {
  auto reply = client.prepare({work, settings, "0", 5}, kPatience);
  EXPECT_TRUE(reply) << reply.error().message;
  return *reply;
}

TEST(Client, HelloTellsTheWorker) {
  Client client = started();
  EXPECT_EQ(client.hello().worker, "sim");
  ASSERT_EQ(client.hello().devices.size(), 1u);
  EXPECT_EQ(client.hello().devices[0].cache_bytes, 256 << 10);
  EXPECT_GE(client.hello().clock_tick_ns, 0);
  EXPECT_TRUE(client.alive());
  client.bye();
  EXPECT_FALSE(client.alive());
}

TEST(Client, SupportsAnswersEachQuestion) {
  Client client = started();
  auto answers = client.supports({{gemm(8, 8, 8), {}, "0", 0},
                                  {gemm(8, 8, 8, DType::bf16), {}, "0", 0},
                                  {gemm(8, 8, 8), {.form = Form::packed}, "0", 0}},
                                 kPatience);
  ASSERT_TRUE(answers) << answers.error().message;
  ASSERT_EQ(answers->size(), 3u);
  EXPECT_FALSE((*answers)[0]);
  EXPECT_TRUE((*answers)[1]);
  EXPECT_EQ((*answers)[2], "sim packs nothing");
  EXPECT_TRUE(client.supports({}, kPatience));
}

TEST(Client, CheckedValuesAreTheReference) {
  Client client = started();
  for (const Workload& work : {gemm(5, 7, 9), gemm(16, 3, 40, DType::f64),
                               Workload(Gemm{.layout = Gemm::Layout::nt, .m = 3, .n = 8, .k = 5}),
                               Workload(Stream{.op = Stream::Op::read, .bytes = 33024}),
                               Workload(Stream{.op = Stream::Op::write, .bytes = 256}),
                               Workload(Stream{.op = Stream::Op::copy, .bytes = 512}),
                               Workload(Stream{.op = Stream::Op::triad, .bytes = 1024})}) {
    const auto handle = prepared(client, work).handle;
    CheckOutcome outcome;
    const CheckRequest request{.handle = handle, .inputs = {7, 99, 1}, .run = true};
    auto run_ns = check_outputs(client, work, request, outcome);
    ASSERT_TRUE(run_ns) << run_ns.error().message;
    EXPECT_TRUE(run_ns->run_ns);
    EXPECT_EQ(outcome.verdict, CheckOutcome::Verdict::passed) << work_key(work) << outcome.detail;
    EXPECT_GT(outcome.elements, 0);
    EXPECT_TRUE(client.release(handle, kPatience));
  }
}

TEST(Client, ANonsenseCheckIsAnErrorAndTheWorkerLivesOn) {
  Client client = started();
  const auto handle = prepared(client, gemm(4, 4, 4)).handle;
  const std::vector<protocol::Check> requests = {
      {.handle = handle + 1, .tensor = "c", .elements = {0}},
      {.handle = handle, .tensor = "z", .elements = {0}},
      {.handle = handle, .tensor = "c", .elements = {16}},
      {.handle = handle, .tensor = "c", .elements = {-1}},
      {.handle = handle, .tensor = "c", .copy = 1 << 20, .elements = {0}},
      {.handle = handle, .tensor = "c", .copy = -1, .elements = {0}}};
  for (const auto& request : requests) {
    auto reply = client.check(request, kPatience);
    ASSERT_FALSE(reply);
    EXPECT_TRUE(reply.error().message.starts_with("check: ")) << reply.error().message;
    EXPECT_TRUE(client.alive());
  }
  EXPECT_FALSE(client.prepare({gemm(4, 4, 4), {}, "17", 0}, kPatience));
  EXPECT_FALSE(client.release(handle + 1, kPatience));
  EXPECT_TRUE(client.park(kPatience));
  EXPECT_TRUE(client.release(handle, kPatience));
}

TEST(Client, UnsupportedIsAnAnswer) {
  Client client = started();
  EXPECT_TRUE(prepared(client, gemm(4, 4, 4, DType::int8)).unsupported);
  EXPECT_FALSE(prepared(client, gemm(4, 4, 4)).unsupported);
}

TEST(Client, TimeStreamsSamplesInOrder) {
  Client client = started();
  const auto handle = prepared(client, gemm(32, 32, 32), hot()).handle;
  protocol::Samples all;
  auto reply = client.time(
      {.handle = handle, .salt = 3, .ops_per_sample = 2, .most_samples = 50, .most_ns = 1e11},
      [&](const protocol::Samples& samples) {
        all.start_ns.insert(all.start_ns.end(), samples.start_ns.begin(), samples.start_ns.end());
        all.host_ns.insert(all.host_ns.end(), samples.host_ns.begin(), samples.host_ns.end());
        return true;
      },
      kPatience);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(all.host_ns.size(), 50u);
  EXPECT_EQ(reply->timed.ops, 100);
  EXPECT_GT(reply->timed.bytes_peak, 0);
  EXPECT_TRUE(std::is_sorted(all.start_ns.begin(), all.start_ns.end()));
  double sum = 0;
  for (const double ns : all.host_ns) sum += ns;
  EXPECT_LE(sum, reply->wall_ns + reply->fill_ns);
}

TEST(Client, CancelEndsATimeEarly) {
  Client client = started();
  const auto handle = prepared(client, gemm(64, 64, 64), hot()).handle;
  int64_t seen = 0;
  auto reply = client.time(
      {.handle = handle, .most_samples = int64_t{1} << 40, .most_ns = 1e12},
      [&](const protocol::Samples& samples) {
        seen += static_cast<int64_t>(samples.host_ns.size());
        return false;
      },
      kPatience);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_GT(seen, 0);
  EXPECT_EQ(reply->timed.ops, seen);
  // The answer to the cancel is still on its way, and disturbs nobody.
  auto again = client.time(
      {.handle = handle, .most_samples = 3, .most_ns = 1e12},
      [](const protocol::Samples&) { return true; }, kPatience);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->timed.ops, 3);
  EXPECT_TRUE(client.release(handle, kPatience));
}

TEST(Client, InterruptEndsAWaitAtOnce) {
  Client client = started();
  const auto handle = prepared(client, gemm(64, 64, 64), hot()).handle;
  bool asked = false;
  client.interrupt_with([&] { return asked; });
  auto reply = client.time(
      {.handle = handle, .most_samples = int64_t{1} << 40, .most_ns = 1e14},
      [&](const protocol::Samples&) { return asked = true; }, kPatience);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().message, "time: interrupted");
  EXPECT_FALSE(client.alive());
}

TEST(Client, UnicodeNamesComeThrough) {
  const Environment environment{{"RIDGE_TEST_MODE", "unicode"}};
  Client client = started();
  EXPECT_EQ(client.hello().worker, "sîm ☃ \"|,\\");
  EXPECT_EQ(client.hello().devices[0].name, "процессор 🚀");
}

// Threads that a library keeps waiting busily stay so, whatever its worker says.
TEST(Client, AParkedWorkerTakesNoProcessor) {
  const Environment environment{{"RIDGE_TEST_MODE", "spin"}};
  Client client = started();
  const auto handle = prepared(client, gemm(4, 4, 4)).handle;
  const auto taken_s = [&] { return process_cpu_s({}, client.pid()).value(); };
  const auto wait_for_more_than = [&](double seconds) {
    for (int i = 0; i < 1000 && taken_s() <= seconds; ++i) ::usleep(10'000);
    return taken_s() > seconds;
  };
  EXPECT_TRUE(wait_for_more_than(taken_s())) << "it does not spin";
  for (int turn = 0; turn < 2; ++turn) {
    ASSERT_TRUE(client.park(kPatience));
    sim_test::wait_until_stopped(client.pid());
    const double parked_s = taken_s();
    ::usleep(300'000);
    EXPECT_EQ(taken_s(), parked_s);
    EXPECT_TRUE(
        client.check({.handle = handle, .tensor = "c", .run = true, .elements = {0}}, kPatience));
    EXPECT_TRUE(wait_for_more_than(parked_s));
  }
  ASSERT_TRUE(client.park(kPatience));
  client.bye();
  EXPECT_EQ(::kill(static_cast<pid_t>(client.pid()), 0), -1) << "a stopped worker went as well";
}

TEST(Client, AHugeHandleIsAHandle) {
  const Environment environment{{"RIDGE_TEST_MODE", "huge-handle"}};
  Client client = started();
  const auto handle = prepared(client, gemm(4, 4, 4)).handle;
  EXPECT_GE(handle, int64_t{1} << 62);
  EXPECT_TRUE(client.check({.handle = handle, .tensor = "c", .elements = {0}}, kPatience));
  EXPECT_TRUE(client.release(handle, kPatience));
}

TEST(Client, WhatCannotStartSaysSo) {
  auto missing = Client::start("/no/such/ridge-worker-x", 1, kPatience);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message,
            "cannot start /no/such/ridge-worker-x: No such file or directory");
  auto no_worker = Client::start("/bin/true", 1, kPatience);
  ASSERT_FALSE(no_worker);
  EXPECT_EQ(no_worker.error().message, "hello: exited with code 0");
  auto echo = Client::start("/bin/cat", 1, kPatience);  // the request comes back as an answer
  ASSERT_FALSE(echo);
}

TEST(Process, IsGoneOnceItsOwnerIs) {
  pid_t pid = 0;
  {
    auto process = Process::start({"/bin/sleep", "1000"});
    ASSERT_TRUE(process);
    pid = process->pid();
    EXPECT_EQ(::kill(pid, 0), 0);
    EXPECT_FALSE(process->wait(0));
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(Process, TellsHowItEnded) {
  auto quits = Process::start({"/bin/sh", "-c", "exit 7"});
  ASSERT_TRUE(quits);
  EXPECT_EQ(quits->wait(kPatience), "exited with code 7");
  auto crashes = Process::start({"/bin/sh", "-c", "kill -SEGV $$"});
  ASSERT_TRUE(crashes);
  const auto how = crashes->wait(kPatience);
  ASSERT_TRUE(how);
  EXPECT_TRUE(how->starts_with("killed by signal 11")) << *how;
}

}  // namespace
