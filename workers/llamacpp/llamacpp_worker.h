#pragma once

#include <memory>
#include <optional>

#include "graph.h"
#include "host.h"
#include "model.h"
#include "worker/sdk/worker.h"

namespace ridge::llamacpp {

// Devices "cpu" and, for each GPU of ggml's loaded back ends, "cuda:0", "metal:0" and so on.
class LlamacppWorker : public sdk::Worker {
 public:
  LlamacppWorker();

  sdk::Description describe() override;
  Result<void> supports(const Workload& work, const Settings& settings,
                        std::string_view device) override;
  Result<std::unique_ptr<sdk::Op>> prepare(const sdk::Task& task) override;
  void park() override { models_.forget_files(); }

 private:
  Result<const Place*> place_of(std::string_view device) const;
  Result<void> can(const Settings& settings, const Workload& work, const Place& place) const;

  mlx_worker::Host host_;
  std::optional<Engine> engine_;  // made by describe(), where what is wrong with it can be said
  Models models_;
  bool loaded_ = false;  // a model by itself: memory for a second one may be missing
};

}  // namespace ridge::llamacpp
