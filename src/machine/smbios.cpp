#include "machine/smbios.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "machine/files.h"

namespace ridge::machine {
namespace {

constexpr size_t kMostDevices = 4096;
constexpr size_t kHeader = 4;

// One structure: its formatted area and the strings behind it.
class Structure {
 public:
  Structure(std::span<const std::byte> formatted, std::span<const std::byte> strings)
      : formatted_(formatted), strings_(strings) {}

  int type() const { return static_cast<int>(formatted_[0]); }

  // Little-endian, of 1, 2 or 4 bytes; nothing where the structure is too short for it.
  std::optional<uint32_t> number(size_t offset, size_t bytes) const {
    if (offset + bytes > formatted_.size()) return std::nullopt;
    uint32_t out = 0;
    for (size_t i = 0; i < bytes; ++i) {
      out |= static_cast<uint32_t>(formatted_[offset + i]) << (8 * i);
    }
    return out;
  }

  // The string whose number (from 1) stands at `offset`; empty if there is none.
  std::string text(size_t offset) const {
    const auto wanted = number(offset, 1);
    if (!wanted || *wanted == 0) return {};
    const std::string_view all(reinterpret_cast<const char*>(strings_.data()), strings_.size());
    size_t at = 0;
    for (uint32_t i = 1; at < all.size(); ++i) {
      const size_t end = std::min(all.find('\0', at), all.size());
      if (i == *wanted) return printable(all.substr(at, end - at));
      at = end + 1;
    }
    return {};
  }

 private:
  static std::string printable(std::string_view raw) {
    std::string out;
    for (const char c : trim(raw)) out += c >= 0x20 && c < 0x7f ? c : '?';
    return out;
  }

  std::span<const std::byte> formatted_, strings_;
};

// DSP0134 3.7, table 78.
std::string_view memory_type(uint32_t type) {
  static constexpr std::array<std::string_view, 0x25> names = {"",
                                                               "",
                                                               "",
                                                               "DRAM",
                                                               "EDRAM",
                                                               "VRAM",
                                                               "SRAM",
                                                               "RAM",
                                                               "ROM",
                                                               "Flash",
                                                               "EEPROM",
                                                               "FEPROM",
                                                               "EPROM",
                                                               "CDRAM",
                                                               "3DRAM",
                                                               "SDRAM",
                                                               "SGRAM",
                                                               "RDRAM",
                                                               "DDR",
                                                               "DDR2",
                                                               "DDR2 FB-DIMM",
                                                               "",
                                                               "",
                                                               "",
                                                               "DDR3",
                                                               "FBD2",
                                                               "DDR4",
                                                               "LPDDR",
                                                               "LPDDR2",
                                                               "LPDDR3",
                                                               "LPDDR4",
                                                               "Logical non-volatile device",
                                                               "HBM",
                                                               "HBM2",
                                                               "DDR5",
                                                               "LPDDR5",
                                                               "HBM3"};
  return type < names.size() ? names[type] : "";
}

constexpr std::string_view kSilent = "the SMBIOS tables do not tell";

Known<std::string> text_or_unknown(std::string text) {
  if (text.empty()) return Known<std::string>::unknown(std::string(kSilent));
  return text;
}

// 0 and 0xffff mean "unknown" or "see elsewhere".
Known<int64_t> width(std::optional<uint32_t> value) {
  if (!value || *value == 0 || *value == 0xffff) {
    return Known<int64_t>::unknown(std::string(kSilent));
  }
  return static_cast<int64_t>(*value);
}

Known<double> rate(const Structure& s, size_t offset, size_t extended_offset) {
  auto value = s.number(offset, 2);
  if (value && *value == 0xffff) {
    value = s.number(extended_offset, 4);
    if (value) *value &= 0x7fffffffu;
  }
  if (!value || *value == 0) return Known<double>::unknown(std::string(kSilent));
  return *value * 1e6;
}

// Nothing: an empty slot. Unknown: something is plugged in, and its size is not told.
std::optional<Known<int64_t>> size_of(const Structure& s) {
  const auto size = s.number(0x0c, 2);
  if (size && *size == 0) return std::nullopt;
  if (!size || *size == 0xffff) return Known<int64_t>::unknown(std::string(kSilent));
  if (*size == 0x7fff) {
    const auto mebibytes = s.number(0x1c, 4);
    if (!mebibytes || (*mebibytes & 0x7fffffffu) == 0) {
      return Known<int64_t>::unknown(std::string(kSilent));
    }
    return Known<int64_t>(static_cast<int64_t>(*mebibytes & 0x7fffffffu) << 20);
  }
  return Known<int64_t>(static_cast<int64_t>(*size & 0x7fffu) << (*size & 0x8000u ? 10 : 20));
}

void add_memory(const Structure& s, Smbios& out) {
  ++out.memory_slots;
  const auto size = size_of(s);
  if (!size || out.memory.size() == kMostDevices) return;
  MemoryDevice device;
  device.bytes = *size;
  device.locator = s.text(0x10);
  device.bank = s.text(0x11);
  device.type = text_or_unknown(std::string(memory_type(s.number(0x12, 1).value_or(0))));
  device.manufacturer = text_or_unknown(s.text(0x17));
  device.part_number = text_or_unknown(s.text(0x1a));
  device.total_width_bits = width(s.number(0x08, 2));
  device.data_width_bits = width(s.number(0x0a, 2));
  const auto attributes = s.number(0x1b, 1);
  device.ranks = width(attributes ? std::optional<uint32_t>(*attributes & 0x0fu) : std::nullopt);
  device.rated_transfers_per_s = rate(s, 0x15, 0x54);
  device.configured_transfers_per_s = rate(s, 0x20, 0x58);
  out.memory.push_back(std::move(device));
}

void add(const Structure& s, Smbios& out) {
  if (s.type() == 1 && out.product.empty()) {
    out.manufacturer = s.text(0x04);
    out.product = s.text(0x05);
  } else if (s.type() == 4 && out.processors.size() < kMostDevices) {
    const bool populated = s.number(0x18, 1).value_or(0) & 0x40u;
    const std::string version = s.text(0x10);
    if (populated && !version.empty()) out.processors.push_back(version);
  } else if (s.type() == 17) {
    add_memory(s, out);
  }
}

// The words up to and with "channel X" of a locator: what names a channel.
// "P0_Node1_Channel2_Dimm0"
// -> "p0_node1_channel2"; "ChannelA-DIMM0" -> "channela".
std::optional<std::string> channel_in(std::string_view locator) {
  std::string lower(locator);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const size_t at = lower.find("channel");
  if (at == std::string::npos) return std::nullopt;
  size_t end = at + 7;
  while (end < lower.size() && (lower[end] == ' ' || lower[end] == '_' || lower[end] == '-')) ++end;
  const size_t id = end;
  while (end < lower.size() && std::isalnum(static_cast<unsigned char>(lower[end]))) ++end;
  // An identifier is short; "channel is" and the like name nothing.
  if (end == id || end - id > 3) return std::nullopt;
  return lower.substr(0, end);
}

// A channel's name, if the firmware says the word. Never from bare letters: "A1, A2" are two slots
// of one channel on some boards and two channels on others.
std::optional<std::string> channel_of(const MemoryDevice& device) {
  if (const auto from_bank = channel_in(device.bank)) return from_bank;
  return channel_in(device.locator);
}

}  // namespace

Smbios parse_smbios(std::span<const std::byte> table) {
  Smbios out;
  size_t at = 0;
  while (at + kHeader <= table.size()) {
    const auto length = static_cast<size_t>(table[at + 1]);
    if (length < kHeader || at + length > table.size()) {
      out.truncated = true;
      return out;
    }
    // The strings end with two zero bytes; a structure without strings has just those two.
    size_t end = at + length;
    while (end + 1 < table.size() && (table[end] != std::byte{0} || table[end + 1] != std::byte{0}))
      ++end;
    const bool whole = end + 1 < table.size();
    const size_t strings_end = whole ? end : table.size();
    const Structure structure(table.subspan(at, length),
                              table.subspan(at + length, strings_end - at - length));
    add(structure, out);
    if (!whole) {
      out.truncated = true;
      return out;
    }
    if (structure.type() == 127) return out;  // end of table
    at = end + 2;
  }
  out.truncated = at < table.size();
  return out;
}

Known<double> theoretical_bandwidth(std::span<const MemoryDevice> populated, size_t sockets) {
  const auto unknown = [](std::string why) { return Known<double>::unknown(std::move(why)); };
  if (populated.empty()) return unknown("the SMBIOS tables list no populated device");
  std::map<std::string, double> channels;  // the slowest device of each
  for (const MemoryDevice& device : populated) {
    if (!device.data_width_bits || !device.configured_transfers_per_s) {
      return unknown(fmt::format("the SMBIOS tables do not give width and configured speed of '{}'",
                                 device.locator));
    }
    const double bytes_per_s =
        static_cast<double>(*device.data_width_bits) / 8 * *device.configured_transfers_per_s;
    auto channel = channel_of(device);
    if (!channel && populated.size() > 1) {
      return unknown(
          fmt::format("the firmware names no channel for '{}', so whether any of the {} "
                      "modules share one is not known",
                      device.locator, populated.size()));
    }
    if (channel && sockets > 1 && channel->starts_with("channel")) {
      return unknown(fmt::format("the firmware does not say to which of {} sockets '{}' belongs",
                                 sockets, device.locator));
    }
    const auto [place, added] = channels.emplace(channel.value_or(""), bytes_per_s);
    if (!added) place->second = std::min(place->second, bytes_per_s);
  }
  double sum = 0;
  for (const auto& [channel, bytes_per_s] : channels) sum += bytes_per_s;
  return sum;
}

}  // namespace ridge::machine
