#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "workload/files/gguf.h"

namespace ridge {

// A GGUF v3 file before its data: what stands before the tensors, and where each tensor goes.
struct GgufLayout {
  std::vector<std::byte> header;  // up to the first tensor, with its padding
  std::vector<GgufTensor> tensors;
  uint64_t file_bytes = 0;
};
// Of each tensor name, format and shape count; offset and bytes are worked out. The alignment is
// general.alignment of the metadata, or 32. An error where parse_gguf would refuse the result.
Result<GgufLayout> lay_out_gguf(const GgufMetadata& metadata, std::vector<GgufTensor> tensors);

// Writes bytes [first_byte, first_byte + out.size()) of a tensor to `out`; both ends are multiples
// of its block. Called by several threads at a time, so that it must not depend on the order.
using GgufFill =
    std::function<void(const GgufTensor& tensor, uint64_t first_byte, std::span<std::byte> out)>;

// Writes the file chunk by chunk (8 MiB, each thread one), under PATH.part, which is renamed when
// all is on the disk: `path` is either as it was or whole. Too little room on the disk is found
// before anything is written where the file system can tell. What `fill` throws goes to the caller.
// threads 0: one a logical processor.
Result<void> write_gguf(const std::string& path, const GgufMetadata& metadata,
                        std::vector<GgufTensor> tensors, const GgufFill& fill, int threads = 0);

}  // namespace ridge
