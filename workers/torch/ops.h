#pragma once

#include <memory>

#include "place.h"
#include "worker/sdk/worker.h"

namespace ridge::torch {

class TorchOp;

// Of each kind of work: ok, or the reason why PyTorch cannot do it there; then the op. The makers
// may throw c10::Error where PyTorch refuses what was not foreseen.
Result<void> can(const Gemm& gemm, const Settings& settings, const Place& place);
Result<void> can(const Stream& stream, const Settings& settings, const Place& place);
Result<void> can(const Attention& attention, const Settings& settings, const Place& place);
Result<void> can(const ConvStack& stack, const Settings& settings, const Place& place);
Result<void> can(const Dispatch& dispatch, const Settings& settings, const Place& place);
Result<void> can(const Alloc& alloc, const Settings& settings, const Place& place);

Result<void> can_int8(const Gemm& gemm, const Place& place);  // _int_mm

std::unique_ptr<TorchOp> make_gemm(const sdk::Task& task, const Place& place);
std::unique_ptr<TorchOp> make_stream(const sdk::Task& task, const Place& place);
std::unique_ptr<TorchOp> make_attention(const sdk::Task& task, const Place& place);
std::unique_ptr<TorchOp> make_convolution(const sdk::Task& task, const Place& place);
std::unique_ptr<TorchOp> make_dispatch(const sdk::Task& task, const Place& place);
std::unique_ptr<sdk::Op> make_alloc(const sdk::Task& task, const Place& place);

}  // namespace ridge::torch
