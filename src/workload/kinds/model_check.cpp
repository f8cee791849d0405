#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "workload/kinds/decode.h"
#include "workload/kinds/prefill.h"
#include "workload/model/forward.h"
#include "workload/model/tokens.h"
#include "workload/model/weight_rows.h"

// What the logits of a model must be: a forward pass in float64, where the model is small enough,
// beside one that rounds as an honest program does.

namespace ridge {
namespace {

// Multiply-adds of a pass, of which a sequence takes two: some seconds.
constexpr double kMostProducts = 1e9;
constexpr double kMoreProducts = 2e9;  // for other choices of experts
constexpr int64_t kMostChoices = 16;
// Times the root mean square of what our own rounding changes in a row of logits: its largest of
// 32 000 is 4.2 times that, and other honest orders of adding up differ from ours by less than half
// (tests/workload/model_check_test.cpp).
constexpr double kSigmas = 8;
constexpr double kTie = 6;  // likewise, of a router's logits
constexpr double kFloat = 0x1p-24;

// The rows of `logits`: what each sequence says after some of its tokens.
struct Outputs {
  const ModelUse& use;
  int64_t tokens = 0;  // after those in the cache
  bool all = false;    // a row for each of them, else for the last

  int64_t rows_each() const { return all ? tokens : 1; }
  int64_t rows() const { return use.batch * rows_each(); }
  int64_t last_row(int64_t sequence) const { return (sequence + 1) * rows_each() - 1; }
  // Place in the sequence's whole stream of tokens.
  int64_t position(int64_t row) const { return use.depth + (all ? row % tokens : tokens - 1); }
};

double products(const Outputs& o) {
  return forward_products(o.use.model, o.use.depth + o.tokens, o.rows_each());
}

// Whole rows, of few sequences as each costs a pass; of models too large for that a sample: most of
// the last rows, for a twin, some of any, which must not be as poisoned.
std::vector<int64_t> choose(const Outputs& o, int64_t want, TensorKey choice) {
  const int64_t vocab = o.use.model.vocab_size;
  int64_t draws = 0;
  const auto draw = [&](int64_t below) {
    const double at = random_uniform(choice, draws++) * static_cast<double>(below);
    return std::min(static_cast<int64_t>(at), below - 1);
  };
  std::set<int64_t> out;
  if (products(o) > kMostProducts) {
    for (int64_t i = 0; i < want; ++i) {
      const int64_t row = i % 4 == 3 ? draw(o.rows()) : o.last_row(draw(o.use.batch));
      out.insert(row * vocab + draw(vocab));
    }
    return {out.begin(), out.end()};
  }
  const int64_t sequences =
      std::clamp(static_cast<int64_t>(kMostProducts / products(o)), int64_t{1}, o.use.batch);
  const int64_t rows = std::clamp(16 * want / vocab, int64_t{1}, sequences * o.rows_each());
  std::vector<int64_t> order(static_cast<size_t>(o.use.batch));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = 0; i < sequences; ++i) {
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i + draw(o.use.batch - i))]);
  }
  std::set<int64_t> chosen;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t last = o.last_row(order[static_cast<size_t>(i % sequences)]);
    // The last one of each sequence, which has seen most, then any of them.
    int64_t row = i < sequences ? last : last - draw(o.rows_each());
    while (chosen.contains(row)) row = row > last - o.rows_each() + 1 ? row - 1 : last;
    chosen.insert(row);
  }
  for (const int64_t row : chosen) {
    for (int64_t i = 0; i < vocab; ++i) out.insert(out.end(), row * vocab + i);
  }
  return {out.begin(), out.end()};
}

double rms_of_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares / static_cast<double>(a.size()));
}

struct Line {
  std::vector<double> value, tolerance;
};

// Routers that may as well have chosen the next expert, after roundings: those that matter most
// first.
std::vector<Forward::Options::Place> near_ties(const ModelConfig& model, const Forward& exact,
                                               const Forward& rounded,
                                               const std::vector<int64_t>& outputs) {
  struct Tie {
    Forward::Options::Place place;
    bool elsewhere = false;
    double closeness = 0;
  };
  std::vector<Tie> ties;
  for (size_t i = 0; i < exact.choices().size(); ++i) {
    const Forward::Choice& choice = exact.choices()[i];
    const double spread =
        rms_of_difference(choice.logits, rounded.choices()[i].logits) + kFloat * kFloat;
    const bool elsewhere =
        std::find(outputs.begin(), outputs.end(), choice.place.position) == outputs.end();
    if (choice.margin > kTie * spread) continue;
    if (elsewhere && choice.place.layer == model.num_hidden_layers - 1)
      continue;  // nobody reads it
    ties.push_back({choice.place, elsewhere, choice.margin / spread});
  }
  std::stable_sort(ties.begin(), ties.end(), [](const Tie& a, const Tie& b) {
    return std::pair(a.elsewhere, a.closeness) < std::pair(b.elsewhere, b.closeness);
  });
  std::vector<Forward::Options::Place> places;
  for (const Tie& tie : ties) places.push_back(tie.place);
  return places;
}

// Logits of a sequence after the tokens at `positions`, ascending.
std::vector<Line> lines(const Outputs& o, const ModelWeights& weights, const InputSource& inputs,
                        int64_t sequence, const std::vector<int64_t>& positions) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i <= positions.back(); ++i) {
    tokens.push_back(token_at(o.use.model, inputs, sequence, i));
  }
  const ModelConfig& model = o.use.model;
  Forward exact(model, weights), rounded(model, weights, {.rounded = o.use.kv});
  const auto right = exact.run(tokens, positions), honest = rounded.run(tokens, positions);
  std::vector<Line> out;
  for (size_t n = 0; n < right.size(); ++n) {
    const double error = kSigmas * rms_of_difference(right[n], honest[n]);
    Line& line = out.emplace_back(Line{right[n], {}});
    for (const double v : right[n]) line.tolerance.push_back(error + kFloat * std::fabs(v));
  }
  auto ties = near_ties(model, exact, rounded, positions);
  const auto most = std::min(kMostChoices, static_cast<int64_t>(kMoreProducts / products(o)));
  if (static_cast<int64_t>(ties.size()) > most) ties.resize(static_cast<size_t>(most));
  for (const auto& place : ties) {
    Forward other(model, weights, {.other_expert = place});
    const auto found = other.run(tokens, positions);
    for (size_t n = 0; n < right.size(); ++n) {
      for (size_t i = 0; i < right[n].size(); ++i) {
        out[n].tolerance[i] += std::fabs(found[n][i] - right[n][i]);
      }
    }
  }
  return out;
}

std::vector<Expected> expect(const Outputs& o, const InputSource& inputs, std::string_view tensor,
                             std::span<const int64_t> elements) {
  std::vector<Expected> out;
  if (tensor != "logits" || elements.empty() || products(o) > kMostProducts) return out;
  const auto weights = weight_rows(o.use, inputs);
  if (!weights) return out;
  std::map<int64_t, std::map<int64_t, Line>> of;  // sequence, position
  for (const int64_t element : elements) {
    const int64_t row = element / o.use.model.vocab_size;
    of[row / o.rows_each()][o.position(row)];
  }
  for (auto& [sequence, wanted] : of) {
    std::vector<int64_t> positions;
    for (const auto& [position, line] : wanted) positions.push_back(position);
    auto found = lines(o, **weights, inputs, sequence, positions);
    for (size_t n = 0; n < positions.size(); ++n) wanted[positions[n]] = std::move(found[n]);
  }
  for (const int64_t element : elements) {
    const int64_t row = element / o.use.model.vocab_size;
    const Line& line = of[row / o.rows_each()][o.position(row)];
    const auto i = static_cast<size_t>(element % o.use.model.vocab_size);
    out.push_back({line.value[i], line.tolerance[i]});
  }
  return out;
}

Outputs outputs(const Prefill& p) { return {p.use, p.tokens, p.logits == Prefill::Logits::all}; }
Outputs outputs(const Decode& d) { return {d.use, d.tokens, false}; }

}  // namespace

std::vector<int64_t> elements_to_check(const Prefill& prefill, std::string_view, int64_t want,
                                       TensorKey choice) {
  return choose(outputs(prefill), want, choice);
}
std::vector<Expected> expected(const Prefill& prefill, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  return expect(outputs(prefill), inputs, tensor, elements);
}
std::vector<int64_t> elements_to_check(const Decode& decode, std::string_view, int64_t want,
                                       TensorKey choice) {
  return choose(outputs(decode), want, choice);
}
std::vector<Expected> expected(const Decode& decode, const InputSource& inputs,
                               std::string_view tensor, std::span<const int64_t> elements) {
  return expect(outputs(decode), inputs, tensor, elements);
}

}  // namespace ridge
