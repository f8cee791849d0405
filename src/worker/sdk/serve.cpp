#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "worker/sdk/session.h"
#include "worker/sdk/worker.h"

namespace ridge::sdk {
namespace {

constexpr size_t kMostLine = size_t{64} << 20;

struct Request {
  int64_t id = 0;
  Json json;
};

// The two ends of the conversation. A thread reads, so that cancel is heard while an op runs, and
// so that the worker goes at once when the peer does; it sleeps in read() otherwise.
class Wire {
 public:
  explicit Wire(int out) : out_(out) {}

  void send(Json reply, int64_t id) {
    Json line = Json::object().set("id", id);
    for (auto& [key, value] : reply.as_object()) line.set(key, std::move(value));
    std::string text = line.dump();
    text += '\n';
    const std::lock_guard lock(write_mutex_);
    size_t done = 0;
    while (done < text.size()) {
      const ssize_t wrote = ::write(out_, text.data() + done, text.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) _exit(0);  // the peer is gone
      done += static_cast<size_t>(wrote);
    }
  }

  Request next() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return !queue_.empty(); });
    Request request = std::move(queue_.front());
    queue_.pop_front();
    return request;
  }

  void read_forever() {
    std::string pending;
    std::string chunk(size_t{1} << 16, '\0');
    while (true) {
      const ssize_t got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || pending.size() > kMostLine) _exit(0);
      pending.append(chunk, 0, static_cast<size_t>(got));
      size_t begin = 0;
      for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
        take(std::string_view(pending).substr(begin, end - begin));
      }
      pending.erase(0, begin);
    }
  }

  const std::atomic<int64_t>& cancelled() const { return cancelled_; }

 private:
  void take(std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    auto json = Json::parse(line);
    const Json* id = json ? json->find("id") : nullptr;
    if (!id || !id->is_int()) {
      const std::string why = json ? "a request needs an integer 'id'" : json.error().message;
      send(Json::object().set("error", why), -1);
      return;
    }
    const Json* verb = json->find("do");
    if (verb && verb->is_string() && verb->as_string() == "cancel") {
      const Json* target = json->find("cancel");
      if (target && target->is_int()) cancelled_.store(target->as_int());
      send(Json::object().set("ok", true), id->as_int());
      return;
    }
    const std::lock_guard lock(mutex_);
    queue_.push_back({id->as_int(), *std::move(json)});
    arrived_.notify_one();
  }

  int out_;
  std::mutex write_mutex_, mutex_;
  std::condition_variable arrived_;
  std::deque<Request> queue_;
  std::atomic<int64_t> cancelled_{-1};
};

int describe(const char* program, Worker& worker) try {
  const Description description = worker.describe();
  fmt::print("ridge-worker-{} (protocol {})\n", description.name, protocol::kVersion);
  for (const auto& [name, version] : description.libraries) fmt::print("{} {}\n", name, version);
  for (const Device& device : description.devices) {
    fmt::print("device {}: {} ({})\n", device.id, device.name, fmt::join(device.dtypes, ", "));
  }
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}: {}\n", program, error.what());
  return 1;
}

class Refusing : public Worker {
 public:
  explicit Refusing(std::string why) : why_(std::move(why)) {}
  Description describe() override { throw Unsupported(why_); }
  Result<void> supports(const Workload&, const Settings&, std::string_view) override {
    return Error{why_};
  }
  Result<std::unique_ptr<Op>> prepare(const Task&) override { return Error{why_}; }

 private:
  std::string why_;
};

}  // namespace

int serve(int argc, char** argv, Worker& worker) {
  const std::string argument = argc > 1 ? argv[1] : "";
  if (argument == "--version") return describe(argv[0], worker);
  if (!argument.empty()) {
    fmt::print(argument == "--help" ? stdout : stderr,
               "usage: {} [--version]\nSpeaks the Ridgepoint worker protocol on stdin and stdout; "
               "`ridge` starts it.\n",
               argv[0]);
    return argument == "--help" ? 0 : 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  // Whatever a library prints on stdout goes to stderr; the protocol has a descriptor of its own.
  const int out = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (out < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    fmt::print(stderr, "{}: stdout or stderr is closed\n", argv[0]);
    return 1;
  }

  Wire wire(out);
  Session session(worker, wire.cancelled());
  std::thread([&wire] { wire.read_forever(); }).detach();
  while (true) {
    const Request request = wire.next();
    const Json* verb = request.json.find("do");
    if (verb && verb->is_string() && verb->as_string() == "bye") {
      wire.send(Json::object().set("ok", true), request.id);
      std::fflush(nullptr);
      _exit(0);  // no destructor of a library may hang what is over
    }
    const auto emit = [&](const Json& event) { wire.send(event, request.id); };
    wire.send(session.answer(request.id, request.json, emit), request.id);
  }
}

int refuse(int argc, char** argv, const std::string& why) {
  Refusing worker(why);
  return serve(argc, argv, worker);
}

Result<void> same_version(std::string_view library, std::string_view compiled,
                          std::string_view loaded) {
  if (compiled == loaded) return {};
  return Error{fmt::format(
      "{} {} is loaded, but this worker was compiled against {}, and what one "
      "version calls another may misunderstand: build Ridgepoint in an empty folder, or put "
      "that version where the worker looks",
      library, loaded.empty() ? "of no known version" : loaded, compiled)};
}

}  // namespace ridge::sdk
