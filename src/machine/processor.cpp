#include "machine/processor.h"

#include <algorithm>
#include <cctype>

namespace ridge {
namespace {

bool says_cpu(std::string_view text) {
  constexpr std::string_view kCpu = "cpu";
  return text.size() >= kCpu.size() &&
         std::equal(kCpu.begin(), kCpu.end(), text.begin(), [](char wanted, char is) {
           return wanted == static_cast<char>(std::tolower(static_cast<unsigned char>(is)));
         });
}

}  // namespace

bool names_processor(std::string_view worker, std::string_view id, std::string_view name) {
  return worker == "cpu" || says_cpu(id) || says_cpu(name);
}

}  // namespace ridge
