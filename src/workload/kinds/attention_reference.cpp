#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <map>
#include <utility>

#include "workload/kinds/attention.h"

// Attention in float64, row by row, and how far from it arithmetic in the dtype may lie. Errors of
// different keys are independent: they add as a random walk.

namespace ridge {
namespace {

// Times a random walk of roundings: honest ways need 1.5 (tests/workload/attention_tolerance_test).
constexpr double kSigmas = 4;
constexpr double kFloat = 0x1p-24;           // roundoff of the accumulators, which are f32 at least
constexpr double kKeyDeviation = M_SQRT2;    // of an element of k: see tensors()
constexpr double kValueDeviation = 0.57735;  // of v and grad_o: uniform between -1 and 1
// Of one key's gradient: what share of it (squared) may be left to the queries that weigh least,
// how many standard deviations of that are allowed for, and the multiply-adds not to be exceeded.
constexpr double kRestShare = 0.015, kRestSigmas = 7, kMostWork = 0x1p28;

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

// Rows in tiles of kTile, turned round within a tile, so that their products with a vector are
// loops over neighbours in memory. The last tile is filled up with zeros.
constexpr size_t kTile = 4;
constexpr size_t kAtOnce = 4;  // queries, whose products with a tile stay in registers
using Pair = double __attribute__((vector_size(16)));

std::vector<Pair> tiled(const Vector& rows, size_t width) {
  const size_t count = rows.size() / width, tiles = (count + kTile - 1) / kTile;
  std::vector<Pair> out(tiles * kTile * width / 2);
  for (size_t j = 0; j < count; ++j) {
    for (size_t d = 0; d < width; ++d) {
      out[(j / kTile * width + d) * kTile / 2 + j % kTile / 2][j % 2] = rows[j * width + d];
    }
  }
  return out;
}

// out[r][j - first] = the product of x[r] with tiled row j, for j in [first, last).
void products(const std::vector<Pair>& tiles, size_t width, const std::array<Vector, kAtOnce>& x,
              size_t first, size_t last, std::array<Vector, kAtOnce>& out) {
  for (Vector& values : out) values.resize(last - first);
  for (size_t t = first / kTile; t * kTile < last; ++t) {
    const Pair* tile = &tiles[t * kTile / 2 * width];
    Pair sum[kAtOnce][kTile / 2] = {};
    for (size_t d = 0; d < width; ++d) {
      for (size_t r = 0; r < kAtOnce; ++r) {
        const Pair factor = {x[r][d], x[r][d]};
        for (size_t w = 0; w < kTile / 2; ++w) sum[r][w] += factor * tile[d * kTile / 2 + w];
      }
    }
    const size_t from = std::max(first, t * kTile), to = std::min(last, (t + 1) * kTile);
    for (size_t r = 0; r < kAtOnce; ++r) {
      for (size_t j = from; j < to; ++j) out[r][j - first] = sum[r][j % kTile / 2][j % 2];
    }
  }
}

// What storing a value in a dtype may change: f16 gradients fall below its normal numbers.
struct Rounding {
  double relative = 0, least = 0;
  double of(double value) const { return relative * std::fabs(value) + least; }
};

// One output row and its allowed error.
struct Line {
  Vector value, tolerance;
};

// Of one query: what the softmax makes of the keys it sees; backward, the gradients of their
// probabilities as well.
struct Softmax {
  int64_t first = 0;
  double highest = 0;      // score
  Vector score, p, dp;     // of keys first, first + 1, …
  double products = 0;     // error of a score as a sum of products
  double dp_error = 0;     // … and of a gradient
  double delta = 0;        // the sum of p·dp, which every score's gradient subtracts
  double delta_error = 0;  // common to all keys
  bool sees(int64_t key) const {
    return key >= first && key < first + static_cast<int64_t>(p.size());
  }
};

class Reference {
 public:
  Reference(const Attention& work, const InputSource& inputs)
      : a_(work),
        roundoff_(unit_roundoff(work.dtype)),
        rounding_{roundoff_, work.dtype == DType::f16 ? 0x1p-25 : 0},
        scale_(1 / std::sqrt(static_cast<double>(work.head_dim))),
        width_(static_cast<size_t>(work.head_dim)),
        specs_(tensors(work)),
        q_(spec("q"), inputs),
        k_(spec("k"), inputs),
        v_(spec("v"), inputs),
        grad_o_(spec(work.pass == Attention::Pass::bwd ? "grad_o" : "q"), inputs) {}

  // Row `row` of o or grad_q, whose rows are (batch, head, query).
  Line of_query(int64_t row, bool gradient) {
    turn_to(key_head(row / a_.seq_q));
    const Softmax soft = of_rows({&row, 1}, gradient)[0];
    return gradient ? grad_q(soft) : output(soft);
  }

  // The rows of grad_k, or of grad_v, of the keys asked for, all of one key head. Each of its query
  // heads has a thread.
  std::map<int64_t, Line> of_keys(int64_t head, const std::vector<int64_t>& keys, bool of_k) {
    turn_to(head);
    const int64_t first = first_query_head(head);
    std::vector<std::future<std::vector<Sum>>> heads;
    for (int64_t h = 0; h < a_.group(); ++h) {
      heads.push_back(std::async(h > 0 && dear() ? std::launch::async : std::launch::deferred,
                                 [=, this, &keys] { return of_head(first + h, keys, of_k); }));
    }
    std::vector<Sum> sums(keys.size(), Sum(width_));
    for (auto& one : heads) {
      const std::vector<Sum> found = one.get();
      for (size_t n = 0; n < keys.size(); ++n) sums[n].add_head(found[n], rounding_);
    }
    std::map<int64_t, Line> out;
    for (size_t n = 0; n < keys.size(); ++n) out[keys[n]] = sums[n].line(rounding_);
    return out;
  }

  // The row of one key that all queries see, from the queries that weigh most for it. Their
  // weights' squares spread over orders of magnitude: a few percent of the queries make up nearly
  // all of the row. What the others add has no mean, and goes into the tolerance.
  Line of_one_key(int64_t head, int64_t key, bool of_k) {
    turn_to(head);
    struct Weight {
      double p = 0;
      int64_t row = 0;
    };
    std::vector<Weight> weights;
    const Vector k = row_of(keys_, key);
    const auto all = static_cast<double>(a_.seq_kv);
    const int64_t begin = first_query_head(head) * a_.seq_q;
    for (int64_t row = begin; row < begin + a_.group() * a_.seq_q; ++row) {
      const Vector q = q_[row];
      double score = 0;
      for (size_t d = 0; d < width_; ++d) score += scale_ * q[d] * k[d];
      // The sum that it is divided by, of normally distributed scores: known without them.
      const double spread = norm(q) * kKeyDeviation * scale_;
      weights.push_back({std::exp(score - spread * spread / 2) / all, row});
    }
    std::sort(weights.begin(), weights.end(),
              [](const Weight& a, const Weight& b) { return a.p > b.p; });
    double squares = 0;  // of the weights left
    for (const Weight& weight : weights) squares += weight.p * weight.p;
    // That sum varies, and where there are few keys some weights are larger than expected.
    const double peaked = std::exp(4.0) / all, uncertain = 1 + 3 * peaked;
    const double enough = kRestShare * squares / uncertain;
    const auto most = static_cast<size_t>(kMostWork / (all * static_cast<double>(width_)));
    size_t count = 0;
    while (count < weights.size() && (squares > enough || count < 16) &&
           (count < most || count < 16)) {
      squares -= weights[count].p * weights[count].p;
      ++count;
    }
    std::vector<Sum> sum(1, Sum(width_));
    for (size_t n = 0; n < count; n += kAtOnce) {
      std::vector<int64_t> rows;
      for (size_t r = n; r < std::min(n + kAtOnce, count); ++r) rows.push_back(weights[r].row);
      const auto soft = of_rows(rows, of_k);
      for (size_t r = 0; r < rows.size(); ++r) {
        add(sum, {key}, soft[r], of_k ? q_[rows[r]] : grad_o_[rows[r]], of_k);
      }
    }
    // One query's p·grad_o; or scale·p·(dp - delta)·q, where dp is a sum of head_dim products.
    const double of_dp = kValueDeviation * kValueDeviation *
                         std::sqrt(static_cast<double>(width_) * (1 + std::min(1.0, peaked)));
    const double each = of_k ? scale_ * of_dp * kKeyDeviation : kValueDeviation;
    const double rest = each * std::sqrt(uncertain * std::max(0.0, squares));
    Line line = sum[0].line(rounding_);
    for (double& tolerance : line.tolerance) tolerance += kRestSigmas * rest;
    return line;
  }

 private:
  // A row of weighted vectors added up, and its errors.
  struct Sum {
    explicit Sum(size_t width) : value(width), squares(width), terms(width) {}
    Vector value;
    Vector squares;  // of errors
    Vector terms;    // of what was added, squared
    double count = 0;

    void add(double weight, double error, const Vector& x) {
      count += 1;
      for (size_t d = 0; d < x.size(); ++d) {
        const double term = weight * x[d], wrong = error * x[d];
        value[d] += term;
        terms[d] += term * term;
        squares[d] += wrong * wrong;
      }
    }
    // The sum of one query head, which a library may round before it adds the next.
    void add_head(const Sum& head, const Rounding& rounding) {
      count += head.count;
      for (size_t d = 0; d < value.size(); ++d) {
        const double rounded = rounding.of(head.value[d]);
        value[d] += head.value[d];
        terms[d] += head.terms[d];
        squares[d] += head.squares[d] + rounded * rounded;
      }
    }
    Line line(const Rounding& rounding) const {
      Line out{value, Vector(value.size())};
      for (size_t d = 0; d < value.size(); ++d) {
        out.tolerance[d] = rounding.of(value[d]) +
                           kSigmas * (std::sqrt(squares[d]) + walk(count) * std::sqrt(terms[d]));
      }
      return out;
    }
  };

  // Whether a thread a head is worth starting.
  bool dear() const { return a_.visible_pairs() * a_.head_dim > (1 << 22); }

  // What query head `head` (of all batches) adds to the gradients of keys.
  std::vector<Sum> of_head(int64_t head, const std::vector<int64_t>& keys, bool of_k) const {
    std::vector<Sum> sums(keys.size(), Sum(width_));
    const auto step = static_cast<int64_t>(kAtOnce);
    for (int64_t i = 0; i < a_.seq_q; i += step) {
      const int64_t count = std::min(step, a_.seq_q - i), last = i + count - 1;
      const bool seen = std::any_of(keys.begin(), keys.end(), [&](int64_t key) {
        return key >= a_.first_key(i) && key < a_.last_key(last);
      });
      if (!seen) continue;
      std::vector<int64_t> rows;
      for (int64_t r = 0; r < count; ++r) rows.push_back(head * a_.seq_q + i + r);
      const auto soft = of_rows(rows, of_k);
      for (size_t r = 0; r < rows.size(); ++r) {
        add(sums, keys, soft[r], of_k ? q_[rows[r]] : grad_o_[rows[r]], of_k);
      }
    }
    return sums;
  }

  void add(std::vector<Sum>& sums, const std::vector<int64_t>& keys, const Softmax& soft,
           const Vector& x, bool of_k) const {
    for (size_t n = 0; n < keys.size(); ++n) {
      if (!soft.sees(keys[n])) continue;
      const auto at = static_cast<size_t>(keys[n] - soft.first);
      const double p = soft.p[at], error = p_error(soft, at);
      if (!of_k) {
        sums[n].add(p, p * error, x);
      } else {
        const double ds = p * (soft.dp[at] - soft.delta);
        sums[n].add(scale_ * ds, scale_ * (ds_error(soft, at) + p * soft.delta_error), x);
      }
    }
  }

  const TensorSpec& spec(std::string_view name) const {
    return *std::find_if(specs_.begin(), specs_.end(),
                         [&](const TensorSpec& spec) { return spec.name == name; });
  }
  int64_t key_head(int64_t query_head) const {
    return query_head / a_.heads * a_.kv_heads + query_head % a_.heads / a_.group();
  }
  int64_t first_query_head(int64_t key_head) const {
    return key_head / a_.kv_heads * a_.heads + key_head % a_.kv_heads * a_.group();
  }
  // Of f32 sums of so many terms, as a share of one term.
  static double walk(double terms) { return kFloat * std::sqrt(terms); }

  // Makes the keys and values of (batch, key head) `head`.
  void turn_to(int64_t head) {
    if (head == head_) return;
    head_ = head;
    keys_.clear();
    values_.clear();
    for (int64_t j = 0; j < a_.seq_kv; ++j) {
      const Vector k = k_[head * a_.seq_kv + j], v = v_[head * a_.seq_kv + j];
      keys_.insert(keys_.end(), k.begin(), k.end());
      values_.insert(values_.end(), v.begin(), v.end());
    }
    key_tiles_ = tiled(keys_, width_);
    value_tiles_ = tiled(values_, width_);
  }

  // Rows of q of one key head, kAtOnce at most: together they are faster. They follow one another,
  // or see the same keys.
  std::array<Softmax, kAtOnce> of_rows(std::span<const int64_t> rows, bool gradient) const {
    std::array<Vector, kAtOnce> q, g, scores, dp;
    for (size_t r = 0; r < kAtOnce; ++r) {
      const int64_t mine = rows[std::min(r, rows.size() - 1)];
      q[r] = q_[mine];
      if (gradient) g[r] = grad_o_[mine];
    }
    const auto first = static_cast<size_t>(a_.first_key(rows.front() % a_.seq_q)),
               last = static_cast<size_t>(a_.last_key(rows.back() % a_.seq_q));
    products(key_tiles_, width_, q, first, last, scores);
    if (gradient) products(value_tiles_, width_, g, first, last, dp);
    std::array<Softmax, kAtOnce> out;
    for (size_t r = 0; r < rows.size(); ++r) {
      const int64_t i = rows[r] % a_.seq_q;
      Softmax& soft = out[r];
      soft.first = a_.first_key(i);
      const auto from = static_cast<ptrdiff_t>(static_cast<size_t>(soft.first) - first);
      const auto keys = static_cast<ptrdiff_t>(a_.last_key(i) - soft.first);
      soft.score.assign(scores[r].begin() + from, scores[r].begin() + from + keys);
      if (gradient) soft.dp.assign(dp[r].begin() + from, dp[r].begin() + from + keys);
      normalize(soft, q[r], g[r]);
    }
    return out;
  }

  void normalize(Softmax& soft, const Vector& q, const Vector& g) const {
    for (double& score : soft.score) score *= scale_;
    soft.highest = *std::max_element(soft.score.begin(), soft.score.end());
    double sum = 0;
    for (const double score : soft.score) {
      soft.p.push_back(std::exp(score - soft.highest));
      sum += soft.p.back();
    }
    for (double& p : soft.p) p /= sum;
    const double reduction = walk(static_cast<double>(width_));
    soft.products = norm(q) * kKeyDeviation * scale_ * (reduction + M_SQRT2 * roundoff_);
    if (g.empty()) return;
    double squares = 0;  // of probabilities: how many keys count
    for (size_t n = 0; n < soft.p.size(); ++n) {
      soft.delta += soft.p[n] * soft.dp[n];
      squares += soft.p[n] * soft.p[n];
    }
    // It is taken from o as it was stored, or from the probabilities.
    const double spread = norm(g) * kValueDeviation;
    soft.delta_error = (roundoff_ + 4 * kFloat) * spread * std::sqrt(squares);
    soft.dp_error = spread * (reduction + (a_.dtype == DType::tf32 ? M_SQRT2 * roundoff_ : 0));
  }

  // Of a probability, relative to itself. A score is a sum of head_dim products, of q and k rounded
  // (scaled, or in TF32), and may be rounded itself; the exponential of a number far below 0 is
  // less exact than one near it.
  double p_error(const Softmax& soft, size_t n) const {
    return soft.products + roundoff_ * (1 + std::fabs(soft.score[n])) +
           kFloat * (4 + soft.highest - soft.score[n]);
  }

  double ds_error(const Softmax& soft, size_t n) const {
    return soft.p[n] *
           ((std::fabs(soft.dp[n]) + std::fabs(soft.delta)) * (p_error(soft, n) + 2 * roundoff_) +
            soft.dp_error);
  }

  Line output(const Softmax& soft) const {
    Sum sum(width_);
    for (size_t n = 0; n < soft.p.size(); ++n) {
      sum.add(soft.p[n], soft.p[n] * p_error(soft, n),
              row_of(values_, soft.first + static_cast<int64_t>(n)));
    }
    return sum.line(rounding_);
  }

  Line grad_q(const Softmax& soft) const {
    Sum sum(width_);
    Vector shift(width_);
    for (size_t n = 0; n < soft.p.size(); ++n) {
      const Vector k = row_of(keys_, soft.first + static_cast<int64_t>(n));
      sum.add(scale_ * soft.p[n] * (soft.dp[n] - soft.delta), scale_ * ds_error(soft, n), k);
      for (size_t d = 0; d < width_; ++d) shift[d] += scale_ * soft.p[n] * k[d];
    }
    Line out = sum.line(rounding_);
    for (size_t d = 0; d < width_; ++d) {
      out.tolerance[d] += kSigmas * std::fabs(shift[d]) * soft.delta_error;
    }
    return out;
  }

  Vector row_of(const Vector& rows, int64_t row) const {
    const auto from = rows.begin() + static_cast<ptrdiff_t>(row) * static_cast<ptrdiff_t>(width_);
    return {from, from + static_cast<ptrdiff_t>(width_)};
  }

  Attention a_;
  double roundoff_;
  Rounding rounding_;
  double scale_;
  size_t width_;
  std::vector<TensorSpec> specs_;
  Rows q_, k_, v_, grad_o_;
  int64_t head_ = -1;  // (batch, key head) that what follows is of
  Vector keys_, values_;
  std::vector<Pair> key_tiles_, value_tiles_;
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
    const bool one = lines.size() == 1 && asks_one_key(a);
    for (const auto& [head, keys] : keys_of) {
      if (one) {
        lines.begin()->second = reference.of_one_key(head, keys[0], tensor == "grad_k");
        break;
      }
      for (auto& [key, line] : reference.of_keys(head, keys, tensor == "grad_k")) {
        lines[head * a.seq_kv + key] = std::move(line);
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
