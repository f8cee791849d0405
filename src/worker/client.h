#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "worker/process.h"
#include "worker/protocol.h"

namespace ridge {

// The orchestrator's end of one worker session. Every request has a deadline. An Error that comes
// back while alive() is the worker's own, polite one; otherwise the worker died, hung or broke the
// protocol, has been killed, and the client is of no more use.
class Client {
 public:
  // Starts the executable and says hello; `deadline_s` bounds both. The error is `unsupported`
  // where a library is missing, or of another version, as the loader or the worker says.
  // `interrupted` is asked on the client's own idea of time, often, here and later: true ends a
  // wait at once (Ctrl-C).
  static Result<Client> start(const std::string& executable, uint64_t seed, double deadline_s,
                              std::function<bool()> interrupted = nullptr);
  // The same with a peer that runs already.
  static Result<Client> greet(Process process, uint64_t seed, double deadline_s,
                              std::function<bool()> interrupted = nullptr);

  const protocol::Hello& hello() const { return hello_; }
  bool alive() const { return !broken_; }
  int64_t pid() const { return process_.pid(); }
  // The last lines that the worker wrote on stderr, newest last.
  std::vector<std::string> stderr_tail();

  // For each question nothing, or the reason why not.
  Result<std::vector<std::optional<std::string>>> supports(
      const std::vector<protocol::Prepare>& questions, double deadline_s);
  Result<protocol::Prepared> prepare(const protocol::Prepare& request, double deadline_s);
  Result<protocol::Checked> check(const protocol::Check& request, double deadline_s);

  // `more` sees each batch of samples as it comes; once it says false the timing is cancelled, and
  // samples still on their way are passed on all the same. `silence_s` bounds the wait for the next
  // event. `wall_ns` is our own clock between `started` and the reply.
  struct TimeReply {
    protocol::Timed timed;
    double wall_ns = 0;
    double fill_ns = 0;  // from the request to `started`
  };
  using More = std::function<bool(const protocol::Samples& samples)>;
  Result<TimeReply> time(const protocol::Time& request, const More& more, double silence_s);

  // Also stops its process, whose threads may spin all the same; the next request lets it go on.
  Result<void> park(double deadline_s);
  Result<void> release(int64_t handle, double deadline_s);
  // Ends the session in good order; kills what does not go within a second.
  void bye();
  // In place of what start() was given.
  void interrupt_with(std::function<bool()> asked) { interrupted_ = std::move(asked); }

 private:
  explicit Client(Process process) : process_(std::move(process)) {}

  Result<int64_t> send(std::string_view verb, Json request);
  // The next message of request `id`, event or reply, of which `deadline_s` have passed at `until`.
  Result<Json> receive(int64_t id, double deadline_s, double until);
  Result<Json> call(std::string_view verb, Json request, double deadline_s);
  Result<Json> take_line(std::string_view line, int64_t id, bool& mine);
  Error give_up(const std::string& why);
  bool pump(double seconds);  // reads what there is; false when stdout has ended
  void read_stderr();

  Process process_;
  protocol::Hello hello_;
  std::function<bool()> interrupted_;
  std::string pending_;      // of stdout
  size_t taken_ = 0;         // of pending_, lines that were read
  size_t scanned_ = 0;       // of pending_, known to hold no further newline
  std::string stderr_text_;  // its end
  int64_t next_id_ = 1;
  std::set<int64_t> cancels_;  // whose answers may come at any time
  int strangers_ = 0;          // messages of no request of ours, since the last of one
  bool broken_ = false;
};

}  // namespace ridge
