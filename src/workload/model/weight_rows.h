#pragma once

#include <memory>

#include "base/result.h"
#include "workload/model/forward.h"
#include "workload/model/use.h"
#include "workload/tensor.h"

namespace ridge {

// The weights that a use means, dequantised a row at a time: synthetic ones, which follow from
// inputs.seed, or those of its file. Error: the file cannot be read, holds another model than the
// use says, more than a configuration tells, or formats that we do not dequantise.
Result<std::unique_ptr<ModelWeights>> weight_rows(const ModelUse& use, const InputSource& inputs);

}  // namespace ridge
