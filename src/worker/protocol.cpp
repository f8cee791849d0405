#include "worker/protocol.h"

#include <cmath>

namespace ridge::protocol {
namespace {

constexpr int64_t kMostCache = int64_t{1} << 40;
constexpr double kMostClockCost = 1e6;  // ns
constexpr double kMostNs = 1e15;        // eleven days: nothing that is timed takes longer
constexpr size_t kMostDevices = 256;    // every one gets a row of every item

template <class T>
Json list(const std::vector<T>& values) {
  Json::Array out;
  out.reserve(values.size());
  for (const T& value : values) out.emplace_back(value);
  return out;
}

template <class T>
Result<T> finish(const Fields& fields, T value) {
  // A peer of a later minor version may say more: what is unknown is passed over.
  if (auto done = fields.done(Fields::Unknown::allow); !done) return done.error();
  return value;
}

// Sizes and counts, and times that may be 0. False for NaN.
template <class T>
void not_negative(Fields& fields, std::string_view key, T value) {
  if (!(value >= 0)) fields.fail(key, "must not be negative");
}

Result<Device> parse_device(const Json& json) {
  Device device;
  Fields f(json, "hello: device");
  f.required("id", device.id)
      .required("name", device.name)
      .optional("memory_bytes", device.memory_bytes)
      .optional("cache_bytes", device.cache_bytes)
      .optional("dtypes", device.dtypes);
  if (device.cache_bytes < 0 || device.cache_bytes > kMostCache) {
    f.fail("cache_bytes", "must lie in 0 (unknown) to 1 TiB");
  }
  not_negative(f, "memory_bytes", device.memory_bytes.value_or(0));
  return finish(f, device);
}

}  // namespace

Json to_json(const Hello& hello) {
  Json libraries = Json::object(), devices = Json::array(), json = Json::object();
  for (const auto& [name, version] : hello.libraries) libraries.set(name, version);
  for (const Device& device : hello.devices) {
    Json entry = Json::object();
    entry.set("id", device.id).set("name", device.name).set("memory_bytes", device.memory_bytes);
    entry.set("cache_bytes", device.cache_bytes).set("dtypes", list(device.dtypes));
    devices.push(std::move(entry));
  }
  json.set("protocol", hello.protocol).set("worker", hello.worker).set("libraries", libraries);
  json.set("devices", devices).set("clock_tick_ns", hello.clock_tick_ns);
  json.set("clock_overhead_ns", hello.clock_overhead_ns);
  return json;
}

Result<Hello> parse_hello(const Json& json) {
  Hello hello;
  Json libraries, devices;
  Fields f(json, "hello");
  f.required("protocol", hello.protocol)
      .required("worker", hello.worker)
      .optional("libraries", libraries)
      .required("devices", devices)
      .optional("clock_tick_ns", hello.clock_tick_ns)
      .optional("clock_overhead_ns", hello.clock_overhead_ns);
  if (libraries.is_object()) {
    for (const auto& [name, version] : libraries.as_object()) {
      hello.libraries.emplace_back(name,
                                   version.is_string() ? version.as_string() : version.dump());
    }
  }
  if (!devices.is_null() && !devices.is_array()) f.fail("devices", "must be an array");
  if (devices.is_array() && devices.as_array().size() > kMostDevices) {
    f.fail("devices", "are more than 256");
  } else if (devices.is_array()) {
    for (const Json& entry : devices.as_array()) {
      auto device = parse_device(entry);
      if (!device) return device.error();
      for (const Device& other : hello.devices) {
        if (other.id == device->id) f.fail("devices", "holds the id '" + other.id + "' twice");
      }
      hello.devices.push_back(*std::move(device));
    }
  }
  if (hello.worker.size() > 64) f.fail("worker", "is longer than 64 characters");
  for (const double cost : {hello.clock_overhead_ns, hello.clock_tick_ns}) {
    if (!(cost >= 0 && cost <= kMostClockCost)) {
      f.fail("clock_overhead_ns", "and clock_tick_ns must lie in 0 to 1 ms");
    }
  }
  return finish(f, std::move(hello));
}

Json to_json(const Prepare& prepare) {
  Json json = Json::object();
  json.set("workload", to_json(prepare.work)).set("settings", to_json(prepare.settings));
  json.set("device", prepare.device).set("salt", prepare.salt);
  return json;
}

Result<Prepare> parse_prepare(const Json& json) {
  Prepare prepare;
  Json work, settings;
  Fields f(json, "prepare");
  f.required("workload", work)
      .required("settings", settings)
      .required("device", prepare.device)
      .optional("salt", prepare.salt);
  if (auto done = f.done(Fields::Unknown::allow); !done) return done.error();
  auto parsed_work = parse_workload(work, "prepare: workload");
  if (!parsed_work) return parsed_work.error();
  auto parsed_settings = parse_settings(settings, "prepare: settings");
  if (!parsed_settings) return parsed_settings.error();
  prepare.work = *parsed_work;
  prepare.settings = *parsed_settings;
  return prepare;
}

Json to_json(const Prepared& prepared) {
  Json json = Json::object();
  if (prepared.unsupported) return json.set("unsupported", *prepared.unsupported);
  json.set("handle", prepared.handle).set("copies", prepared.copies);
  json.set("bytes_held", prepared.bytes_held).set("prepare_ns", prepared.prepare_ns);
  json.set("kernel", prepared.kernel).set("notes", list(prepared.notes));
  if (prepared.executed_dtype) json.set("executed_dtype", *prepared.executed_dtype);
  if (prepared.backend) json.set("backend", *prepared.backend);
  return json;
}

Result<Prepared> parse_prepared(const Json& json) {
  Prepared prepared;
  Fields f(json, "prepare");
  f.optional("unsupported", prepared.unsupported);
  if (prepared.unsupported) return finish(f, std::move(prepared));
  f.required("handle", prepared.handle)
      .optional("copies", prepared.copies)
      .optional("bytes_held", prepared.bytes_held)
      .optional("prepare_ns", prepared.prepare_ns)
      .optional("kernel", prepared.kernel)
      .optional("notes", prepared.notes)
      .optional("executed_dtype", prepared.executed_dtype)
      .optional("backend", prepared.backend);
  if (prepared.copies < 1) f.fail("copies", "must be at least 1");
  not_negative(f, "bytes_held", prepared.bytes_held);
  not_negative(f, "prepare_ns", prepared.prepare_ns);
  return finish(f, std::move(prepared));
}

Json to_json(const Check& check) {
  Json json = Json::object();
  json.set("handle", check.handle).set("tensor", check.tensor).set("copy", check.copy);
  json.set("run", check.run).set("salt", check.salt).set("elements", list(check.elements));
  return json;
}

Result<Check> parse_check(const Json& json) {
  Check check;
  Fields f(json, "check");
  f.required("handle", check.handle)
      .required("tensor", check.tensor)
      .optional("copy", check.copy)
      .optional("run", check.run)
      .optional("salt", check.salt)
      .required("elements", check.elements);
  return finish(f, std::move(check));
}

Json to_json(const Checked& checked) {
  Json json = Json::object();
  json.set("values", list(checked.values));
  if (checked.run_ns) json.set("run_ns", *checked.run_ns);
  return json;
}

Result<Checked> parse_checked(const Json& json) {
  Checked checked;
  Fields f(json, "check");
  f.required("values", checked.values).optional("run_ns", checked.run_ns);
  not_negative(f, "run_ns", checked.run_ns.value_or(0));
  return finish(f, std::move(checked));
}

Json to_json(const Time& time) {
  Json json = Json::object();
  json.set("handle", time.handle).set("salt", time.salt);
  json.set("ops_per_sample", time.ops_per_sample).set("most_samples", time.most_samples);
  json.set("most_ns", time.most_ns);
  return json;
}

Result<Time> parse_time(const Json& json) {
  Time time;
  Fields f(json, "time");
  f.required("handle", time.handle)
      .optional("salt", time.salt)
      .optional("ops_per_sample", time.ops_per_sample)
      .required("most_samples", time.most_samples)
      .required("most_ns", time.most_ns);
  if (time.ops_per_sample < 1) f.fail("ops_per_sample", "must be at least 1");
  return finish(f, time);
}

Json to_json(const Samples& samples) {
  Json json = Json::object();
  json.set("start_ns", list(samples.start_ns)).set("host_ns", list(samples.host_ns));
  if (!samples.device_ns.empty()) json.set("device_ns", list(samples.device_ns));
  return json;
}

Result<Samples> parse_samples(const Json& json) {
  Samples samples;
  Fields f(json, "samples");
  f.required("start_ns", samples.start_ns)
      .required("host_ns", samples.host_ns)
      .optional("device_ns", samples.device_ns);
  if (auto done = f.done(Fields::Unknown::allow); !done) return done.error();
  const size_t n = samples.host_ns.size();
  if (samples.start_ns.size() != n ||
      (!samples.device_ns.empty() && samples.device_ns.size() != n)) {
    return Error{"samples: start_ns, host_ns and device_ns differ in length"};
  }
  for (size_t i = 0; i < n; ++i) {
    const auto possible = [](double ns) { return ns > 0 && ns <= kMostNs; };
    if (!possible(samples.host_ns[i]) || !(std::fabs(samples.start_ns[i]) <= kMostNs) ||
        (!samples.device_ns.empty() && !possible(samples.device_ns[i]))) {
      return Error{"samples: a time is zero, negative, not a number or longer than eleven days"};
    }
  }
  return samples;
}

Json to_json(const Timed& timed) {
  Json json = Json::object();
  json.set("ops", timed.ops).set("bytes_peak", timed.bytes_peak);
  json.set("untimed_ns", timed.untimed_ns).set("notes", list(timed.notes));
  if (!timed.values.empty()) json.set("values", to_json(timed.values));
  return json;
}

Result<Timed> parse_timed(const Json& json) {
  Timed timed;
  Fields f(json, "time");
  f.required("ops", timed.ops)
      .optional("bytes_peak", timed.bytes_peak)
      .optional("untimed_ns", timed.untimed_ns)
      .optional("notes", timed.notes);
  not_negative(f, "ops", timed.ops);
  not_negative(f, "bytes_peak", timed.bytes_peak);
  not_negative(f, "untimed_ns", timed.untimed_ns);
  auto values = parse_values(json.find("values"), "time: values");
  if (!values) return values.error();
  timed.values = *std::move(values);
  return finish(f, std::move(timed));
}

}  // namespace ridge::protocol
