#include "workload/kinds/gemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace ridge {
namespace {

constexpr int64_t kMostExtent = int64_t{1} << 24;
constexpr double kMostBytes = 0x1p44;
constexpr double kCheapProducts = 0x1p22;  // multiply-adds of a full float64 check: a few ms

DType accumulator(const Gemm& gemm) {
  if (gemm.dtype == DType::int8) return DType::int32;
  return gemm.dtype == DType::f64 ? DType::f64 : DType::f32;
}

// Rows of A or columns of B as float64, each made when first asked for.
class Lines {
 public:
  explicit Lines(std::function<WeightRow(int64_t line)> make) : make_(std::move(make)) {}

  const WeightRow& operator[](int64_t line) {
    const auto at = lines_.find(line);
    return at != lines_.end() ? at->second : lines_.emplace(line, make_(line)).first->second;
  }

 private:
  std::function<WeightRow(int64_t)> make_;
  std::map<int64_t, WeightRow> lines_;
};

// A line of a plain tensor, whose elements lie `step` apart.
WeightRow plain_line(TensorKey key, DType dtype, int64_t length, int64_t first, int64_t step) {
  WeightRow line;
  for (int64_t i = 0; i < length; ++i) {
    line.values.push_back(random_element(key, dtype, 1.0, first + i * step));
    line.parts.push_back(std::fabs(line.values.back()));
  }
  return line;
}

// The unit roundoff of a sum: Hopper's tensor cores keep 14 bits while they add products of fp8
// (DeepSeek-V3 technical report, section 3.3.2); the rest add in f32.
double accumulation_error(const Gemm& gemm) {
  if (gemm.dtype == DType::fp8) return 0x1p-14;
  return unit_roundoff(accumulator(gemm));
}

// How far an operand may be rounded before it is multiplied, as a multiple of the root of the
// products' squares: tf32 rounds both; a worker may round weights as it dequantises them.
double operand_error(const Gemm& gemm) {
  if (gemm.dtype == DType::tf32) return 8 * unit_roundoff(DType::tf32);
  if (!gemm.weights) return 0;
  // ggml keeps the scales of activations as f16.
  return 4 * unit_roundoff(ggml_format(*gemm.weights) ? DType::f16 : gemm.dtype);
}

// ggml rounds activations to 8 bits before it multiplies: in a block of 32 (a product of q8_0 or
// q4_0, and all on GPUs) or 256 (q4_k and q6_k) to multiples of its largest |a| / 127. Such an
// error is uniform within half a step, so that the sum of errors times weights has the variance
// (largest / 254)² / 3 · Σ part², block by block: returned summed up. Workers that round less (to
// f16, or not at all) lie within.
double activation_variance(const std::vector<double>& a, const std::vector<double>& parts,
                           size_t block) {
  double variance = 0;
  for (size_t begin = 0; begin < a.size(); begin += block) {
    double largest = 0, squares = 0;
    for (size_t i = begin; i < begin + block; ++i) {
      largest = std::max(largest, std::fabs(a[i]));
      squares += parts[i] * parts[i];
    }
    variance += largest * largest / (254.0 * 254 * 3) * squares;
  }
  return variance;
}
constexpr double kActivationDeviations = 6;  // one right element in 500 million lies outside

std::vector<int64_t> choose(int64_t count, int64_t from, TensorKey key, int64_t first_step) {
  std::vector<int64_t> chosen = {0, from - 1};
  for (int64_t i = 0; i < count; ++i) {
    chosen.push_back(
        static_cast<int64_t>(random_uniform(key, first_step + i) * static_cast<double>(from)));
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

}  // namespace

Result<void> validate(const Gemm& gemm) {
  const int64_t extents[] = {gemm.m, gemm.n, gemm.k};
  for (int i = 0; i < 3; ++i) {
    if (extents[i] < 1 || extents[i] > kMostExtent) {
      return Error{
          fmt::format("gemm: {} must lie in 1 to {}, found {}", "mnk"[i], kMostExtent, extents[i])};
    }
  }
  if (gemm.dtype == DType::int32) return Error{"gemm: dtype int32 is an output type only"};
  if (gemm.dtype == DType::uint32 || gemm.output == DType::uint32) {
    return Error{"gemm: uint32 holds codes of weights, and is no dtype of a product"};
  }
  if (gemm.output == DType::fp8) return Error{"gemm: fp8 is an input type only"};
  if (gemm.weights) {
    const int64_t group = layout_of(*gemm.weights).group;
    const bool ggml = ggml_format(*gemm.weights).has_value();
    if (ggml && (gemm.dtype != DType::f32 || gemm.output_dtype() != DType::f32)) {
      return Error{fmt::format("gemm: with {} weights, ggml's, dtype and output must be f32",
                               name(*gemm.weights))};
    }
    if (gemm.dtype != DType::f32 && gemm.dtype != DType::bf16 && gemm.dtype != DType::f16) {
      return Error{
          fmt::format("gemm: with quantised weights dtype must be f32, bf16 or f16, found {}",
                      name(gemm.dtype))};
    }
    if (gemm.layout != Gemm::Layout::nt) {
      return Error{"gemm: quantised weights are stored as [n,k]: layout must be nt"};
    }
    if (gemm.k % group != 0) {
      return Error{fmt::format("gemm: k must be a multiple of {} with {} weights, found {}", group,
                               name(*gemm.weights), gemm.k)};
    }
  }
  const bool integer = gemm.dtype == DType::int8;
  if (is_integer(gemm.output_dtype()) != integer || gemm.output_dtype() == DType::int8) {
    return Error{fmt::format("gemm: {} inputs cannot give {} output", name(gemm.dtype),
                             name(gemm.output_dtype()))};
  }
  if (cost(gemm, {}).footprint > kMostBytes) return Error{"gemm: operands exceed 16 TiB"};
  return {};
}

std::string work_key(const Gemm& gemm) {
  std::string key = fmt::format("gemm/{}/{}x{}x{}", name(gemm.dtype), gemm.m, gemm.n, gemm.k);
  if (gemm.output && gemm.output_dtype() != Gemm{.dtype = gemm.dtype}.output_dtype()) {
    key += fmt::format("/to-{}", name(*gemm.output));
  }
  if (gemm.weights) return key + fmt::format("/w-{}", name(*gemm.weights));
  if (gemm.layout == Gemm::Layout::nt) key += "/nt";
  return key;
}

std::string operation(const Gemm& gemm) {
  std::string operation(name(gemm.dtype));
  if (gemm.weights) operation += fmt::format(" {}", name(*gemm.weights));
  return operation;
}

Cost cost(const Gemm& gemm, const Settings&) {
  const auto m = static_cast<double>(gemm.m), n = static_cast<double>(gemm.n),
             k = static_cast<double>(gemm.k);
  Cost cost;
  cost.model_flops = cost.executed_flops = 2 * m * n * k;
  for (const TensorSpec& tensor : tensors(gemm)) {
    const bool output = tensor.role == TensorSpec::Role::output;
    (output ? cost.bytes_written : cost.bytes_read) += static_cast<double>(tensor.bytes());
  }
  cost.bytes_write_allocate = cost.bytes_written;
  cost.footprint = cost.bytes_read + cost.bytes_written;
  cost.rate_unit = RateUnit::flop_per_s;
  return cost;
}

std::vector<TensorSpec> tensors(const Gemm& gemm) {
  using Role = TensorSpec::Role;
  const bool nt = gemm.layout == Gemm::Layout::nt;
  std::vector<TensorSpec> all = {{"a", Role::input, gemm.dtype, {gemm.m, gemm.k}}};
  if (gemm.weights) {
    for (TensorSpec& part : weight_tensors(*gemm.weights, "b", gemm.dtype, gemm.n, gemm.k)) {
      all.push_back(std::move(part));
    }
  } else {
    all.push_back({"b", Role::weight, gemm.dtype,
                   nt ? std::vector{gemm.n, gemm.k} : std::vector{gemm.k, gemm.n}});
  }
  all.push_back({"c", Role::output, gemm.output_dtype(), {gemm.m, gemm.n}});
  return all;
}

std::vector<int64_t> elements_to_check(const Gemm& gemm, std::string_view tensor, int64_t want,
                                       TensorKey choice) {
  std::vector<int64_t> elements;
  if (tensor != "c") return elements;
  const int64_t all = gemm.m * gemm.n;
  const double products = static_cast<double>(all) * static_cast<double>(gemm.k);
  if (all <= want || (want >= 256 && products <= kCheapProducts)) {
    for (int64_t i = 0; i < all; ++i) elements.push_back(i);
    return elements;
  }
  // A grid costs rows + columns lines of the inputs, scattered elements two lines each.
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(want)));
  const int64_t rows = std::clamp<int64_t>(side, 1, gemm.m);
  const auto row_list = choose(rows, gemm.m, choice, 0);
  const auto column_list = choose(std::max<int64_t>(1, want / rows), gemm.n, choice, 1000);
  for (const int64_t row : row_list) {
    for (const int64_t column : column_list) elements.push_back(row * gemm.n + column);
  }
  return elements;
}

std::vector<Expected> expected(const Gemm& gemm, const InputSource& inputs, std::string_view tensor,
                               std::span<const int64_t> elements) {
  std::vector<Expected> out;
  if (tensor != "c") return out;
  out.reserve(elements.size());
  const bool nt = gemm.layout == Gemm::Layout::nt;
  const std::vector<TensorSpec> quantised =
      gemm.weights ? weight_tensors(*gemm.weights, "b", gemm.dtype, gemm.n, gemm.k)
                   : std::vector<TensorSpec>{};
  Lines rows([&](int64_t row) {
    return plain_line(inputs.key("a"), gemm.dtype, gemm.k, row * gemm.k, 1);
  });
  Lines columns([&](int64_t column) {
    if (gemm.weights) return weight_row(*gemm.weights, quantised, inputs, column);
    return plain_line(inputs.key("b"), gemm.dtype, gemm.k, nt ? column * gemm.k : column,
                      nt ? 1 : gemm.n);
  });
  const double output_error = unit_roundoff(gemm.output_dtype());
  // Below the normal numbers of f16 the distance of its numbers no longer shrinks.
  const double least = gemm.output_dtype() == DType::f16 ? 0x1p-25 : 0;
  const double accumulation = accumulation_error(gemm), operands = operand_error(gemm);
  const auto length = static_cast<double>(gemm.k);
  const bool ggml = gemm.weights && ggml_format(*gemm.weights);
  const auto block = static_cast<size_t>(ggml ? layout_of(*gemm.weights).group : 0);
  for (const int64_t element : elements) {
    const std::vector<double>& a = rows[element / gemm.n].values;
    const auto& [b, parts] = columns[element % gemm.n];
    double sum = 0, squares = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      sum += a[i] * b[i];
      squares += a[i] * a[i] * parts[i] * parts[i];
    }
    // Rounding errors of a random sum add as a random walk over its partial sums, which grow to
    // sqrt(squares): about u·sqrt(k)·sqrt(squares)/2 when summed in order, less when blocked.
    const double activations =
        ggml ? kActivationDeviations * std::sqrt(activation_variance(a, parts, block)) : 0;
    const double tolerance = is_integer(gemm.output_dtype())
                                 ? 0.0
                                 : least + output_error * std::fabs(sum) +
                                       4 * accumulation * std::sqrt(length) * std::sqrt(squares) +
                                       operands * std::sqrt(squares) + activations;
    out.push_back({sum, tolerance});
  }
  return out;
}

}  // namespace ridge
