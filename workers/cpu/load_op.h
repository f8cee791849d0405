#pragma once

#include <vector>

#include "team.h"
#include "worker/sdk/host_op.h"

namespace ridge::cpu {

// Reads a file, each thread its share, through the page cache as every loader does. The files have
// no name: nothing is left behind whatever happens.
class LoadOp : public sdk::HostOp {
 public:
  // Throws std::system_error where no file can be made.
  LoadOp(const sdk::Task& task, sdk::Arena& arena, Team& team);
  ~LoadOp() override;

  void before(int64_t copy) override;
  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 protected:
  void filled(int64_t copy) override;

 private:
  Team& team_;
  int threads_;
  int64_t bytes_;
  std::vector<int> files_;  // of each copy
};

// ok, or why the folder for temporary files cannot serve: it is in memory, but cold is asked for.
Result<void> can_load(CacheMode cache);

}  // namespace ridge::cpu
