#include "synthetic.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#include "workload/files/gguf_write.h"
#include "workload/model/gguf_metadata.h"
#include "workload/model/weights.h"

namespace ridge::llamacpp {
namespace {

constexpr int64_t kShare = 1 << 20;  // bytes that a thread fills at a time

template <class T>
T take(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

}  // namespace

std::unique_ptr<MadeFile> synthetic_file(const ModelUse& use, uint64_t seed, int threads,
                                         Lies where) {
  const std::vector<WeightTensor> tensors = weights(use.model, use.format);
  const GgufLayout layout = take(lay_out_gguf(take(gguf_metadata(use.model, use.format)),
                                              gguf_tensors(use.model, use.format)));
  auto file = std::make_unique<MadeFile>(layout.file_bytes, where);
  std::memcpy(file->bytes().data(), layout.header.data(), layout.header.size());

  struct Share {
    size_t tensor;
    int64_t first, count;  // blocks
  };
  std::vector<Share> shares;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t block = block_bytes(tensors[i].format);
    const int64_t all = tensors[i].bytes() / block, step = kShare / block;
    for (int64_t first = 0; first < all; first += step) {
      shares.push_back({i, first, std::min(step, all - first)});
    }
  }
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < shares.size(); i = next++) {
      const auto& [tensor, first, count] = shares[i];
      fill_weight(tensors[tensor], {.seed = seed}, first, count,
                  file->bytes().data() + layout.tensors[tensor].offset +
                      first * block_bytes(tensors[tensor].format));
    }
  };
  std::vector<std::jthread> team;
  for (int i = 1; i < threads; ++i) team.emplace_back(work);
  work();
  team.clear();
  file->done();
  return file;
}

}  // namespace ridge::llamacpp
