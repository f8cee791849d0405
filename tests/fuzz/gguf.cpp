// Any bytes as a GGUF file: what is read lies in the file, tensor beside tensor, and reads the same
// after it was laid out again.

#include "workload/files/gguf.h"

#include <algorithm>

#include "fuzz.h"
#include "workload/files/gguf_write.h"
#include "workload/model/gguf_metadata.h"

using namespace ridge;
using fuzz::require;

namespace {

// What a caller may ask of every key, whatever its type.
void look_up(const Gguf& gguf) {
  for (const auto& [key, value] : gguf.metadata) {
    require(gguf.find(key) == &value, "a key is found", key);
    const auto integer = gguf.integer(key);
    require(!integer || gguf.number(key), "an integer is a number", key);
    require(!integer || gguf.integers(key)->size() == 1, "and an array of one", key);
    (void)gguf.text(key);
    (void)gguf.boolean(key);
    (void)gguf.numbers(key);
    (void)gguf.texts(key);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto gguf = parse_gguf({reinterpret_cast<const std::byte*>(data), size});
  if (!gguf) {
    const std::string& why = gguf.error().message;
    require(why.starts_with("GGUF: ") && why.size() < 1000, "an error says what it is about", why);
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
    require(std::none_of(why.begin(), why.end(), control), "on one line, nothing else in it", why);
    return 0;
  }
  look_up(*gguf);
  uint64_t total = 0;
  for (const GgufTensor& tensor : gguf->tensors) {
    require(tensor.bytes > 0 && tensor.offset + tensor.bytes <= size, "a tensor is in the file");
    require(bytes_of(tensor.format, tensor.elements()) == static_cast<int64_t>(tensor.bytes),
            "with as many bytes as its elements take");
    require(gguf->tensor(tensor.name) == &tensor, "and is found", tensor.name);
    total += tensor.bytes;
  }
  require(total <= size, "tensors share no bytes");

  if (const auto model = model_of_gguf(*gguf, "x.gguf"); model) {
    const ModelFile& file = model->file;
    require(validate(model->model).ok(), "a model is one that may be");
    require(
        file.matrix_bytes + file.embedding_bytes + file.expert_bytes == static_cast<int64_t>(total),
        "each tensor's bytes count once");
  }

  const auto layout = lay_out_gguf(gguf->metadata, gguf->tensors);
  require(layout.ok(), "what was read can be laid out", layout ? "" : layout.error().message);
  if (layout->file_bytes > (64 << 20)) return 0;  // an alignment of up to 1 GiB makes it so
  std::vector<std::byte> file = layout->header;
  file.resize(layout->file_bytes);
  const auto again = parse_gguf(file);
  require(again.ok(), "and read again", again ? "" : again.error().message);
  require(again->tensors == layout->tensors, "with the tensors of the layout");
  for (size_t i = 0; i < gguf->tensors.size(); ++i) {
    GgufTensor moved = gguf->tensors[i];
    moved.offset = again->tensors[i].offset;
    require(again->tensors[i] == moved, "which are those of the file", moved.name);
  }
  // Byte for byte: a NaN of the metadata is not equal to itself.
  const auto twice = lay_out_gguf(again->metadata, again->tensors);
  require(twice.ok() && twice->header == layout->header, "and the same metadata");
  return 0;
}
