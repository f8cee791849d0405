#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/client.h"
#include "workload/workload.h"

namespace ridge {

// One worker process for all tests of a suite, spoken to through the real client.
class CpuWorkerTest : public testing::Test {
 protected:
  static constexpr uint64_t kSeed = 20;
  static constexpr double kDeadline = 120;

  static void SetUpTestSuite();
  static void TearDownTestSuite();

  // Prepares the work, runs it on a poisoned output (first and last copy) and compares all elements
  // that elements_to_check gives with float64 arithmetic; then times it and compares every copy.
  static void expect_right(const Workload& work, const Settings& settings = {});
  // The reason why not, or nothing.
  static std::optional<std::string> refusal(const Workload& work, const Settings& settings = {});
  static bool has_dtype(DType dtype);
  static int cores();

  static std::unique_ptr<Client> client_;

 private:
  static void expect_values(const Workload& work, int64_t handle, int64_t copy, bool run,
                            uint64_t salt);
};

}  // namespace ridge
