#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "machine/machine.h"

namespace ridge {
namespace {

constexpr size_t kLongestModel = 40;

// Lower-case words of letters and digits, joined by '-'; what only advertises is left out.
std::string slug(std::string_view text) {
  static constexpr std::array<std::string_view, 10> noise = {
      "r", "tm", "c", "cpu", "processor", "core", "with", "genuine", "technologies", "graphics"};
  const size_t at = text.find('@');  // "… CPU @ 2.60GHz": a clock is no identity
  std::string out, word;
  const auto flush = [&] {
    const bool skip = std::find(noise.begin(), noise.end(), word) != noise.end();
    if (!word.empty() && !skip) out += (out.empty() ? "" : "-") + word;
    word.clear();
  };
  for (const char c : text.substr(0, at)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && std::isalnum(byte)) {
      word += static_cast<char>(std::tolower(byte));
    } else {
      flush();
    }
  }
  flush();
  return out.substr(0, kLongestModel);
}

uint32_t fnv1a(std::string_view text) {
  uint32_t hash = 0x811c9dc5u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return hash;
}

}  // namespace

std::string machine_key(const Machine& machine) {
  const auto number = [](const Known<int64_t>& value) {
    return value ? fmt::format("{}", *value) : std::string("?");
  };
  const std::string model = machine.cpu.model ? *machine.cpu.model : machine.cpu.architecture;
  std::string key = slug(model);
  if (key.empty()) key = "unknown";
  const auto& cores = machine.cpu.cores ? machine.cpu.cores : machine.cpu.threads;
  if (cores) key += fmt::format("-{}c", *cores);
  // Whole GiB: the kernel keeps some memory for itself, a little more or less with each version.
  std::string memory = "?";
  if (machine.memory.total_bytes) memory = fmt::format("{}", *machine.memory.total_bytes >> 30);
  if (machine.memory.total_bytes) key += fmt::format("-{}g", memory);

  std::string identity =
      fmt::format("{}|{}|{}|{}|{}", model, number(machine.cpu.sockets), number(machine.cpu.cores),
                  number(machine.cpu.threads), memory);
  std::map<std::string, int> gpus;
  for (const NvidiaDevice& device : machine.nvidia.devices) {
    if (device.name) ++gpus[*device.name];
  }
  for (const auto& [name, count] : gpus) {
    key += fmt::format("-{}x-{}", count, slug(name));
    identity += fmt::format("|{}x{}", count, name);
  }
  if (machine.apple_gpu.cores) {  // one name, two sizes: an M3 Max has 30 or 40
    key += fmt::format("-{}gpu", *machine.apple_gpu.cores);
    identity += fmt::format("|{} GPU cores", *machine.apple_gpu.cores);
  }
  return fmt::format("{}-{:06x}", key, fnv1a(identity) & 0xffffffu);
}

}  // namespace ridge
