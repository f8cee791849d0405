#include "model_op.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "base/units.h"
#include "log.h"
#include "memory_of.h"
#include "workload/model/cost.h"
#include "workload/model/tokens.h"

namespace ridge::llamacpp {
namespace {

constexpr int64_t kCallTokens = 2048;       // llama-bench's -b
constexpr uint32_t kContextMultiple = 256;  // libllama rounds a sequence's context up to it
constexpr size_t kLeastForP99 = 100;        // tokens

double now_ns() {
  return std::chrono::duration<double, std::nano>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The smallest that at least this share does not exceed; reorders them, of which there are some.
double quantile(std::vector<double>& values, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

ModelOp::ModelOp(const sdk::Task& task, Engine& engine, std::shared_ptr<const Model> model,
                 const Place& place, int threads)
    : use_(*model_use(task.work)),
      decodes_(std::holds_alternative<Decode>(task.work)),
      all_logits_(false),
      settings_(task.settings),
      engine_(engine),
      place_(place),
      threads_(threads),
      model_(std::move(model)) {
  if (const auto* prefill = std::get_if<Prefill>(&task.work)) {
    tokens_ = prefill->tokens;
    all_logits_ = prefill->logits == Prefill::Logits::all;
  } else {
    tokens_ = std::get<Decode>(task.work).tokens;
  }
  start();
}

void ModelOp::start() {
  const auto per_sequence = static_cast<uint32_t>(use_.depth + tokens_);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = (per_sequence + kContextMultiple - 1) / kContextMultiple * kContextMultiple *
                 static_cast<uint32_t>(use_.batch);
  params.n_seq_max = static_cast<uint32_t>(use_.batch);
  const int64_t micro = micro_batch_of(settings_);
  params.n_ubatch = static_cast<uint32_t>(micro);
  params.n_batch = static_cast<uint32_t>(std::max<int64_t>(kCallTokens, micro));
  params.n_threads = params.n_threads_batch = threads_;
  params.type_k = params.type_v = type_of(use_.kv);
  params.flash_attn_type = settings_.backend.empty()      ? LLAMA_FLASH_ATTN_TYPE_AUTO
                           : settings_.backend == "flash" ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                          : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  take_log();
  context_.reset(llama_init_from_model(const_cast<llama_model*>(model_->model.get()), params));
  const std::string log = take_log();
  if (!context_) {
    throw std::runtime_error(fmt::format("llama.cpp makes no context: {}", first_error(log)));
  }
  flash_ = settings_.backend;
  if (flash_.empty()) {
    // What "auto" came to is logged, and told nowhere else.
    flash_ = log.find(": Flash Attention enabled") != std::string::npos ? "flash" : "unfused";
  }
  if (place_.on_cpu) {
    llama_attach_threadpool(context_.get(), engine_.use_threads(threads_), nullptr);
  }
}

void ModelOp::add(Call& call, int64_t sequence, int64_t position, bool output) const {
  call.tokens.push_back(token_at(use_.model, inputs_, sequence, position));
  call.positions.push_back(static_cast<llama_pos>(position));
  call.sequences.push_back(static_cast<llama_seq_id>(sequence));
  call.outputs.push_back(output ? 1 : 0);
}

// Positions [first, first + count) of every sequence. Of a prompt sequence after sequence; one by
// one position after position, all sequences in a call, whose logits are computed each time.
std::vector<ModelOp::Call> ModelOp::calls_for(int64_t first, int64_t count, bool one_by_one,
                                              bool wanted) const {
  std::vector<Call> calls;
  if (one_by_one) {
    for (int64_t i = 0; i < count; ++i) {
      Call& call = calls.emplace_back();
      for (int64_t sequence = 0; sequence < use_.batch; ++sequence) {
        add(call, sequence, first + i, true);
        if (i + 1 == count) call.rows.push_back({sequence, static_cast<int32_t>(sequence)});
      }
    }
    return calls;
  }
  for (int64_t sequence = 0; sequence < use_.batch; ++sequence) {
    for (int64_t i = 0; i < count; ++i) {
      if (calls.empty() || static_cast<int64_t>(calls.back().tokens.size()) == kCallTokens) {
        calls.emplace_back();
      }
      Call& call = calls.back();
      const bool output = wanted && (all_logits_ || i + 1 == count);
      if (output) {
        call.rows.push_back({all_logits_ ? sequence * count + i : sequence,
                             static_cast<int32_t>(call.tokens.size())});
      }
      add(call, sequence, first + i, output);
    }
  }
  return calls;
}

void ModelOp::fill(const InputSource& inputs) {
  inputs_ = inputs;
  depth_ = calls_for(0, use_.depth, false, false);
  calls_ = calls_for(use_.depth, tokens_, decodes_, true);
  saved_.clear();
  token_ns_.clear();
  ran_ = false;
  fill_cache();
}

void ModelOp::fill_cache() {
  llama_memory_clear(llama_get_memory(context_.get()), false);
  for (Call& call : depth_) decode(call);
  wait();
  ready_ = true;
}

void ModelOp::make_ready() {
  if (ready_) return;
  llama_memory_t memory = llama_get_memory(context_.get());
  bool good = use_.depth > 0;
  for (int64_t sequence = 0; good && sequence < use_.batch; ++sequence) {
    good = llama_memory_seq_rm(memory, static_cast<llama_seq_id>(sequence),
                               static_cast<llama_pos>(use_.depth), -1);
  }
  if (!good) fill_cache();
  ready_ = true;
}

void ModelOp::before(int64_t) { make_ready(); }

void ModelOp::decode(Call& call) {
  std::vector<llama_seq_id*> sequences;
  std::vector<int32_t> one(call.tokens.size(), 1);
  for (llama_seq_id& sequence : call.sequences) sequences.push_back(&sequence);
  llama_batch batch{};
  batch.n_tokens = static_cast<int32_t>(call.tokens.size());
  batch.token = call.tokens.data();
  batch.pos = call.positions.data();
  batch.n_seq_id = one.data();
  batch.seq_id = sequences.data();
  batch.logits = call.outputs.data();
  if (const int32_t status = llama_decode(context_.get(), batch); status != 0) {
    throw std::runtime_error(fmt::format("llama_decode: {} ({})", status, first_error(take_log())));
  }
}

void ModelOp::run(int64_t) {
  make_ready();
  ready_ = false;
  saved_.clear();
  double began = decodes_ ? now_ns() : 0;
  for (size_t i = 0; i < calls_.size(); ++i) {
    decode(calls_[i]);
    if (decodes_) {
      llama_synchronize(context_.get());
      const double ended = now_ns();
      token_ns_.push_back(ended - began);
      began = ended;
    }
    if (i + 1 == calls_.size()) continue;
    // The next call writes its logits over these.
    for (const Call::Row& row : calls_[i].rows) {
      const float* from = llama_get_logits_ith(context_.get(), row.index);
      saved_.emplace_back(from, from + use_.model.vocab_size);
    }
  }
  llama_synchronize(context_.get());
  ran_ = true;
}

void ModelOp::wait() { llama_synchronize(context_.get()); }

const float* ModelOp::logits_of(int64_t row) const {
  size_t before = 0;
  for (const Call& call : calls_) {
    for (size_t i = 0; i < call.rows.size(); ++i) {
      if (call.rows[i].row != row) continue;
      if (&call != &calls_.back()) return saved_.at(before + i).data();
      return llama_get_logits_ith(context_.get(), call.rows[i].index);
    }
    before += call.rows.size();
  }
  throw std::out_of_range(fmt::format("'logits' has no row {}", row));
}

std::vector<double> ModelOp::read(std::string_view tensor, int64_t,
                                  std::span<const int64_t> elements) {
  if (tensor != "logits") throw std::invalid_argument(fmt::format("no tensor named '{}'", tensor));
  std::vector<double> values;
  const int64_t width = use_.model.vocab_size;
  for (const int64_t element : elements) {
    if (!ran_) {
      values.push_back(std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    values.push_back(static_cast<double>(logits_of(element / width)[element % width]));
  }
  return values;
}

sdk::OpInfo ModelOp::info() const {
  sdk::OpInfo info{.kernel = "llama_decode", .backend = flash_};
  if (place_.on_cpu) {
    info.notes.push_back(fmt::format("threads: {}, ggml's pool, not pinned", threads_));
  }
  info.notes.push_back(
      fmt::format("{}, {} parameters", model_->about, llama_model_n_params(model_->model.get())));
  info.notes.push_back(fmt::format("{} tokens a call, {} at a time", llama_n_batch(context_.get()),
                                   llama_n_ubatch(context_.get())));
  for (const Held& held : memory_of(context_.get())) {
    info.notes.push_back(fmt::format("{}: model {}, cache {}, compute {}", held.where,
                                     show_bytes(held.model), show_bytes(held.cache),
                                     show_bytes(held.compute)));
    info.bytes_held += held.model + held.cache + held.compute;
  }
  if (std::vector<double> ns = token_ns_; !ns.empty()) {
    // The first op warms up.
    if (ns.size() > calls_.size()) ns.erase(ns.begin(), ns.begin() + std::ssize(calls_));
    info.values.push_back({"token_p50", quantile(ns, 0.5) * 1e-9, "s"});
    if (ns.size() >= kLeastForP99) {
      info.values.push_back({"token_p99", quantile(ns, 0.99) * 1e-9, "s"});
    }
  }
  return info;
}

}  // namespace ridge::llamacpp
