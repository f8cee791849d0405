#include "machine/smbios.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "smbios_builder.h"

namespace ridge::machine {
namespace {

Smbios parse(const std::string& bytes) {
  // A copy of the exact size: a sanitizer sees any read behind it.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return parse_smbios({reinterpret_cast<const std::byte*>(exact.data()), exact.size()});
}

SmbiosBuilder two_channels() {
  SmbiosBuilder b;
  b.processor("Example(R) CPU 9000");
  b.dimm({.locator = "DIMM 0", .bank = "P0 CHANNEL A"});
  b.dimm({.locator = "DIMM 1", .bank = "P0 CHANNEL A", .configured = 4400});
  b.dimm({.locator = "DIMM 0", .bank = "P0 CHANNEL B"});
  b.dimm({.size = 0, .locator = "DIMM 1", .bank = "P0 CHANNEL B"});
  b.end();
  return b;
}

TEST(Smbios, ReadsDevices) {
  const Smbios s = parse(two_channels().bytes());
  EXPECT_FALSE(s.truncated);
  EXPECT_EQ(s.memory_slots, 4);
  ASSERT_EQ(s.memory.size(), 3u);
  EXPECT_EQ(s.processors, std::vector<std::string>{"Example(R) CPU 9000"});
  const MemoryDevice& d = s.memory[1];
  EXPECT_EQ(d.locator, "DIMM 1");
  EXPECT_EQ(d.bank, "P0 CHANNEL A");
  EXPECT_EQ(*d.type, "DDR5");
  EXPECT_EQ(*d.manufacturer, "Maker");
  EXPECT_EQ(*d.part_number, "PART-1");
  EXPECT_EQ(*d.bytes, int64_t{32} << 30);
  EXPECT_EQ(*d.data_width_bits, 64);
  EXPECT_EQ(*d.total_width_bits, 72);
  EXPECT_EQ(*d.ranks, 2);
  EXPECT_EQ(*d.rated_transfers_per_s, 4800e6);
  EXPECT_EQ(*d.configured_transfers_per_s, 4400e6);
}

TEST(Smbios, TwoDevicesOfAChannelDoNotGoFaster) {
  const auto bandwidth = theoretical_bandwidth(parse(two_channels().bytes()).memory, 1);
  ASSERT_TRUE(bandwidth) << bandwidth.reason;
  EXPECT_DOUBLE_EQ(*bandwidth, 8 * 4400e6 + 8 * 4800e6);
}

TEST(Smbios, OneDeviceNeedsNoChannel) {
  SmbiosBuilder b;
  b.dimm({.locator = "A1", .bank = "BANK 0", .type = 0x1a, .rated = 3200, .configured = 3200});
  const auto s = parse(b.bytes());
  EXPECT_EQ(*s.memory.at(0).type, "DDR4");
  EXPECT_DOUBLE_EQ(*theoretical_bandwidth(s.memory, 1), 25.6e9);
}

TEST(Smbios, BandwidthIsNeverGuessed) {
  const auto of = [](std::vector<SmbiosBuilder::Dimm> dimms, size_t sockets) {
    SmbiosBuilder b;
    for (const auto& d : dimms) b.dimm(d);
    return theoretical_bandwidth(parse(b.bytes()).memory, sockets);
  };
  EXPECT_FALSE(of({}, 1));
  // Letters alone name no channel: Dell's A1 and A2 are two channels, others' are one.
  const auto letters = of({{.locator = "A1"}, {.locator = "A2"}}, 1);
  EXPECT_FALSE(letters);
  EXPECT_NE(letters.reason.find("no channel"), std::string::npos);
  EXPECT_FALSE(of({{.locator = "ChannelA-DIMM0", .configured = 0}}, 1));
  EXPECT_FALSE(of({{.data_bits = 0xffff, .locator = "ChannelA-DIMM0"}}, 1));
  EXPECT_TRUE(of({{.locator = "ChannelA-DIMM0"}, {.locator = "ChannelB-DIMM0"}}, 1));
  // With two sockets the same name may be two channels.
  EXPECT_FALSE(of({{.locator = "ChannelA-DIMM0"}, {.locator = "ChannelA-DIMM0"}}, 2));
  EXPECT_DOUBLE_EQ(*of({{.locator = "P0_Node0_Channel0_Dimm0"},
                        {.locator = "P1_Node0_Channel0_Dimm0"},
                        {.locator = "P1_Node0_Channel0_Dimm1"}},
                       2),
                   2 * 8 * 4800e6);
}

TEST(Smbios, OddSizesAndSpeeds) {
  SmbiosBuilder b;
  b.dimm({.size = 0x8000 | 512});  // KiB
  b.dimm({.size = 2048});          // MiB
  b.dimm({.size = 0xffff});
  b.dimm({.type = 0x02, .rated = 0xffff, .configured = 0xffff, .extended_configured = 70000});
  const auto s = parse(b.bytes());
  ASSERT_EQ(s.memory.size(), 4u);
  EXPECT_EQ(*s.memory[0].bytes, 512 << 10);
  EXPECT_EQ(*s.memory[1].bytes, int64_t{2} << 30);
  EXPECT_FALSE(s.memory[2].bytes);
  EXPECT_FALSE(s.memory[3].type);
  EXPECT_FALSE(s.memory[3].rated_transfers_per_s);
  EXPECT_EQ(*s.memory[3].configured_transfers_per_s, 70000e6);
}

TEST(Smbios, OldShortStructuresLackFields) {
  SmbiosBuilder b;
  b.dimm({.size = 1024, .locator = "DIMM0"}, 0x15);  // SMBIOS 2.1 ended here
  const auto s = parse(b.bytes());
  ASSERT_EQ(s.memory.size(), 1u);
  EXPECT_EQ(*s.memory[0].bytes, int64_t{1} << 30);
  EXPECT_FALSE(s.memory[0].rated_transfers_per_s);
  EXPECT_FALSE(s.memory[0].configured_transfers_per_s);
  EXPECT_FALSE(theoretical_bandwidth(s.memory, 1));
}

TEST(Smbios, TruncatedAtEveryByte) {
  const std::string whole = two_channels().bytes();
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto s = parse(whole.substr(0, length));
    EXPECT_LE(s.memory.size(), 3u);
  }
}

TEST(Smbios, HostileStructures) {
  EXPECT_TRUE(parse(std::string("\x11\x00\x00\x00\x00\x00", 6)).truncated);  // length 0: no loop
  EXPECT_TRUE(parse(std::string("\x11\x03\x00\x00\x00\x00", 6)).truncated);
  EXPECT_TRUE(parse(std::string("\x11\xff\x00\x00\x00\x00", 6)).truncated);  // longer than there is
  SmbiosBuilder b;  // a string number that is not there, and control characters
  b.raw(std::string("\x01\x08\x00\x00\x01\x09\x00\x00 a\x01\x1b[31m\xff\x00\x00", 18));
  const auto s = parse(b.bytes());
  EXPECT_EQ(s.manufacturer, "a??[31m?");
  EXPECT_EQ(s.product, "");
}

RC_GTEST_PROP(Smbios, SurvivesRandomBytes, (const std::string& bytes)) { parse(bytes); }

RC_GTEST_PROP(Smbios, SurvivesDamage, ()) {
  std::string bytes = two_channels().bytes();
  for (int i = *rc::gen::inRange(1, 20); i > 0; --i) {
    bytes[*rc::gen::inRange<size_t>(0, bytes.size())] = *rc::gen::arbitrary<char>();
  }
  const auto s = parse(bytes);
  RC_ASSERT(s.memory_slots <= 400);
  theoretical_bandwidth(s.memory, 1);
}

}  // namespace
}  // namespace ridge::machine
