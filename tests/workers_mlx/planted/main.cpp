// The worker of MLX with a fault planted in it, which RIDGE_TEST_MODE names; for the test beside
// it.
#include <mlx/mlx.h>

#include <cstdlib>
#include <string>

#include "mlx_worker.h"

namespace ridge::mlx_worker {
namespace {

// f32 with 10 bits of mantissa, rounded to nearest, ties away: what TF32 makes of an operand.
mx::array to_tf32(const mx::array& x) {
  const mx::array bits = mx::view(x, mx::uint32);
  const mx::array rounded =
      mx::bitwise_and(mx::add(bits, mx::array(0x1000u)), mx::array(0xffffe000u));
  return mx::view(rounded, mx::float32);
}

class FaultyOp : public MlxOp {
 public:
  FaultyOp(const sdk::Task& task, const Graph& graph, const Target& target, std::string mode)
      : MlxOp(task, graph, target), mode_(std::move(mode)) {}

  void fill(const InputSource& source) override {
    MlxOp::fill(source);
    if (mode_ != "zeros") return;
    for (mx::array& input : inputs(source.copy)) input = mx::zeros_like(input);
    mx::eval(inputs(source.copy));
  }

 protected:
  // An array that nobody asked for stays a plan.
  void start(const Arrays& outputs) override {
    if (mode_ == "lazy") return;
    // What is checked before timing is right, and of all later ops the first output alone.
    if (mode_ != "lazy-rest" || ++starts_ == 1) return MlxOp::start(outputs);
    MlxOp::start({outputs[0]});
  }

 private:
  std::string mode_;
  int starts_ = 0;
};

class FaultyWorker : public MlxWorker {
 public:
  explicit FaultyWorker(std::string mode) : MlxWorker(false), mode_(std::move(mode)) {}

 protected:
  std::unique_ptr<sdk::Op> make_op(const sdk::Task& task, Graph graph,
                                   const Target& target) override {
    const auto compute = graph.compute;
    if (mode_ == "tf32") {
      graph.compute = [compute](Arrays in) {
        for (mx::array& input : in) input = to_tf32(input);
        return compute(in);
      };
    } else if (mode_ == "transposed") {  // the copy that puts it in order left out
      graph.compute = [compute](const Arrays& in) -> Arrays {
        return {mx::transpose(mx::contiguous(mx::transpose(compute(in)[0])))};
      };
    }
    return std::make_unique<FaultyOp>(task, graph, target, mode_);
  }

 private:
  std::string mode_;
};

}  // namespace
}  // namespace ridge::mlx_worker

int main(int argc, char** argv) {
  const char* mode = std::getenv("RIDGE_TEST_MODE");
  ridge::mlx_worker::FaultyWorker worker(mode ? mode : "");
  return ridge::sdk::serve(argc, argv, worker);
}
