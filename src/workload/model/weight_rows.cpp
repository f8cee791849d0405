#include "workload/model/weight_rows.h"

#include <fmt/format.h>

#include <map>
#include <string>

#include "workload/files/gguf.h"
#include "workload/model/gguf_metadata.h"
#include "workload/model/weights.h"

namespace ridge {
namespace {

class Names {
 public:
  void add(const std::string& name) { numbers_.emplace(name, numbers_.size()); }
  std::optional<size_t> find(std::string_view name) const {
    const auto found = numbers_.find(name);
    if (found == numbers_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::map<std::string, size_t, std::less<>> numbers_;
};

class Synthetic : public ModelWeights {
 public:
  Synthetic(const ModelUse& use, const InputSource& inputs)
      : tensors_(weights(use.model, use.format)), inputs_(inputs) {
    for (const WeightTensor& tensor : tensors_) names_.add(tensor.name);
  }
  std::optional<size_t> find(std::string_view tensor) const override { return names_.find(tensor); }
  BlockFormat format(size_t tensor) const override { return tensors_[tensor].format; }
  void row(size_t tensor, int64_t row, std::span<double> out) const override {
    const WeightTensor& t = tensors_[tensor];
    const int64_t blocks = static_cast<int64_t>(out.size()) / block_elements(t.format);
    bytes_.resize(static_cast<size_t>(blocks * block_bytes(t.format)));
    fill_weight(t, inputs_, row * blocks, blocks, bytes_.data());
    dequantise(t.format, bytes_.data(), blocks, out.data());
  }

 private:
  std::vector<WeightTensor> tensors_;
  InputSource inputs_;
  Names names_;
  mutable std::vector<std::byte> bytes_;  // of one row
};

class OfFile : public ModelWeights {
 public:
  explicit OfFile(GgufFile file) : file_(std::move(file)) {
    for (const GgufTensor& tensor : file_.gguf.tensors) names_.add(tensor.name);
  }
  std::optional<size_t> find(std::string_view tensor) const override { return names_.find(tensor); }
  BlockFormat format(size_t tensor) const override { return file_.gguf.tensors[tensor].format; }
  void row(size_t tensor, int64_t row, std::span<double> out) const override {
    const GgufTensor& t = file_.gguf.tensors[tensor];
    const auto width = static_cast<int64_t>(out.size());
    const auto at = static_cast<size_t>(row * bytes_of(t.format, width));
    dequantise(t.format, file_.data(t).data() + at, width / block_elements(t.format), out.data());
  }

 private:
  GgufFile file_;
  Names names_;
};

// What the file has beyond the configuration (biases, scaled RoPE) others would use.
Result<void> fits(const ModelUse& use, const Gguf& gguf) {
  auto found = model_of_gguf(gguf, use.file->path);
  if (!found) return found.error();
  if (!found->beyond.empty()) {
    return Error{
        fmt::format("has more than its configuration tells: {}", fmt::join(found->beyond, ", "))};
  }
  found->model.name = use.model.name;
  if (found->model != use.model) return Error{"holds another model"};
  for (const GgufTensor& tensor : gguf.tensors) {
    if (!can_dequantise(tensor.format)) {
      return Error{fmt::format("tensor '{}' is stored as {}", tensor.name, name(tensor.format))};
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ModelWeights>> weight_rows(const ModelUse& use, const InputSource& inputs) {
  if (!use.file) return std::unique_ptr<ModelWeights>(std::make_unique<Synthetic>(use, inputs));
  auto file = open_gguf(use.file->path);
  if (!file) return file.error();
  if (auto same = fits(use, file->gguf); !same) return same.error().in(use.file->path);
  return std::unique_ptr<ModelWeights>(std::make_unique<OfFile>(*std::move(file)));
}

}  // namespace ridge
