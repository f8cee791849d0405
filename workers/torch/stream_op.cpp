#include <ATen/ops/add.h>
#include <ATen/ops/sum.h>

#include "ops.h"
#include "torch_op.h"

namespace ridge::torch {
namespace {

Stream stream_of(const Workload& work) {
  if (const auto* set = std::get_if<WorkingSet>(&work)) return set->as_stream();
  return std::get<Stream>(work);
}

class StreamOp : public TorchOp {
 public:
  StreamOp(const sdk::Task& task, const Place& place)
      : TorchOp(task, place, {}), stream_(stream_of(task.work)) {
    const bool reads = stream_.op == Stream::Op::read;
    for (int64_t i = 0; i < task.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      if (stream_.op != Stream::Op::write) copy.a = tensor("a", i);
      if (stream_.op == Stream::Op::triad) copy.b = tensor("b", i);
      copy.c = tensor(reads ? "sum" : "c", i);
      if (reads) cut(copy);
    }
    constexpr const char* kNames[] = {"sum over rows of 8192", "fill_", "copy_", "add with alpha"};
    kernel_ = kNames[static_cast<size_t>(stream_.op)];
  }

 protected:
  void compute(int64_t index) override {
    Copy& copy = copies_[static_cast<size_t>(index)];
    switch (stream_.op) {
      case Stream::Op::read:
        if (copy.rows.defined()) at::sum_out(copy.row_sums, copy.rows, {1});
        if (copy.tail.defined()) at::sum_out(copy.tail_sum, copy.tail, {1});
        break;
      case Stream::Op::write: copy.c.fill_(copy.s); break;
      case Stream::Op::copy: copy.c.copy_(copy.a); break;
      case Stream::Op::triad: at::add_out(copy.c, copy.a, copy.b, copy.s); break;
    }
  }
  void filled(int64_t index) override {
    if (stream_.op != Stream::Op::write && stream_.op != Stream::Op::triad) return;
    // PyTorch takes scalars from the host.
    copies_[static_cast<size_t>(index)].s = tensor("s", index).item<float>();
  }

 private:
  struct Copy {
    at::Tensor a, b, c;
    at::Tensor rows, row_sums, tail, tail_sum;
    float s = 0;
  };
  // Whole chunks are the rows of a matrix; what is left is a row of its own.
  static void cut(Copy& copy) {
    const int64_t all = copy.a.numel(), rows = all / Stream::chunk, rest = all % Stream::chunk;
    if (rows > 0) {
      copy.rows = copy.a.narrow(0, 0, rows * Stream::chunk).view({rows, Stream::chunk});
      copy.row_sums = copy.c.narrow(0, 0, rows);
    }
    if (rest > 0) {
      copy.tail = copy.a.narrow(0, rows * Stream::chunk, rest).view({1, rest});
      copy.tail_sum = copy.c.narrow(0, rows, 1);
    }
  }

  Stream stream_;
  std::vector<Copy> copies_;
};

// y = x + x, then y = y + x; waited for within the op.
class DispatchOp : public TorchOp {
 public:
  DispatchOp(const sdk::Task& task, const Place& place)
      : TorchOp(task, place, {}), ops_(std::get<Dispatch>(task.work).ops) {
    for (int64_t i = 0; i < task.copies; ++i) copies_.push_back({tensor("x", i), tensor("y", i)});
    kernel_ = "add";
  }
  void run(int64_t copy) override {
    TorchOp::run(copy);
    synchronize();
  }

 protected:
  void compute(int64_t index) override {
    auto& [x, y] = copies_[static_cast<size_t>(index)];
    at::add_out(y, x, x);
    for (int64_t op = 1; op < ops_; ++op) at::add_out(y, y, x);
  }

 private:
  int64_t ops_;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies_;
};

}  // namespace

Result<void> can(const Stream& stream, const Settings& settings, const Place&) {
  if (settings.form == Form::packed) return Error{"stream has no packed form"};
  if (stream.nontemporal) return Error{"PyTorch has no stores that bypass the caches"};
  if (settings.graph && (stream.op == Stream::Op::write || stream.op == Stream::Op::triad)) {
    return Error{"graph: the scalar of write and triad comes from the host, and would be recorded"};
  }
  return {};
}

Result<void> can(const Dispatch&, const Settings& settings, const Place&) {
  if (settings.form == Form::packed) return Error{"dispatch has no packed form"};
  return {};
}

std::unique_ptr<TorchOp> make_stream(const sdk::Task& task, const Place& place) {
  return std::make_unique<StreamOp>(task, place);
}

std::unique_ptr<TorchOp> make_dispatch(const sdk::Task& task, const Place& place) {
  return std::make_unique<DispatchOp>(task, place);
}

}  // namespace ridge::torch
