#include "machine/environment.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace ridge::machine {
namespace {

constexpr std::array<std::string_view, 16> kPrefixes = {
    "OMP_",  "GOMP_",   "KMP_",     "MKL_",   "OPENBLAS_", "DNNL_", "ONEDNN_", "GGML_",
    "CUDA_", "NVIDIA_", "PYTORCH_", "TORCH_", "MLX_",      "HF_",   "RIDGE_",  "NCCL_"};
constexpr std::array<std::string_view, 4> kSecrets = {"TOKEN", "KEY", "SECRET", "PASSWORD"};

constexpr size_t kLongest = 4096;

}  // namespace

std::vector<EnvironmentVariable> relevant_environment(std::span<const std::string> environment) {
  std::vector<EnvironmentVariable> out;
  for (const std::string& entry : environment) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = entry.substr(0, equals);
    const auto begins = [&](std::string_view prefix) { return name.starts_with(prefix); };
    if (!std::any_of(kPrefixes.begin(), kPrefixes.end(), begins)) continue;
    std::string upper = name;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto holds = [&](std::string_view word) { return upper.find(word) != std::string::npos; };
    EnvironmentVariable variable{name, entry.substr(equals + 1)};
    variable.empty = variable.value.empty();
    variable.masked = !variable.empty && std::any_of(kSecrets.begin(), kSecrets.end(), holds);
    if (variable.masked) variable.value = "***";
    if (variable.value.size() > kLongest) variable.value.resize(kLongest);
    out.push_back(std::move(variable));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

}  // namespace ridge::machine
