#pragma once

#include <cstddef>
#include <string>

namespace ridge::cli {

// The line on stderr that says what is measured and how long it will still take: rewritten in place
// on a terminal, a new line every ten seconds elsewhere. On the same 2 cores as the measured
// worker, so it writes rarely.
class Progress {
 public:
  // `redraws`: the terminal, if it is one, knows how to rewrite a line (TERM is not "dumb").
  explicit Progress(bool redraws);
  ~Progress();
  void update(double eta_s, size_t done, size_t all, const std::string& now);
  void clear();  // before anything else is printed

 private:
  bool terminal_;
  double last_s_;
  bool shown_ = false;
};

}  // namespace ridge::cli
