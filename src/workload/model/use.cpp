#include "workload/model/use.h"

#include <fmt/format.h>

#include <cctype>

#include "workload/model/weights.h"

namespace ridge {

Result<void> validate(const ModelUse& use, int64_t tokens, std::string_view kind) {
  const auto bounded = [&](std::string_view field, int64_t value, int64_t least,
                           int64_t most) -> Result<void> {
    if (value >= least && value <= most) return {};
    return Error{
        fmt::format("{}: {} must lie in {} to {}, found {}", kind, field, least, most, value)};
  };
  if (auto valid = validate(use.model); !valid) return valid.error().in(std::string(kind));
  if (auto valid = bounded("tokens", tokens, 1, 1 << 24); !valid) return valid;
  if (auto valid = bounded("batch", use.batch, 1, 1 << 16); !valid) return valid;
  if (auto valid = bounded("depth", use.depth, 0, 1 << 24); !valid) return valid;
  if (!use.file) {
    if (auto can = storable(use.model, use.format); !can) return can.error().in(std::string(kind));
  } else {
    for (const int64_t bytes :
         {use.file->matrix_bytes, use.file->embedding_bytes, use.file->expert_bytes}) {
      if (bytes < 0) return Error{fmt::format("{}: bytes of a file are negative", kind)};
    }
  }
  return {};
}

std::string format_name(const ModelUse& use) {
  if (!use.file) return std::string(name(use.format));
  std::string text;
  for (const char c : use.file->label) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '_' || c == '-' || c == '.') {
      const auto small = static_cast<char>(std::tolower(byte));
      if (small == '-' && text.ends_with('-')) continue;
      text += small;
    }
  }
  return text.empty() ? "file" : text;
}

std::string use_key(const ModelUse& use) {
  std::string key = fmt::format("{}/{}", use.model.name, format_name(use));
  if (use.kv != KvFormat::f16) key += fmt::format("/kv-{}", name(use.kv));
  if (use.batch != 1) key += fmt::format("/b{}", use.batch);
  return key;
}

int64_t weight_bytes_of(const ModelUse& use) {
  if (use.file) {
    return use.file->matrix_bytes + use.file->embedding_bytes + use.file->expert_bytes;
  }
  return weight_bytes(use.model, use.format).all();
}

}  // namespace ridge
