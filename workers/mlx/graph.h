#pragma once

#include <mlx/array.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "workload/workload.h"

namespace ridge::mlx_worker {

namespace mx = ::mlx::core;
using Arrays = std::vector<mx::array>;

enum class Place { cpu, cuda, metal };

// A piece of work as MLX is told it. `compute` takes the inputs in the order of tensors(), then
// `constants`, and gives the outputs in that order: lazily, nothing has run when it returns.
struct Graph {
  std::function<Arrays(const Arrays& inputs)> compute;
  Arrays constants = {};
  std::string kernel;
  std::vector<std::string> notes = {};
  std::optional<std::string> executed_dtype = {};  // where it is not the one asked for
  std::optional<std::string> backend = {};         // which way it is, where that is known
  bool by_blas = false;  // its products are those of the BLAS, on as many threads as are set
  bool waits = false;    // the wait belongs to the op
};

// Built on MLX's default device, which must be `place`. An error is a refusal: one line, why not.
// Nothing is computed.
Result<Graph> graph_of(const Workload& work, const Settings& settings, Place place);

mx::Dtype dtype_of(DType dtype);  // of the elements as they are stored
mx::Shape shape_of(const std::vector<int64_t>& shape);

}  // namespace ridge::mlx_worker
