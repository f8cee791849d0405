#include "workload/kinds/gemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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

// A row of A or a column of B as float64, made when first asked for.
class Lines {
 public:
  Lines(TensorKey key, DType dtype, int64_t length, int64_t step, int64_t line_step)
      : key_(key), dtype_(dtype), length_(length), step_(step), line_step_(line_step) {}

  const std::vector<double>& operator[](int64_t line) {
    std::vector<double>& values = lines_[line];
    if (values.empty()) {
      values.resize(static_cast<size_t>(length_));
      for (int64_t i = 0; i < length_; ++i) {
        values[static_cast<size_t>(i)] =
            random_element(key_, dtype_, 1.0, line * line_step_ + i * step_);
      }
    }
    return values;
  }

 private:
  TensorKey key_;
  DType dtype_;
  int64_t length_, step_, line_step_;
  std::map<int64_t, std::vector<double>> lines_;
};

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
  if (gemm.layout == Gemm::Layout::nt) key += "/nt";
  return key;
}

std::string operation(const Gemm& gemm) { return std::string(name(gemm.dtype)); }

Cost cost(const Gemm& gemm, const Settings&) {
  const auto m = static_cast<double>(gemm.m), n = static_cast<double>(gemm.n),
             k = static_cast<double>(gemm.k);
  Cost cost;
  cost.model_flops = cost.executed_flops = 2 * m * n * k;
  cost.bytes_read = (m * k + k * n) * bytes_of(gemm.dtype);
  cost.bytes_written = m * n * bytes_of(gemm.output_dtype());
  cost.bytes_write_allocate = cost.bytes_written;
  cost.footprint = cost.bytes_read + cost.bytes_written;
  cost.rate_unit = RateUnit::flop_per_s;
  return cost;
}

std::vector<TensorSpec> tensors(const Gemm& gemm) {
  using Role = TensorSpec::Role;
  const bool nt = gemm.layout == Gemm::Layout::nt;
  return {{"a", Role::input, gemm.dtype, {gemm.m, gemm.k}},
          {"b", Role::weight, gemm.dtype,
           nt ? std::vector{gemm.n, gemm.k} : std::vector{gemm.k, gemm.n}},
          {"c", Role::output, gemm.output_dtype(), {gemm.m, gemm.n}}};
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
  Lines rows(inputs.key("a"), gemm.dtype, gemm.k, 1, gemm.k);
  Lines columns(inputs.key("b"), gemm.dtype, gemm.k, nt ? 1 : gemm.n, nt ? gemm.k : 1);
  const double output_error = unit_roundoff(gemm.output_dtype());
  const double input_error = gemm.dtype == DType::tf32 ? 2 * unit_roundoff(DType::tf32) : 0;
  const double accumulation = unit_roundoff(accumulator(gemm));
  const auto length = static_cast<double>(gemm.k);
  for (const int64_t element : elements) {
    const std::vector<double>& a = rows[element / gemm.n];
    const std::vector<double>& b = columns[element % gemm.n];
    double sum = 0, squares = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const double product = a[i] * b[i];
      sum += product;
      squares += product * product;
    }
    // Rounding errors of a random sum add as a random walk over its partial sums, which grow to
    // sqrt(squares): about u·sqrt(k)·sqrt(squares)/2 when summed in order, less when blocked.
    const double tolerance = is_integer(gemm.output_dtype())
                                 ? 0.0
                                 : output_error * std::fabs(sum) +
                                       4 * accumulation * std::sqrt(length) * std::sqrt(squares) +
                                       4 * input_error * std::sqrt(squares);
    out.push_back({sum, tolerance});
  }
  return out;
}

}  // namespace ridge
