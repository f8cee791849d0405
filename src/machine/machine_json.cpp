#include <string>
#include <string_view>

#include "machine/machine.h"

namespace ridge {
namespace {

// stem + unit = value; or null, and stem + "_reason" = why.
template <class T>
void put(Json& object, const std::string& stem, std::string_view unit, const Known<T>& value) {
  object.set(stem + std::string(unit), Json(value.value));
  if (!value) object.set(stem + "_reason", value.reason);
}
template <class T>
void put(Json& object, const std::string& stem, const Known<T>& value) {
  put(object, stem, "", value);
}

// A list, and beside it why it is empty or lacks something.
void put_list(Json& object, const std::string& stem, Json list, const std::string& reason) {
  object.set(stem, std::move(list));
  if (!reason.empty()) object.set(stem + "_reason", reason);
}

Json strings(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push(text);
  return out;
}

Json clocks_json(const Clocks& clocks) {
  Json out = Json::object();
  put(out, "minimum", "_hz", clocks.minimum_hz);
  put(out, "maximum", "_hz", clocks.maximum_hz);
  put(out, "base", "_hz", clocks.base_hz);
  put(out, "current_mean", "_hz", clocks.current_mean_hz);
  put(out, "counter", "_hz", clocks.counter_hz);
  put(out, "counter_invariant", clocks.counter_invariant);
  put(out, "governor", clocks.governor);
  return out;
}

Json caches_json(const Cpu& cpu) {
  Json out = Json::array();
  for (const Cache& cache : cpu.caches) {
    Json item = Json::object();
    item.set("level", cache.level).set("type", cache.type).set("bytes", cache.bytes);
    put(item, "count", cache.count);
    put(item, "shared_by_threads", cache.shared_by_threads);
    put(item, "line", "_bytes", cache.line_bytes);
    out.push(item);
  }
  return out;
}

Json cpu_json(const Machine& machine) {
  const Cpu& cpu = machine.cpu;
  Json out = Json::object();
  out.set("architecture", cpu.architecture.empty() ? Json() : Json(cpu.architecture));
  if (cpu.architecture.empty()) out.set("architecture_reason", "the files do not tell");
  put(out, "model", cpu.model);
  put(out, "vendor", cpu.vendor);
  put(out, "family", cpu.family);
  put(out, "model_number", cpu.model_number);
  put(out, "stepping", cpu.stepping);
  put(out, "revision", cpu.revision);
  put(out, "microcode", cpu.microcode);
  put(out, "sockets", cpu.sockets);
  put(out, "cores", cpu.cores);
  put(out, "threads", cpu.threads);
  put_list(out, "caches", caches_json(cpu), cpu.caches_reason);
  put(out, "last_level_cache", "_bytes", last_level_cache_bytes(machine));
  put(out, "last_level_cache_total", "_bytes", last_level_cache_total_bytes(machine));
  Json nodes = Json::array();
  for (const NumaNode& node : cpu.numa) {
    Json item = Json::object();
    item.set("index", node.index).set("cpus", node.cpus);
    put(item, "memory", "_bytes", node.memory_bytes);
    nodes.push(item);
  }
  put_list(out, "numa_nodes", std::move(nodes), cpu.numa_reason);
  Json extensions = Json::array();
  for (const Extension& extension : cpu.extensions) {
    Json item = Json::object();
    item.set("name", extension.name);
    put(item, "announced", extension.announced);
    put(item, "works", extension.works);
    extensions.push(item);
  }
  put_list(out, "extensions", std::move(extensions), cpu.extensions_reason);
  out.set("clocks", clocks_json(cpu.clocks));
  return out;
}

Json memory_json(const Machine& machine) {
  const Memory& memory = machine.memory;
  Json out = Json::object();
  put(out, "total", "_bytes", memory.total_bytes);
  put(out, "available", "_bytes", memory.available_bytes);
  put(out, "cgroup_limit", "_bytes", memory.cgroup_limit_bytes);
  put(out, "usable", "_bytes", usable_memory_bytes(machine));
  put(out, "swap_total", "_bytes", memory.swap_total_bytes);
  put(out, "swap_free", "_bytes", memory.swap_free_bytes);
  put(out, "page", "_bytes", memory.page_bytes);
  put(out, "transparent_huge_pages", memory.transparent_huge_pages);
  put(out, "huge_page_defrag", memory.huge_page_defrag);
  Json huge = Json::array();
  for (const Memory::HugePages& pages : memory.huge_pages) {
    Json item = Json::object();
    item.set("page_bytes", pages.page_bytes).set("total", pages.total).set("free", pages.free);
    huge.push(item);
  }
  put_list(out, "huge_pages", std::move(huge), memory.huge_pages_reason);
  Json devices = Json::array();
  for (const MemoryDevice& device : memory.devices) {
    Json item = Json::object();
    item.set("locator", device.locator).set("bank", device.bank);
    put(item, "type", device.type);
    put(item, "manufacturer", device.manufacturer);
    put(item, "part_number", device.part_number);
    put(item, "size", "_bytes", device.bytes);
    put(item, "data_width", "_bits", device.data_width_bits);
    put(item, "total_width", "_bits", device.total_width_bits);
    put(item, "ranks", device.ranks);
    put(item, "rated", "_transfers_per_s", device.rated_transfers_per_s);
    put(item, "configured", "_transfers_per_s", device.configured_transfers_per_s);
    devices.push(item);
  }
  put_list(out, "devices", std::move(devices), memory.devices_reason);
  put(out, "slots", memory.slots);
  put(out, "theoretical_bandwidth", "_bytes_per_s", memory.theoretical_bandwidth_bytes_per_s);
  return out;
}

Json system_json(const System& system) {
  Json out = Json::object();
  put(out, "kernel", system.kernel);
  put(out, "kernel_version", system.kernel_version);
  put(out, "os_name", system.os_name);
  put(out, "os_version", system.os_version);
  put(out, "c_library", system.c_library);
  put(out, "virtual_machine", system.virtual_machine);
  put(out, "hypervisor", system.hypervisor);
  put(out, "product", system.product);
  put(out, "container", system.container);
  put(out, "power_source", system.power_source);
  put(out, "load1", system.load1);
  put(out, "load5", system.load5);
  put(out, "load15", system.load15);
  put(out, "uptime", "_s", system.uptime_s);
  put(out, "steal", "_s", system.steal_s);
  put(out, "cpu_quota", "_cores", system.cpu_quota_cores);
  put(out, "affinity", system.affinity);
  Json heavy = Json::array();
  for (const HeavyProcess& process : system.heavy_processes) {
    Json item = Json::object();
    item.set("pid", process.pid).set("name", process.name).set("share_of_core", process.share);
    heavy.push(item);
  }
  put_list(out, "heavy_processes", std::move(heavy), system.heavy_processes_reason);
  return out;
}

Json device_json(const NvidiaDevice& device) {
  Json out = Json::object();
  out.set("index", device.index);
  put(out, "name", device.name);
  put(out, "uuid", device.uuid);
  put(out, "memory_total", "_bytes", device.memory_total_bytes);
  put(out, "memory_free", "_bytes", device.memory_free_bytes);
  put(out, "memory_bus", "_bits", device.memory_bus_bits);
  put(out, "compute_capability", device.compute_capability);
  put(out, "cores", device.cores);
  put(out, "multiprocessors", device.multiprocessors);
  put(out, "power_limit", "_w", device.power_limit_w);
  put(out, "power", "_w", device.power_w);
  put(out, "temperature", "_celsius", device.temperature_celsius);
  put(out, "sm_clock", "_hz", device.sm_clock_hz);
  put(out, "sm_clock_maximum", "_hz", device.sm_clock_maximum_hz);
  put(out, "memory_clock", "_hz", device.memory_clock_hz);
  put(out, "memory_clock_maximum", "_hz", device.memory_clock_maximum_hz);
  put(out, "ecc", device.ecc);
  put(out, "mig", device.mig);
  put(out, "persistence", device.persistence);
  put(out, "pcie_generation", device.pcie_generation);
  put(out, "pcie_generation_maximum", device.pcie_generation_maximum);
  put(out, "pcie_width", device.pcie_width);
  put(out, "pcie_width_maximum", device.pcie_width_maximum);
  put_list(out, "throttling", strings(device.throttle_reasons), device.throttle_reason);
  put(out, "compute_processes", device.compute_processes);
  return out;
}

Json nvidia_json(const Nvidia& nvidia) {
  Json out = Json::object();
  put(out, "driver_version", nvidia.driver_version);
  put(out, "cuda_version", nvidia.cuda_version);
  Json devices = Json::array();
  for (const NvidiaDevice& device : nvidia.devices) devices.push(device_json(device));
  put_list(out, "devices", std::move(devices), nvidia.reason);
  return out;
}

Json build_json(const Build& build) {
  Json out = Json::object();
  out.set("compiler", build.compiler).set("build_type", build.build_type);
  out.set("fmt_version", build.fmt_version).set("json_version", build.json_version);
  out.set("hwloc_version", build.hwloc_version);
  put(out, "git", build.git);
  put(out, "dirty", build.dirty);
  return out;
}

Json environment_json(const std::vector<EnvironmentVariable>& environment) {
  Json out = Json::array();
  for (const EnvironmentVariable& variable : environment) {
    Json item = Json::object();
    item.set("name", variable.name).set("value", variable.value);
    if (variable.empty) item.set("empty", true);
    if (variable.masked) item.set("masked", true);
    out.push(item);
  }
  return out;
}

}  // namespace

Json to_json(const Machine& machine) {
  Json out = Json::object();
  out.set("key", machine_key(machine));
  out.set("cpu", cpu_json(machine));
  out.set("memory", memory_json(machine));
  out.set("system", system_json(machine.system));
  out.set("nvidia", nvidia_json(machine.nvidia));
  Json apple = Json::object();
  put(apple, "name", machine.apple_gpu.name);
  put(apple, "cores", machine.apple_gpu.cores);
  out.set("apple_gpu", std::move(apple));
  out.set("build", build_json(machine.build));
  out.set("environment", environment_json(machine.environment));
  return out;
}

Json to_json(const Snapshot& snapshot) {
  Json out = Json::object();
  put(out, "load1", snapshot.load1);
  put(out, "steal", "_ticks", snapshot.steal_ticks);
  put(out, "context_switches", snapshot.context_switches);
  put(out, "clock_mean", "_hz", snapshot.clock_mean_hz);
  put(out, "temperature", "_celsius", snapshot.temperature_celsius);
  put(out, "memory_available", "_bytes", snapshot.memory_available_bytes);
  return out;
}

}  // namespace ridge
