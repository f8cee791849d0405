#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "store/row.h"

namespace ridge {

inline constexpr std::string_view kRunSchemaName = "ridgepoint-run";
inline constexpr std::string_view kRunSchemaVersion = "1.0.0";

// The first line of a run file: everything that the rows have in common.
struct Header {
  std::string id;           // of the run
  std::string started_utc;  // 2026-11-21T01:52:00Z
  std::vector<std::string> argv;
  std::string machine_key;
  Json machine;                       // as discovered
  Json tool;                          // version, git, dirty, build_type, method_version
  Json settings;                      // suite, rounds, budget, seed, target
  Json telemetry = Json::object();    // where each quantity comes from, or why it is not told
  Json workers = Json::array();       // what each said in hello
  std::vector<std::string> row_keys;  // in the order asked for; rows are measured in another
};

// The last line of a run that ended in good order.
struct Summary {
  std::string ended_utc;
  double wall_s = 0;
  double measuring_s = 0;  // inside timed requests, after their inputs were made
  double eta_s = 0;        // as it was printed before the first row
  bool interrupted = false;
  std::optional<double> noise_floor_percent;  // half the range of the canaries' medians
};

// A part of a round in which something was seen to disturb it; samples that overlap it may suffer.
// It is as wide as the readings lie apart.
struct Disturbed {
  double from_ns = 0, to_ns = 0;  // on the axis of start_ns
  std::string what;               // "steal" or "throttled"
};

// The samples of one round of one row; these stand in a sidecar file.
struct RoundSamples {
  std::string row_key;
  int64_t round = 0;
  double start_s = 0;  // in the run
  int64_t ops_per_sample = 1;
  int64_t warmup = 0;                // samples at the front that were left out
  std::vector<double> start_ns, ns;  // per sample since the round's start; per op
  std::vector<Disturbed> disturbed;
};

struct Canary {
  std::string key;
  double at_s = 0;
  double median_ns = 0;
};

// Appends to results/raw/<machine>/<UTC time>-<id>.jsonl and its .samples.jsonl, a line at a time,
// each with one write: whatever kills us, only the line in hand can be lost.
class RunWriter {
 public:
  static Result<RunWriter> create(const std::string& folder, const Header& header);
  RunWriter(RunWriter&& other) noexcept;
  RunWriter& operator=(RunWriter&&) = delete;
  ~RunWriter();

  const std::string& path() const { return path_; }
  // A row may be written again after more rounds: the last line of a row_key counts.
  Result<void> add(const Row& row);
  Result<void> add(const RoundSamples& samples);
  Result<void> add(const Canary& canary);
  Result<void> close(const Summary& summary);

 private:
  struct File {
    int fd = -1;
    bool torn = false;  // the last write stopped short: the next begins a new line
  };
  RunWriter() = default;
  Result<void> append(File& file, const Json& line);

  std::string path_;
  File rows_, samples_;
};

struct Run {
  std::string path;
  Header header;
  std::vector<Row> rows;  // in the order asked for, each as last written
  std::vector<Canary> canaries;
  std::optional<Summary> summary;     // none: it was cut short
  std::vector<std::string> warnings;  // "FILE:12: not JSON at byte 80: line skipped"
};

// Reads a run file. A torn line is skipped with a warning; a file that is no run is an error.
Result<Run> read_run(const std::string& path);
// The same from a stream; `path` is its name in errors and warnings.
Result<Run> read_run(std::istream& file, const std::string& path);

// "2026-11-21T01:52:00Z", and the same without punctuation for file names.
std::string utc_now();
// Eight hexadecimal digits, different for every run on every machine.
std::string new_run_id();

}  // namespace ridge
