// The man in the middle: two threads that carry lines between the protocol's descriptors and the
// SDK, and let faults strike on the way.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "sim.h"

namespace sim {
namespace {

using ridge::Json;

constexpr int64_t kHandleShift = int64_t{1} << 62;

// Whole, whichever of the threads writes. A flood of one descriptor must not keep the others
// waiting.
void write_all(int fd, std::string_view text) {
  static std::array<std::mutex, 16> one_at_a_time;
  const std::lock_guard lock(one_at_a_time[static_cast<size_t>(fd) % one_at_a_time.size()]);
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) _exit(0);
    text.remove_prefix(static_cast<size_t>(wrote));
  }
}

[[noreturn]] void sleep_for_ever() {
  while (true) ::pause();
}

void each_line(int fd, const std::function<void(const std::string&)>& use,
               const std::atomic<bool>* deaf) {
  std::string pending, chunk(size_t{1} << 16, '\0');
  while (true) {
    if (deaf && *deaf) sleep_for_ever();
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    pending.append(chunk, 0, static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
      use(pending.substr(begin, end - begin));
    }
    pending.erase(0, begin);
  }
}

void sleep_ms(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// `text` again and again, a gibibyte of it.
void pour(int fd, const std::string& text) {
  std::string block;
  while (block.size() < (1 << 20)) block += text;
  for (size_t done = 0; done < (size_t{1} << 30); done += block.size()) write_all(fd, block);
}

// Memory until there is none: `touched`, so that it is really taken, or only asked for, up to a
// limit of address space.
[[noreturn]] void eat_memory(bool touched) {
  const rlimit limit{rlim_t{1} << 30, rlim_t{1} << 30};
  if (!touched) ::setrlimit(RLIMIT_AS, &limit);
  constexpr size_t kBite = size_t{16} << 20;
  for (int bites = 0;; ++bites) {
    auto* bite = new char[kBite];
    if (touched) std::memset(bite, bites, kBite);
    [[maybe_unused]] static char* volatile kept;  // or the compiler takes nothing
    kept = bite;
  }
}

class Middle {
 public:
  Middle(const Mode& mode, State& state, int in, int out, int to_sdk, int from_sdk)
      : mode_(mode), state_(state), in_(in), out_(out), to_sdk_(to_sdk), from_sdk_(from_sdk) {}

  void carry_requests() {
    each_line(
        in_, [this](const std::string& line) { request(line); }, &deaf_);
    _exit(0);  // the peer has gone
  }
  void carry_replies() {
    each_line(
        from_sdk_, [this](const std::string& line) { reply(line); }, nullptr);
  }

 private:
  bool is(std::string_view what) const { return mode_.what == what && state_.struck; }

  void request(const std::string& line) {
    Json json = *Json::parse(line);
    const int64_t id = json.find("id")->as_int();
    const std::string verb = json.find("do")->as_string();
    note(verb, json.find("salt"));
    if (verb == "prepare") {
      auto prepare = ridge::protocol::parse_prepare(json);
      const std::string key = prepare ? ridge::work_key(prepare->work) : "";
      state_.struck = key.find(mode_.work) != std::string::npos;
    }
    if (verb != "cancel") state_.timing = verb == "time";
    {
      const std::lock_guard lock(mutex_);
      verbs_[id] = verb;
    }
    if (verb == mode_.verb && state_.struck && first_time() && strike(id)) return;
    if (verb == "bye") {  // the SDK would be gone before its answer came through here
      write_all(out_, Json::object().set("id", id).set("ok", true).dump() + "\n");
      _exit(0);
    }
    if (const Json* handle = json.find("handle"); handle && is("huge-handle")) {
      json.set("handle", handle->as_int() - kHandleShift);
    } else if (handle && is("handle-0")) {
      json.set("handle", handle->as_int() + 1);
    }
    write_all(to_sdk_, json.dump() + "\n");
  }

  void note(const std::string& verb, const Json* salt) const {
    if (mode_.log.empty()) return;
    const int fd = ::open(mode_.log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
    write_all(fd,
              std::to_string(::getpid()) + " " + verb + " " + (salt ? salt->dump() : "-") + "\n");
    ::close(fd);
  }

  bool first_time() const {
    if (mode_.once.empty()) return true;
    const int fd = ::open(mode_.once.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
  }

  // Faults that come in place of an answer; true: that was all there is to say.
  bool strike(int64_t id) {
    const std::string& what = mode_.what;
    if (!what.starts_with("flood"))
      write_all(2, "sim: about to " + what + "\nsim: these were its last words\n");
    if (what == "exit") _exit(3);
    if (what == "abort") std::abort();
    if (what == "segv") {
      std::signal(SIGSEGV, SIG_DFL);
      ::raise(SIGSEGV);
    }
    if (what == "illegal") {
#if defined(__x86_64__)
      asm volatile("ud2");
#else
      ::raise(SIGILL);
#endif
    }
    if (what == "kill") ::raise(SIGKILL);
    if (what == "rlimit") eat_memory(false);
    if (what == "eat") eat_memory(true);
    if (what == "child") {  // it outlives its parent, with everything that was open
      if (::fork() == 0) sleep_for_ever();
      _exit(3);
    }
    if (what == "hang") sleep_for_ever();
    if (what == "slow") sleep_ms(300);
    if (what == "drip") {
      for (const char c : "{\"id\": " + std::to_string(id) + ", \"ok\": true, \"more\": \"") {
        write_all(out_, std::string(1, c));
      }
      while (true) {
        write_all(out_, "x");
        sleep_ms(20);
      }
    }
    if (what == "close") {
      ::close(out_);
      sleep_for_ever();
    }
    if (what == "garbage") write_all(out_, "\x01\xff\xfe{[ this is no message\n");
    if (what == "no-object") write_all(out_, "[1, 2, 3]\n");
    if (what == "half") {
      write_all(out_, "{\"id\": " + std::to_string(id) + ", \"ok\": tr");
      _exit(0);
    }
    if (what == "long-line") {
      pour(out_, "x");
      sleep_for_ever();
    }
    const std::string head = "{\"id\": " + std::to_string(id);
    if (what == "blank-lines") pour(out_, "\n");
    if (what == "strangers") pour(out_, "{\"id\": 1000000, \"ok\": true}\n");
    if (what == "events") pour(out_, head + ", \"event\": \"progress\"}\n");
    if (what == "event") write_all(out_, head + ", \"event\": \"progress\", \"percent\": 5}\n");
    if (what == "wide") {  // 12 MiB of valid JSON that would be half a gibibyte of values
      std::string list = "0";
      while (list.size() < (12 << 20)) list += ",0";
      write_all(out_, head + ", \"ok\": true, \"values\": [" + list + "]}\n");
    }
    if (what == "book") {
      std::string text;
      while (text.size() < (10 << 20)) text += "☃ снег \\u001b ";
      write_all(out_, head + ", \"error\": \"" + text + "\"}\n");
      return true;
    }
    if (what == "polite") {
      Json error = Json::object().set("id", id).set("error", "sim: no, thank you");
      write_all(out_, error.dump() + "\n");
      return true;
    }
    if (what == "flood") {
      std::thread([] {
        const std::string line = std::string(99, 'e') + "\n";
        std::string block;
        for (int i = 0; i < 10'000; ++i) block += line;
        for (int i = 0; i < 100; ++i) write_all(2, block);
        write_all(2, "sim: the flood is over\n");
      }).detach();
    }
    if (what == "flood-line") {
      std::thread([] { pour(2, "\xff\x1b\x80 e"); }).detach();
    }
    return false;
  }

  void reply(const std::string& line) {
    Json json = *Json::parse(line);
    const int64_t id = json.find("id")->as_int();
    std::string verb;
    {
      const std::lock_guard lock(mutex_);
      verb = verbs_[id];
    }
    const bool event = json.find("event") != nullptr;
    if (verb == "hello") change_hello(json);
    if (verb == "prepare") change_prepared(json);
    if (verb == "check") change_checked(json);
    if (verb == "time" && event) change_event(json, id);
    if (verb == "time" && !event) {
      if (is("negative-ops")) json.set("ops", -1);
      if (is("negative-peak")) json.set("bytes_peak", -1);
      if (is("started-late")) {  // so that little time seems to have passed
        write_all(out_, Json::object().set("id", id).set("event", "started").dump() + "\n");
      }
    }
    const bool here = verb == mode_.verb && !event && state_.struck;
    if (here && mode_.what == "wrong-id") json.set("id", id + 1000);
    if (here && mode_.what == "text-id") json.set("id", "seven");
    if (here && mode_.what == "no-fields") json = Json::object().set("id", id).set("ok", true);
    if (here && mode_.what == "wrong-types") {
      for (auto& [key, value] : json.as_object()) {
        if (key != "id") value = Json("text, of all things");
      }
    }
    if (event && is("never-started") && *json.find("event") == Json("started")) return;
    const std::string text = json.dump() + "\n";
    write_all(out_, text);
    if (here && mode_.what == "twice") write_all(out_, text);
    if (here && mode_.what == "gush") {
      deaf_ = true;
      pour(out_, "x");
      sleep_for_ever();
    }
  }

  void change_hello(Json& json) {
    if (mode_.what == "later-protocol") json.set("protocol", 2);
    if (mode_.what == "no-devices") json.set("devices", Json::array());
    if (mode_.what == "same-devices") {
      Json devices = *json.find("devices");
      devices.push(devices.as_array()[0]);
      json.set("devices", devices);
    }
    if (mode_.what == "negative-clock") json.set("clock_overhead_ns", -5.0);
    if (mode_.what == "negative-memory") {
      Json devices = *json.find("devices");
      devices.as_array()[0].set("memory_bytes", -1);
      json.set("devices", devices);
    }
    if (mode_.what == "many-devices") {
      Json devices = Json::array();
      for (int i = 0; i < 100'000; ++i) {
        const std::string name = "device " + std::to_string(i);
        devices.push(Json::object().set("id", name).set("name", name));
      }
      json.set("devices", devices);
    }
    if (mode_.what == "huge-clock") json.set("clock_overhead_ns", 1e15);
  }

  void change_prepared(Json& json) {
    if (is("no-copies")) json.set("copies", 0);
    if (is("one-copy-said")) json.set("copies", 1);
    if (is("huge-copies")) json.set("copies", int64_t{1} << 62);
    if (is("negative-held")) json.set("bytes_held", -1);
    if (is("negative-prepare")) json.set("prepare_ns", -0.5);
    if (is("handle-0")) json.set("handle", json.find("handle")->as_int() - 1);
    if (is("huge-handle")) json.set("handle", json.find("handle")->as_int() + kHandleShift);
    if (is("escape")) json.set("kernel", "\x1b[31mred|\nline\r\x07");
  }

  void change_checked(Json& json) {
    const Json* found = json.find("values");
    if (!found) return;
    Json::Array values = found->as_array();
    if (is("negative-run")) json.set("run_ns", -1.0);
    if (is("few-values")) values.pop_back();
    if (is("many-values")) values.emplace_back(1.0);
    if (is("text-values")) values.assign(values.size(), Json("1.0"));
    if (is("null-values")) values.assign(values.size(), Json());
    json.set("values", std::move(values));
  }

  static void scale(Json& json, std::string_view key, std::string_view from, double factor) {
    Json::Array out;
    for (const Json& value : json.find(from)->as_array()) {
      out.emplace_back(value.as_double() * factor);
    }
    json.set(key, std::move(out));
  }

  void change_event(Json& json, int64_t id) {
    if (*json.find("event") == Json("started")) {
      if (is("endless")) endless(id);
      if (is("chatter")) chatter(id);
      return;
    }
    Json::Array start = json.find("start_ns")->as_array(), host = json.find("host_ns")->as_array();
    if (is("nan-times")) host.back() = Json();
    if (is("zero-times")) host.back() = Json(0.0);
    if (is("negative-times")) host.back() = Json(-1.0);
    if (is("negative-start")) start.front() = Json(-1e9);
    if (is("huge-times")) host.back() = Json(1e300);
    if (is("overlap") && start.size() > 1) start[1] = Json(start[0].as_double() + 1);
    if (is("disorder") && start.size() > 1) std::swap(start.front(), start.back());
    if (is("uneven")) start.pop_back();
    json.set("start_ns", std::move(start)).set("host_ns", std::move(host));
    if (is("short-times")) scale(json, "host_ns", "host_ns", 0.1);
    if (is("fast-device")) scale(json, "device_ns", "host_ns", 0.05);
    if (is("slow-device")) scale(json, "device_ns", "host_ns", 20);
    if (is("honest-device")) scale(json, "device_ns", "host_ns", 0.98);
    if (is("some-device")) {
      if (++batches_ % 2 == 1) scale(json, "device_ns", "host_ns", 0.98);
    }
  }

  // Samples for ever, whoever cancels.
  [[noreturn]] void endless(int64_t id) {
    write_all(out_, "{\"id\": " + std::to_string(id) + ", \"event\": \"started\"}\n");
    for (int64_t at = 0;; at += 1'000'000) {
      write_all(out_, "{\"id\": " + std::to_string(id) +
                          ", \"event\": \"samples\", \"start_ns\": [" + std::to_string(at) +
                          "], \"host_ns\": [1000000]}\n");
    }
  }
  [[noreturn]] void chatter(int64_t id) {
    write_all(out_, "{\"id\": " + std::to_string(id) + ", \"event\": \"started\"}\n");
    while (true) {
      write_all(out_, "{\"id\": " + std::to_string(id) + ", \"event\": \"progress\"}\n");
    }
  }

  const Mode& mode_;
  State& state_;
  int in_, out_, to_sdk_, from_sdk_;
  int64_t batches_ = 0;
  std::atomic<bool> deaf_{false};
  std::mutex mutex_;
  std::map<int64_t, std::string> verbs_;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Mode mode_from_environment() {
  Mode mode;
  const std::string text = variable("RIDGE_TEST_MODE");
  if (const size_t at = text.find('@'); at != std::string::npos) {
    mode.what = text.substr(0, at);
    mode.verb = text.substr(at + 1);
  } else if (!text.empty()) {
    mode.what = text;
  }
  mode.work = variable("RIDGE_TEST_WORK");
  mode.once = variable("RIDGE_TEST_ONCE");
  mode.log = variable("RIDGE_TEST_LOG");
  if (const std::string text_of = variable("RIDGE_TEST_CACHE"); !text_of.empty()) {
    mode.cache_bytes = std::atoll(text_of.c_str());
  }
  mode.least_us = std::atoll(variable("RIDGE_TEST_LEAST").c_str());
  mode.sleep_ms = std::atoll(variable("RIDGE_TEST_SLEEP").c_str());
  return mode;
}

void stand_between(const Mode& mode, State& state) {
  std::signal(SIGPIPE, SIG_IGN);
  int in[2], out[2];
  if (::pipe(in) != 0 || ::pipe(out) != 0) std::abort();
  const int real_in = ::fcntl(0, F_DUPFD_CLOEXEC, 10), real_out = ::fcntl(1, F_DUPFD_CLOEXEC, 10);
  ::dup2(in[0], 0);
  ::dup2(out[1], 1);
  ::close(in[0]);
  ::close(out[1]);
  if (mode.what == "spin") {
    std::thread([] {
      for (std::atomic<uint64_t> turns{0};;) ++turns;
    }).detach();
  }
  auto* middle = new Middle(mode, state, real_in, real_out, in[1], out[0]);
  std::thread([middle] { middle->carry_requests(); }).detach();
  std::thread([middle] { middle->carry_replies(); }).detach();
}

}  // namespace sim
