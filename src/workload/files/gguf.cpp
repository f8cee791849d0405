#include "workload/files/gguf.h"

#include <fmt/format.h>

#include <limits>
#include <type_traits>

#include "workload/files/gguf_types.h"

namespace ridge {
namespace {

template <class T>
struct Element {  // of a vector; else none
  using type = void;
};
template <class T>
struct Element<std::vector<T>> {
  using type = T;
};

// A number as Out, where Out holds it: any integer is an int64 or a double, a float a double only.
template <class Out, class In>
std::optional<Out> as(const In& value) {
  if constexpr (!std::is_arithmetic_v<In> || std::is_same_v<In, bool>) {
    return std::nullopt;
  } else if constexpr (std::is_same_v<Out, double>) {
    return static_cast<double>(value);
  } else if constexpr (std::is_floating_point_v<In>) {
    return std::nullopt;
  } else {
    if (std::cmp_greater(value, std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(value);
  }
}

template <class Out>
std::optional<Out> one(const GgufValue* value) {
  if (!value) return std::nullopt;
  return std::visit([](const auto& held) { return as<Out>(held); }, *value);
}

template <class Out>
std::optional<std::vector<Out>> many(const GgufValue* value) {
  if (!value) return std::nullopt;
  return std::visit(
      [](const auto& held) -> std::optional<std::vector<Out>> {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_void_v<typename Element<Held>::type>) {
          if (const auto single = as<Out>(held)) return std::vector{*single};
          return std::nullopt;
        } else {
          std::vector<Out> out;
          for (const auto& item : held) {
            const auto number = as<Out>(static_cast<typename Element<Held>::type>(item));
            if (!number) return std::nullopt;
            out.push_back(*number);
          }
          return out;
        }
      },
      *value);
}

template <class T>
const T* held(const GgufValue* value) {
  return value ? std::get_if<T>(value) : nullptr;
}

}  // namespace

namespace gguf {

std::string fault_of_name(std::string_view name) {
  if (name.empty()) return "has no name";
  if (name.size() > kMostName) {
    return fmt::format("has a name of {} bytes, where GGUF allows {}", name.size(), kMostName);
  }
  return {};
}

std::string fault_of_alignment(const GgufValue& value) {
  const auto* alignment = std::get_if<uint32_t>(&value);
  if (!alignment) return "must be a u32";
  if (*alignment < 8 || *alignment > kMostAlignment || (*alignment & (*alignment - 1)) != 0) {
    return fmt::format("is {}, where a power of two from 8 to {} belongs", *alignment,
                       kMostAlignment);
  }
  return {};
}

std::string fault_of_shape(BlockFormat format, const std::vector<int64_t>& shape, uint64_t& bytes) {
  if (shape.empty() || shape.size() > kMostDims) {
    return fmt::format("has {} dimensions, where GGUF has 1 to {}", shape.size(), kMostDims);
  }
  int64_t elements = 1, total = 0;
  for (const int64_t extent : shape) {
    if (extent < 1) return fmt::format("has an extent of {}, which must be 1 or more", extent);
    if (__builtin_mul_overflow(elements, extent, &elements)) {
      return "has more elements than 63 bits count";
    }
  }
  const int64_t block = block_elements(format);
  if (shape.back() % block != 0) {
    return fmt::format("has rows of {} elements, which {} cuts into blocks of {}", shape.back(),
                       ridge::name(format), block);
  }
  if (__builtin_mul_overflow(elements / block, block_bytes(format), &total)) {
    return "has more bytes than 63 bits count";
  }
  bytes = static_cast<uint64_t>(total);
  return {};
}

}  // namespace gguf

int64_t GgufTensor::elements() const {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

const GgufTensor* Gguf::tensor(std::string_view name) const {
  for (const GgufTensor& candidate : tensors) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

const GgufValue* Gguf::find(std::string_view key) const {
  for (const auto& [name, value] : metadata) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::optional<int64_t> Gguf::integer(std::string_view key) const { return one<int64_t>(find(key)); }
std::optional<double> Gguf::number(std::string_view key) const { return one<double>(find(key)); }
std::optional<std::string> Gguf::text(std::string_view key) const {
  const auto* text = held<std::string>(find(key));
  return text ? std::optional(*text) : std::nullopt;
}
std::optional<bool> Gguf::boolean(std::string_view key) const {
  const auto* value = held<bool>(find(key));
  return value ? std::optional(*value) : std::nullopt;
}
std::optional<std::vector<int64_t>> Gguf::integers(std::string_view key) const {
  return many<int64_t>(find(key));
}
std::optional<std::vector<double>> Gguf::numbers(std::string_view key) const {
  return many<double>(find(key));
}
const std::vector<std::string>* Gguf::texts(std::string_view key) const {
  return held<std::vector<std::string>>(find(key));
}

Result<GgufFile> open_gguf(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  auto gguf = parse_gguf(file->bytes());
  if (!gguf) return gguf.error().in(path);
  return GgufFile{*std::move(file), *std::move(gguf)};
}

}  // namespace ridge
