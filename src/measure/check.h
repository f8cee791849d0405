#pragma once

#include <optional>

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

// Reads outputs from the worker and compares them with the float64 reference, whose inputs are
// recomputed from the generator. A wrong f32 answer whose error is that of TF32 or bf16 products is
// said to be that. Adds to `outcome`; once wrong it stays wrong. The returned value
// is how long the one run took (ns), if there was one. An Error is the worker's, not a wrong
// answer.
Result<std::optional<double>> check_outputs(Client& client, const Workload& work,
                                            const CheckRequest& request, CheckOutcome& outcome);

}  // namespace ridge
