#include "base/dtype.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstring>

#include "data.h"

namespace ridge {
namespace {

constexpr DType kAll[] = {DType::f64, DType::f32,  DType::tf32,  DType::f16,   DType::bf16,
                          DType::fp8, DType::int8, DType::int32, DType::uint32};

TEST(DType, NamesRoundTripAndAreAllListed) {
  for (const DType dtype : kAll) {
    EXPECT_EQ(parse_dtype(name(dtype)), dtype);
    EXPECT_NE(dtype_names().find(name(dtype)), std::string_view::npos) << name(dtype);
  }
  EXPECT_EQ(parse_dtype("F32"), std::nullopt);
  EXPECT_EQ(parse_dtype(""), std::nullopt);
}

// NaN payloads are free; everything else must be the same bits.
void expect_same_half(uint16_t ours, uint16_t theirs, float (*widen)(uint16_t), uint32_t from) {
  if (std::isnan(widen(theirs))) {
    EXPECT_TRUE(std::isnan(widen(ours))) << std::hex << from;
    EXPECT_EQ(ours >> 15, theirs >> 15) << std::hex << from;
  } else {
    EXPECT_EQ(ours, theirs) << std::hex << from;
  }
}

TEST(DType, HalfConversionsAgreeWithNumPy) {
  const Json data = read_data("half_vectors.json");
  const auto& rows = data.find("f32_f16_bf16")->as_array();
  ASSERT_GT(rows.size(), 300u);
  for (const Json& row : rows) {
    const uint32_t bits = hex(row.as_array()[0]);
    const auto value = std::bit_cast<float>(bits);
    const auto f16 = static_cast<uint16_t>(hex(row.as_array()[1]));
    const auto bf16 = static_cast<uint16_t>(hex(row.as_array()[2]));
    expect_same_half(to_f16(value), f16, from_f16, bits);
    expect_same_half(to_bf16(value), bf16, from_bf16, bits);
  }
  for (const Json& row : data.find("f16_f32")->as_array()) {
    const auto code = static_cast<uint16_t>(hex(row.as_array()[0]));
    const uint32_t bits = hex(row.as_array()[1]);
    if (std::isnan(std::bit_cast<float>(bits))) {
      EXPECT_TRUE(std::isnan(from_f16(code))) << code;
    } else {
      EXPECT_EQ(std::bit_cast<uint32_t>(from_f16(code)), bits) << code;
    }
  }
}

TEST(DType, Fp8ConversionsAgreeWithTheListOfAllCodes) {
  const Json data = read_data("half_vectors.json");
  const auto& rows = data.find("f32_fp8")->as_array();
  ASSERT_GT(rows.size(), 1500u);
  for (const Json& row : rows) {
    const uint32_t bits = hex(row.as_array()[0]);
    EXPECT_EQ(to_fp8(std::bit_cast<float>(bits)), hex(row.as_array()[1])) << std::hex << bits;
  }
  const auto& back = data.find("fp8_f32")->as_array();
  ASSERT_EQ(back.size(), 254u);
  for (const Json& row : back) {
    const auto code = static_cast<uint8_t>(hex(row.as_array()[0]));
    EXPECT_EQ(std::bit_cast<uint32_t>(from_fp8(code)), hex(row.as_array()[1])) << int{code};
    EXPECT_EQ(to_fp8(from_fp8(code)), code);
  }
  EXPECT_TRUE(std::isnan(from_fp8(0x7f)) && std::isnan(from_fp8(0xff)));
}

TEST(DType, EveryHalfCodeSurvivesTheRoundTrip) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto code = static_cast<uint16_t>(i);
    if (std::isnan(from_f16(code))) {
      EXPECT_TRUE(std::isnan(from_f16(to_f16(from_f16(code))))) << i;
    } else {
      EXPECT_EQ(to_f16(from_f16(code)), code);
    }
    if (std::isnan(from_bf16(code))) {
      EXPECT_TRUE(std::isnan(from_bf16(to_bf16(from_bf16(code))))) << i;
    } else {
      EXPECT_EQ(to_bf16(from_bf16(code)), code);
    }
  }
}

// Every float between two neighbouring codes must go to the nearer one.
RC_GTEST_PROP(DType, RoundingGoesToTheNearest, ()) {
  const auto value = std::bit_cast<float>(*full_size(rc::gen::arbitrary<uint32_t>()));
  RC_PRE(std::isfinite(value));
  const auto nearest = [&](uint16_t code, float (*widen)(uint16_t)) {
    const double here = widen(code);
    if (!std::isfinite(here)) return;
    const double away = std::fabs(here - static_cast<double>(value));
    for (const int step : {-1, 1}) {
      const double other = widen(static_cast<uint16_t>(code + step));
      if (!std::isfinite(other)) continue;
      RC_ASSERT(away <= std::fabs(other - static_cast<double>(value)));
    }
  };
  nearest(to_f16(value), from_f16);
  nearest(to_bf16(value), from_bf16);
}

RC_GTEST_PROP(DType, UnitRoundoffBoundsTheError, ()) {
  const int exponent = *full_size(rc::gen::inRange(-14, 15));  // normal numbers of f16
  const auto mantissa =
      1.0f + static_cast<float>(*full_size(rc::gen::inRange(0, 1 << 23))) * 0x1p-23f;
  const float value = std::ldexp(mantissa, exponent);
  const auto within = [&](double stored, DType dtype) {
    RC_ASSERT(std::fabs(stored - static_cast<double>(value)) <=
              unit_roundoff(dtype) * static_cast<double>(value));
  };
  within(from_f16(to_f16(value)), DType::f16);
  within(from_bf16(to_bf16(value)), DType::bf16);
  const float narrow = std::ldexp(mantissa, exponent / 3);  // normal numbers of fp8
  RC_ASSERT(std::fabs(from_fp8(to_fp8(narrow)) - narrow) <=
            unit_roundoff(DType::fp8) * static_cast<double>(narrow));
}

TEST(DType, LoadReadsUnalignedElementsOfEveryType) {
  const auto read = [](DType dtype, auto value) {
    char bytes[3 + 2 * sizeof(value)];
    std::memcpy(bytes + 3 + sizeof(value), &value, sizeof(value));
    EXPECT_EQ(static_cast<size_t>(bytes_of(dtype)), sizeof(value));
    return load(dtype, bytes + 3, 1);
  };
  EXPECT_EQ(read(DType::f64, -0.1), -0.1);
  EXPECT_EQ(read(DType::f32, -0.1f), static_cast<double>(-0.1f));
  EXPECT_EQ(read(DType::tf32, 2.0f), 2.0);
  EXPECT_EQ(read(DType::f16, to_f16(-1.5f)), -1.5);
  EXPECT_EQ(read(DType::bf16, to_bf16(-1.5f)), -1.5);
  EXPECT_EQ(read(DType::int8, int8_t{-128}), -128);
  EXPECT_EQ(read(DType::int32, int32_t{-2147483647}), -2147483647);
  EXPECT_EQ(read(DType::uint32, uint32_t{0xffffffffu}), 4294967295.0);
  EXPECT_EQ(read(DType::fp8, to_fp8(-1.5f)), -1.5);
}

}  // namespace
}  // namespace ridge
