#include "workload/files/gguf_write.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "workload/files/gguf_types.h"
#include "workload/files/in_quotes.h"
#include "workload/files/part_file.h"

namespace ridge {
namespace {

constexpr uint64_t kChunk = 8 << 20;

class Header {
 public:
  void raw(const void* data, size_t size) {
    const size_t at = bytes_.size();
    bytes_.resize(at + size);
    if (size > 0) std::memcpy(bytes_.data() + at, data, size);
  }
  template <class T>
  void number(T value) {
    raw(&value, sizeof value);
  }
  void text(std::string_view text) {
    number<uint64_t>(text.size());
    raw(text.data(), text.size());
  }

  void put(const std::string& value) { text(value); }
  void put(bool value) { number<uint8_t>(value); }
  template <class T>
  void put(T value) {
    number(value);
  }
  template <class T>
  void put(const std::vector<T>& items) {
    number<uint64_t>(items.size());
    for (const auto& item : items) put(static_cast<const T&>(item));
  }

  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

Error fault(const std::string& what, const std::string& why) {
  return {"GGUF: " + what + " " + why};
}

Result<uint64_t> put_metadata(Header& header, const GgufMetadata& metadata) {
  uint64_t alignment = gguf::kDefaultAlignment;
  std::unordered_set<std::string_view> keys;
  for (const auto& [key, value] : metadata) {
    const std::string what = "metadata " + in_quotes(key);
    if (key.size() > gguf::kMostKey) return fault(what, "has a key of more than 65535 bytes");
    if (!keys.insert(key).second) return fault(what, "is there twice");
    if (key == gguf::kAlignmentKey) {
      if (const std::string why = gguf::fault_of_alignment(value); !why.empty()) {
        return fault(what, why);
      }
      alignment = std::get<uint32_t>(value);
    }
    header.text(key);
    if (value.index() >= gguf::kScalars) header.number(gguf::kArray);
    header.number(gguf::type_of(value.index()));
    std::visit([&](const auto& held) { header.put(held); }, value);
  }
  return alignment;
}

struct Chunk {
  const GgufTensor* tensor;
  uint64_t first, bytes;  // in the tensor
};

std::vector<Chunk> chunks_of(const std::vector<GgufTensor>& tensors) {
  std::vector<Chunk> out;
  for (const GgufTensor& tensor : tensors) {
    const auto block = static_cast<uint64_t>(block_bytes(tensor.format));
    const uint64_t step = kChunk / block * block;
    for (uint64_t first = 0; first < tensor.bytes; first += step) {
      out.push_back({&tensor, first, std::min(step, tensor.bytes - first)});
    }
  }
  return out;
}

// Fills and writes all tensors. The first failure ends it; an exception of `fill` is thrown here.
Result<void> write_tensors(const PartFile& file, const std::vector<GgufTensor>& tensors,
                           const GgufFill& fill, int threads) {
  const std::vector<Chunk> chunks = chunks_of(tensors);
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  Result<void> result;
  std::exception_ptr thrown;
  const auto stop = [&](const auto& record) {
    const std::lock_guard lock(mutex);
    record();
    next = chunks.size();
  };
  const auto work = [&] {
    try {
      std::vector<std::byte> buffer;
      for (size_t i = next++; i < chunks.size(); i = next++) {
        const auto [tensor, first, bytes] = chunks[i];
        buffer.resize(std::max<size_t>(buffer.size(), bytes));
        const std::span<std::byte> out(buffer.data(), bytes);
        fill(*tensor, first, out);
        if (auto written = file.write(out, tensor->offset + first); !written) {
          stop([&] { result = written; });
        }
      }
    } catch (...) {
      stop([&] { thrown = std::current_exception(); });
    }
  };
  if (threads < 1) threads = static_cast<int>(std::thread::hardware_concurrency());
  const auto wanted =
      std::clamp<size_t>(chunks.size(), 1, static_cast<size_t>(std::max(1, threads)));
  {
    std::vector<std::jthread> team(wanted - 1);
    for (std::jthread& thread : team) thread = std::jthread(work);
    work();
  }
  if (thrown) std::rethrow_exception(thrown);
  return result;
}

}  // namespace

Result<GgufLayout> lay_out_gguf(const GgufMetadata& metadata, std::vector<GgufTensor> tensors) {
  Header header;
  header.raw(gguf::kMagic, sizeof gguf::kMagic);
  header.number<uint32_t>(3);
  header.number<uint64_t>(tensors.size());
  header.number<uint64_t>(metadata.size());
  const auto alignment = put_metadata(header, metadata);
  if (!alignment) return alignment.error();
  uint64_t data = 0;
  std::unordered_set<std::string_view> names;
  for (GgufTensor& tensor : tensors) {
    const std::string what = "tensor " + in_quotes(tensor.name);
    std::string why = gguf::fault_of_name(tensor.name);
    if (why.empty()) why = gguf::fault_of_shape(tensor.format, tensor.shape, tensor.bytes);
    if (why.empty() && !names.insert(tensor.name).second) why = "is there twice";
    // Far from 2^63 nothing overflows below.
    constexpr uint64_t most = uint64_t{1} << 62;
    if (why.empty() && tensor.bytes > most - data) why = "makes the file larger than 2^62 B";
    if (!why.empty()) return fault(what, why);
    header.text(tensor.name);
    header.number(static_cast<uint32_t>(tensor.shape.size()));
    for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend(); ++extent) {
      header.number(*extent);
    }
    header.number(static_cast<uint32_t>(tensor.format));
    header.number(data);
    tensor.offset = data;
    data = gguf::round_up(data + tensor.bytes, *alignment);
  }
  GgufLayout layout{std::move(header.bytes()), std::move(tensors)};
  const uint64_t begin = gguf::round_up(layout.header.size(), *alignment);
  layout.header.resize(begin);
  for (GgufTensor& tensor : layout.tensors) tensor.offset += begin;
  layout.file_bytes = begin + data;
  return layout;
}

Result<void> write_gguf(const std::string& path, const GgufMetadata& metadata,
                        std::vector<GgufTensor> tensors, const GgufFill& fill, int threads) {
  const auto layout = lay_out_gguf(metadata, std::move(tensors));
  if (!layout) return layout.error().in(path);
  auto file = PartFile::create(path, layout->file_bytes);
  if (!file) return file.error();
  if (auto written = file->write(layout->header, 0); !written) return written;
  if (auto written = write_tensors(*file, layout->tensors, fill, threads); !written) return written;
  return file->finish();
}

}  // namespace ridge
