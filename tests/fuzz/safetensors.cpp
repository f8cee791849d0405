// Any bytes as a safetensors file: what is read lies in the file, tensor after tensor without a
// hole.

#include "workload/files/safetensors.h"

#include "fuzz.h"

using namespace ridge;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto read = parse_safetensors({reinterpret_cast<const std::byte*>(data), size});
  if (!read) {
    const std::string& why = read.error().message;
    require(why.starts_with("safetensors: "), "an error says what it is about", why);
    return 0;
  }
  uint64_t end = 0;
  for (size_t i = 0; i < read->tensors.size(); ++i) {
    const SafetensorsTensor& tensor = read->tensors[i];
    require(i == 0 || tensor.offset == end, "a tensor begins where the one before ends");
    end = tensor.offset + tensor.bytes;
    require(end <= size, "a tensor is in the file");
    const auto bits = static_cast<uint64_t>(bits_of(tensor.type));
    require(static_cast<uint64_t>(tensor.elements()) * bits == tensor.bytes * 8,
            "with as many bytes as its elements take");
    require(read->tensor(tensor.name) == &tensor, "and is found", tensor.name);
  }
  require(read->tensors.empty() || end == size, "the last ends with the file");
  return 0;
}
