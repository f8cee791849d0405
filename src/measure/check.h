#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/row.h"
#include "worker/client.h"

namespace ridge {

// Which answers to ask a worker for, and of which inputs.
struct CheckRequest {
  int64_t handle = 0;
  InputSource inputs;
  int64_t want = 256;  // elements of each output, about; small shapes are checked whole
  bool run = false;    // fill, poison, run once; else what the last `time` left behind is read
  double deadline_s = 60;
};

// Elements of an output and what the worker says they are.
struct Readings {
  std::vector<int64_t> elements;
  std::vector<double> values;
};

struct Checked {
  std::optional<double> run_ns;  // of the one run, if there was one
  // Logits of a model that float64 cannot judge, as it is too large: finite, and not all the same.
  std::optional<Readings> unjudged;
};

// Reads outputs from the worker and compares them with the float64 reference, whose inputs are
// recomputed from the generator. A wrong f32 answer whose error is that of TF32 or bf16 products is
// said to be that. Adds to `outcome`; once wrong it stays wrong. An Error is the worker's, not a
// wrong answer.
Result<Checked> check_outputs(Client& client, const Workload& work, const CheckRequest& request,
                              CheckOutcome& outcome);

// Compares logits that were `read` with those of the work's twin (workload/model/twin.h), which the
// worker prepares on the same device, runs once on the same inputs, and releases.
struct TwinRequest {
  Workload work;
  Settings settings;
  std::string device;
  InputSource inputs;
  double deadline_s = 60;
};
Result<void> check_by_twin(Client& client, const TwinRequest& request, const Readings& read,
                           CheckOutcome& outcome);

}  // namespace ridge
