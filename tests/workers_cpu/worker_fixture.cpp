#include "worker_fixture.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "paths.h"

namespace ridge {

std::unique_ptr<Client> CpuWorkerTest::client_;

void CpuWorkerTest::SetUpTestSuite() {
  auto client = Client::start(paths::worker(), kSeed, kDeadline);
  ASSERT_TRUE(client) << client.error().message;
  client_ = std::make_unique<Client>(*std::move(client));
}

void CpuWorkerTest::TearDownTestSuite() {
  if (client_) client_->bye();
  client_.reset();
}

bool CpuWorkerTest::has_dtype(DType dtype) {
  const auto& dtypes = client_->hello().devices.at(0).dtypes;
  return std::find(dtypes.begin(), dtypes.end(), name(dtype)) != dtypes.end();
}

std::optional<std::string> CpuWorkerTest::refusal(const Workload& work, const Settings& settings) {
  auto answer = client_->supports({{.work = work, .settings = settings, .device = "0"}}, kDeadline);
  EXPECT_TRUE(answer) << answer.error().message;
  return answer ? answer->at(0) : std::nullopt;
}

int CpuWorkerTest::cores() {
  int cores = 1;
  const Workload work = Stream{.op = Stream::Op::copy, .bytes = 4096};
  while (!refusal(work, {.threads = cores + 1})) ++cores;
  return cores;
}

void CpuWorkerTest::expect_values(const Workload& work, int64_t handle, int64_t copy, bool run,
                                  uint64_t salt) {
  for (const TensorSpec& spec : tensors(work)) {
    if (spec.role != TensorSpec::Role::output) continue;
    const auto elements =
        elements_to_check(work, spec.name, 256, tensor_key(kSeed, salt, 99, spec.name));
    const auto checked = client_->check({.handle = handle,
                                         .tensor = spec.name,
                                         .copy = copy,
                                         .run = run,
                                         .salt = salt,
                                         .elements = elements},
                                        kDeadline);
    ASSERT_TRUE(checked) << checked.error().message;
    ASSERT_EQ(checked->values.size(), elements.size());
    const auto right = expected(work, {kSeed, salt, copy}, spec.name, elements);
    for (size_t i = 0; i < elements.size(); ++i) {
      ASSERT_LE(std::fabs(checked->values[i] - right[i].value), right[i].tolerance)
          << "element " << elements[i] << " of " << spec.name << ", copy " << copy << ", run "
          << run << ": " << checked->values[i] << " for " << right[i].value;
      ASSERT_FALSE(std::isnan(checked->values[i])) << "element " << elements[i] << " not written";
    }
  }
}

void CpuWorkerTest::expect_right(const Workload& work, const Settings& settings) {
  SCOPED_TRACE(row_key(work, settings, "cpu", "0"));
  const auto prepared =
      client_->prepare({.work = work, .settings = settings, .device = "0"}, kDeadline);
  ASSERT_TRUE(prepared) << prepared.error().message;
  ASSERT_FALSE(prepared->unsupported) << *prepared->unsupported;
  SCOPED_TRACE(prepared->kernel);
  const int64_t copies = prepared->copies;
  for (const int64_t copy : std::set<int64_t>{0, copies - 1}) {
    expect_values(work, prepared->handle, copy, true, 5);
  }
  constexpr uint64_t kTimeSalt = 6;
  if (copies <= 8) {  // a rotation of tiny arrays has thousands
    const auto timed = client_->time(
        {.handle = prepared->handle,
         .salt = kTimeSalt,
         .ops_per_sample = copies,
         .most_samples = 2,
         .most_ns = 60e9},
        [](const protocol::Samples&) { return true; }, kDeadline);
    ASSERT_TRUE(timed) << timed.error().message;
    for (int64_t copy = 0; copy < copies; ++copy) {
      expect_values(work, prepared->handle, copy, false, kTimeSalt);
    }
  }
  const auto released = client_->release(prepared->handle, kDeadline);
  ASSERT_TRUE(released) << released.error().message;
}

}  // namespace ridge
