#include <gtest/gtest.h>

#include <cmath>

#include "stats/distributions.h"

namespace ridge::stats {
namespace {

// Reference values: R 4 (qnorm, qt, pt, pbinom, qbinom, pbeta) to 12 digits.
TEST(Distributions, NormalQuantile) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-13);
  EXPECT_NEAR(normal_quantile(0.995), 2.575829303548901, 1e-13);
  EXPECT_NEAR(normal_quantile(1e-10), -6.361340902404056, 1e-11);
  EXPECT_EQ(normal_quantile(0.5), 0);
  EXPECT_EQ(normal_quantile(1), INFINITY);
  EXPECT_TRUE(std::isnan(normal_quantile(1.5)));
  for (double p = 0.001; p < 1; p += 0.0173) EXPECT_NEAR(normal_cdf(normal_quantile(p)), p, 1e-14);
}

TEST(Distributions, StudentT) {
  EXPECT_NEAR(student_t_quantile(0.975, 1), 12.706204736174698, 1e-10);
  EXPECT_NEAR(student_t_quantile(0.975, 2), 4.302652729749462, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.975, 4), 2.776445105197793, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.995, 9), 3.249835541592126, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.975, 1e7), 1.959964, 1e-6);
  EXPECT_NEAR(student_t_cdf(1, 1), 0.75, 1e-14);
  EXPECT_NEAR(student_t_cdf(-2, 3), 0.06966298427942164, 1e-14);
  EXPECT_NEAR(student_t_quantile(0.025, 4), -student_t_quantile(0.975, 4), 1e-12);
  EXPECT_TRUE(std::isnan(student_t_quantile(0.9, 0)));
  for (const double degrees : {0.7, 3.0, 17.5, 300.0}) {
    for (double p = 0.003; p < 1; p += 0.0271) {
      EXPECT_NEAR(student_t_cdf(student_t_quantile(p, degrees), degrees), p, 1e-12);
    }
  }
}

TEST(Distributions, Beta) {
  EXPECT_NEAR(incomplete_beta(2, 3, 0.4), 0.5248, 1e-14);        // a polynomial
  EXPECT_NEAR(incomplete_beta(0.5, 0.5, 0.25), 1.0 / 3, 1e-14);  // 2/π·asin(sqrt x)
  EXPECT_EQ(incomplete_beta(2, 3, 0), 0);
  EXPECT_EQ(incomplete_beta(2, 3, 1), 1);
}

TEST(Distributions, BinomialAgreesWithItsSum) {
  for (const int n : {1, 6, 15, 60}) {
    double sum = 0, term = std::pow(0.5, n);
    for (int k = 0; k <= n; ++k) {
      sum += term;
      EXPECT_NEAR(binomial_cdf(k, n, 0.5), sum, 1e-12) << n << " " << k;
      term *= static_cast<double>(n - k) / (k + 1);
    }
  }
  EXPECT_EQ(binomial_cdf(-1, 5, 0.3), 0);
  EXPECT_NEAR(binomial_cdf(1, 3, 0.25), 0.84375, 1e-14);
}

TEST(Distributions, BinomialQuantileIsTheLeast) {
  EXPECT_EQ(binomial_quantile(0.025, 6, 0.5), 1);
  EXPECT_EQ(binomial_quantile(0.025, 100, 0.5), 40);
  EXPECT_EQ(binomial_quantile(0.025, 100000, 0.5), 49690);
  for (const int n : {1, 7, 40, 1000}) {
    for (const double p : {0.01, 0.025, 0.5, 0.99}) {
      const int64_t k = binomial_quantile(p, n, 0.5);
      EXPECT_GE(binomial_cdf(k, n, 0.5), p);
      EXPECT_LT(binomial_cdf(k - 1, n, 0.5), p);
    }
  }
}

}  // namespace
}  // namespace ridge::stats
