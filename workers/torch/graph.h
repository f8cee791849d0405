#pragma once

#include <c10/core/Stream.h>

#include <functional>
#include <memory>

#include "base/result.h"

namespace ridge::torch {

// What was submitted to a stream, recorded once and submitted as a whole again and again.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void replay() = 0;
};

// ok, or why this build cannot record.
Result<void> can_record();

// Records what `work` submits to the current stream, which must not be the default one. Memory that
// PyTorch allocates meanwhile stays the graph's own. Throws std::runtime_error.
std::unique_ptr<Graph> record(const c10::Stream& stream, const std::function<void()>& work);

}  // namespace ridge::torch
