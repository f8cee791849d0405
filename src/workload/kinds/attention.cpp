#include "workload/kinds/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ridge {
namespace {

// q and k of this scale give scores with a standard deviation of 2 before the softmax: as peaked
// as trained heads are, so that a key more or less, or a wrong scale, shows.
constexpr double kQueryScale = 2.449489742783178;  // sqrt(6): a variance of 2
constexpr double kWhole = 0x1p24;                  // multiply-adds of a full check: some 10 ms
constexpr int64_t kWholeElements = 1 << 16;  // … and no more values than messages carry well
constexpr double kQuick = 0x1p26;            // … of one asked for again and again
constexpr int64_t kFewQueries = 16;          // fewer reuse keys too little to be bound by products
constexpr int64_t kSmallWant = 256;          // below: a look after timing, not the check

int64_t column_of(int64_t extent, double uniform) {
  return static_cast<int64_t>(uniform * static_cast<double>(extent));
}

double pairs_of(const Attention& a) { return static_cast<double>(a.visible_pairs()); }

// Multiply-adds that the float64 reference needs for all rows of one key head.
double head_work(const Attention& a) {
  return 2 * pairs_of(a) * static_cast<double>(a.head_dim * a.group());
}

}  // namespace

int64_t Attention::last_key(int64_t i) const {
  return mask == Mask::none ? seq_kv : i + seq_kv - seq_q + 1;
}

int64_t Attention::first_key(int64_t i) const {
  return mask == Mask::window ? std::max<int64_t>(0, last_key(i) - window.value_or(seq_kv)) : 0;
}

int64_t Attention::visible_pairs() const {
  if (mask == Mask::none) return seq_q * seq_kv;
  const int64_t first = seq_kv - seq_q + 1;  // keys that query 0 sees, without a window
  const auto triangle = [](int64_t n) { return n * (n + 1) / 2; };
  const int64_t causal = triangle(seq_kv) - triangle(first - 1);
  if (mask == Mask::causal) return causal;
  // What lies before the window: 1 for the first query that sees window + 1 keys, and so on.
  const int64_t w = window.value_or(seq_kv);
  if (seq_kv <= w) return causal;
  return causal - (triangle(seq_kv - w) - (first > w ? triangle(first - 1 - w) : 0));
}

bool is_fused(const Settings& settings) {
  return settings.backend != "unfused" && settings.backend != "math";
}

Result<void> validate(const Attention& a) {
  const struct {
    std::string_view name;
    int64_t value, most;
  } fields[] = {{"batch", a.batch, 1 << 20},       {"heads", a.heads, 1 << 16},
                {"kv_heads", a.kv_heads, 1 << 16}, {"seq_q", a.seq_q, 1 << 24},
                {"seq_kv", a.seq_kv, 1 << 24},     {"head_dim", a.head_dim, 1 << 14}};
  for (const auto& [name, value, most] : fields) {
    if (value < 1 || value > most) {
      return Error{fmt::format("attention: {} must lie in 1 to {}, found {}", name, most, value)};
    }
  }
  if (a.dtype != DType::f32 && a.dtype != DType::tf32 && a.dtype != DType::bf16 &&
      a.dtype != DType::f16) {
    return Error{
        fmt::format("attention: dtype must be f32, tf32, bf16 or f16, found {}", name(a.dtype))};
  }
  if (a.heads % a.kv_heads != 0) {
    return Error{
        fmt::format("attention: kv_heads must divide heads, found {} and {}", a.kv_heads, a.heads)};
  }
  if (a.mask != Attention::Mask::none && a.seq_q > a.seq_kv) {
    return Error{
        fmt::format("attention: with a {} mask seq_q must be at most seq_kv, found {} "
                    "and {}: the first queries would see no key",
                    name(a.mask), a.seq_q, a.seq_kv)};
  }
  if (a.window.has_value() != (a.mask == Attention::Mask::window)) {
    return Error{"attention: window belongs to the mask window, and to no other"};
  }
  if (a.window && (*a.window < 1 || *a.window > (1 << 24))) {
    return Error{
        fmt::format("attention: window must lie in 1 to {}, found {}", 1 << 24, *a.window)};
  }
  if (cost(a, {}).footprint > 0x1p44) return Error{"attention: tensors exceed 16 TiB"};
  return {};
}

std::string operation(const Attention& a) {
  return fmt::format("{}{}{}", name(a.dtype), a.seq_q < kFewQueries ? " decode" : "",
                     a.pass == Attention::Pass::bwd ? " bwd" : "");
}

std::string work_key(const Attention& a) {
  const auto pair = [](int64_t q, int64_t kv) {
    return q == kv ? fmt::format("{}", q) : fmt::format("{}:{}", q, kv);
  };
  std::string key = fmt::format("attention/{}/b{}/h{}/s{}/d{}", name(a.dtype), a.batch,
                                pair(a.heads, a.kv_heads), pair(a.seq_q, a.seq_kv), a.head_dim);
  if (a.mask != Attention::Mask::none) key += fmt::format("/{}", name(a.mask));
  if (a.window) key += fmt::format("-{}", *a.window);
  if (a.pass == Attention::Pass::bwd) key += "/bwd";
  return key;
}

Cost cost(const Attention& a, const Settings& settings) {
  const bool backward = a.pass == Attention::Pass::bwd, fused = is_fused(settings);
  const auto all_heads = static_cast<double>(a.batch * a.heads);
  const double width = bytes_of(a.dtype);
  const double forward = 4 * all_heads * static_cast<double>(a.head_dim) * pairs_of(a);
  const double queries = all_heads * static_cast<double>(a.seq_q * a.head_dim) * width;
  const double key_bytes = static_cast<double>(a.batch * a.kv_heads * a.head_dim) * width;
  const double keys = key_bytes * static_cast<double>(a.last_key(a.seq_q - 1) - a.first_key(0));
  const double all_keys = key_bytes * static_cast<double>(a.seq_kv);
  const double matrix = all_heads * static_cast<double>(a.seq_q) * static_cast<double>(a.seq_kv);
  Cost cost;
  cost.model_flops = backward ? 2 * forward : forward;
  cost.executed_flops = fused ? (backward ? 2.5 * forward : forward)
                              : cost.model_flops / pairs_of(a) * static_cast<double>(a.seq_q) *
                                    static_cast<double>(a.seq_kv);
  cost.bytes_read = backward ? 3 * queries + 2 * keys : queries + 2 * keys;  // o and grad_o too
  cost.bytes_written = backward ? queries + 2 * all_keys : queries;
  cost.footprint = backward ? 3 * queries + 4 * all_keys : 2 * queries + 2 * all_keys;
  if (!fused) {  // scores written and read, forward; probabilities read, their gradients both
    cost.bytes_read += (backward ? 2 : 1) * matrix * width;
    cost.bytes_written += matrix * width;
    cost.footprint += (backward ? 2 : 1) * matrix * width;
  }
  cost.bytes_write_allocate = cost.bytes_written;
  cost.rate_unit = RateUnit::flop_per_s;
  return cost;
}

std::vector<TensorSpec> tensors(const Attention& a) {
  using Role = TensorSpec::Role;
  const std::vector<int64_t> queries = {a.batch, a.heads, a.seq_q, a.head_dim},
                             keys = {a.batch, a.kv_heads, a.seq_kv, a.head_dim};
  std::vector<TensorSpec> all = {{"q", Role::input, a.dtype, queries, kQueryScale},
                                 {"k", Role::input, a.dtype, keys, kQueryScale},
                                 {"v", Role::input, a.dtype, keys}};
  if (a.pass == Attention::Pass::fwd) {
    all.push_back({"o", Role::output, a.dtype, queries});
  } else {
    all.push_back({"grad_o", Role::input, a.dtype, queries});
    all.push_back({"grad_q", Role::output, a.dtype, queries});
    all.push_back({"grad_k", Role::output, a.dtype, keys});
    all.push_back({"grad_v", Role::output, a.dtype, keys});
  }
  return all;
}

bool asks_one_key(const Attention& a) {
  return a.mask == Attention::Mask::none && head_work(a) > kQuick;
}

std::vector<int64_t> elements_to_check(const Attention& a, std::string_view tensor, int64_t want,
                                       TensorKey choice) {
  std::vector<int64_t> elements;
  const bool of_queries = tensor == "o" || tensor == "grad_q";
  if (!of_queries && tensor != "grad_k" && tensor != "grad_v") return elements;
  const int64_t heads = a.batch * (of_queries ? a.heads : a.kv_heads);
  const int64_t rows = of_queries ? a.seq_q : a.seq_kv;
  std::vector<int64_t> chosen;  // rows of the tensor as a matrix of head_dim columns
  const double whole = head_work(a) * static_cast<double>(a.batch * a.kv_heads);
  if (want >= kSmallWant && whole <= kWhole && heads * rows * a.head_dim <= kWholeElements) {
    for (int64_t i = 0; i < heads * rows; ++i) chosen.push_back(i);
  } else if (of_queries) {
    const int64_t count = std::clamp<int64_t>(want / a.head_dim, 1, heads * rows);
    for (int64_t i = 0; i < count; ++i) {
      chosen.push_back(column_of(heads * rows, random_uniform(choice, i)));
    }
    if (want >= kSmallWant) chosen.insert(chosen.end(), {int64_t{0}, heads * rows - 1});
  } else if (want >= kSmallWant || head_work(a) <= kQuick) {
    // Every key needs the softmax of all queries that see it: one head's cost the same as one key.
    const int64_t head = column_of(heads, random_uniform(choice, 0));
    for (int64_t i = 1; i <= 2; ++i) {
      chosen.push_back(head * rows + column_of(rows, random_uniform(choice, i)));
    }
    if (want >= kSmallWant) chosen.insert(chosen.end(), {head * rows, head * rows + rows - 1});
  } else {
    // Masked, the last query alone sees the last key.
    const int64_t key = asks_one_key(a) ? column_of(rows, random_uniform(choice, 1)) : rows - 1;
    chosen.push_back(column_of(heads, random_uniform(choice, 0)) * rows + key);
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  for (const int64_t row : chosen) {
    for (int64_t i = 0; i < a.head_dim; ++i) elements.push_back(row * a.head_dim + i);
  }
  return elements;
}

}  // namespace ridge
