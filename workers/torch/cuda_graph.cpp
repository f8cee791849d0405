#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <stdexcept>

#include "graph.h"

// at::cuda::CUDAGraph would need libtorch_cuda at link time: this is the same by the run time's C
// interface, found by name, and PyTorch's allocator by its virtual functions.
namespace ridge::torch {
namespace {

using Allocator = c10::cuda::CUDACachingAllocator::CUDAAllocator;

template <class... Args>
void cuda(const char* name, Args... args) {
  using Function = cudaError_t (*)(Args...);
  auto* function = reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
  const int code = function ? static_cast<int>(function(args...)) : -1;
  if (code != 0) throw std::runtime_error(fmt::format("{}: CUDA error {}", name, code));
}

// Far from the numbers that PyTorch gives to its own pools.
c10::MempoolId_t fresh_pool() {
  static c10::CaptureId_t next = c10::CaptureId_t{1} << 40;
  return {0, ++next};
}

class CudaGraph : public Graph {
 public:
  CudaGraph(const c10::Stream& stream, const std::function<void()>& work)
      : device_(stream.device_index()),
        stream_(static_cast<cudaStream_t>(
            c10::impl::VirtualGuardImpl(c10::kCUDA).getStreamNativeHandle(stream))),
        allocator_(static_cast<Allocator*>(at::detail::getCUDAHooks().getCUDADeviceAllocator())),
        pool_(fresh_pool()) {
    allocator_->beginAllocateToPool(device_, pool_,
                                    [own = stream_](cudaStream_t asks) { return asks == own; });
    cudaGraph_t graph = nullptr;
    try {
      // Relaxed: autograd submits from a thread of its own.
      cuda("cudaStreamBeginCapture", stream_, cudaStreamCaptureModeRelaxed);
      try {
        work();
      } catch (...) {
        end_capture(&graph);
        throw;
      }
      cuda("cudaStreamEndCapture", stream_, &graph);
      cuda("cudaGraphInstantiateWithFlags", &ready_, graph, 0ULL);
      cuda("cudaGraphDestroy", graph);
    } catch (...) {
      allocator_->endAllocateToPool(device_, pool_);
      allocator_->releasePool(device_, pool_);
      throw;
    }
    allocator_->endAllocateToPool(device_, pool_);
  }
  ~CudaGraph() override {
    try {
      cuda("cudaGraphExecDestroy", ready_);
      allocator_->releasePool(device_, pool_);
    } catch (...) {  // the device is lost: so is the graph
    }
  }
  void replay() override { cuda("cudaGraphLaunch", ready_, stream_); }

 private:
  void end_capture(cudaGraph_t* graph) {
    try {
      cuda("cudaStreamEndCapture", stream_, graph);
    } catch (const std::runtime_error&) {  // what broke the capture is the error to tell
    }
  }

  c10::DeviceIndex device_;
  cudaStream_t stream_;
  Allocator* allocator_;
  c10::MempoolId_t pool_;
  cudaGraphExec_t ready_ = nullptr;
};

}  // namespace

Result<void> can_record() { return {}; }

std::unique_ptr<Graph> record(const c10::Stream& stream, const std::function<void()>& work) {
  return std::make_unique<CudaGraph>(stream, work);
}

}  // namespace ridge::torch
