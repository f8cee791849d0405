#include <sys/auxv.h>

#include "machine/isa_arm.h"

namespace ridge::machine {
namespace {

// Bits of the kernel's arch/arm64/include/uapi/asm/hwcap.h; older headers lack the newer ones.
bool hwcap(int bit) { return (::getauxval(AT_HWCAP) >> bit) & 1u; }
bool hwcap2(int bit) { return (::getauxval(AT_HWCAP2) >> bit) & 1u; }

}  // namespace

Known<bool> arm_announces(ArmSet set) {
  switch (set) {
    case ArmSet::neon: return hwcap(1);
    case ArmSet::fp16: return hwcap(10);
    case ArmSet::dotprod: return hwcap(20);
    case ArmSet::i8mm: return hwcap2(13);
    case ArmSet::bf16: return hwcap2(14);
    case ArmSet::sve: return hwcap(22);
    case ArmSet::sve2: return hwcap2(1);
    case ArmSet::sme: return hwcap2(23);
  }
  return Known<bool>::unknown("the kernel has no bit for it");
}

}  // namespace ridge::machine
