#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "machine/files.h"
#include "machine/isa.h"
#include "machine/platform.h"

// Instructions stand as inline assembly, so that neither this file nor the program needs -march,
// and no compiler's intrinsics have to be right: g++ 12's _tile_loadconfig declares 8 of the 64
// bytes that it reads.
namespace ridge::machine {
namespace {

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};
static_assert(sizeof(Registers) == 16);

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return {};
  return r;
}

constexpr bool bit(uint32_t word, int index) { return (word >> index) & 1u; }

template <uint32_t Leaf, uint32_t Subleaf, uint32_t Registers::*Register, int Bit>
Known<bool> announced() {
  return bit(cpuid(Leaf, Subleaf).*Register, Bit);
}

constexpr uint32_t kFloatOne = 0x3f800000, kFloatTwo = 0x40000000;

struct alignas(64) Vector {
  std::array<uint32_t, 16> word{};
  static Vector all(uint32_t value) {
    Vector v;
    v.word.fill(value);
    return v;
  }
  bool holds(uint32_t value, size_t count) const {
    for (size_t i = 0; i < count; ++i) {
      if (word[i] != value) return false;
    }
    return true;
  }
};

bool run_sse42() {
  uint32_t crc = 0;
  const uint8_t byte = 1;
  asm volatile("crc32b %1, %0" : "+r"(crc) : "m"(byte));
  return crc == 0xf26b8303;  // entry 1 of the CRC-32C table
}

bool run_avx() {
  const Vector a = Vector::all(kFloatOne);
  Vector out;
  asm volatile(
      "vmovups %1, %%ymm0\n vaddps %%ymm0, %%ymm0, %%ymm0\n vmovups %%ymm0, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "xmm0");
  return out.holds(kFloatTwo, 8);
}

bool run_avx2() {
  const Vector a = Vector::all(21);
  Vector out;
  asm volatile(
      "vmovdqu %1, %%ymm0\n vpaddd %%ymm0, %%ymm0, %%ymm0\n vmovdqu %%ymm0, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "xmm0");
  return out.holds(42, 8);
}

bool run_fma() {
  const Vector a = Vector::all(kFloatOne);
  Vector out;
  asm volatile(
      "vmovups %1, %%ymm0\n vfmadd231ps %%ymm0, %%ymm0, %%ymm0\n vmovups %%ymm0, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "xmm0");
  return out.holds(kFloatTwo, 8);
}

bool run_f16c() {
  const Vector a = Vector::all(kFloatOne);
  Vector out;
  asm volatile("vmovups %1, %%ymm0\n vcvtps2ph $0, %%ymm0, %%xmm0\n vmovups %%ymm0, %0\n vzeroupper"
               : "=m"(out)
               : "m"(a)
               : "xmm0");
  return out.holds(0x3c003c00, 4);
}

bool run_avx512f() {
  const Vector a = Vector::all(kFloatOne);
  Vector out;
  asm volatile(
      "vmovups %1, %%zmm0\n vaddps %%zmm0, %%zmm0, %%zmm0\n vmovups %%zmm0, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "xmm0");
  return out.holds(kFloatTwo, 16);
}

bool run_avx512bw() {
  const Vector a = Vector::all(0x00010001);
  Vector out;
  asm volatile(
      "vmovdqu32 %1, %%zmm0\n vpaddw %%zmm0, %%zmm0, %%zmm0\n vmovdqu32 %%zmm0, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "xmm0");
  return out.holds(0x00020002, 16);
}

// The same as avx2's, on a register that only the 512-bit encodings have.
bool run_avx512vl() {
  const Vector a = Vector::all(21);
  Vector out;
  asm volatile(
      "vmovdqu32 %1, %%ymm16\n vpaddd %%ymm16, %%ymm16, %%ymm16\n vmovdqu32 %%ymm16, %0\n "
      "vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "memory");
  return out.holds(42, 8);
}

bool run_avx512dq() {
  const Vector a = Vector::all(1);  // 0x0000000100000001 squared is 0x…0000000200000001
  Vector out;
  asm volatile(
      "vmovdqu32 %1, %%zmm0\n vpmullq %%zmm0, %%zmm0, %%zmm0\n vmovdqu32 %%zmm0, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "xmm0");
  return out.word[0] == 1 && out.word[1] == 2 && out.word[15] == 2;
}

bool run_avx512_vnni() {
  const Vector a = Vector::all(0x01010101), b = Vector::all(0x02020202);
  Vector out;
  asm volatile(
      "vmovdqu32 %1, %%zmm0\n vmovdqu32 %2, %%zmm1\n vpxord %%zmm2, %%zmm2, %%zmm2\n"
      "vpdpbusd %%zmm1, %%zmm0, %%zmm2\n vmovdqu32 %%zmm2, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a), "m"(b)
      : "xmm0", "xmm1", "xmm2");
  return out.holds(8, 16);
}

bool run_avx512_bf16() {
  const Vector a = Vector::all(0x3f803f80);  // pairs of 1.0
  Vector out;
  asm volatile(
      "vmovdqu32 %1, %%zmm0\n vpxord %%zmm2, %%zmm2, %%zmm2\n"
      "vdpbf16ps %%zmm0, %%zmm0, %%zmm2\n vmovdqu32 %%zmm2, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "xmm0", "xmm2");
  return out.holds(kFloatTwo, 16);
}

bool run_avx512_fp16() {
  const Vector a = Vector::all(0x3c003c00);
  Vector out;
  asm volatile(
      "vmovdqu32 %1, %%zmm0\n vaddph %%zmm0, %%zmm0, %%zmm0\n vmovdqu32 %%zmm0, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a)
      : "xmm0");
  return out.holds(0x40004000, 16);
}

bool run_avx_vnni() {
  const Vector a = Vector::all(0x01010101), b = Vector::all(0x02020202);
  Vector out;
  asm volatile(
      "vmovdqu %1, %%ymm0\n vmovdqu %2, %%ymm1\n vpxor %%ymm2, %%ymm2, %%ymm2\n"
      "%{vex%} vpdpbusd %%ymm1, %%ymm0, %%ymm2\n vmovdqu %%ymm2, %0\n vzeroupper"
      : "=m"(out)
      : "m"(a), "m"(b)
      : "xmm0", "xmm1", "xmm2");
  return out.holds(8, 8);
}

// AMX. Linux gives the tile registers to a process that asks: arch_prctl(ARCH_REQ_XCOMP_PERM, 18),
// Documentation/arch/x86/xstate.rst. One row of 64 bytes in each of three tiles.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0;
  std::array<uint8_t, 14> reserved{};
  std::array<uint16_t, 16> bytes_per_row{};
  std::array<uint8_t, 16> rows{};
};
static_assert(sizeof(TileConfig) == 64);

constexpr int kRequestPermission = 0x1023;
constexpr int kTileData = 18;
constexpr long kRowStride = 64;

bool ask_for_tiles() { return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0; }

// Tile 0 (1 x 16 results) += tile 1 (1 x 16 quads) * tile 2 (16 x 16 quads).
TileConfig tiles() {
  TileConfig config;
  config.bytes_per_row[0] = config.bytes_per_row[1] = config.bytes_per_row[2] = 64;
  config.rows[0] = config.rows[1] = 1;
  config.rows[2] = 16;
  return config;
}

bool run_amx_tile() {
  if (!ask_for_tiles()) return false;
  const TileConfig config = tiles();
  const Vector a = Vector::all(42);
  Vector out;
  asm volatile(
      "ldtilecfg %1\n tileloadd (%2,%3,1), %%tmm1\n tilestored %%tmm1, (%4,%3,1)\n tilerelease"
      :
      : "m"(out), "m"(config), "r"(&a), "r"(kRowStride), "r"(&out)
      : "memory");
  return out.holds(42, 16);
}

struct alignas(64) Tile {
  std::array<Vector, 16> row;
};

// `Product` is an assembler statement that multiplies tmm1 by tmm2 onto tmm0.
#define RIDGE_TILE_PRODUCT(NAME, PRODUCT, ELEMENTS, EXPECTED)                                   \
  bool NAME() {                                                                                 \
    if (!ask_for_tiles()) return false;                                                         \
    const TileConfig config = tiles();                                                          \
    const Vector a = Vector::all(ELEMENTS);                                                     \
    Tile b;                                                                                     \
    b.row.fill(a);                                                                              \
    Vector out;                                                                                 \
    asm volatile(                                                                               \
        "ldtilecfg %0\n tilezero %%tmm0\n tileloadd (%1,%4,1), %%tmm1\n"                        \
        "tileloadd (%2,%4,1), %%tmm2\n" PRODUCT "\n tilestored %%tmm0, (%3,%4,1)\n tilerelease" \
        :                                                                                       \
        : "m"(config), "r"(&a), "r"(&b), "r"(&out), "r"(kRowStride)                             \
        : "memory");                                                                            \
    return out.holds(EXPECTED, 16);                                                             \
  }
RIDGE_TILE_PRODUCT(run_amx_int8, "tdpbssd %%tmm2, %%tmm1, %%tmm0", 0x01010101, 64)
// 32 products of 1.0: 32.0f. tdpfp16ps tmm0, tmm1, tmm2 in bytes, for assemblers that lack it.
RIDGE_TILE_PRODUCT(run_amx_bf16, "tdpbf16ps %%tmm2, %%tmm1, %%tmm0", 0x3f803f80, 0x42000000)
RIDGE_TILE_PRODUCT(run_amx_fp16, ".byte 0xc4, 0xe2, 0x6b, 0x5c, 0xc1", 0x3c003c00, 0x42000000)
#undef RIDGE_TILE_PRODUCT

// Bits: Intel SDM volume 2A, CPUID.
constexpr std::array<Probe, 17> kProbes = {{
    {"sse4.2", announced<1, 0, &Registers::ecx, 20>, run_sse42},
    {"avx", announced<1, 0, &Registers::ecx, 28>, run_avx},
    {"avx2", announced<7, 0, &Registers::ebx, 5>, run_avx2},
    {"fma", announced<1, 0, &Registers::ecx, 12>, run_fma},
    {"f16c", announced<1, 0, &Registers::ecx, 29>, run_f16c},
    {"avx512f", announced<7, 0, &Registers::ebx, 16>, run_avx512f},
    {"avx512bw", announced<7, 0, &Registers::ebx, 30>, run_avx512bw},
    {"avx512vl", announced<7, 0, &Registers::ebx, 31>, run_avx512vl},
    {"avx512dq", announced<7, 0, &Registers::ebx, 17>, run_avx512dq},
    {"avx512_vnni", announced<7, 0, &Registers::ecx, 11>, run_avx512_vnni},
    {"avx512_bf16", announced<7, 1, &Registers::eax, 5>, run_avx512_bf16},
    {"avx512_fp16", announced<7, 0, &Registers::edx, 23>, run_avx512_fp16},
    {"avx_vnni", announced<7, 1, &Registers::eax, 4>, run_avx_vnni},
    {"amx_tile", announced<7, 0, &Registers::edx, 24>, run_amx_tile},
    {"amx_int8", announced<7, 0, &Registers::edx, 25>, run_amx_int8},
    {"amx_bf16", announced<7, 0, &Registers::edx, 22>, run_amx_bf16},
    {"amx_fp16", announced<7, 1, &Registers::eax, 21>, run_amx_fp16},
}};

std::string vendor_of_leaf(const Registers& r) {
  char text[13] = {};
  std::memcpy(text, &r.ebx, 4);
  std::memcpy(text + 4, &r.ecx, 4);
  std::memcpy(text + 8, &r.edx, 4);
  return text;
}

// The hypervisor's own leaves are not below the highest basic leaf, so they are asked directly.
Registers hypervisor_leaf(uint32_t leaf) {
  Registers r;
  if (!bit(cpuid(1).ecx, 31)) return r;
  __cpuid(leaf, r.eax, r.ebx, r.ecx, r.edx);
  return r;
}

struct Hypervisor {
  std::string_view signature, name;
};
constexpr std::array<Hypervisor, 8> kHypervisors = {{
    {"KVMKVMKVM", "KVM"},
    {"Microsoft Hv", "Hyper-V"},
    {"VMwareVMware", "VMware"},
    {"XenVMMXenVMM", "Xen"},
    {"TCGTCGTCGTCG", "QEMU (emulated)"},
    {"bhyve bhyve ", "bhyve"},
    {"ACRNACRNACRN", "ACRN"},
    {" prl hyperv ", "Parallels"},
}};

}  // namespace

std::span<const Probe> isa_probes() { return kProbes; }
std::string isa_reason() { return {}; }

void read_identity_of_cpu(Cpu& cpu) {
  const Registers zero = cpuid(0), one = cpuid(1);
  char vendor[13] = {};  // in the order ebx, edx, ecx
  std::memcpy(vendor, &zero.ebx, 4);
  std::memcpy(vendor + 4, &zero.edx, 4);
  std::memcpy(vendor + 8, &zero.ecx, 4);
  if (!cpu.vendor && vendor[0] != 0) cpu.vendor = std::string(vendor);
  char model[49] = {};
  for (uint32_t i = 0; i < 3; ++i) {
    const Registers r = cpuid(0x80000002u + i);
    std::memcpy(model + 16 * i, &r, 16);
  }
  const std::string name(trim(model));
  if (!cpu.model && !name.empty()) cpu.model = name;
  // Intel SDM volume 2A, CPUID leaf 1: extended fields count for families 6 and 15.
  const uint32_t family = one.eax >> 8 & 0xfu, number = one.eax >> 4 & 0xfu;
  const bool extended = family == 6 || family == 15;
  if (one.eax == 0) return;
  if (!cpu.family) cpu.family = int64_t{family} + (family == 15 ? one.eax >> 20 & 0xffu : 0u);
  if (!cpu.model_number) {
    cpu.model_number = int64_t{number} + (extended ? (one.eax >> 16 & 0xfu) << 4 : 0u);
  }
  if (!cpu.stepping) cpu.stepping = int64_t{one.eax & 0xfu};
}

Known<std::string> hypervisor_of_cpu() {
  if (!bit(cpuid(1).ecx, 31)) return Known<std::string>::unknown("none is announced");
  const std::string signature = vendor_of_leaf(hypervisor_leaf(0x40000000));
  for (const Hypervisor& known : kHypervisors) {
    if (known.signature == signature) return std::string(known.name);
  }
  if (signature.empty()) return Known<std::string>::unknown("one is announced, without a name");
  return signature;
}

Known<double> counter_hz_of_cpu() {
  // Leaf 0x15: ratio of the counter to the crystal, and the crystal's rate.
  const Registers r = cpuid(0x15);
  if (r.eax != 0 && r.ebx != 0 && r.ecx != 0) {
    return static_cast<double>(r.ecx) * r.ebx / r.eax;
  }
  // VMware's and KVM's leaf 0x40000010: kHz.
  if (hypervisor_leaf(0x40000000).eax >= 0x40000010) {
    const uint32_t khz = hypervisor_leaf(0x40000010).eax;
    if (khz != 0) return khz * 1e3;
  }
  return Known<double>::unknown("neither the processor nor a hypervisor tells");
}

Known<double> base_hz_of_cpu() {
  const uint32_t mhz = cpuid(0x16).eax & 0xffffu;
  if (mhz == 0) return Known<double>::unknown("neither cpufreq nor the processor tells it");
  return mhz * 1e6;
}

}  // namespace ridge::machine
