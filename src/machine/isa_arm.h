#pragma once

#include "machine/known.h"

namespace ridge::machine {

enum class ArmSet { neon, fp16, dotprod, i8mm, bf16, sve, sve2, sme };

// What the operating system announces (isa_arm_linux.cpp, isa_arm_darwin.cpp).
Known<bool> arm_announces(ArmSet set);

}  // namespace ridge::machine
