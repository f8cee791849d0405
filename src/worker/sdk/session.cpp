#include "worker/sdk/session.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>

#include "worker/sdk/arena.h"
#include "worker/sdk/calibrate.h"
#include "worker/sdk/host_op.h"
#include "worker/sdk/memory.h"

namespace ridge::sdk {
namespace {

constexpr double kFlushNs = 1e8;  // events are rare: the peer's reading of one disturbs the timing
constexpr size_t kFlushSamples = 4096;
constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

Json ok() { return Json::object().set("ok", true); }
Json failure(std::string_view why) { return Json::object().set("error", why); }

template <class T>
T take(Result<T> result) {
  if (!result) throw std::invalid_argument(result.error().message);
  return *std::move(result);
}

int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return usage.ru_maxrss * 1024;
#endif
}

}  // namespace

Session::Session(Worker& worker, const std::atomic<int64_t>& cancelled)
    : worker_(worker), cancelled_(cancelled) {}

Json Session::answer(int64_t id, const Json& request, const Emit& emit) try {
  const Json* verb = request.find("do");
  const std::string what = verb && verb->is_string() ? verb->as_string() : "";
  if (what == "hello") return hello(request);
  if (!greeted_) return failure("the first request must be hello");
  if (what == "supports") return supports(request);
  if (what == "prepare") return prepare(request);
  if (what == "check") return check(request);
  if (what == "time") return time(id, request, emit);
  if (what == "release") return release(request);
  if (what == "park") return worker_.park(), ok();
  return failure(fmt::format("unknown request '{}'", what));
} catch (const Unsupported& here) {
  return failure(here.what()).set("unsupported", true);
} catch (const std::bad_alloc&) {
  return failure("out of memory");
} catch (const std::exception& error) {
  return failure(error.what());
}

Json Session::hello(const Json& request) {
  std::vector<int64_t> versions;
  Fields fields(request, "hello");
  fields.required("protocol", versions).optional("seed", seed_);
  if (auto done = fields.done(Fields::Unknown::allow); !done) return failure(done.error().message);
  if (std::find(versions.begin(), versions.end(), protocol::kVersion) == versions.end()) {
    return failure(fmt::format("this worker speaks protocol {}, the caller {}", protocol::kVersion,
                               fmt::join(versions, ", ")));
  }
  description_ = worker_.describe();
  greeted_ = true;
  const ClockCost clock = calibrate_clock();
  Json json = protocol::to_json(protocol::Hello{.worker = description_.name,
                                                .libraries = description_.libraries,
                                                .devices = description_.devices,
                                                .clock_tick_ns = clock.tick_ns,
                                                .clock_overhead_ns = clock.overhead_ns});
  return json.set("ok", true);
}

Json Session::supports(const Json& request) {
  const Json* list = request.find("list");
  if (!list || !list->is_array()) return failure("supports: 'list' must be an array");
  Json answers = Json::array();
  for (const Json& entry : list->as_array()) {
    auto asked = protocol::parse_prepare(entry);
    if (!asked) {
      answers.push("this worker does not know it: " + asked.error().message);
    } else if (auto yes = worker_.supports(asked->work, asked->settings, asked->device); !yes) {
      answers.push(yes.error().message);
    } else {
      answers.push(nullptr);
    }
  }
  return ok().set("supports", std::move(answers));
}

const Device& Session::device(const std::string& id) const {
  for (const Device& device : description_.devices) {
    if (device.id == id) return device;
  }
  throw std::invalid_argument(fmt::format("no device '{}'", id));
}

Json Session::prepare(const Json& request) {
  auto asked = protocol::parse_prepare(request);
  const auto unsupported = [](const std::string& why) {
    return protocol::to_json(protocol::Prepared{.unsupported = why});
  };
  if (!asked) return unsupported("this worker does not know it: " + asked.error().message);
  const Device& target = device(asked->device);
  if (auto yes = worker_.supports(asked->work, asked->settings, asked->device); !yes) {
    return unsupported(yes.error().message);
  }
  const auto footprint = static_cast<int64_t>(cost(asked->work, asked->settings).footprint);
  const auto memory_now = [&] {
    return std::min(target.memory_bytes.value_or(kNoLimit), available_memory());
  };
  const auto copies_in = [&](int64_t memory) {
    // A model is not rotated: its weights are what they are for every token.
    return model_use(asked->work)
               ? 1
               : rotation_copies(asked->settings.cache, footprint, target.cache_bytes, memory);
  };
  int64_t memory = memory_now();
  if (!fits(footprint, memory) || copies_in(memory) < copies_in(kNoLimit)) {
    worker_.park();  // what earlier work left behind may be in the way
    memory = memory_now();
  }
  if (!fits(footprint, memory)) return unsupported(too_large(footprint, memory));
  Task task{asked->work, asked->settings, asked->device, copies_in(memory), seed_};
  const double begin = now_ns();
  auto op = worker_.prepare(task);
  if (!op) return unsupported(op.error().message);
  const OpInfo info = (*op)->info();
  protocol::Prepared reply{.handle = next_handle_++,
                           .copies = task.copies,
                           .bytes_held = info.bytes_held,
                           .prepare_ns = now_ns() - begin,
                           .kernel = info.kernel,
                           .notes = info.notes,
                           .executed_dtype = info.executed_dtype,
                           .backend = info.backend};
  prepared_.emplace(reply.handle, Prepared{*std::move(op), task.copies});
  return protocol::to_json(reply).set("ok", true);
}

Session::Prepared& Session::prepared(int64_t handle) {
  const auto at = prepared_.find(handle);
  if (at == prepared_.end()) throw std::invalid_argument(fmt::format("no handle {}", handle));
  return at->second;
}

Json Session::check(const Json& request) {
  const auto asked = take(protocol::parse_check(request));
  Prepared& work = prepared(asked.handle);
  if (asked.copy < 0 || asked.copy >= work.copies) {
    return failure(fmt::format("check: there is no copy {}", asked.copy));
  }
  protocol::Checked reply;
  if (asked.run) {
    work.op->fill({seed_, asked.salt, asked.copy});
    work.op->wait();
    const double begin = now_ns();
    work.op->run(asked.copy);
    work.op->wait();
    reply.run_ns = now_ns() - begin;
  }
  reply.values = work.op->read(asked.tensor, asked.copy, asked.elements);
  return protocol::to_json(reply).set("ok", true);
}

Json Session::time(int64_t id, const Json& request, const Emit& emit) {
  const auto asked = take(protocol::parse_time(request));
  Prepared& work = prepared(asked.handle);
  Op& op = *work.op;
  for (int64_t copy = 0; copy < work.copies; ++copy) op.fill({seed_, asked.salt, copy});
  op.wait();
  op.device_ns();

  protocol::Samples batch;
  const auto flush = [&] {
    if (batch.host_ns.empty()) return;
    emit(protocol::to_json(batch).set("event", "samples"));
    batch = {};
  };
  batch.start_ns.reserve(kFlushSamples);
  batch.host_ns.reserve(kFlushSamples);
  emit(Json::object().set("event", "started"));

  const double started = now_ns();
  double flushed = started, untimed = 0;
  int64_t ops = 0;
  for (int64_t sample = 0; sample < asked.most_samples; ++sample) {
    const double ready = now_ns();
    op.before(ops % work.copies);
    const double begin = now_ns();
    untimed += begin - ready;
    for (int64_t i = 0; i < asked.ops_per_sample; ++i) op.run(ops++ % work.copies);
    op.wait();
    const double end = now_ns();
    batch.start_ns.push_back(begin - started);
    batch.host_ns.push_back(end - begin);
    if (const double device = op.device_ns(); device >= 0) batch.device_ns.push_back(device);
    if (end - flushed > kFlushNs || batch.host_ns.size() >= kFlushSamples) {
      flush();
      flushed = end;
    }
    if (end - started > asked.most_ns || cancelled_.load(std::memory_order_relaxed) == id) break;
  }
  flush();
  OpInfo info = op.info();
  protocol::Timed reply{.ops = ops,
                        .bytes_peak = info.bytes_peak.value_or(peak_bytes()),
                        .untimed_ns = untimed,
                        .notes = std::move(info.notes),
                        .values = std::move(info.values)};
  return protocol::to_json(reply).set("ok", true);
}

Json Session::release(const Json& request) {
  int64_t handle = 0;
  Fields fields(request, "release");
  fields.required("handle", handle);
  if (auto done = fields.done(Fields::Unknown::allow); !done) return failure(done.error().message);
  prepared(handle);
  prepared_.erase(handle);
  return ok();
}

}  // namespace ridge::sdk
