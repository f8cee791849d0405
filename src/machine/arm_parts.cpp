#include "machine/arm_parts.h"

#include <array>
#include <string_view>

namespace ridge::machine {
namespace {

struct Part {
  int64_t implementer, part;
  std::string_view name;
};

// From Linux, arch/arm64/include/asm/cputype.h, and util-linux, sys-utils/lscpu-arm.c.
constexpr std::array<Part, 42> kParts = {{
    {0x41, 0xd03, "Cortex-A53"},   {0x41, 0xd04, "Cortex-A35"},   {0x41, 0xd05, "Cortex-A55"},
    {0x41, 0xd07, "Cortex-A57"},   {0x41, 0xd08, "Cortex-A72"},   {0x41, 0xd09, "Cortex-A73"},
    {0x41, 0xd0a, "Cortex-A75"},   {0x41, 0xd0b, "Cortex-A76"},   {0x41, 0xd0c, "Neoverse-N1"},
    {0x41, 0xd0d, "Cortex-A77"},   {0x41, 0xd40, "Neoverse-V1"},  {0x41, 0xd41, "Cortex-A78"},
    {0x41, 0xd42, "Cortex-A78AE"}, {0x41, 0xd44, "Cortex-X1"},    {0x41, 0xd46, "Cortex-A510"},
    {0x41, 0xd47, "Cortex-A710"},  {0x41, 0xd48, "Cortex-X2"},    {0x41, 0xd49, "Neoverse-N2"},
    {0x41, 0xd4a, "Neoverse-E1"},  {0x41, 0xd4d, "Cortex-A715"},  {0x41, 0xd4e, "Cortex-X3"},
    {0x41, 0xd4f, "Neoverse-V2"},  {0x41, 0xd80, "Cortex-A520"},  {0x41, 0xd81, "Cortex-A720"},
    {0x41, 0xd82, "Cortex-X4"},    {0x41, 0xd84, "Neoverse-V3"},  {0x41, 0xd85, "Cortex-X925"},
    {0x41, 0xd87, "Cortex-A725"},  {0x41, 0xd8e, "Neoverse-N3"},  {0x43, 0x0af, "ThunderX2-99xx"},
    {0x46, 0x001, "A64FX"},        {0x48, 0xd01, "TaiShan-v110"}, {0x48, 0xd02, "TaiShan-v120"},
    {0x4e, 0x004, "Carmel"},       {0x51, 0x001, "Oryon"},        {0x61, 0x022, "Icestorm-M1"},
    {0x61, 0x023, "Firestorm-M1"}, {0x61, 0x032, "Blizzard-M2"},  {0x61, 0x033, "Avalanche-M2"},
    {0xc0, 0xac3, "Ampere-1"},     {0xc0, 0xac4, "Ampere-1a"},    {0x6d, 0xd49, "Azure-Cobalt-100"},
}};

constexpr std::array<Part, 11> kImplementers = {{
    {0x41, 0, "ARM"},
    {0x42, 0, "Broadcom"},
    {0x43, 0, "Cavium"},
    {0x46, 0, "Fujitsu"},
    {0x48, 0, "HiSilicon"},
    {0x4e, 0, "NVIDIA"},
    {0x50, 0, "APM"},
    {0x51, 0, "Qualcomm"},
    {0x61, 0, "Apple"},
    {0x6d, 0, "Microsoft"},
    {0xc0, 0, "Ampere"},
}};

}  // namespace

std::string arm_core_name(int64_t implementer, int64_t part) {
  for (const Part& known : kParts) {
    if (known.implementer == implementer && known.part == part) return std::string(known.name);
  }
  return {};
}

std::string arm_implementer_name(int64_t implementer) {
  for (const Part& known : kImplementers) {
    if (known.implementer == implementer) return std::string(known.name);
  }
  return {};
}

}  // namespace ridge::machine
