#include "base/units.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <clocale>
#include <cmath>
#include <locale>

#include "data.h"

namespace ridge {
namespace {

TEST(Units, Rates) {
  EXPECT_EQ(show_rate(1.31e12, RateUnit::flop_per_s), "1.31 TFLOPS");
  EXPECT_EQ(show_rate(25.34e9, RateUnit::byte_per_s), "25.3 GB/s");
  EXPECT_EQ(show_rate(4.239e12, RateUnit::byte_per_s), "4.24 TB/s");
  EXPECT_EQ(show_rate(360e9, RateUnit::flop_per_s), "360 GFLOPS");
  EXPECT_EQ(show_rate(0, RateUnit::flop_per_s), "0.00 FLOPS");
  // Rounding moves to the next unit or digit; never "1000 GFLOPS", never four digits.
  EXPECT_EQ(show_rate(999.4e9, RateUnit::flop_per_s), "999 GFLOPS");
  EXPECT_EQ(show_rate(999.6e9, RateUnit::flop_per_s), "1.00 TFLOPS");
  EXPECT_EQ(show_rate(9.996e9, RateUnit::byte_per_s), "10.0 GB/s");
  for (const RateUnit unit : {RateUnit::flop_per_s, RateUnit::byte_per_s}) {
    EXPECT_EQ(parse_rate_unit(name(unit)), unit);
  }
  EXPECT_EQ(parse_rate_unit("GB/s"), std::nullopt);
}

TEST(Units, Times) {
  EXPECT_EQ(show_time(512), "512 ns");
  EXPECT_EQ(show_time(1.24e6), "1.24 ms");
  EXPECT_EQ(show_time(3.1e9), "3.10 s");
  EXPECT_EQ(show_time(0.5), "0.50 ns");
  EXPECT_EQ(show_duration(3.21), "3.2 s");
  EXPECT_EQ(show_duration(42), "42 s");
  EXPECT_EQ(show_duration(185), "3 min 05 s");
  EXPECT_EQ(show_duration(119.7), "2 min 00 s");
  EXPECT_EQ(show_duration(7205), "2 h 00 min");
  EXPECT_EQ(show_duration(-1), "unknown");
  EXPECT_EQ(show_duration(std::nan("")), "unknown");
}

TEST(Units, Bytes) {
  EXPECT_EQ(show_bytes(0), "0 B");
  EXPECT_EQ(show_bytes(1023), "1023 B");
  EXPECT_EQ(show_bytes(64 << 20), "64 MiB");
  EXPECT_EQ(show_bytes(1536), "1.50 KiB");
  EXPECT_EQ(show_bytes(25125558681), "23.4 GiB");
  EXPECT_EQ(*parse_bytes("65536"), 65536);
  EXPECT_EQ(*parse_bytes("64KiB"), 65536);
  EXPECT_EQ(*parse_bytes("64 MiB"), 64 << 20);
  EXPECT_EQ(*parse_bytes("1GiB"), 1 << 30);
  EXPECT_EQ(*parse_bytes("1.5GB"), 1500000000);
  EXPECT_EQ(*parse_duration("90"), 90);
  EXPECT_EQ(*parse_duration("90s"), 90);
  EXPECT_EQ(*parse_duration("2min"), 120);
  EXPECT_EQ(*parse_duration("1h"), 3600);
  EXPECT_EQ(*parse_duration("250ms"), 0.25);
}

TEST(Units, ParsersRefuseWhatIsUnclear) {
  for (const char* text : {"", "GiB", "-1", "1.5.5", "64kb", "64K", "0x10", "nan", "inf", "1e400",
                           "1,5GB", "64 MiB ", "2EiB", "99999999TiB"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
  for (const char* text : {"", "s", "-1s", "2m", "1d", "nan", "1h30min", "1e9"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
  EXPECT_EQ(parse_bytes("64K").error().message,
            "'64K' is not a size in bytes (write it like 64MiB)");
}

RC_GTEST_PROP(Units, WhatIsShownParsesToThreeDigits, ()) {
  const auto bytes =
      *full_size(rc::gen::inRange<int64_t>(0, int64_t{1} << *full_size(rc::gen::inRange(1, 59))));
  const auto again = parse_bytes(show_bytes(bytes));
  RC_ASSERT(again.ok());
  RC_ASSERT(std::fabs(static_cast<double>(*again - bytes)) <= 0.0051 * static_cast<double>(bytes));
}

RC_GTEST_PROP(Units, ExactPowersAndMultiplesAreShownExactly, ()) {
  const auto power = 10 * *full_size(rc::gen::inRange(0, 5));
  const auto count = *full_size(rc::gen::inRange<int64_t>(1, 1024));
  RC_ASSERT(*parse_bytes(show_bytes(count << power)) == count << power);
}

RC_GTEST_PROP(Units, ParsersNeverCrash, (const std::string& text)) {
  (void)parse_bytes(text).ok();
  (void)parse_duration(text).ok();
}

struct CommaForPoint : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(Units, NoLocaleChangesAnything) {
  const std::locale before = std::locale::global(std::locale(std::locale(), new CommaForPoint));
  // The C library's locale too, where a German one is installed.
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "de_DE"}) {
    if (std::setlocale(LC_ALL, name)) break;
  }
  EXPECT_EQ(show_rate(25.34e9, RateUnit::byte_per_s), "25.3 GB/s");
  EXPECT_EQ(show_bytes(1023), "1023 B");
  EXPECT_EQ(show_bytes(1536), "1.50 KiB");
  EXPECT_EQ(show_duration(3.21), "3.2 s");
  EXPECT_EQ(*parse_bytes("1.5GB"), 1500000000);
  EXPECT_FALSE(parse_bytes("1,5GB"));
  EXPECT_EQ(*parse_duration("1.5s"), 1.5);
  std::setlocale(LC_ALL, "C");
  std::locale::global(before);
}

}  // namespace
}  // namespace ridge
