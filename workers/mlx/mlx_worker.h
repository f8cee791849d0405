#pragma once

#include "mlx_op.h"

namespace ridge::mlx_worker {

// Devices "cpu" and, where MLX was built for one and it is there, "gpu". `tf32`: this process
// computes f32 products in TF32, does nothing else, and has no CPU; it calls itself mlx_tf32.
class MlxWorker : public sdk::Worker {
 public:
  explicit MlxWorker(bool tf32);

  sdk::Description describe() override;
  Result<void> supports(const Workload& work, const Settings& settings,
                        std::string_view device) override;
  Result<std::unique_ptr<sdk::Op>> prepare(const sdk::Task& task) override;
  void park() override;

 protected:
  virtual std::unique_ptr<sdk::Op> make_op(const sdk::Task& task, Graph graph,
                                           const Target& target);

 private:
  Result<Target> target_of(std::string_view device) const;
  // The graph, with the target's threads set; or why not.
  Result<Graph> accept(const Workload& work, const Settings& settings, Target& target) const;

  bool tf32_;
  Host host_;
  Blas blas_;
  Place gpu_ = Place::cpu;  // cpu: there is none
};

}  // namespace ridge::mlx_worker
