// Ticks are round, lie on the axis and are labelled as what they are.

#include "report/axis.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "picture_reader.h"

namespace {

using namespace ridge;
using namespace report_test;

std::vector<std::string> labels(const Axis& axis, size_t most) {
  std::vector<std::string> out;
  for (const Tick& tick : ticks(axis, [&](const auto& found) { return found.size() <= most; })) {
    out.push_back(tick.label);
  }
  return out;
}

TEST(Axis, TicksAreTheDensestThatFit) {
  using Labels = std::vector<std::string>;
  const Axis flops{.quantity = Quantity::flop_per_s, .lo = 9e9, .hi = 1.1e12};
  EXPECT_EQ(labels(flops, 10), (Labels{"10 GFLOPS", "20 GFLOPS", "50 GFLOPS", "100 GFLOPS",
                                       "200 GFLOPS", "500 GFLOPS", "1 TFLOPS"}));
  EXPECT_EQ(labels(flops, 6),
            (Labels{"10 GFLOPS", "30 GFLOPS", "100 GFLOPS", "300 GFLOPS", "1 TFLOPS"}));
  EXPECT_EQ(labels(flops, 4), (Labels{"10 GFLOPS", "100 GFLOPS", "1 TFLOPS"}));
  const Axis sizes{.quantity = Quantity::bytes, .lo = 4096, .hi = 0x1p29};
  EXPECT_EQ(labels(sizes, 5), (Labels{"4 KiB", "64 KiB", "1 MiB", "16 MiB", "256 MiB"}));
  EXPECT_EQ(labels(sizes, 3), (Labels{"32 KiB", "1 MiB", "32 MiB"}));
  EXPECT_EQ(labels(sizes, 1), (Labels{"1 MiB"}));
  const Axis rates{.quantity = Quantity::byte_per_s, .logarithmic = false, .lo = 0, .hi = 2.2e11};
  EXPECT_EQ(labels(rates, 6), (Labels{"0", "50 GB/s", "100 GB/s", "150 GB/s", "200 GB/s"}));
  EXPECT_TRUE(labels(rates, 0).empty());
}

RC_GTEST_PROP(Axis, TicksAreWhatTheirLabelsSay, ()) {
  const auto quantity = *rc::gen::element(Quantity::flop_per_byte, Quantity::flop_per_s,
                                          Quantity::byte_per_s, Quantity::bytes, Quantity::ns);
  const double lo = std::pow(10, *rc::gen::inRange(0, 700) / 100.0);
  const Axis axis =
      *rc::gen::arbitrary<bool>()
          ? log_axis(quantity, std::vector<double>{lo, lo * *rc::gen::inRange(1, 99)}, 10, 0.05)
          : linear_axis(quantity, std::vector<double>{lo});
  const auto found = ticks(axis, [](const auto& all) { return all.size() <= 12; });
  RC_ASSERT(!found.empty());
  for (size_t i = 0; i < found.size(); ++i) {
    RC_ASSERT(axis.holds(found[i].value * (1 + 1e-9)) || axis.holds(found[i].value * (1 - 1e-9)));
    RC_ASSERT(std::fabs(value_of(found[i].label) - found[i].value) <= 1e-5 * found[i].value);
    if (i > 0) RC_ASSERT(found[i - 1].value < found[i].value);
  }
}

RC_GTEST_PROP(Axis, HoldsAllItIsMadeFor, ()) {
  auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(
      rc::gen::map(rc::gen::inRange(-9000, 9000), [](int e) { return std::pow(10, e / 1000.0); })));
  const Axis axis = log_axis(Quantity::flop_per_byte, values, 100, 0.05);
  for (const double value : values) {
    RC_ASSERT(axis.at(value) > 0 && axis.at(value) < 1);
    RC_ASSERT(std::fabs(axis.value(axis.at(value)) / value - 1) < 1e-9);
  }
  RC_ASSERT(axis.hi / axis.lo >= 100);
}

}  // namespace
