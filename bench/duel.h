#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "worker/client.h"
#include "workload/workload.h"

// What the programs here share: one piece of work, timed by calling the library directly and by the
// worker through the protocol, in turn (A B B A), so that whatever disturbs the machine meets both.
namespace ridge::bench {

struct Options {
  int sessions = 3;       // each with a fresh worker process and fresh memory of our own
  int rounds = 2;         // of A B B A in a session
  double block_ms = 150;  // of timing, in each turn
  std::string filter;     // only rows whose name contains it
  int threads = 0;        // 0: all physical cores
  bool small_pages = false;
  std::string worker;  // the program's path; empty: the cpu worker
  std::string device = "0";

  // --sessions N --rounds N --block-ms N --filter TEXT --threads N --small-pages; exits on anything
  // else.
  static Options parse(int argc, char** argv);
};

// Operands of our own: 64-byte aligned, on huge pages unless told otherwise.
class Memory {
 public:
  Memory(int64_t bytes, bool small_pages);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(at_);
  }

 private:
  void* region_ = nullptr;
  void* at_ = nullptr;
  int64_t mapped_ = 0;
};

// The direct side: run(i) is one op on copy i.
struct Direct {
  std::string kernel;
  std::function<void(int64_t copy)> run;
};
// Makes the direct side anew for a session, with so many copies of the operands.
using MakeDirect = std::function<Direct(int64_t copies)>;

struct Outcome {
  std::string direct_kernel, harness_kernel;
  double direct_ns = 0, harness_ns = 0;  // medians of all samples
  double ratio = 0, low = 0, high = 0;   // direct / harness; interval over neighbouring turns
};

// Runs `work` on both sides; `threads` of OpenMP are started, pinned and ended around each turn of
// the direct side. Exits with a message where a side fails.
Outcome duel(const Workload& work, const Settings& settings, int threads, const MakeDirect& make,
             const Options& options);

// Prints rows of a Markdown table as they come.
class Table {
 public:
  explicit Table(std::string title) : title_(std::move(title)) {}
  void add(const std::string& name, const Workload& work, const Outcome& outcome);
  void close() const;  // the rows where direct calls won by more than 3 %

 private:
  std::string title_;
  bool begun_ = false;
  std::vector<std::string> lost_;
};

int physical_cores();  // as the worker counts them

}  // namespace ridge::bench
