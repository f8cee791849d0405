#pragma once

#include "cli/commands.h"
#include "machine/machine.h"
#include "machine/presence.h"
#include "measure/runner.h"

// What commands that measure share: the file they keep, and who else is at work.
namespace ridge::cli {

// The header of a run of all rows of a plan; `settings` is what the command was asked.
Header header_of(const Context& context, const Machine& machine, const Plan& plan, Json settings);

// Keeps what is measured: in the run file as it comes, and a complaint, once, where it cannot.
class Keeper {
 public:
  explicit Keeper(RunWriter& writer) : writer_(writer) {}

  template <class T>
  void keep(const T& what) {
    auto kept = writer_.add(what);
    if (!kept && !complained_) complain(kept.error().message + "; measuring goes on", kFailed);
    complained_ = complained_ || !kept;
  }
  bool lost_some() const { return complained_; }

 private:
  RunWriter& writer_;
  bool complained_ = false;
};

// Another ridge that measures on this machine, told once.
class Neighbour {
 public:
  explicit Neighbour(const Presence& presence) : presence_(presence) {}
  bool here();

 private:
  const Presence& presence_;
  bool told_ = false;
};

}  // namespace ridge::cli
