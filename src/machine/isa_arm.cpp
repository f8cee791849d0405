#include "machine/isa_arm.h"

#include <array>
#include <cstdint>
#include <string>

#include "machine/isa.h"
#include "machine/platform.h"

// Instructions beyond the base set stand as words, so that any assembler takes them.
namespace ridge::machine {
namespace {

struct alignas(16) Vector {
  std::array<uint32_t, 4> word{};
  bool holds(uint32_t value) const {
    for (const uint32_t w : word) {
      if (w != value) return false;
    }
    return true;
  }
};

template <ArmSet Set>
Known<bool> announced() {
  return arm_announces(Set);
}

// v0 = a, v1 = b, v2 = 0; one instruction that writes v2; out = v2.
#define RIDGE_VECTOR_PROBE(NAME, INSTRUCTION, A, B, EXPECTED)                             \
  bool NAME() {                                                                           \
    const Vector a{{A, A, A, A}}, b{{B, B, B, B}};                                        \
    Vector out;                                                                           \
    asm volatile("ldr q0, %1\n ldr q1, %2\n movi v2.4s, #0\n" INSTRUCTION "\n str q2, %0" \
                 : "=m"(out)                                                              \
                 : "m"(a), "m"(b)                                                         \
                 : "v0", "v1", "v2", "memory");                                           \
    return out.holds(EXPECTED);                                                           \
  }
RIDGE_VECTOR_PROBE(run_neon, "add v2.4s, v0.4s, v1.4s", 20, 22, 42)
// fadd v2.8h, v0.8h, v0.8h: 1 + 1 = 2
RIDGE_VECTOR_PROBE(run_fp16, ".inst 0x4e401402", 0x3c003c00, 0, 0x40004000)
// sdot v2.4s, v0.16b, v1.16b: 4 products of 1 and 2
RIDGE_VECTOR_PROBE(run_dotprod, ".inst 0x4e819402", 0x01010101, 0x02020202, 8)
// smmla v2.4s, v0.16b, v1.16b: 8 products of 1 and 2
RIDGE_VECTOR_PROBE(run_i8mm, ".inst 0x4e81a402", 0x01010101, 0x02020202, 16)
// bfdot v2.4s, v0.8h, v1.8h: 2 products of 1.0
RIDGE_VECTOR_PROBE(run_bf16, ".inst 0x6e41fc02", 0x3f803f80, 0x3f803f80, 0x40000000)
// mov z2.s, #21; add z2.s, z2.s, z2.s. v2 is the low part of z2.
RIDGE_VECTOR_PROBE(run_sve, ".inst 0x25b8c2a2, 0x04a20042", 0, 0, 42)
// mov z2.s, #6; mul z2.s, z2.s, z2.s (without a predicate: SVE2 only)
RIDGE_VECTOR_PROBE(run_sve2, ".inst 0x25b8c0c2, 0x04a26042", 0, 0, 36)
#undef RIDGE_VECTOR_PROBE

// smstart; zero {za}; rdsvl x0, #1; smstop: the streaming vector length, in bytes.
bool run_sme() {
  uint64_t bytes = 0;
  asm volatile(".inst 0xd503477f, 0xc00800ff, 0x04bf5820, 0xd503467f\n mov %0, x0"
               : "=r"(bytes)
               :
               : "x0", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
                 "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22",
                 "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
  return bytes >= 16 && bytes <= 256 && bytes % 16 == 0;
}

constexpr std::array<Probe, 8> kProbes = {{
    {"neon", announced<ArmSet::neon>, run_neon},
    {"fp16", announced<ArmSet::fp16>, run_fp16},
    {"dotprod", announced<ArmSet::dotprod>, run_dotprod},
    {"i8mm", announced<ArmSet::i8mm>, run_i8mm},
    {"bf16", announced<ArmSet::bf16>, run_bf16},
    {"sve", announced<ArmSet::sve>, run_sve},
    {"sve2", announced<ArmSet::sve2>, run_sve2},
    {"sme", announced<ArmSet::sme>, run_sme},
}};

}  // namespace

std::span<const Probe> isa_probes() { return kProbes; }
std::string isa_reason() { return {}; }

void read_identity_of_cpu(Cpu&) {}  // /proc/cpuinfo or sysctl has all there is

Known<std::string> hypervisor_of_cpu() {
  return Known<std::string>::unknown("an Arm processor does not tell");
}

Known<double> counter_hz_of_cpu() {
  uint64_t hz = 0;
  asm volatile("mrs %0, cntfrq_el0" : "=r"(hz));
  if (hz == 0) return Known<double>::unknown("the firmware left the counter's rate at zero");
  return static_cast<double>(hz);
}

Known<double> base_hz_of_cpu() {
  return Known<double>::unknown("neither cpufreq nor the processor tells it");
}

}  // namespace ridge::machine
