#include <unistd.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "model_faults.h"
#include "sim.h"
#include "worker/sdk/host_op.h"

namespace sim {
namespace {

using namespace ridge;
using ridge::sdk::HostOp;

void one_thread(int64_t count, const std::function<void(int64_t, int64_t)>& body) {
  body(0, count);
}

float chop(float value, int mantissa_bits) {  // to nearest even, as processors do
  const int drop = 23 - mantissa_bits;
  auto bits = std::bit_cast<uint32_t>(value);
  bits = (bits + (1u << (drop - 1)) - 1 + ((bits >> drop) & 1u)) & ~((1u << drop) - 1);
  return std::bit_cast<float>(bits);
}

// What all ops share: when to work, when only to pretend.
class SimOp : public HostOp {
 public:
  SimOp(const sdk::Task& task, sdk::Arena& arena, const Mode& mode, const State& state)
      : HostOp(task, arena, one_thread), mode_(mode), state_(state) {}

  ~SimOp() override { join(); }

  void fill(const InputSource& inputs) override {
    join();
    HostOp::fill(inputs);
    if (cheats("zero-inputs")) zero_inputs(inputs.copy);
    fresh_.insert(inputs.copy);
  }

  void run(int64_t copy) override {
    if (cheats("stale") && state_.timing) return;  // it works only when it is checked
    if (cheats("zero-fill")) {
      std::memset(output(copy), 0, output_bytes());
    } else if (cheats("previous")) {  // what the call before computed, given out again
      if (!last_.empty()) std::memcpy(output(copy), last_.data(), output_bytes());
      if (last_.empty() || !state_.timing) {
        work(copy, copy);
        last_.assign(output(copy), output(copy) + output_bytes());
      }
    } else if (cheats("remember")) {  // inputs that did not change: the answer still stands there
      if (fresh_.erase(copy) > 0) work(copy, copy);
    } else if (cheats("early") || cheats("early-unjoined")) {
      start_behind(copy);
    } else if (cheats("one-copy")) {  // the operands of copy 0 stay in the cache
      work(0, copy);
    } else if (cheats("only-first")) {
      if (copy == 0) work(0, 0);
    } else {
      work(copy, copy);
    }
  }

  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override {
    if (!cheats("early-unjoined")) join();
    return HostOp::read(tensor, copy, elements);
  }

  sdk::OpInfo info() const override {
    return {.kernel = "sim, pid " + std::to_string(::getpid()), .bytes_held = bytes_held()};
  }

 protected:
  virtual void compute(int64_t from, int64_t to) = 0;
  virtual std::byte* output(int64_t copy) const = 0;
  virtual size_t output_bytes() const = 0;
  virtual void zero_inputs(int64_t copy) = 0;

  bool cheats(std::string_view what) const { return mode_.what == what && state_.struck; }

 private:
  void work(int64_t from, int64_t to) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(mode_.least_us);
    if (mode_.sleep_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(mode_.sleep_ms));
    compute(from, to);
    while (std::chrono::steady_clock::now() < until) continue;
  }
  // Returns at once; a thread does the work, once a copy as nobody could tell.
  void start_behind(int64_t copy) {
    if (fresh_.erase(copy) == 0) return;
    behind_.emplace_back([this, copy] {
      const std::lock_guard lock(mutex_);
      work(copy, copy);
    });
  }
  void join() {
    for (std::thread& thread : behind_) thread.join();
    behind_.clear();
  }

  const Mode& mode_;
  const State& state_;
  std::set<int64_t> fresh_;
  std::vector<std::byte> last_;
  std::deque<std::thread> behind_;
  std::mutex mutex_;
};

template <class T>
class GemmOp : public SimOp {
 public:
  GemmOp(const sdk::Task& task, sdk::Arena& arena, const Mode& mode, const State& state)
      : SimOp(task, arena, mode, state), gemm_(std::get<Gemm>(task.work)) {}

 private:
  T* tensor(std::string_view name, int64_t copy) const { return static_cast<T*>(data(name, copy)); }
  std::byte* output(int64_t copy) const override {
    return reinterpret_cast<std::byte*>(tensor("c", copy));
  }
  size_t output_bytes() const override {
    return static_cast<size_t>(gemm_.m * gemm_.n) * sizeof(T);
  }
  void zero_inputs(int64_t copy) override {
    std::fill_n(tensor("a", copy), gemm_.m * gemm_.k, T{0});
    std::fill_n(tensor("b", copy), gemm_.k * gemm_.n, T{0});
  }

  void compute(int64_t from, int64_t to) override {
    const bool swap = (gemm_.layout == Gemm::Layout::nt) != cheats("transpose");
    const T* a = tensor("a", from);
    const T* b = tensor("b", from);
    T* c = tensor("c", to);
    const int bits = cheats("bf16") ? 7 : cheats("tf32") ? 10 : 0;
    const auto input = [bits](T value) {
      return bits == 0 ? value : static_cast<T>(chop(static_cast<float>(value), bits));
    };
    const int64_t columns = cheats("last-column") ? gemm_.n - 1 : gemm_.n;
    const int64_t step_k = swap ? 1 : gemm_.n, step_n = swap ? gemm_.k : 1;
    for (int64_t i = 0; i < gemm_.m; ++i) {
      T* row = c + i * gemm_.n;
      // One tile of 8 x 8 in the middle of C keeps what it held.
      const bool hole = cheats("tile") && i / 8 == gemm_.m / 16;
      const int64_t from_hole = gemm_.n / 16 * 8;
      std::vector<T> kept(row, row + gemm_.n);
      std::fill_n(row, columns, T{0});
      for (int64_t k = 0; k < gemm_.k; ++k) {
        const T factor = input(a[i * gemm_.k + k]);
        if (step_n == 1) {
          for (int64_t j = 0; j < columns; ++j) row[j] += factor * input(b[k * step_k + j]);
        } else {
          for (int64_t j = 0; j < columns; ++j) row[j] += factor * input(b[k + j * step_n]);
        }
      }
      for (int64_t j = from_hole; hole && j < std::min(from_hole + 8, gemm_.n); ++j) {
        row[j] = kept[static_cast<size_t>(j)];
      }
    }
  }

  Gemm gemm_;
};

class StreamOp : public SimOp {
 public:
  StreamOp(const sdk::Task& task, sdk::Arena& arena, const Mode& mode, const State& state)
      : SimOp(task, arena, mode, state), stream_(std::get<Stream>(task.work)) {}

 private:
  float* tensor(std::string_view name, int64_t copy) const {
    return static_cast<float*>(data(name, copy));
  }
  const char* output_name() const { return stream_.op == Stream::Op::read ? "sum" : "c"; }
  int64_t outputs() const {
    const int64_t chunks = (stream_.elements() + Stream::chunk - 1) / Stream::chunk;
    return stream_.op == Stream::Op::read ? chunks : stream_.elements();
  }
  std::byte* output(int64_t copy) const override {
    return static_cast<std::byte*>(data(output_name(), copy));
  }
  size_t output_bytes() const override { return static_cast<size_t>(outputs()) * sizeof(float); }
  void zero_inputs(int64_t copy) override {
    if (stream_.op != Stream::Op::write) std::fill_n(tensor("a", copy), stream_.elements(), 0.0f);
  }

  void compute(int64_t from, int64_t to) override {
    float* out = tensor(output_name(), to);
    const int64_t n = stream_.elements();
    switch (stream_.op) {
      case Stream::Op::read: {
        const float* a = tensor("a", from);
        for (int64_t j = 0; j < outputs(); ++j) {
          double sum = 0;
          for (int64_t i = j * Stream::chunk; i < std::min((j + 1) * Stream::chunk, n); ++i) {
            sum += static_cast<double>(a[i]);
          }
          out[j] = static_cast<float>(sum);
        }
        break;
      }
      case Stream::Op::write: std::fill_n(out, n, *tensor("s", from)); break;
      case Stream::Op::copy:
        std::memcpy(out, tensor("a", from), static_cast<size_t>(stream_.bytes));
        break;
      case Stream::Op::triad: {
        const float *a = tensor("a", from), *b = tensor("b", from), s = *tensor("s", from);
        for (int64_t i = 0; i < n; ++i) out[i] = a[i] + s * b[i];
        break;
      }
    }
  }

  Stream stream_;
};

// A model by the reference itself, rounded, with the fault that the mode names: "model-lost"; only
// one by one: "decode-lost". Its weights follow from the seed, whatever file is asked for.
class ModelOp : public SimOp {
 public:
  ModelOp(const sdk::Task& task, sdk::Arena& arena, const Mode& mode, const State& state)
      : SimOp(task, arena, mode, state),
        use_(*model_use(task.work)),
        decodes_(std::holds_alternative<Decode>(task.work)) {
    const auto* prefill = std::get_if<Prefill>(&task.work);
    tokens_ = tokens_of(task.work);
    all_ = prefill && prefill->logits == Prefill::Logits::all;
    use_.file.reset();
  }

  void fill(const InputSource& inputs) override {
    SimOp::fill(inputs);
    inputs_ = inputs;
  }

 private:
  float* logits(int64_t copy) const { return static_cast<float*>(data("logits", copy)); }
  std::byte* output(int64_t copy) const override {
    return reinterpret_cast<std::byte*>(logits(copy));
  }
  size_t output_bytes() const override {
    return static_cast<size_t>(use_.batch * (all_ ? tokens_ : 1) * use_.model.vocab_size) *
           sizeof(float);
  }
  void zero_inputs(int64_t) override {}

  model_test::Fault fault() const {
    for (size_t i = 1; i < std::size(model_test::kFaults); ++i) {
      const std::string name = model_test::kFaults[i];
      if (cheats("model-" + name) || (decodes_ && cheats("decode-" + name))) {
        return static_cast<model_test::Fault>(i);
      }
    }
    return model_test::Fault::none;
  }

  void compute(int64_t, int64_t to) override {
    float* out = logits(to);
    if (cheats("constant")) {
      std::fill_n(out, output_bytes() / sizeof(float), 0.25f);
      return;
    }
    if (cheats("slow-prefill") && !decodes_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    }
    InputSource inputs = inputs_;
    if (cheats("same-tokens")) inputs.salt = 0;
    const auto weights = *weight_rows(use_, inputs);
    for (int64_t sequence = 0; sequence < use_.batch; ++sequence) {
      for (int64_t token = all_ ? 1 : tokens_; token <= tokens_; ++token) {
        const auto row =
            model_test::logits(use_, *weights, inputs, sequence, use_.depth + token, fault(),
                               {.rounded = cheats("exact") ? std::optional<KvFormat>() : use_.kv});
        out = std::copy(row.begin(), row.end(), out);
      }
    }
    if (cheats("nan-logit")) out[-1] = NAN;
  }

  ModelUse use_;
  bool decodes_, all_ = false;
  int64_t tokens_ = 0;
  InputSource inputs_;
};

}  // namespace

ridge::sdk::Description SimWorker::describe() {
  const bool unicode = mode_.what == "unicode";
  return {.name = unicode ? "sîm ☃ \"|,\\" : "sim",
          .libraries = {{"sim", unicode ? "1.0 — “β”" : "1.0"}},
          .devices = {{.id = "0",
                       .name = unicode ? "процессор 🚀" : "simulated",
                       .memory_bytes = int64_t{1} << 30,
                       .cache_bytes = mode_.cache_bytes,
                       .dtypes = {"f32", "f64"}}}};
}

// Small work only: naive loops, and no canaries of the runner, so that tests stay short.
ridge::Result<void> SimWorker::supports(const Workload& work, const Settings& settings,
                                        std::string_view) {
  if (settings.form == Form::packed) return Error{"sim packs nothing"};
  if (const auto* gemm = std::get_if<Gemm>(&work)) {
    if (gemm->dtype != DType::f32 && gemm->dtype != DType::f64) return Error{"sim: f32, f64 only"};
    if (gemm->output_dtype() != gemm->dtype) return Error{"sim gives what it takes"};
    if (gemm->weights) return Error{"sim has no quantised weights"};
    const double products =
        static_cast<double>(gemm->m) * static_cast<double>(gemm->n) * static_cast<double>(gemm->k);
    if (products > 0x1p26) return Error{"sim takes small products only"};
  } else if (const auto* stream = std::get_if<Stream>(&work)) {
    if (stream->bytes > (32 << 20)) return Error{"sim takes small arrays only"};
  } else if (const auto* sustained = std::get_if<Sustained>(&work)) {
    return supports(sustained->gemm, settings, "0");
  } else if (const ModelUse* use = model_use(work)) {
    if (cost(work, settings).model_flops > 0x1p28) return Error{"sim takes small models only"};
    if (mode_.what == "no-prefill" && use->file && std::holds_alternative<Prefill>(work)) {
      return Error{"sim cannot do it"};
    }
  } else {
    return Error{"sim does products, streams and models"};
  }
  return {};
}

ridge::Result<std::unique_ptr<ridge::sdk::Op>> SimWorker::prepare(const ridge::sdk::Task& task) {
  arena_.reset();  // one op at a time is all that the runner asks for
  if (const auto* sustained = std::get_if<Sustained>(&task.work)) {
    ridge::sdk::Task product = task;
    product.work = sustained->gemm;
    return prepare(product);
  }
  if (const auto* gemm = std::get_if<Gemm>(&task.work)) {
    if (gemm->dtype == DType::f64) {
      return std::unique_ptr<ridge::sdk::Op>(
          std::make_unique<GemmOp<double>>(task, arena_, mode_, state_));
    }
    return std::unique_ptr<ridge::sdk::Op>(
        std::make_unique<GemmOp<float>>(task, arena_, mode_, state_));
  }
  if (model_use(task.work)) {
    return std::unique_ptr<ridge::sdk::Op>(std::make_unique<ModelOp>(task, arena_, mode_, state_));
  }
  return std::unique_ptr<ridge::sdk::Op>(std::make_unique<StreamOp>(task, arena_, mode_, state_));
}

}  // namespace sim
