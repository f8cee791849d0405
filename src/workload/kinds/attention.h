#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/choices.h"
#include "workload/settings.h"
#include "workload/tensor.h"

namespace ridge {

// Scaled dot-product attention: o = softmax(q kᵀ / √head_dim, where the mask lets through) v.
// q and o are [batch, heads, seq_q, head_dim]; k and v [batch, kv_heads, seq_kv, head_dim]; query
// head h reads key head h / (heads / kv_heads). Query i stands at position i + seq_kv - seq_q:
// causal lets it see the keys up to there, window the last `window` of those.
//
// bwd is the backward pass alone: grad_q, grad_k, grad_v from q, k, v, grad_o and what the forward
// left behind (o, the softmax's statistics), which is made before the clock starts where the
// library can keep it.
struct Attention {
  enum class Mask { none, causal, window };
  enum class Pass { fwd, bwd };

  DType dtype = DType::f32;
  int64_t batch = 1;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t seq_q = 0;
  int64_t seq_kv = 0;
  int64_t head_dim = 0;
  Mask mask = Mask::none;
  std::optional<int64_t> window = {};  // of Mask::window, and of no other
  Pass pass = Pass::fwd;

  static constexpr std::string_view kind = "attention";
  static constexpr std::string_view about = "scaled dot-product attention, forward or backward";

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("dtype", self.dtype, "element type of all tensors: f32, tf32, bf16 or f16");
    visit("batch", self.batch, "sequences");
    visit("heads", self.heads, "query heads");
    visit("kv_heads", self.kv_heads, "key and value heads; divides heads");
    visit("seq_q", self.seq_q, "queries of each sequence: 1 is a decode step");
    visit("seq_kv", self.seq_kv, "keys of each sequence");
    visit("head_dim", self.head_dim, "elements of a head");
    visit("mask", self.mask, "none, causal (aligned to the last key), or window; default none");
    visit("window", self.window,
          "keys that a query sees, itself included, where the mask is window");
    visit("pass", self.pass, "fwd, or bwd: the gradients of q, k and v alone; default fwd");
  }

  int64_t group() const { return heads / kv_heads; }  // query heads of a key head
  // The keys [first, last) that query i sees.
  int64_t first_key(int64_t i) const;
  int64_t last_key(int64_t i) const;
  // (query, key) pairs let through in one head, summed exactly.
  int64_t visible_pairs() const;
  bool operator==(const Attention&) const = default;
};

inline constexpr std::string_view kMasks[] = {"none", "causal", "window"};
inline Choices choices(Attention::Mask) { return {kMasks, false}; }
inline constexpr std::string_view kPasses[] = {"fwd", "bwd"};
inline Choices choices(Attention::Pass) { return {kPasses, false}; }

// Whether a way of computing attention keeps no score matrix in memory: all but those named
// "unfused" and "math" (Settings::backend).
bool is_fused(const Settings& settings);

Result<void> validate(const Attention& attention);
// "attention/bf16/b1/h32:8/s512:4096/d128/causal/bwd": the number after a colon is of keys, and is
// left out where it is that of queries; so are no mask and the forward pass.
std::string work_key(const Attention& attention);
// "bf16", "bf16 bwd", "bf16 decode": what reads its keys for fewer than 16 queries.
std::string operation(const Attention& attention);
// model_flops: 4·batch·heads·head_dim·visible pairs forward, twice that backward. executed_flops:
// fused backward computes the scores once more (2.5 times forward); unfused computes hidden pairs
// too. Bytes: each tensor once, keys that no query sees left out; unfused the score matrix too.
Cost cost(const Attention& attention, const Settings& settings);
// q, k, v, o; backward q, k, v, grad_o, grad_q, grad_k, grad_v.
std::vector<TensorSpec> tensors(const Attention& attention);
// Every key's gradient needs the softmax of all queries that see it. Where that is too much to ask
// again and again (no mask, long), a look after timing asks for one key alone.
bool asks_one_key(const Attention& attention);
// Whole rows of head_dim elements, as they cost the same as a single one.
std::vector<int64_t> elements_to_check(const Attention& attention, std::string_view tensor,
                                       int64_t want, TensorKey choice);
// A single key's gradient where asks_one_key(): from the queries that weigh most for it, with a
// tolerance wide enough for all others. A zero, another input's gradient or NaN is outside of it.
std::vector<Expected> expected(const Attention& attention, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements);

}  // namespace ridge
