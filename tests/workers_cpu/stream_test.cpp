#include "worker_fixture.h"

namespace ridge {
namespace {

constexpr Stream::Op kOps[] = {Stream::Op::read, Stream::Op::write, Stream::Op::copy,
                               Stream::Op::triad};

class CpuStream : public CpuWorkerTest {
 protected:
  static void expect_all_ops(int64_t bytes, int threads) {
    for (const Stream::Op op : kOps) {
      for (const bool bypass : {false, true}) {
        if (bypass && op == Stream::Op::read) continue;
        expect_right(Stream{.op = op, .bytes = bytes, .nontemporal = bypass},
                     {.cache = CacheMode::hot, .threads = threads});
        if (HasFatalFailure()) return;
      }
    }
  }
};

TEST_F(CpuStream, OddSizesAreRight) {
  // Around a vector, a step of the loops, a share, a chunk of `read` and whole pages.
  for (const int64_t bytes : {256, 512, 768, 1280, 4096 + 256, 32768 - 256, 32768, 32768 + 256,
                              3 * 32768 + 512, 262144 - 256}) {
    expect_all_ops(bytes, 1);
    expect_all_ops(bytes, 0);
    if (HasFatalFailure()) return;
  }
}

TEST_F(CpuStream, LargeColdArraysAreRight) {
  for (const Stream::Op op : kOps) {
    expect_right(Stream{.op = op, .bytes = (int64_t{24} << 20) + 256});
    expect_right(Stream{.op = op, .bytes = (int64_t{24} << 20) + 768}, {.threads = 1});
  }
}

TEST_F(CpuStream, FewPartialSumsAreSaid) {
  if (cores() < 2) GTEST_SKIP() << "one core";
  const Stream work{.op = Stream::Op::read, .bytes = 16384};
  const auto prepared = client_->prepare({.work = work, .device = "0"}, kDeadline);
  ASSERT_TRUE(prepared);
  ASSERT_EQ(prepared->notes.size(), 1u);
  EXPECT_NE(prepared->notes[0].find("1 of "), std::string::npos) << prepared->notes[0];
  EXPECT_TRUE(client_->release(prepared->handle, kDeadline));
}

}  // namespace
}  // namespace ridge
