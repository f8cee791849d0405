// Written after Apple's documentation; not run here.
#include <sys/sysctl.h>

#include <string>

#include "machine/isa_arm.h"

namespace ridge::machine {
namespace {

Known<bool> told(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  if (::sysctlbyname(name, &value, &size, nullptr, 0) != 0) {
    return Known<bool>::unknown(std::string("this system has no sysctl ") + name);
  }
  return value != 0;
}

}  // namespace

// https://developer.apple.com/documentation/kernel/1387446-sysctlbyname
Known<bool> arm_announces(ArmSet set) {
  switch (set) {
    case ArmSet::neon: return told("hw.optional.AdvSIMD");
    case ArmSet::fp16: return told("hw.optional.arm.FEAT_FP16");
    case ArmSet::dotprod: return told("hw.optional.arm.FEAT_DotProd");
    case ArmSet::i8mm: return told("hw.optional.arm.FEAT_I8MM");
    case ArmSet::bf16: return told("hw.optional.arm.FEAT_BF16");
    case ArmSet::sme: return told("hw.optional.arm.FEAT_SME");
    // No Apple processor has them outside SME's streaming mode, and there is no sysctl for them.
    case ArmSet::sve: return Known<bool>::unknown("macOS has no sysctl for it");
    case ArmSet::sve2: return Known<bool>::unknown("macOS has no sysctl for it");
  }
  return Known<bool>::unknown("macOS has no sysctl for it");
}

}  // namespace ridge::machine
