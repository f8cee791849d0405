#include <ATen/ops/empty.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "base/units.h"
#include "ops.h"
#include "torch_op.h"

namespace ridge::torch {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kFinest = 2 * kMiB;  // PyTorch's allocator takes no smaller steps

// The device's memory through PyTorch's allocator, each byte of it written to.
class AllocOp : public sdk::Op {
 public:
  AllocOp(Alloc::What what, const Place& place) : what_(what), device_(place.device) {}

  void fill(const InputSource&) override {}
  std::vector<double> read(std::string_view, int64_t, std::span<const int64_t>) override {
    throw std::invalid_argument("alloc has no tensors");
  }
  void run(int64_t) override {
    give_back(device_);
    std::vector<at::Tensor> held;
    found_ = what_ == Alloc::What::single ? largest(held) : total(held);
    held.clear();
    give_back(device_);
  }
  sdk::OpInfo info() const override {
    sdk::OpInfo info{.kernel = "empty, fill_"};
    if (found_ > 0) {
      info.values = {{Alloc{what_}.result(), static_cast<double>(found_), "B"}};
    }
    return info;
  }

 private:
  bool take(int64_t bytes, std::vector<at::Tensor>& held) const {
    try {
      const at::Tensor made = at::empty({bytes}, at::TensorOptions(at::kByte).device(device_));
      made.fill_(1);
      const c10::impl::VirtualGuardImpl guard(device_.type());
      guard.synchronizeStream(guard.getStream(device_));
      held.push_back(made);
      return true;
    } catch (const c10::OutOfMemoryError&) {
      return false;
    }
  }

  int64_t largest(std::vector<at::Tensor>& held) const {
    const auto memory = c10::getDeviceAllocator(device_.type())->getMemoryInfo(device_.index());
    int64_t good = 0, bad = static_cast<int64_t>(memory.second) + kFinest;
    while (bad - good > std::max(kFinest, good / 256)) {
      const int64_t middle = good + (bad - good) / 2 / kFinest * kFinest;
      if (middle == good) break;
      if (take(middle, held)) {
        good = middle;
      } else {
        bad = middle;
      }
      held.clear();
      give_back(device_);
    }
    return good;
  }

  int64_t total(std::vector<at::Tensor>& held) const {
    int64_t all = 0;
    for (int64_t piece = 1024 * kMiB; piece >= kFinest; piece /= 2) {
      while (take(piece, held)) all += piece;
    }
    return all;
  }

  Alloc::What what_;
  c10::Device device_;
  int64_t found_ = 0;
};

}  // namespace

Result<void> can(const Alloc&, const Settings& settings, const Place& place) {
  if (settings.form == Form::packed) return Error{"alloc has no packed form"};
  if (settings.graph) return Error{"graph: allocating cannot be recorded"};
  if (!place.on_cuda()) {
    return Error{
        fmt::format("memory on {} is the operating system's, not PyTorch's: the cpu worker "
                    "measures it",
                    place.device.str())};
  }
  return {};
}

std::unique_ptr<sdk::Op> make_alloc(const sdk::Task& task, const Place& place) {
  return std::make_unique<AllocOp>(std::get<Alloc>(task.work).what, place);
}

}  // namespace ridge::torch
