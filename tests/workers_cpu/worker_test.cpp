#include <cstdlib>

#include "paths.h"
#include "worker_fixture.h"

namespace ridge {
namespace {

class CpuWorkerAsAWhole : public CpuWorkerTest {};

TEST_F(CpuWorkerAsAWhole, DescribesItself) {
  const protocol::Hello& hello = client_->hello();
  EXPECT_EQ(hello.worker, "cpu");
  ASSERT_EQ(hello.devices.size(), 1u);
  const protocol::Device& device = hello.devices[0];
  EXPECT_EQ(device.id, "0");
  EXPECT_FALSE(device.name.empty());
  EXPECT_GT(device.memory_bytes.value_or(0), int64_t{1} << 28);
  EXPECT_GT(device.cache_bytes, int64_t{1} << 17);
  EXPECT_TRUE(has_dtype(DType::f32));
  for (const auto& [library, version] : hello.libraries) {
    EXPECT_FALSE(library.empty());
    EXPECT_FALSE(version.empty()) << library;
  }
}

TEST_F(CpuWorkerAsAWhole, RefusesWithAReason) {
  const Gemm gemm{.dtype = DType::f32, .m = 8, .n = 8, .k = 8};
  const auto expect_reason = [](const Workload& work, const Settings& settings, const char* word) {
    const auto why = refusal(work, settings);
    ASSERT_TRUE(why) << "wanted a refusal that says " << word;
    EXPECT_NE(why->find(word), std::string::npos) << *why;
  };
  expect_reason(gemm, {.graph = true}, "graph");
  expect_reason(gemm, {.threads = 60000}, "physical core");
  expect_reason(gemm, {.threads = -1}, "'threads' must");
  for (const DType dtype : {DType::tf32, DType::f64}) {
    Gemm other = gemm;
    other.dtype = dtype;
    expect_reason(other, {}, std::string(name(dtype)).c_str());
  }
  expect_reason(Stream{.bytes = 4096}, {.form = Form::packed}, "packed");
  EXPECT_FALSE(refusal(gemm));

  const auto answer = client_->supports({{.work = gemm, .device = "cuda:0"}}, kDeadline);
  ASSERT_TRUE(answer);
  ASSERT_TRUE(answer->at(0));
  EXPECT_NE(answer->at(0)->find("cuda:0"), std::string::npos);
}

TEST_F(CpuWorkerAsAWhole, DtypesOfTheDeviceAreThoseSupported) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::int8}) {
    const Gemm gemm{.dtype = dtype, .m = 16, .n = 16, .k = 16};
    EXPECT_EQ(has_dtype(dtype), !refusal(gemm)) << name(dtype);
  }
}

TEST_F(CpuWorkerAsAWhole, GoesOnAfterPark) {
  const Gemm gemm{.dtype = DType::f32, .m = 70, .n = 90, .k = 110};
  const auto before = client_->prepare({.work = gemm, .device = "0"}, kDeadline);
  ASSERT_TRUE(before);
  ASSERT_TRUE(client_->park(kDeadline));
  expect_right(gemm);
  ASSERT_TRUE(client_->park(kDeadline));
  ASSERT_TRUE(client_->park(kDeadline));
  const auto again = client_->time(
      {.handle = before->handle, .most_samples = 3, .most_ns = 1e9},
      [](const protocol::Samples&) { return true; }, kDeadline);
  EXPECT_TRUE(again) << again.error().message;
  EXPECT_TRUE(client_->release(before->handle, kDeadline));
  ASSERT_TRUE(client_->park(kDeadline));
  expect_right(gemm);
}

TEST_F(CpuWorkerAsAWhole, SeveralOpsLiveSideBySide) {
  std::vector<int64_t> handles;
  for (const int threads : {0, 1, 0}) {
    const auto prepared = client_->prepare(
        {.work = Gemm{.m = 40, .n = 50, .k = 60}, .settings = {.threads = threads}, .device = "0"},
        kDeadline);
    ASSERT_TRUE(prepared);
    handles.push_back(prepared->handle);
  }
  expect_right(Stream{.op = Stream::Op::triad, .bytes = 1 << 20});
  for (const int64_t handle : handles) EXPECT_TRUE(client_->release(handle, kDeadline));
}

// The thread count is the setting's, whatever the shell says.
TEST(CpuWorkerEnvironment, OpenMpVariablesChangeNothing) {
  setenv("OMP_NUM_THREADS", "1", 1);
  setenv("OMP_THREAD_LIMIT", "1", 1);
  setenv("OMP_PROC_BIND", "true", 1);
  setenv("GOMP_CPU_AFFINITY", "0", 1);
  auto steered = Client::start(paths::worker(), 1, 60);
  for (const char* variable :
       {"OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY"}) {
    unsetenv(variable);
  }
  auto free = Client::start(paths::worker(), 1, 60);
  ASSERT_TRUE(steered && free);
  for (int threads = 1; threads <= 4; ++threads) {
    const std::vector<protocol::Prepare> question = {
        {.work = Stream{.bytes = 4096}, .settings = {.threads = threads}, .device = "0"}};
    const auto one = steered->supports(question, 60), other = free->supports(question, 60);
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->at(0), other->at(0)) << threads;
  }
  steered->bye();
  free->bye();
}

}  // namespace
}  // namespace ridge
