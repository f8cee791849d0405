#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "base/units.h"
#include "workload/files/gguf.h"
#include "workload/files/gguf_types.h"
#include "workload/files/in_quotes.h"

namespace ridge {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie");

constexpr const char* kCutShort = "the file is cut short: get it again";

// The least bytes of an entry: an empty key, a type and a byte; a tensor of one letter and
// dimension.
constexpr uint64_t kLeastPair = 8 + 4 + 1;
constexpr uint64_t kLeastTensor = 8 + 1 + 4 + 8 + 4 + 8;

// Takes one thing after another from the file. After the first error all that follows is 0 or
// empty.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> file) : file_(file) {}

  uint64_t at() const { return at_; }
  uint64_t left() const { return file_.size() - at_; }
  bool ok() const { return !error_; }
  const Error& error() const { return *error_; }

  void fail(const std::string& why) {
    if (!error_) error_ = Error{"GGUF: " + why};
  }

  // `count` of `size` bytes each, which must be there before memory is taken for them.
  std::span<const std::byte> take(uint64_t count, uint64_t size, std::string_view what) {
    if (error_) return {};
    if (count > left() / size) {
      fail(fmt::format("byte {}: {} wants {} of {} B each, and {} B are left: {}", at_, what, count,
                       size, left(), kCutShort));
      return {};
    }
    const auto taken = file_.subspan(at_, count * size);
    at_ += count * size;
    return taken;
  }

  template <class T>
  T number(std::string_view what) {
    T value{};
    if (const auto bytes = take(1, sizeof(T), what); !bytes.empty()) {
      std::memcpy(&value, bytes.data(), sizeof(T));
    }
    return value;
  }

  std::string_view text(std::string_view what) {
    const auto bytes = take(number<uint64_t>(what), 1, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  template <class T>
  T value(const std::string& what) {
    if constexpr (std::is_same_v<T, std::string>) {
      return T(text(what));
    } else if constexpr (std::is_same_v<T, bool>) {
      const auto byte = number<uint8_t>(what);
      if (byte > 1) fail(fmt::format("byte {}: {} is the boolean {}", at_ - 1, what, byte));
      return byte == 1;
    } else {
      return number<T>(what);
    }
  }

  template <class T>
  std::vector<T> array(uint64_t count, const std::string& what) {
    std::vector<T> out;
    if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, bool>) {
      const uint64_t least = std::is_same_v<T, bool> ? 1 : sizeof(uint64_t);
      if (count > left() / least) {
        take(count, least, what);  // the error
        return out;
      }
      out.reserve(count);
      for (uint64_t i = 0; i < count && ok(); ++i) out.push_back(value<T>(what));
    } else if (const auto bytes = take(count, sizeof(T), what); !bytes.empty()) {
      out.resize(count);
      std::memcpy(out.data(), bytes.data(), bytes.size());
    }
    return out;
  }

 private:
  std::span<const std::byte> file_;
  uint64_t at_ = 0;
  std::optional<Error> error_;
};

// The value of GGUF's type number `type`, alone or as an array.
template <size_t index = 0>
GgufValue read_value(Reader& in, uint32_t type, std::optional<uint64_t> count,
                     const std::string& what) {
  if constexpr (index == gguf::kScalars) {
    in.fail(
        fmt::format("byte {}: {} is of type {}, where 0 to 12 are known: the file is damaged or "
                    "newer than this program",
                    in.at(), what, type));
    return {};
  } else {
    if (type != gguf::type_of(index)) return read_value<index + 1>(in, type, count, what);
    using T = std::variant_alternative_t<index, GgufValue>;
    if (count) return in.array<T>(*count, what);
    return in.value<T>(what);
  }
}

void read_pair(Reader& in, Gguf& out, std::unordered_set<std::string_view>& keys) {
  const uint64_t start = in.at();
  const std::string_view key = in.text("a key of the metadata");
  if (!in.ok()) return;
  if (key.size() > gguf::kMostKey) {
    return in.fail(fmt::format("byte {}: a key of {} bytes, where at most {} may be", start,
                               key.size(), gguf::kMostKey));
  }
  const std::string what = "metadata " + in_quotes(key);
  if (!keys.insert(key).second) {
    return in.fail(fmt::format("byte {}: {} is there twice", start, what));
  }
  auto type = in.number<uint32_t>(what);
  std::optional<uint64_t> count;
  if (in.ok() && type == gguf::kArray) {
    type = in.number<uint32_t>(what);
    count = in.number<uint64_t>(what);
    if (in.ok() && type == gguf::kArray) {
      return in.fail(
          fmt::format("byte {}: {} is an array of arrays, which no model needs", start, what));
    }
  }
  if (!in.ok()) return;
  GgufValue value = read_value(in, type, count, what);
  if (!in.ok()) return;
  if (key == gguf::kAlignmentKey) {
    if (const std::string fault = gguf::fault_of_alignment(value); !fault.empty()) {
      return in.fail(fmt::format("byte {}: {} {}", start, what, fault));
    }
    out.alignment = std::get<uint32_t>(value);
  }
  out.metadata.emplace_back(key, std::move(value));
}

// The offset stays as it is in the file: from the start of the data.
void read_tensor(Reader& in, Gguf& out, std::unordered_set<std::string_view>& names) {
  const uint64_t start = in.at();
  const std::string_view name = in.text("a tensor's name");
  if (!in.ok()) return;
  const std::string what = "tensor " + in_quotes(name);
  const auto fail = [&](const std::string& why) {
    in.fail(fmt::format("byte {}: {} {}", start, what, why));
  };
  if (const std::string fault = gguf::fault_of_name(name); !fault.empty()) return fail(fault);
  if (!names.insert(name).second) return fail("is there twice");
  const auto dims = in.number<uint32_t>(what);
  if (dims > gguf::kMostDims) {
    return fail(fmt::format("has {} dimensions, where GGUF has 1 to {}", dims, gguf::kMostDims));
  }
  GgufTensor tensor{.name = std::string(name)};
  tensor.shape.resize(dims);
  for (uint32_t i = 0; i < dims; ++i) tensor.shape[dims - 1 - i] = in.number<int64_t>(what);
  const auto type = in.number<uint32_t>(what);
  tensor.offset = in.number<uint64_t>(what);
  if (!in.ok()) return;
  const auto format = block_format_of(type);
  if (!format) {
    return fail(
        fmt::format("is of ggml type {}, which is unknown or withdrawn: convert the model "
                    "anew, or update this program",
                    type));
  }
  tensor.format = *format;
  const std::string fault = gguf::fault_of_shape(*format, tensor.shape, tensor.bytes);
  if (!fault.empty()) return fail(fault);
  out.tensors.push_back(std::move(tensor));
}

// Offsets become those in the file; each tensor lies in it, alone.
Result<void> place(Gguf& gguf, uint64_t file_bytes) {
  const auto fail = [](const GgufTensor& tensor, const std::string& why) {
    return Error{fmt::format("GGUF: tensor {} {}", in_quotes(tensor.name), why)};
  };
  std::vector<const GgufTensor*> order;
  for (GgufTensor& tensor : gguf.tensors) {
    if (tensor.offset % gguf.alignment != 0) {
      return fail(tensor, fmt::format("begins at byte {} of the data, which is no multiple of the "
                                      "alignment {}: the file is damaged",
                                      tensor.offset, gguf.alignment));
    }
    const uint64_t data = file_bytes - std::min(file_bytes, gguf.data_offset);
    if (tensor.offset > data || tensor.bytes > data - tensor.offset) {
      return fail(tensor,
                  fmt::format("lies outside of the file: {} B at byte {} of {} B of data: {}",
                              tensor.bytes, tensor.offset, data, kCutShort));
    }
    tensor.offset += gguf.data_offset;
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->bytes) {
      return fail(*order[i], fmt::format("begins at byte {}, within tensor {}: the file is damaged",
                                         order[i]->offset, in_quotes(order[i - 1]->name)));
    }
  }
  return {};
}

Result<void> check_version(uint32_t version) {
  if (version == 2 || version == 3) return {};
  if (version == 1) {
    return Error{"GGUF: version 1, which 2 replaced within weeks: convert the model anew"};
  }
  if ((version & 0xffff) == 0) {
    return Error{"GGUF: a big-endian file: convert the model for little-endian machines"};
  }
  return Error{fmt::format("GGUF: version {}, where 2 and 3 are known", version)};
}

}  // namespace

Result<Gguf> parse_gguf(std::span<const std::byte> file) {
  Reader in(file);
  const auto magic = in.take(1, sizeof gguf::kMagic, "the magic");
  if (!in.ok() || std::memcmp(magic.data(), gguf::kMagic, sizeof gguf::kMagic) != 0) {
    return Error{"GGUF: does not begin with 'GGUF': it is no such file"};
  }
  Gguf out{.version = in.number<uint32_t>("the version")};
  if (auto known = check_version(out.version); in.ok() && !known) return known.error();
  const auto tensors = in.number<uint64_t>("the count of tensors");
  const auto pairs = in.number<uint64_t>("the count of metadata");
  if (in.ok() && pairs > in.left() / kLeastPair) {
    in.fail(fmt::format("byte 16: {} values of metadata cannot be in {} B: {}", pairs, in.left(),
                        kCutShort));
  }
  std::unordered_set<std::string_view> names;
  for (uint64_t i = 0; i < pairs && in.ok(); ++i) read_pair(in, out, names);
  if (in.ok() && tensors > in.left() / kLeastTensor) {
    in.fail(fmt::format("byte 8: {} tensors cannot be in the {} B after the metadata: {}", tensors,
                        in.left(), kCutShort));
  }
  names.clear();
  for (uint64_t i = 0; i < tensors && in.ok(); ++i) read_tensor(in, out, names);
  if (!in.ok()) return in.error();
  out.data_offset = gguf::round_up(in.at(), out.alignment);
  if (auto placed = place(out, file.size()); !placed) return placed.error();
  return out;
}

}  // namespace ridge
