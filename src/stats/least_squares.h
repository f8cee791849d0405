#pragma once

#include <vector>

namespace ridge::stats {

// Least squares by modified Gram and Schmidt, built column by column, so that what a further
// column would bring is known without taking it in. Rows are weighted by whoever makes the columns.
class LeastSquares {
 public:
  explicit LeastSquares(std::vector<double> target);

  struct Gain {
    double squares = 0;      // taken off the residual sum of squares
    double coefficient = 0;  // of this column, when it is the last
    double left = 0;         // square of what the others leave of it: σ²/left is the variance
  };
  // All 0 for a column that depends on those before it. O(rows · columns).
  Gain gain(const std::vector<double>& column) const;
  void add(const std::vector<double>& column);  // a dependent one gets the coefficient 0

  double residual_squares() const;
  std::vector<double> coefficients() const;  // of the columns in the order added

 private:
  std::vector<std::vector<double>> basis_, upper_;  // orthonormal; columns of the triangle
  std::vector<double> along_, residual_;
};

}  // namespace ridge::stats
