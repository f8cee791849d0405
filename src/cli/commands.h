#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/compare_runs.h"
#include "cli/context.h"
#include "machine/presence.h"
#include "report/formats.h"

namespace ridge::cli {

// Exit codes, as the documentation promises them.
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;  // a benchmark failed or was incorrect
inline constexpr int kUsage = 2;
inline constexpr int kUnstable = 3;    // with --strict
inline constexpr int kRegression = 4;  // with --fail-on-regression
inline constexpr int kInterrupted = 130;

// Which work on which workers: shared by run, check and list.
struct Choice {
  std::string suite = "quick";
  std::vector<std::string> works;  // JSON, each as an item of a suite; instead of the suite
  std::string filter;              // regular expression on the row_key
  std::vector<std::string> workers, devices;
};

struct RunArgs {
  Choice choice;
  std::string budget;
  bool fast = false, rigorous = false, dry_run = false, strict = false;
  std::optional<int> rounds;
  uint64_t seed = 1;
  std::string format = "md";
  std::string out = "results";
  double deadline_s = 60;
  std::string lock = Presence::kFile;
  std::string baseline, save_baseline;  // names
  std::optional<double> fail_on_regression;
};

struct CompareArgs {
  CompareRule rule;
  std::string out = "results";  // where baselines are, and where a live comparison is kept
  // Stored runs.
  std::vector<std::string> files;       // run files and folders of them
  std::string baseline, save_baseline;  // names
  // A live comparison.
  bool live = false;
  Choice choice;
  std::vector<std::string> sides;  // "worker=cpu,form=packed": none or two
  std::string budget;
  int rounds = 20;
  uint64_t seed = 1;
  double deadline_s = 60;
  std::string lock = Presence::kFile;
};

struct CheckArgs {
  Choice choice{.suite = "conformance"};
  std::string format = "md";
  uint64_t seed = 1;
  double deadline_s = 60;
};

struct ListArgs {
  std::string suite;
  std::string format = "md";
};

struct InfoArgs {
  std::string format = "md";
};

struct ShowArgs {
  std::vector<std::string> files;
  std::string format = "md";
};

struct ModelArgs {
  std::string model;
  std::string format = "f16";  // of synthetic weights
  std::string file;            // to write; empty: none
  bool json = false;
  uint64_t seed = 1;
};

struct FitArgs {
  std::string model;
  std::vector<std::string> formats, contexts, memories;  // empty: all, the usual, this machine's
  std::vector<std::string> kvs = {"f16"};
  int64_t batch = 1, micro_batch = 512;
  std::string format = "md";
};

struct ExplainArgs {
  std::vector<std::string> runs;  // files and folders
  std::string format = "md";
  bool no_pictures = false;
};

int run(const RunArgs& args, const Context& context);
int check(const CheckArgs& args, const Context& context);
int list(const ListArgs& args, const Context& context);
int info(const InfoArgs& args, const Context& context);
int compare(const CompareArgs& args, const Context& context);
int show(const ShowArgs& args, const Context& context);
int explain(const ExplainArgs& args, const Context& context);
int fit(const FitArgs& args, const Context& context);
int model(const ModelArgs& args, const Context& context);
std::string model_formats();  // "f32, f16, …"

}  // namespace ridge::cli
