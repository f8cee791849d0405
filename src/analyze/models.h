#pragma once

#include <optional>
#include <string>

#include "analyze/roofline.h"

// Rows of whole models under the roofs of a machine: prefill under products, decode under reads.
namespace ridge::evidence {

// The products that a model's are held against: what the worker says they ran in; else products
// with such weights; else of the dtypes that a library may turn them into, the first that has a
// roof.
struct ProductRoof {
  const Roof* roof = nullptr;
  std::string why;  // these and no others; of a null roof, what is missing
};
ProductRoof product_roof(const Roofline& roofline, const Row& row, const std::string& device,
                         int threads);

// The least bytes a second that the row must have read from memory: a cache that holds a part of
// the weights spares that much of every pass. nullopt where it may hold all.
struct Needed {
  stats::Estimate bytes_per_s;  // by the row's time and its interval
  double bytes = 0;             // of one op
  double spared = 0;            // of all that is read, by the last cache
};
std::optional<Needed> needed_reads(const Roofline& roofline, const Row& row,
                                   const std::string& device, int threads);

// Why the row's tokens cannot have been generated one by one, as a decode's are: they would have
// read faster than memory can be read, by the roof measured here and, where it is known, by what is
// published. Empty: they can, or nobody knows.
std::string impossible_decode(const Roofline& roofline, const Row& row, const std::string& device,
                              int threads);

// Adds what limits a row of a model to `out`; `missing` is what it would take to know more.
void place_model(const Roofline& roofline, const Row& row, const std::string& device, int threads,
                 Placement& out, std::string& missing);

}  // namespace ridge::evidence
