#include "stats/least_squares.h"

#include <cmath>

namespace ridge::stats {
namespace {

constexpr double kDependent = 1e-10;  // of a column's square left beside the basis: nothing

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sums[4] = {};  // four at a time: one sum would wait for every addition
  size_t i = 0;
  for (; i + 4 <= a.size(); i += 4) {
    for (size_t j = 0; j < 4; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (; i < a.size(); ++i) sums[0] += a[i] * b[i];
  return sums[0] + sums[1] + (sums[2] + sums[3]);
}

}  // namespace

LeastSquares::LeastSquares(std::vector<double> target) : residual_(std::move(target)) {}

// The residual is at right angles to the basis, so the column itself serves for what is left of it.
LeastSquares::Gain LeastSquares::gain(const std::vector<double>& column) const {
  const double before = dot(column, column);
  double left = before;
  for (const auto& direction : basis_) left -= std::pow(dot(column, direction), 2);
  if (!(left > kDependent * before)) return {};
  const double along = dot(column, residual_);
  return {along * along / left, along / left, left};
}

void LeastSquares::add(const std::vector<double>& column) {
  std::vector<double> parts, rest = column;
  for (const auto& direction : basis_) {
    parts.push_back(dot(rest, direction));
    for (size_t i = 0; i < rest.size(); ++i) rest[i] -= parts.back() * direction[i];
  }
  const double left = dot(rest, rest);
  const double size = left > kDependent * dot(column, column) ? std::sqrt(left) : 0;
  for (double& value : rest) value = size > 0 ? value / size : 0;
  along_.push_back(dot(rest, residual_));
  for (size_t i = 0; i < rest.size(); ++i) residual_[i] -= along_.back() * rest[i];
  parts.push_back(size);
  basis_.push_back(std::move(rest));
  upper_.push_back(std::move(parts));
}

double LeastSquares::residual_squares() const { return dot(residual_, residual_); }

std::vector<double> LeastSquares::coefficients() const {
  std::vector<double> result = along_;
  for (size_t j = result.size(); j-- > 0;) {
    result[j] = upper_[j][j] > 0 ? result[j] / upper_[j][j] : 0;
    for (size_t i = 0; i < j; ++i) result[i] -= upper_[j][i] * result[j];
  }
  return result;
}

}  // namespace ridge::stats
