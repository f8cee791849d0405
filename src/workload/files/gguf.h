#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "workload/files/mapped_file.h"
#include "workload/ggml_blocks.h"

namespace ridge {

// GGUF, versions 2 and 3, little-endian (ggml-org/ggml, docs/gguf.md): a header of metadata and of
// tensors, then their data.

// A value of the metadata, in the type that the file gives it; arrays of arrays are refused.
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                               std::string, uint64_t, int64_t, double, std::vector<uint8_t>,
                               std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                               std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>,
                               std::vector<bool>, std::vector<std::string>, std::vector<uint64_t>,
                               std::vector<int64_t>, std::vector<double>>;
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;  // in the file's order

struct GgufTensor {
  std::string name;
  BlockFormat format = BlockFormat::f32;
  std::vector<int64_t> shape;  // the slowest first, the reverse of GGUF's: [n, k] of a weight
  uint64_t offset = 0;         // of its first byte, from the start of the file
  uint64_t bytes = 0;

  int64_t elements() const;
  bool operator==(const GgufTensor&) const = default;
};

struct Gguf {
  uint32_t version = 3;
  uint64_t alignment = 32;   // of tensors: general.alignment
  uint64_t data_offset = 0;  // where the tensors' data begins
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in the file's order

  const GgufTensor* tensor(std::string_view name) const;  // nullptr: none
  const GgufValue* find(std::string_view key) const;      // nullptr: none
  // nullopt where there is none, or one of another type: any integer that int64 holds; any number;
  // text; a boolean.
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  // Arrays; a single value counts as an array of one (head counts come either way).
  std::optional<std::vector<int64_t>> integers(std::string_view key) const;
  std::optional<std::vector<double>> numbers(std::string_view key) const;
  const std::vector<std::string>* texts(std::string_view key) const;
};

// What `file`, all bytes of one, says. Nothing is read outside of it, and no more memory taken than
// a small multiple of its header. An error names what is wrong, the byte, the key or the tensor.
Result<Gguf> parse_gguf(std::span<const std::byte> file);

// A file with what it holds.
struct GgufFile {
  MappedFile file;
  Gguf gguf;

  std::span<const std::byte> data(const GgufTensor& tensor) const {
    return file.bytes().subspan(tensor.offset, tensor.bytes);
  }
};
Result<GgufFile> open_gguf(const std::string& path);

}  // namespace ridge
