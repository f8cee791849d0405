#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "flash_kernels.h"
#include "flash_rows.h"
#include "team.h"
#include "worker/sdk/host_op.h"

namespace ridge::cpu {

// Tries every way that this processor says it has, once, each in a child process. Call before any
// other thread computes.
void try_flash_ways();

// The best way to compute this, or why there is none: any f32, f16 or bf16 forward pass whose
// head_dim is a multiple of 16 up to 256.
Result<FlashWay> flash_way(const Attention& attention);

// Fused attention, forward, all heads on a team. Pieces of work are a few tiles of one head: head
// after head, so that its keys stay in the caches, and the last queries first, which see the most
// under a causal mask; each thread takes the next when it is done. A few queries a key head (a
// decode step) go by rows instead, the keys cut among the threads.
class FlashOp : public sdk::HostOp {
 public:
  FlashOp(const sdk::Task& task, sdk::Arena& arena, Team& team, FlashWay way);

  void run(int64_t copy) override;
  sdk::OpInfo info() const override;

 protected:
  void filled(int64_t copy) override;

 private:
  struct Copy {
    const char* q;
    const char* k;
    const char* v;
    char* o;
  };
  void plan_tiles(sdk::Arena& arena);
  void plan_rows(sdk::Arena& arena);
  FlashHead head(const Copy& copy, int64_t key_head, int64_t head_in_group) const;
  void run_tiles(const Copy& copy);
  void run_rows(const Copy& copy);

  Team& team_;
  Attention work_;
  FlashWay way_;
  int threads_;
  std::vector<Copy> copies_;
  int64_t bytes_ = 0;
  std::string pages_;

  // By tiles.
  const FlashKernels* kernels_ = nullptr;
  int64_t tiles_ = 1;                          // of a piece
  int64_t key_stride_ = 0, value_stride_ = 0;  // bytes of a packed head
  char* packed_keys_ = nullptr;
  char* packed_values_ = nullptr;
  std::vector<void*> workspaces_;  // of each thread

  // By rows.
  const FlashRows* rows_ = nullptr;
  int64_t cuts_ = 1;  // of the keys of a head
  float* partials_ = nullptr;
};

}  // namespace ridge::cpu
