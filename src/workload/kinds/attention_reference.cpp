#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "workload/kinds/attention.h"

// Attention in float64, row by row, and how far from it arithmetic in the dtype may lie. Errors of
// different keys are independent: they add as a random walk.

namespace ridge {
namespace {

constexpr double kSigmas = 6;       // of a random walk of roundings that still counts as right
constexpr double kFloat = 0x1p-24;  // roundoff of the accumulators, which are f32 at least
constexpr double kKeyDeviation = M_SQRT2;  // of an element of k: see tensors()

using Vector = std::vector<double>;

double norm(const Vector& x) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  return std::sqrt(squares);
}

// The rows of a tensor as a matrix of `columns`, made from the generator.
class Rows {
 public:
  Rows(const TensorSpec& spec, const InputSource& inputs)
      : key_(inputs.key(spec.name)), spec_(spec), columns_(spec.shape.back()) {}

  Vector operator[](int64_t row) const {
    Vector values(static_cast<size_t>(columns_));
    for (int64_t i = 0; i < columns_; ++i) {
      values[static_cast<size_t>(i)] =
          random_element(key_, spec_.dtype, spec_.scale, row * columns_ + i);
    }
    return values;
  }

 private:
  TensorKey key_;
  TensorSpec spec_;
  int64_t columns_;
};

// Of one query: the scores of the keys it sees, what the softmax makes of them, and each one's
// error relative to itself.
struct Softmax {
  int64_t first = 0;
  Vector p, error;
};

// One output row and its allowed error.
struct Line {
  Vector value, tolerance;
};

class Reference {
 public:
  Reference(const Attention& work, const InputSource& inputs)
      : a_(work),
        roundoff_(unit_roundoff(work.dtype)),
        scale_(1 / std::sqrt(static_cast<double>(work.head_dim))),
        specs_(tensors(work)),
        q_(spec("q"), inputs),
        k_(spec("k"), inputs),
        v_(spec("v"), inputs),
        grad_o_(spec(work.pass == Attention::Pass::bwd ? "grad_o" : "q"), inputs) {}

  // Row `row` of o or grad_q, whose rows are (batch, head, query).
  Line of_query(int64_t row, bool gradient) {
    const int64_t head = row / a_.seq_q, i = row % a_.seq_q;
    turn_to(key_head(head));
    const Vector q = q_[row];
    const Softmax soft = softmax(q, i);
    const Line o = output(soft);
    if (!gradient) return o;
    const Vector g = grad_o_[row];
    const auto [delta, delta_error] = delta_of(o.value, g);
    Line out = zeros();
    Vector shift(out.value.size()), squares(out.value.size());
    for (size_t n = 0; n < soft.p.size(); ++n) {
      const double* k = &keys_[(static_cast<size_t>(soft.first) + n) * q.size()];
      const double dp = dot(g.data(), value_row(soft.first + static_cast<int64_t>(n)), q.size());
      const double ds = soft.p[n] * (dp - delta), error = ds_error(soft, n, dp, delta);
      for (size_t d = 0; d < q.size(); ++d) {
        out.value[d] += scale_ * ds * k[d];
        shift[d] += scale_ * soft.p[n] * k[d];
        squares[d] += error * k[d] * error * k[d];
      }
    }
    for (size_t d = 0; d < q.size(); ++d) {
      out.tolerance[d] =
          rounding(out.value[d]) +
          kSigmas * (scale_ * std::sqrt(squares[d]) + std::fabs(shift[d]) * delta_error);
    }
    return out;
  }

  // The row of grad_k and of grad_v of each key asked for, all of one key head.
  std::map<int64_t, std::pair<Line, Line>> of_keys(int64_t head, const std::vector<int64_t>& keys) {
    turn_to(head);
    struct Sums {
      Line k, v;
      Vector k_head, v_head;  // of one query head: a library may round them before it adds heads
    };
    std::map<int64_t, Sums> sums;
    for (const int64_t key : keys) sums[key] = {zeros(), zeros(), {}, {}};
    const int64_t batch = head / a_.kv_heads, first_head = head % a_.kv_heads * a_.group();
    const auto width = static_cast<size_t>(a_.head_dim);
    for (int64_t h = 0; h < a_.group(); ++h) {
      for (auto& [key, sum] : sums) sum.k_head = sum.v_head = Vector(width);
      for (int64_t i = 0; i < a_.seq_q; ++i) {
        const bool seen = std::any_of(keys.begin(), keys.end(), [&](int64_t key) {
          return key >= a_.first_key(i) && key < a_.last_key(i);
        });
        if (!seen) continue;
        const int64_t row = (batch * a_.heads + first_head + h) * a_.seq_q + i;
        const Vector q = q_[row], g = grad_o_[row];
        const Softmax soft = softmax(q, i);
        const auto [delta, delta_error] = delta_of(output(soft).value, g);
        for (auto& [key, sum] : sums) {
          if (key < soft.first || key >= soft.first + static_cast<int64_t>(soft.p.size())) continue;
          const auto n = static_cast<size_t>(key - soft.first);
          const double dp = dot(g.data(), value_row(key), width);
          const double ds = soft.p[n] * (dp - delta);
          const double k_error = ds_error(soft, n, dp, delta) + soft.p[n] * delta_error;
          const double v_error = soft.p[n] * soft.error[n];
          for (size_t d = 0; d < width; ++d) {
            sum.k_head[d] += scale_ * ds * q[d];
            sum.v_head[d] += soft.p[n] * g[d];
            sum.k.tolerance[d] += scale_ * k_error * q[d] * scale_ * k_error * q[d];
            sum.v.tolerance[d] += v_error * g[d] * v_error * g[d];
          }
        }
      }
      for (auto& [key, sum] : sums) {
        for (size_t d = 0; d < width; ++d) {
          sum.k.value[d] += sum.k_head[d];
          sum.v.value[d] += sum.v_head[d];
          const double k_round = rounding(sum.k_head[d]), v_round = rounding(sum.v_head[d]);
          sum.k.tolerance[d] += k_round * k_round;
          sum.v.tolerance[d] += v_round * v_round;
        }
      }
    }
    std::map<int64_t, std::pair<Line, Line>> out;
    for (auto& [key, sum] : sums) {
      for (Line* line : {&sum.k, &sum.v}) {
        for (size_t d = 0; d < width; ++d) {
          line->tolerance[d] =
              rounding(line->value[d]) + kSigmas * std::sqrt(line->tolerance[d]);
        }
      }
      out[key] = {std::move(sum.k), std::move(sum.v)};
    }
    return out;
  }

 private:
  const TensorSpec& spec(std::string_view name) const {
    return *std::find_if(specs_.begin(), specs_.end(),
                         [&](const TensorSpec& spec) { return spec.name == name; });
  }
  int64_t key_head(int64_t query_head) const {
    return query_head / a_.heads * a_.kv_heads + query_head % a_.heads / a_.group();
  }
  Line zeros() const {
    const auto width = static_cast<size_t>(a_.head_dim);
    return {Vector(width), Vector(width)};
  }
  const double* value_row(int64_t key) const {
    return &values_[static_cast<size_t>(key * a_.head_dim)];
  }
  static double dot(const double* x, const double* y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += x[i] * y[i];
    return sum;
  }

  // Makes the keys and values of (batch, key head) `head`: as they are stored, and the keys turned
  // round, so that the loop over keys runs through memory in order.
  void turn_to(int64_t head) {
    if (head == head_) return;
    head_ = head;
    const auto width = static_cast<size_t>(a_.head_dim), count = static_cast<size_t>(a_.seq_kv);
    keys_.assign(width * count, 0);
    turned_ = values_ = keys_;
    for (size_t j = 0; j < count; ++j) {
      const int64_t row = head * a_.seq_kv + static_cast<int64_t>(j);
      const Vector k = k_[row], v = v_[row];
      std::copy(k.begin(), k.end(), keys_.begin() + static_cast<ptrdiff_t>(j * width));
      std::copy(v.begin(), v.end(), values_.begin() + static_cast<ptrdiff_t>(j * width));
      for (size_t d = 0; d < width; ++d) turned_[d * count + j] = k[d];
    }
  }

  Softmax softmax(const Vector& q, int64_t i) const {
    Softmax soft;
    soft.first = a_.first_key(i);
    const auto count = static_cast<size_t>(a_.last_key(i) - soft.first);
    soft.p.resize(count);
    soft.error.resize(count);
    for (size_t d = 0; d < q.size(); ++d) {
      const double* k =
          &turned_[d * static_cast<size_t>(a_.seq_kv) + static_cast<size_t>(soft.first)];
      const double weight = q[d] * scale_;
      for (size_t n = 0; n < count; ++n) soft.p[n] += weight * k[n];
    }
    // A score is a sum of head_dim products, of q and k rounded (scaled, or in TF32), and may be
    // rounded itself; the exponential of a number far below 0 is less exact than one near it.
    const double highest = *std::max_element(soft.p.begin(), soft.p.end());
    const double spread = norm(q) * kKeyDeviation * scale_;
    const double products =
        spread * (kFloat * std::sqrt(static_cast<double>(a_.head_dim)) + M_SQRT2 * roundoff_);
    double sum = 0;
    for (size_t n = 0; n < count; ++n) {
      const double score = soft.p[n], below = highest - score;
      soft.error[n] = products + roundoff_ * (1 + std::fabs(score)) + kFloat * (4 + below);
      soft.p[n] = std::exp(score - highest);
      sum += soft.p[n];
    }
    for (double& p : soft.p) p /= sum;
    return soft;
  }

  Line output(const Softmax& soft) const {
    Line out = zeros();
    Vector squares(out.value.size()), terms(out.value.size());
    for (size_t n = 0; n < soft.p.size(); ++n) {
      const double* v = value_row(soft.first + static_cast<int64_t>(n));
      const double p = soft.p[n], error = p * soft.error[n];
      for (size_t d = 0; d < squares.size(); ++d) {
        const double pv = p * v[d], ev = error * v[d];
        out.value[d] += pv;
        terms[d] += pv * pv;
        squares[d] += ev * ev;
      }
    }
    const double walk = kFloat * std::sqrt(static_cast<double>(soft.p.size()));
    for (size_t d = 0; d < squares.size(); ++d) {
      out.tolerance[d] = rounding(out.value[d]) +
                         kSigmas * (std::sqrt(squares[d]) + walk * std::sqrt(terms[d]));
    }
    return out;
  }

  // What storing a value in the dtype may change: of f16, gradients come below its normal numbers.
  double rounding(double value) const {
    return roundoff_ * std::fabs(value) + (a_.dtype == DType::f16 ? 0x1p-25 : 0);
  }

  // The sum of grad_o times o, which every score's gradient of this query subtracts. It is taken
  // from o as it was stored: its error is common to all keys.
  std::pair<double, double> delta_of(const Vector& o, const Vector& g) const {
    double delta = 0, squares = 0;
    for (size_t d = 0; d < o.size(); ++d) {
      delta += g[d] * o[d];
      squares += g[d] * o[d] * g[d] * o[d];
    }
    return {delta, (roundoff_ + 4 * kFloat) * std::sqrt(squares)};
  }

  double ds_error(const Softmax& soft, size_t n, double dp, double delta) const {
    return soft.p[n] * (std::fabs(dp) + std::fabs(delta)) *
           (soft.error[n] + 2 * roundoff_ + kFloat * std::sqrt(static_cast<double>(a_.head_dim)));
  }

  Attention a_;
  double roundoff_, scale_;
  std::vector<TensorSpec> specs_;
  Rows q_, k_, v_, grad_o_;
  int64_t head_ = -1;  // (batch, key head) that the three below are of
  Vector keys_, turned_, values_;
};

}  // namespace

std::vector<Expected> expected(const Attention& a, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  std::vector<Expected> out;
  const bool forward = tensor == "o" && a.pass == Attention::Pass::fwd;
  const bool of_query = forward || (tensor == "grad_q" && a.pass == Attention::Pass::bwd);
  const bool of_key = (tensor == "grad_k" || tensor == "grad_v") && a.pass == Attention::Pass::bwd;
  if (!of_query && !of_key) return out;
  Reference reference(a, inputs);
  std::map<int64_t, Line> lines;  // by row of the tensor; row by row, so head by head
  for (const int64_t element : elements) lines[element / a.head_dim];
  if (of_query) {
    for (auto& [row, line] : lines) line = reference.of_query(row, !forward);
  } else {
    std::map<int64_t, std::vector<int64_t>> keys_of;
    for (const auto& [row, line] : lines) keys_of[row / a.seq_kv].push_back(row % a.seq_kv);
    for (const auto& [head, keys] : keys_of) {
      for (auto& [key, both] : reference.of_keys(head, keys)) {
        lines[head * a.seq_kv + key] = std::move(tensor == "grad_k" ? both.first : both.second);
      }
    }
  }
  for (const int64_t element : elements) {
    const Line& line = lines[element / a.head_dim];
    const auto d = static_cast<size_t>(element % a.head_dim);
    out.push_back({line.value[d], line.tolerance[d]});
  }
  return out;
}

}  // namespace ridge
