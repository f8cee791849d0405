#include "worker/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "worker/missing_library.h"

namespace ridge {
namespace {

constexpr size_t kMostLine = size_t{16} << 20;
constexpr std::ptrdiff_t kMostValues = 1'000'000;  // of one message: parsed, each takes 40 bytes
constexpr size_t kMostText = 4096;                 // of what a worker says, in every row it is in
constexpr size_t kStderrKept = 4096;
constexpr size_t kStderrLines = 12;
constexpr int kMostStrangers = 100;
#ifdef MSG_NOSIGNAL
constexpr int kNoSignal = MSG_NOSIGNAL;
#else
constexpr int kNoSignal = 0;  // macOS: main ignores SIGPIPE
#endif

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string excerpt(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 60)) out += (c >= ' ' && c < 127) ? c : '.';
  return out + (text.size() > 60 ? "…" : "");
}

// What a worker says ends in tables, logs and terminals: no control characters in it, and no book.
void clean(std::string& text) {
  if (text.size() > kMostText) {
    size_t end = kMostText;
    while (end > 0 && (text[end] & 0xc0) == 0x80) --end;  // not in the middle of a character
    text = text.substr(0, end) + "…";
  }
  for (char& c : text) {
    if ((c >= 0 && c < ' ') || c == 127) c = ' ';
  }
}
void clean(Json& json) {
  if (json.is_array()) {
    for (Json& item : json.as_array()) clean(item);
  } else if (json.is_object()) {
    for (auto& [key, value] : json.as_object()) {
      clean(key);
      clean(value);
    }
  } else if (json.is_string()) {
    std::string text = json.as_string();
    clean(text);
    json = Json(std::move(text));
  }
}

// The worker's own, polite error, if this is one.
std::optional<Error> error_in(const Json& reply) {
  const Json* error = reply.find("error");
  if (!error || error->is_null()) return std::nullopt;
  std::string text = error->is_string() ? error->as_string() : error->dump();
  clean(text);
  const Json* unsupported = reply.find("unsupported");
  return Error{std::move(text), unsupported && *unsupported == Json(true)};
}

}  // namespace

Result<Client> Client::start(const std::string& executable, uint64_t seed, double deadline_s,
                             std::function<bool()> interrupted) {
  auto process = Process::start({executable});
  if (!process) return process.error();
  auto client = greet(*std::move(process), seed, deadline_s, std::move(interrupted));
  if (!client && lacks_a_library(client.error().message)) {
    if (auto why = explain_missing_libraries(executable)) {
      return Error{.message = *why, .unsupported = true};
    }
  }
  // As glibc's loader says it, with the name in C++'s spelling.
  if (!client && client.error().message.find("symbol lookup error: ") != std::string::npos) {
    return Error{.message = client.error().message +
                            ": the library is of another version than the "
                            "worker was compiled against",
                 .unsupported = true};
  }
  if (!client && client.error().message.find("killed by signal") != std::string::npos) {
    if (auto why = explain_cut_library(executable)) {
      return Error{client.error().message + ": " + *why};
    }
  }
  return client;
}

Result<Client> Client::greet(Process process, uint64_t seed, double deadline_s,
                             std::function<bool()> interrupted) {
  Client client(std::move(process));
  client.interrupted_ = std::move(interrupted);
  Json request = Json::object();
  request.set("protocol", Json(Json::Array{Json(protocol::kVersion)})).set("seed", seed);
  // What it said on stderr goes with the client, so the error takes the last of it along.
  const auto failed = [&](const Error& error) {
    const auto tail = client.stderr_tail();
    if (tail.empty()) return error;
    return Error{fmt::format("{} (stderr: {})", error.message, tail.back()), error.unsupported};
  };
  auto reply = client.call("hello", std::move(request), deadline_s);
  if (!reply) return failed(reply.error());
  auto hello = protocol::parse_hello(*reply);
  if (!hello) return failed(client.give_up(hello.error().message));
  if (hello->protocol != protocol::kVersion) {
    return failed(client.give_up(fmt::format("hello: speaks protocol {}, and only {} was offered",
                                             hello->protocol, protocol::kVersion)));
  }
  client.hello_ = *std::move(hello);
  return client;
}

std::vector<std::string> Client::stderr_tail() {
  read_stderr();
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < stderr_text_.size();) {
    const size_t end = std::min(stderr_text_.find('\n', begin), stderr_text_.size());
    if (end > begin)
      lines.push_back(stderr_text_.substr(begin, std::min<size_t>(end - begin, 500)));
    begin = end + 1;
  }
  for (std::string& line : lines) clean(line);
  if (lines.size() > kStderrLines) lines.erase(lines.begin(), lines.end() - kStderrLines);
  return lines;
}

void Client::read_stderr() {
  char buffer[8192];
  // A flood must not keep us here: what does not fit is for the next time.
  for (int i = 0; i < 64; ++i) {
    const ssize_t got = ::read(process_.err(), buffer, sizeof buffer);
    if (got <= 0) return;
    stderr_text_.append(buffer, static_cast<size_t>(got));
    if (stderr_text_.size() > 2 * kStderrKept) {
      stderr_text_.erase(0, stderr_text_.size() - kStderrKept);
    }
  }
}

bool Client::pump(double seconds) {
  pollfd fds[2] = {{process_.out(), POLLIN, 0}, {process_.err(), POLLIN, 0}};
  const int wait_ms = static_cast<int>(std::clamp(seconds * 1000, 1.0, 200.0));
  if (::poll(fds, 2, wait_ms) <= 0) return true;
  if (fds[1].revents & POLLIN) read_stderr();
  if (!(fds[0].revents & (POLLIN | POLLHUP | POLLERR))) {
    // stderr has ended but stdout has not: poll would return at once, for ever.
    if (fds[1].revents & POLLHUP) ::poll(fds, 1, wait_ms);
    return true;
  }
  char buffer[1 << 16];
  const ssize_t got = ::read(process_.out(), buffer, sizeof buffer);
  if (got > 0) pending_.append(buffer, static_cast<size_t>(got));
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

Error Client::give_up(const std::string& why) {
  broken_ = true;
  process_.kill();
  process_.wait(5);
  return Error{why};
}

Result<int64_t> Client::send(std::string_view verb, Json request) {
  if (broken_) return Error{"the worker is gone"};
  process_.go_on();
  const int64_t id = next_id_++;
  Json line = Json::object();
  line.set("id", id).set("do", verb);
  for (auto& [key, value] : request.as_object()) line.set(key, std::move(value));
  std::string text = line.dump() + "\n";
  const double until = seconds_now() + 10;
  for (size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::send(process_.in(), text.data() + done, text.size() - done, kNoSignal);
    if (wrote > 0) {
      done += static_cast<size_t>(wrote);
    } else if (errno == EAGAIN) {
      if (seconds_now() > until) return give_up(fmt::format("{}: took no input for 10 s", verb));
      pump(0.01);  // it may wait for us to read
      if (pending_.size() > 2 * kMostLine) {
        return give_up(fmt::format("{}: writes without end and takes no input", verb));
      }
    } else if (errno != EINTR) {
      break;  // gone: the reply that does not come will tell how
    }
  }
  return id;
}

Result<Json> Client::take_line(std::string_view line, int64_t id, bool& mine) {
  mine = false;
  const auto begins_value = [](char c) { return c == ',' || c == '[' || c == '{'; };
  if (std::count_if(line.begin(), line.end(), begins_value) > kMostValues) {
    return give_up(fmt::format("wrote a message of more than {} values", kMostValues));
  }
  auto json = Json::parse(line);
  if (!json || !json->is_object()) {
    return give_up(fmt::format("wrote what is no message: '{}'", excerpt(line)));
  }
  const Json* their_id = json->find("id");
  if (their_id && their_id->is_int() && their_id->as_int() == id) {
    mine = true;
    strangers_ = 0;
    clean(*json);
    return json;
  }
  if (their_id && their_id->is_int() && cancels_.erase(their_id->as_int()) > 0) return Json();
  if (++strangers_ > kMostStrangers) {
    return give_up(fmt::format("answers requests that nobody made: '{}'", excerpt(line)));
  }
  return Json();
}

Result<Json> Client::receive(int64_t id, double deadline_s, double until) {
  bool ended = false;
  while (true) {
    const size_t end = pending_.find('\n', scanned_);
    if (end != std::string::npos) {
      const std::string line = pending_.substr(taken_, end - taken_);
      taken_ = scanned_ = end + 1;
      if (line.find_first_not_of(" \r") == std::string::npos) continue;
      bool mine = false;
      auto message = take_line(line, id, mine);
      if (!message || mine) return message;
      continue;
    }
    pending_.erase(0, std::exchange(taken_, 0));
    scanned_ = pending_.size();
    if (pending_.size() > kMostLine) {
      return give_up(fmt::format("wrote a line of more than {} MiB", kMostLine >> 20));
    }
    if (interrupted_ && interrupted_()) return give_up("interrupted");
    const double left = until - seconds_now();
    if (left <= 0) {
      const std::string time = fmt::format("{:.{}f} s", deadline_s, deadline_s < 1 ? 2 : 0);
      return give_up(strangers_ > 0
                         ? fmt::format("no answer within {} (but {} to requests that nobody made)",
                                       time, strangers_)
                         : fmt::format("no answer within {}", time));
    }
    const bool open = pump(left);
    // A child of its own may hold the pipe open: dead, and nothing came twice, is the end as well.
    const bool silent = pending_.size() == scanned_ && process_.wait(0);
    if (!open || (silent && std::exchange(ended, true))) {
      const auto how = process_.wait(2);
      const bool half = !pending_.empty();
      return give_up(how.value_or("closed its stdout") +
                     (half ? fmt::format(" after half a line: '{}'", excerpt(pending_)) : ""));
    }
  }
}

Result<Json> Client::call(std::string_view verb, Json request, double deadline_s) {
  auto id = send(verb, std::move(request));
  if (!id) return id.error();
  const double until = seconds_now() + deadline_s;
  while (true) {
    auto reply = receive(*id, deadline_s, until);
    if (!reply) return reply.error().in(std::string(verb));
    if (const auto error = error_in(*reply)) return error->in(std::string(verb));
    if (!reply->find("event")) return reply;
    // Events may come before any reply; what they say is nothing to us here.
    if (seconds_now() > until) {
      return give_up(fmt::format("{}: events, but no answer within {:.{}f} s", verb, deadline_s,
                                 deadline_s < 1 ? 2 : 0));
    }
  }
}

Result<std::vector<std::optional<std::string>>> Client::supports(
    const std::vector<protocol::Prepare>& questions, double deadline_s) {
  Json list = Json::array();
  for (const auto& question : questions) list.push(protocol::to_json(question));
  auto reply = call("supports", Json::object().set("list", std::move(list)), deadline_s);
  if (!reply) return reply.error();
  const Json* answers = reply->find("supports");
  if (!answers || !answers->is_array() || answers->as_array().size() != questions.size()) {
    return give_up("supports: the answers are not as many as the questions");
  }
  std::vector<std::optional<std::string>> out;
  for (const Json& answer : answers->as_array()) {
    const bool reason = answer.is_string() && !answer.as_string().empty();
    out.push_back(answer.is_null() ? std::nullopt
                                   : std::optional(reason ? answer.as_string()
                                                          : std::string("no reason given")));
  }
  return out;
}

Result<protocol::Prepared> Client::prepare(const protocol::Prepare& request, double deadline_s) {
  auto reply = call("prepare", protocol::to_json(request), deadline_s);
  if (!reply) return reply.error();
  auto prepared = protocol::parse_prepared(*reply);
  if (!prepared) return give_up(prepared.error().message);
  return prepared;
}

Result<protocol::Checked> Client::check(const protocol::Check& request, double deadline_s) {
  auto reply = call("check", protocol::to_json(request), deadline_s);
  if (!reply) return reply.error();
  auto checked = protocol::parse_checked(*reply);
  if (!checked) return give_up(checked.error().message);
  if (checked->values.size() != request.elements.size()) {
    return give_up(fmt::format("check: {} values for {} elements", checked->values.size(),
                               request.elements.size()));
  }
  return checked;
}

Result<Client::TimeReply> Client::time(const protocol::Time& request, const More& more,
                                       double silence_s) {
  const double asked = seconds_now();
  auto id = send("time", protocol::to_json(request));
  if (!id) return id.error();
  std::optional<double> started;
  bool cancelled = false;
  double last_end = 0;
  int64_t seen = 0;
  while (true) {
    auto message = receive(*id, silence_s, seconds_now() + silence_s);
    if (!message) return message.error().in("time");
    if (const auto error = error_in(*message)) return error->in("time");
    const Json* event = message->find("event");
    const double now = seconds_now();
    if (!event) {
      auto timed = protocol::parse_timed(*message);
      if (!timed) return give_up(timed.error().message);
      if (!started) return give_up("time: replied without having started");
      if (timed->ops / request.ops_per_sample < seen) {
        return give_up(fmt::format("time: {} samples of {} ops from {} ops", seen,
                                   request.ops_per_sample, timed->ops));
      }
      return TimeReply{*std::move(timed), (now - *started) * 1e9, (*started - asked) * 1e9};
    }
    if (now - asked > request.most_ns / 1e9 + 2 * silence_s) {
      return give_up("time: does not stop");
    }
    if (*event == Json("started")) {
      if (started) return give_up("time: started twice");  // the second would hide time
      started = now;
    } else if (*event == Json("samples")) {
      auto samples = protocol::parse_samples(*message);
      if (!samples) return give_up("time: " + samples.error().message);
      seen += static_cast<int64_t>(samples->host_ns.size());
      if (seen > request.most_samples) {  // they would fill our memory
        return give_up(
            fmt::format("time: sends more than the {} samples asked for", request.most_samples));
      }
      for (size_t i = 0; i < samples->host_ns.size(); ++i) {
        // 1 ns of slack: the numbers went through text.
        if (samples->start_ns[i] + 1 < last_end) return give_up("time: samples overlap");
        last_end = samples->start_ns[i] + samples->host_ns[i];
      }
      if (!started) return give_up("time: samples before it has started");
      if (!more(*samples) && !cancelled) {
        cancelled = true;
        auto sent = send("cancel", Json::object().set("cancel", *id));
        if (!sent) return sent.error();
        cancels_.insert(*sent);
      }
    }
  }
}

Result<void> Client::park(double deadline_s) {
  auto reply = call("park", Json::object(), deadline_s);
  if (!broken_) process_.stop();
  if (!reply) return reply.error();
  return {};
}

Result<void> Client::release(int64_t handle, double deadline_s) {
  auto reply = call("release", Json::object().set("handle", handle), deadline_s);
  if (!reply) return reply.error();
  return {};
}

void Client::bye() {
  if (broken_) return;
  interrupted_ = nullptr;
  (void)call("bye", Json::object(), 1);
  process_.close_in();
  if (!process_.wait(1)) process_.kill();
  broken_ = true;
}

}  // namespace ridge
