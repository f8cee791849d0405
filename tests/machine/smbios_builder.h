#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ridge::machine {

// Makes SMBIOS structures byte by byte, after DSP0134 and apart from the parser's code.
class SmbiosBuilder {
 public:
  struct Dimm {
    uint16_t total_bits = 72, data_bits = 64;
    uint16_t size = 0x7fff;         // 0: an empty slot; 0xffff: unknown
    uint32_t extended_mib = 32768;  // counts where size is 0x7fff
    std::string locator, bank;
    uint8_t type = 0x22;  // DDR5
    uint16_t rated = 4800, configured = 4800;
    uint32_t extended_rated = 0, extended_configured = 0;
  };

  void dimm(const Dimm& d, size_t length = 0x5c) {
    std::string s(0x5c, '\0');
    s[0] = 17;
    s[1] = static_cast<char>(length);
    word(s, 0x08, d.total_bits);
    word(s, 0x0a, d.data_bits);
    word(s, 0x0c, d.size);
    s[0x10] = 1;
    s[0x11] = 2;
    s[0x12] = static_cast<char>(d.type);
    word(s, 0x15, d.rated);
    s[0x17] = 3;
    s[0x1a] = 4;
    s[0x1b] = 2;  // ranks
    dword(s, 0x1c, d.extended_mib);
    word(s, 0x20, d.configured);
    dword(s, 0x54, d.extended_rated);
    dword(s, 0x58, d.extended_configured);
    add(s.substr(0, length), {d.locator, d.bank, "Maker", "PART-1  "});
  }
  void processor(const std::string& version, bool populated = true) {
    std::string s(0x1a, '\0');
    s[0] = 4;
    s[1] = 0x1a;
    s[0x10] = 1;
    s[0x18] = populated ? 0x41 : 0x00;
    add(s, {version});
  }
  void end() { add(std::string("\x7f\x04\x00\x00", 4), {}); }
  void raw(const std::string& bytes) { bytes_ += bytes; }
  const std::string& bytes() const { return bytes_; }

 private:
  static void word(std::string& s, size_t at, uint16_t value) {
    s[at] = static_cast<char>(value & 0xff);
    s[at + 1] = static_cast<char>(value >> 8);
  }
  static void dword(std::string& s, size_t at, uint32_t value) {
    word(s, at, static_cast<uint16_t>(value & 0xffff));
    word(s, at + 2, static_cast<uint16_t>(value >> 16));
  }
  void add(const std::string& formatted, const std::vector<std::string>& strings) {
    bytes_ += formatted;
    for (const std::string& text : strings) bytes_ += (text.empty() ? " " : text) + '\0';
    bytes_ += strings.empty() ? std::string(2, '\0') : std::string(1, '\0');
  }
  std::string bytes_;
};

}  // namespace ridge::machine
