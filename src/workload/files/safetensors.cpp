#include "workload/files/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>

#include "base/json.h"
#include "workload/files/in_quotes.h"
#include "workload/files/mapped_file.h"

namespace ridge {
namespace {

constexpr uint64_t kLength = 8;  // of the number before the header: its length
constexpr const char* kCutShort = "the file is cut short: get it again";
constexpr int64_t kMostCommas = 4'000'000;  // of a header: each may cost 100 B; a tensor has 4
constexpr const char* kOneFile = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::string_view kIndexEnding = ".index.json";

struct Entry {
  SafetensorsType type;
  std::string_view name;
  int bits;
};
constexpr Entry kTypes[] = {
    {SafetensorsType::f64, "F64", 64},        {SafetensorsType::f32, "F32", 32},
    {SafetensorsType::f16, "F16", 16},        {SafetensorsType::bf16, "BF16", 16},
    {SafetensorsType::f8_e4m3, "F8_E4M3", 8}, {SafetensorsType::f8_e5m2, "F8_E5M2", 8},
    {SafetensorsType::f8_e8m0, "F8_E8M0", 8}, {SafetensorsType::f6_e2m3, "F6_E2M3", 6},
    {SafetensorsType::f6_e3m2, "F6_E3M2", 6}, {SafetensorsType::f4, "F4", 4},
    {SafetensorsType::i64, "I64", 64},        {SafetensorsType::i32, "I32", 32},
    {SafetensorsType::i16, "I16", 16},        {SafetensorsType::i8, "I8", 8},
    {SafetensorsType::u64, "U64", 64},        {SafetensorsType::u32, "U32", 32},
    {SafetensorsType::u16, "U16", 16},        {SafetensorsType::u8, "U8", 8},
    {SafetensorsType::boolean, "BOOL", 8},    {SafetensorsType::c64, "C64", 64},
};

const Entry& entry(SafetensorsType type) {
  for (const Entry& e : kTypes) {
    if (e.type == type) return e;
  }
  throw std::logic_error("no such safetensors type");
}

std::optional<SafetensorsType> parse_type(std::string_view text) {
  for (const Entry& e : kTypes) {
    if (e.name == text) return e.type;
  }
  return std::nullopt;
}

Error fault(const std::string& why) { return {"safetensors: " + why}; }

// Bytes of all elements; an error where they are no whole number, or more than 63 bits count.
Result<uint64_t> bytes_of(const SafetensorsTensor& tensor) {
  int64_t bits = bits_of(tensor.type);
  bool none = false;
  for (const int64_t extent : tensor.shape) {
    if (extent < 0) return Error{fmt::format("has an extent of {}", extent)};
    none = none || extent == 0;
  }
  if (none) return uint64_t{0};
  for (const int64_t extent : tensor.shape) {
    if (__builtin_mul_overflow(bits, extent, &bits)) {
      return Error{"has more bits than 63 bits count"};
    }
  }
  if (bits % 8 != 0) return Error{fmt::format("has {} bits, which are no whole bytes", bits)};
  return static_cast<uint64_t>(bits / 8);
}

// One member of the header: {"dtype": …, "shape": […], "data_offsets": [begin, end]}.
Result<SafetensorsTensor> read_tensor(const std::string& name, const Json& json, uint64_t data) {
  const std::string what = "tensor " + in_quotes(name);
  std::string type;
  std::vector<int64_t> offsets;
  SafetensorsTensor tensor;
  tensor.name = name;
  Fields fields(json, "safetensors: " + what);
  fields.required("dtype", type).required("shape", tensor.shape).required("data_offsets", offsets);
  if (auto done = fields.done(); !done) return done.error();
  const auto known = parse_type(type);
  if (!known) {
    return fault(fmt::format("{} is of type {}, which is unknown: update this program", what,
                             in_quotes(type)));
  }
  tensor.type = *known;
  const auto bytes = bytes_of(tensor);
  if (!bytes) return fault(what + " " + bytes.error().message);
  tensor.bytes = *bytes;
  if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0]) {
    return fault(what + " has data_offsets that are no range: the file is damaged");
  }
  tensor.offset = static_cast<uint64_t>(offsets[0]);
  const auto end = static_cast<uint64_t>(offsets[1]);
  if (end > data) {
    return fault(fmt::format("{} lies outside of the file: bytes {} to {} of {} B of data: {}",
                             what, tensor.offset, end, data, kCutShort));
  }
  if (end - tensor.offset != tensor.bytes) {
    return fault(
        fmt::format("{} takes {} B, where its type and shape come to {}: the file is damaged", what,
                    end - tensor.offset, tensor.bytes));
  }
  return tensor;
}

Result<void> read_metadata(const Json& json, Safetensors& out) {
  if (!json.is_object()) return fault("'__metadata__' is no object");
  for (const auto& [key, value] : json.as_object()) {
    if (!value.is_string())
      return fault("'__metadata__' has " + in_quotes(key) + ", which is no text");
    out.metadata.emplace_back(key, value.as_string());
  }
  return {};
}

// Sorts the tensors, whose offsets count from the data's start: one begins where another ends.
Result<void> without_holes(std::vector<SafetensorsTensor>& tensors, uint64_t data) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  uint64_t end = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.offset != end) {
      return fault(
          fmt::format("tensor {} begins at byte {} of the data, {} the end of the one before "
                      "it at {}: the file is damaged",
                      in_quotes(tensor.name), tensor.offset,
                      tensor.offset < end ? "before" : "a hole after", end));
    }
    end += tensor.bytes;
  }
  if (end == data) return {};
  return fault(
      fmt::format("{} B of data follow the last tensor, which no tensor owns: the file is "
                  "damaged",
                  data - end));
}

Result<Safetensors> read_file(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file) return file.error();
  auto read = parse_safetensors(file->bytes());
  if (!read) return read.error().in(path);
  read->files = {path};
  return read;
}

// Of an index: the shard of every tensor.
using Shards = std::map<std::string, std::string, std::less<>>;
Result<Shards> read_index(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file) return file.error();
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() > kMostSafetensorsHeader) {
    return Error{fmt::format("{}: {} B, where an index has at most {}", path, bytes.size(),
                             kMostSafetensorsHeader)};
  }
  auto json = Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                          Json::Repeated::refuse);
  if (!json) return json.error().in(path);
  const Json* map = json->find("weight_map");
  if (!map || !map->is_object()) {
    return Error{path + ": has no 'weight_map', which an index of shards must have"};
  }
  Shards shards;
  for (const auto& [name, shard] : map->as_object()) {
    const std::string file_name = shard.is_string() ? shard.as_string() : "";
    // A shard lies beside its index: a path would lead wherever the file's author likes.
    if (file_name.empty() ||
        file_name.find_first_of(std::string_view("/\\\0", 3)) != file_name.npos) {
      return Error{fmt::format("{}: the shard of tensor {} is no name of a file beside it: {}",
                               path, in_quotes(name), in_quotes(file_name))};
    }
    shards.emplace(name, file_name);
  }
  return shards;
}

Result<Safetensors> read_shards(const std::string& path) {
  auto shards = read_index(path);
  if (!shards) return shards.error();
  std::set<std::string> names;
  for (const auto& [tensor, shard] : *shards) names.insert(shard);
  Safetensors out;
  for (const std::string& shard : names) {
    const std::string shard_path = (std::filesystem::path(path).parent_path() / shard).string();
    auto read = read_file(shard_path);
    if (!read) return read.error();
    if (out.files.empty()) out.metadata = std::move(read->metadata);
    for (SafetensorsTensor& tensor : read->tensors) {
      const auto at = shards->find(tensor.name);
      // What the index does not place here is no part of the model.
      if (at == shards->end() || at->second != shard) continue;
      shards->erase(at);
      tensor.file = out.files.size();
      out.tensors.push_back(std::move(tensor));
    }
    out.files.push_back(shard_path);
  }
  if (shards->empty()) return out;
  return Error{fmt::format("{}: places tensor {} in {}, which does not hold it", path,
                           in_quotes(shards->begin()->first), in_quotes(shards->begin()->second))};
}

}  // namespace

std::string_view name(SafetensorsType type) { return entry(type).name; }
int bits_of(SafetensorsType type) { return entry(type).bits; }

int64_t SafetensorsTensor::elements() const {
  int64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent == 0) return 0;  // others may be so large that their product is none
  }
  for (const int64_t extent : shape) product *= extent;
  return product;
}

const SafetensorsTensor* Safetensors::tensor(std::string_view name) const {
  for (const SafetensorsTensor& candidate : tensors) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

Result<Safetensors> parse_safetensors(std::span<const std::byte> file) {
  uint64_t length = 0;
  if (file.size() < kLength) return fault(fmt::format("{} B long: {}", file.size(), kCutShort));
  std::memcpy(&length, file.data(), kLength);
  if (length > kMostSafetensorsHeader) {
    return fault(fmt::format("a header of {} B, where at most {} may be: it is no such file",
                             length, kMostSafetensorsHeader));
  }
  if (length > file.size() - kLength) {
    return fault(
        fmt::format("a header of {} B in a file of {}: {}", length, file.size(), kCutShort));
  }
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + kLength, length);
  if (!header.starts_with('{'))
    return fault("the header does not begin with '{': it is no such file");
  if (std::count(header.begin(), header.end(), ',') > kMostCommas) {
    return fault(fmt::format("the header has more than {} values", kMostCommas));
  }
  const auto json = Json::parse(header, Json::Repeated::refuse);
  if (!json) return fault("the header: " + json.error().message);
  const uint64_t data_offset = kLength + length, data = file.size() - data_offset;
  Safetensors out;
  for (const auto& [name, value] : json->as_object()) {
    if (name == "__metadata__") {
      if (auto read = read_metadata(value, out); !read) return read.error();
      continue;
    }
    auto tensor = read_tensor(name, value, data);
    if (!tensor) return tensor.error();
    out.tensors.push_back(*std::move(tensor));
  }
  if (auto whole = without_holes(out.tensors, data); !whole) return whole.error();
  for (SafetensorsTensor& tensor : out.tensors) tensor.offset += data_offset;
  return out;
}

Result<Safetensors> open_safetensors(const std::string& path) {
  std::error_code none;
  if (!std::filesystem::is_directory(path, none)) {
    return path.ends_with(kIndexEnding) ? read_shards(path) : read_file(path);
  }
  const std::filesystem::path folder(path);
  if (std::filesystem::exists(folder / kIndex, none))
    return read_shards((folder / kIndex).string());
  if (std::filesystem::exists(folder / kOneFile, none)) {
    return read_file((folder / kOneFile).string());
  }
  return Error{fmt::format("{}: holds neither {} nor {}", path, kOneFile, kIndex)};
}

}  // namespace ridge
