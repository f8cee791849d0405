#include "report/machine_md.h"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"

namespace ridge::report {
namespace {

// A cell must neither end its column nor its line.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += (c == '\n' || c == '\r') ? ' ' : c;
  }
  return out;
}

template <class T>
std::string why(const Known<T>& value) {
  return "unknown: " + value.reason;
}

std::string show(const Known<std::string>& value) { return value ? *value : why(value); }
std::string show(const Known<int64_t>& value) {
  return value ? fmt::format("{}", *value) : why(value);
}
std::string show(const Known<bool>& value) { return value ? (*value ? "yes" : "no") : why(value); }
std::string show_size(const Known<int64_t>& value) {
  return value ? show_bytes(*value) : why(value);
}
std::string show_clock(const Known<double>& value) {
  return value ? fmt::format("{:.3f} GHz", *value / 1e9) : why(value);
}
std::string show_with(const Known<double>& value, int digits, std::string_view unit) {
  return value ? fmt::format("{:.{}f}{}", *value, digits, unit) : why(value);
}

class Table {
 public:
  Table(std::string_view title, std::vector<std::string> columns) : columns_(columns.size()) {
    text_ = fmt::format("### {}\n\n", title);
    line(std::move(columns));
    text_ += "|";
    for (size_t i = 0; i < columns_; ++i) text_ += "---|";
    text_ += "\n";
  }
  void row(std::vector<std::string> cells) { line(std::move(cells)); }
  std::string text() const { return text_ + "\n"; }

 private:
  void line(std::vector<std::string> cells) {
    cells.resize(columns_);
    text_ += "|";
    for (const std::string& item : cells) text_ += fmt::format(" {} |", cell(item));
    text_ += "\n";
  }
  size_t columns_;
  std::string text_;
};

// "works", "announced, but dies", …
std::string standing(const Extension& extension) {
  const auto& announced = extension.announced;
  const auto& works = extension.works;
  if (!works) return "not proved (" + works.reason + ")";
  if (*works && announced && !*announced) return "works, though not announced";
  if (*works) return "works";
  if (announced && *announced) return "ANNOUNCED, BUT DOES NOT WORK";
  return "absent";
}

std::string cpu_table(const Machine& machine) {
  const Cpu& cpu = machine.cpu;
  Table table("Processor", {"what", "value"});
  table.row({"model", show(cpu.model)});
  table.row({"vendor", show(cpu.vendor)});
  table.row({"architecture", cpu.architecture.empty() ? "unknown" : cpu.architecture});
  if (cpu.family) {
    table.row({"family, model, stepping", fmt::format("{}, {}, {}", show(cpu.family),
                                                      show(cpu.model_number), show(cpu.stepping))});
  }
  if (cpu.revision) table.row({"revision", *cpu.revision});
  if (cpu.microcode) table.row({"microcode", *cpu.microcode});
  table.row({"sockets", show(cpu.sockets)});
  table.row({"cores", show(cpu.cores)});
  table.row({"threads", show(cpu.threads)});
  for (const Cache& cache : cpu.caches) {
    table.row(
        {fmt::format("L{} {}", cache.level, cache.type),
         fmt::format("{}{}, threads on each: {}, lines of {} bytes",
                     cache.count ? fmt::format("{} x ", *cache.count) : "", show_bytes(cache.bytes),
                     show(cache.shared_by_threads), show(cache.line_bytes))});
  }
  if (!cpu.caches_reason.empty()) table.row({"caches", cpu.caches_reason});
  for (const NumaNode& node : cpu.numa) {
    table.row({fmt::format("NUMA node {}", node.index),
               fmt::format("{}, processors {}", show_size(node.memory_bytes), node.cpus)});
  }
  if (!cpu.numa_reason.empty()) table.row({"NUMA nodes", cpu.numa_reason});
  table.row({"clock now, mean", show_clock(cpu.clocks.current_mean_hz)});
  table.row({"clock base", show_clock(cpu.clocks.base_hz)});
  table.row({"clock least", show_clock(cpu.clocks.minimum_hz)});
  table.row({"clock most", show_clock(cpu.clocks.maximum_hz)});
  table.row({"time stamp counter", show_clock(cpu.clocks.counter_hz)});
  table.row({"governor", show(cpu.clocks.governor)});
  return table.text();
}

std::string extension_table(const Cpu& cpu) {
  Table table("Instruction sets, one instruction of each run in a child process",
              {"what", "standing"});
  std::vector<std::pair<std::string, std::string>> groups;  // in order of first appearance
  for (const Extension& extension : cpu.extensions) {
    const std::string how = standing(extension);
    auto place = groups.begin();
    while (place != groups.end() && place->first != how) ++place;
    if (place == groups.end()) place = groups.insert(place, {how, ""});
    place->second += (place->second.empty() ? "" : " ") + extension.name;
  }
  for (const auto& [how, names] : groups) table.row({names, how});
  if (!cpu.extensions_reason.empty()) table.row({"unknown", cpu.extensions_reason});
  return table.text();
}

std::string memory_table(const Machine& machine) {
  const Memory& memory = machine.memory;
  Table table("Memory", {"what", "value"});
  table.row({"total", show_size(memory.total_bytes)});
  table.row({"available", show_size(memory.available_bytes)});
  table.row({"control group limit", show_size(memory.cgroup_limit_bytes)});
  table.row({"swap", show_size(memory.swap_total_bytes)});
  table.row({"transparent huge pages", show(memory.transparent_huge_pages)});
  for (const Memory::HugePages& pages : memory.huge_pages) {
    if (pages.total == 0) continue;
    table.row({fmt::format("huge pages of {}", show_bytes(pages.page_bytes)),
               fmt::format("{} of {} free", pages.free, pages.total)});
  }
  std::map<std::string, int> alike;
  for (const MemoryDevice& device : memory.devices) {
    ++alike[fmt::format("{} {}, {} bits, {}", show_size(device.bytes), show(device.type),
                        show(device.data_width_bits),
                        device.configured_transfers_per_s
                            ? fmt::format("{:.0f} MT/s", *device.configured_transfers_per_s / 1e6)
                            : why(device.configured_transfers_per_s))];
  }
  for (const auto& [text, count] : alike) table.row({fmt::format("{} modules", count), text});
  if (!memory.devices_reason.empty()) table.row({"modules", "unknown: " + memory.devices_reason});
  const auto& bandwidth = memory.theoretical_bandwidth_bytes_per_s;
  table.row({"theoretical bandwidth",
             bandwidth ? show_rate(*bandwidth, RateUnit::byte_per_s) : why(bandwidth)});
  return table.text();
}

std::string system_table(const System& system) {
  Table table("System", {"what", "value"});
  table.row({"kernel", show(system.kernel)});
  table.row({"system", system.os_name ? fmt::format("{} {}", *system.os_name,
                                                    system.os_version.value.value_or(""))
                                      : why(system.os_name)});
  table.row({"C library", show(system.c_library)});
  table.row({"virtual machine", show(system.virtual_machine)});
  table.row({"hypervisor", show(system.hypervisor)});
  table.row({"product", show(system.product)});
  table.row({"container", show(system.container)});
  table.row({"power", show(system.power_source)});
  table.row({"load, 1 minute", show_with(system.load1, 2, "")});
  table.row({"stolen by the hypervisor", show_with(system.steal_s, 2, " s")});
  table.row({"up", system.uptime_s ? show_duration(*system.uptime_s) : why(system.uptime_s)});
  table.row({"processors allowed", show(system.affinity)});
  table.row({"processor quota", show_with(system.cpu_quota_cores, 2, " cores")});
  for (const HeavyProcess& process : system.heavy_processes) {
    table.row({fmt::format("busy: {} ({})", process.name, process.pid),
               fmt::format("{:.0f} % of a core", process.share * 100)});
  }
  if (!system.heavy_processes_reason.empty()) {
    table.row({"busy processes", "unknown: " + system.heavy_processes_reason});
  } else if (system.heavy_processes.empty()) {
    table.row({"busy processes", "none above 20 % of a core"});
  }
  return table.text();
}

std::string throttling(const NvidiaDevice& device) {
  if (!device.throttle_reason.empty()) return "unknown: " + device.throttle_reason;
  if (device.throttle_reasons.empty()) return "none";
  return fmt::format("{}", fmt::join(device.throttle_reasons, ", "));
}

std::string nvidia_tables(const Nvidia& nvidia) {
  std::string out;
  for (const NvidiaDevice& device : nvidia.devices) {
    Table table(fmt::format("GPU {}", device.index), {"what", "value"});
    table.row({"name", show(device.name)});
    table.row({"memory", fmt::format("{}, free {}", show_size(device.memory_total_bytes),
                                     show_size(device.memory_free_bytes))});
    table.row({"compute capability", show(device.compute_capability)});
    table.row({"multiprocessors", show(device.multiprocessors)});
    table.row({"clock now, most", fmt::format("{}, {}", show_clock(device.sm_clock_hz),
                                              show_clock(device.sm_clock_maximum_hz))});
    table.row({"memory clock now, most", fmt::format("{}, {}", show_clock(device.memory_clock_hz),
                                                     show_clock(device.memory_clock_maximum_hz))});
    table.row({"power, limit", fmt::format("{}, {}", show_with(device.power_w, 0, " W"),
                                           show_with(device.power_limit_w, 0, " W"))});
    table.row({"temperature", show_with(device.temperature_celsius, 0, " degrees C")});
    table.row({"ECC", show(device.ecc)});
    table.row({"MIG", show(device.mig)});
    table.row({"PCIe generation, width",
               fmt::format("{}, x{}", show(device.pcie_generation), show(device.pcie_width))});
    table.row({"throttled by", throttling(device)});
    table.row({"processes computing on it", show(device.compute_processes)});
    table.row({"driver, CUDA",
               fmt::format("{}, {}", show(nvidia.driver_version), show(nvidia.cuda_version))});
    out += table.text();
  }
  if (!nvidia.reason.empty()) {
    Table table("NVIDIA GPUs", {"what", "value"});
    table.row({nvidia.devices.empty() ? "none" : "incomplete", nvidia.reason});
    out += table.text();
  }
  return out;
}

std::string software_table(const Machine& machine) {
  const Build& build = machine.build;
  Table table("Software and environment", {"what", "value"});
  table.row({"built by", fmt::format("{}, {}", build.compiler, build.build_type)});
  table.row({"built from",
             build.git
                 ? *build.git + (build.dirty.value.value_or(false) ? ", with local changes" : "")
                 : why(build.git)});
  table.row({"libraries", fmt::format("fmt {}, nlohmann-json {}, hwloc {}", build.fmt_version,
                                      build.json_version, build.hwloc_version)});
  for (const EnvironmentVariable& variable : machine.environment) {
    table.row({variable.name, variable.empty ? "(empty: counts as unset)" : variable.value});
  }
  return table.text();
}

}  // namespace

std::string machine_markdown(const Machine& machine) {
  std::string out =
      fmt::format("## {}\n\nkey: `{}`\n\n", cell(machine_line(machine)), machine_key(machine));
  out += cpu_table(machine);
  out += extension_table(machine.cpu);
  out += memory_table(machine);
  out += system_table(machine.system);
  out += nvidia_tables(machine.nvidia);
  out += software_table(machine);
  out.pop_back();  // one line end at the end
  return out;
}

std::string machine_line(const Machine& machine) {
  const Cpu& cpu = machine.cpu;
  std::string out = cpu.model ? *cpu.model : "unknown processor";
  if (cpu.cores) out += fmt::format(", {} core{}", *cpu.cores, *cpu.cores == 1 ? "" : "s");
  if (machine.memory.total_bytes) out += ", " + show_bytes(*machine.memory.total_bytes);
  std::map<std::string, int> gpus;
  for (const NvidiaDevice& device : machine.nvidia.devices) {
    ++gpus[device.name ? *device.name : "unknown NVIDIA GPU"];
  }
  for (const auto& [name, count] : gpus) out += fmt::format(", {} x {}", count, name);
  return out;
}

}  // namespace ridge::report
