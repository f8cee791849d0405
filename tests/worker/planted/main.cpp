// The cpu worker with a slowdown that is known: each op takes RIDGE_TEST_SLOWER (a part, such as
// 0.15) of its own time longer, busy. What `ridge compare --live` must find (bench/aa).

#include <chrono>
#include <cstdlib>

#include "cpu_worker.h"
#include "topology.h"

namespace {

using namespace ridge;
using Clock = std::chrono::steady_clock;

class SlowerOp : public sdk::Op {
 public:
  SlowerOp(std::unique_ptr<sdk::Op> op, double part) : op_(std::move(op)), part_(part) {}

  void fill(const InputSource& inputs) override { op_->fill(inputs); }
  std::vector<double> read(std::string_view tensor, int64_t copy,
                           std::span<const int64_t> elements) override {
    return op_->read(tensor, copy, elements);
  }
  void before(int64_t copy) override { op_->before(copy); }
  void run(int64_t copy) override {
    const auto began = Clock::now();
    op_->run(copy);
    op_->wait();
    const auto ended = Clock::now();
    const auto until = ended + std::chrono::duration_cast<Clock::duration>(part_ * (ended - began));
    while (Clock::now() < until) continue;
  }
  void wait() override { op_->wait(); }
  sdk::OpInfo info() const override { return op_->info(); }

 private:
  std::unique_ptr<sdk::Op> op_;
  double part_;
};

class SlowerWorker : public sdk::Worker {
 public:
  SlowerWorker(sdk::Worker& worker, double part) : worker_(worker), part_(part) {}

  sdk::Description describe() override { return worker_.describe(); }
  Result<void> supports(const Workload& work, const Settings& settings,
                        std::string_view device) override {
    return worker_.supports(work, settings, device);
  }
  Result<std::unique_ptr<sdk::Op>> prepare(const sdk::Task& task) override {
    auto op = worker_.prepare(task);
    if (!op) return op.error();
    return std::unique_ptr<sdk::Op>(std::make_unique<SlowerOp>(*std::move(op), part_));
  }
  void park() override { worker_.park(); }

 private:
  sdk::Worker& worker_;
  double part_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* part = std::getenv("RIDGE_TEST_SLOWER");
  cpu::CpuWorker worker(cpu::read_topology());
  SlowerWorker slower(worker, part ? std::atof(part) : 0);
  return sdk::serve(argc, argv, slower);
}
