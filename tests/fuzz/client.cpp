// Any bytes as all that a worker ever says: the client goes through every request on them. It says
// what is wrong, or gives answers that keep what its header promises.

#include "worker/client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>

#include "fuzz.h"

using namespace ridge;
using fuzz::require;

namespace {

constexpr size_t kMostText = 4096 + 200;  // what is cut, and what we say around it
constexpr size_t kPipe = size_t{1} << 16;

// Text of a worker goes into tables and terminals.
void require_plain(const std::string& text) {
  require(text.size() < kMostText, "a text has an end", text.substr(0, 100));
  for (const char c : text) require((c < 0 || c >= ' ') && c != 127, "no control characters", text);
}

template <class T>
bool fine(const Client& client, const Result<T>& answer) {
  if (answer) {
    require(client.alive(), "an answer comes from the living");
    return true;
  }
  require(!answer.error().message.empty(), "an error says something");
  require_plain(answer.error().message);
  return client.alive();
}

void converse(Client& client) {
  constexpr double kPatience = 5;
  const protocol::Prepare work{Gemm{.m = 4, .n = 4, .k = 4}, {}, "0", 1};
  auto supports = client.supports({work, work}, kPatience);
  if (!fine(client, supports)) return;
  require(!supports || supports->size() == 2, "as many answers as questions");
  auto prepared = client.prepare(work, kPatience);
  if (!fine(client, prepared)) return;
  if (prepared) require(prepared->unsupported || prepared->copies >= 1, "at least one copy");
  if (prepared) require_plain(prepared->kernel);
  const int64_t handle = prepared ? prepared->handle : 1;
  auto checked = client.check({.handle = handle, .tensor = "c", .elements = {0, 5}}, kPatience);
  if (!fine(client, checked)) return;
  if (checked) require(checked->values.size() == 2, "as many values as elements");

  constexpr int64_t kMost = 50;
  int64_t seen = 0;
  double end = 0;
  auto timed = client.time(
      {.handle = handle, .most_samples = kMost, .most_ns = 1e9},
      [&](const protocol::Samples& samples) {
        for (size_t i = 0; i < samples.host_ns.size(); ++i) {
          require(samples.host_ns[i] > 0 && std::isfinite(samples.host_ns[i]), "times are times");
          require(samples.start_ns[i] + 1 >= end, "samples do not overlap");
          end = samples.start_ns[i] + samples.host_ns[i];
        }
        seen += static_cast<int64_t>(samples.host_ns.size());
        require(seen <= kMost, "no more samples than were asked for");
        return seen < 3;
      },
      kPatience);
  if (!fine(client, timed)) return;
  if (timed) require(timed->timed.ops >= seen && timed->wall_ns >= 0, "ops make samples");
  if (!fine(client, client.park(kPatience))) return;
  if (!fine(client, client.release(handle, kPatience))) return;
  client.bye();
  require(!client.alive(), "bye is the end");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  int in[2], out[2], err[2];
  if (size > kPipe || ::socketpair(AF_UNIX, SOCK_STREAM, 0, in) != 0) return 0;
  require(::pipe(out) == 0 && ::pipe(err) == 0, "there are pipes");
  // Everything is said beforehand: it fits into the pipe, and its end follows.
  require(::write(out[1], data, size) == static_cast<ssize_t>(size), "a pipe takes it all");
  require(::write(err[1], data, std::min<size_t>(size, 4096)) >= 0, "and stderr its part");
  ::close(out[1]);
  ::close(err[1]);
  {
    auto client = Client::greet(Process::over(in[0], out[0], err[0]), 1, 5);
    if (client) {
      require_plain(client->hello().worker);
      require(client->hello().devices.size() <= 256, "devices can be counted");
      converse(*client);
      for (const std::string& line : client->stderr_tail()) require_plain(line);
    } else {
      require(!client.error().message.empty(), "an error says something");
    }
  }
  ::close(in[1]);
  return 0;
}
