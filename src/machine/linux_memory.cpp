#include <fmt/format.h>
#include <unistd.h>

#include <limits>

#include "machine/files.h"
#include "machine/linux_cgroup.h"
#include "machine/platform.h"
#include "machine/smbios.h"

namespace ridge::machine {
namespace {

Known<int64_t> kibibytes(const Result<std::string>& meminfo, std::string_view key) {
  if (!meminfo) return Known<int64_t>::unknown(meminfo.error().message);
  const auto text = field(*meminfo, key);
  const auto parts = text ? words(*text) : std::vector<std::string_view>();
  const auto number =
      parts.size() == 2 && parts[1] == "kB" ? parse_number<int64_t>(parts[0]) : std::nullopt;
  if (!number || *number < 0 || *number > std::numeric_limits<int64_t>::max() / 1024) {
    return Known<int64_t>::unknown(fmt::format("/proc/meminfo has no usable {}", key));
  }
  return *number * 1024;
}

// "always [madvise] never" -> "madvise".
Known<std::string> chosen(const Sources& sources, std::string_view path) {
  const auto line = read_line(sources, path);
  if (!line) return Known<std::string>::unknown(line.error().message);
  const size_t open = line->find('['), close = line->find(']');
  if (open == std::string::npos || close == std::string::npos || close <= open + 1) {
    return Known<std::string>::unknown(fmt::format("{} marks no choice", path));
  }
  return line->substr(open + 1, close - open - 1);
}

void read_huge_pages(const Sources& sources, Memory& memory) {
  const std::string folder = "/sys/kernel/mm/hugepages";
  for (const std::string& name : list_folder(sources, folder)) {
    if (!name.ends_with("kB")) continue;
    const auto size = numbered(name.substr(0, name.size() - 2), "hugepages-");
    const auto total = read_int(sources, folder + "/" + name + "/nr_hugepages");
    const auto free = read_int(sources, folder + "/" + name + "/free_hugepages");
    if (size && *size < (int64_t{1} << 40) && total && free) {
      memory.huge_pages.push_back({*size * 1024, *total, *free});
    }
  }
  if (memory.huge_pages.empty()) memory.huge_pages_reason = folder + " lists none";
}

void read_devices(const Sources& sources, Memory& memory) {
  const auto table = read_text(sources, "/sys/firmware/dmi/tables/DMI", kLargeFile);
  if (!table) {
    const bool there = exists(sources, "/sys/firmware/dmi/tables/DMI");
    memory.devices_reason =
        there ? "the SMBIOS tables can be read by root only (" + table.error().message + ")"
              : "no SMBIOS tables: a virtual machine without them, a container, or a firmware "
                "that has none";
    memory.slots = Known<int64_t>::unknown(memory.devices_reason);
    memory.theoretical_bandwidth_bytes_per_s = Known<double>::unknown(memory.devices_reason);
    return;
  }
  const Smbios smbios =
      parse_smbios({reinterpret_cast<const std::byte*>(table->data()), table->size()});
  memory.devices = smbios.memory;
  memory.devices_reason = smbios.memory.empty() ? "the SMBIOS tables list no populated device" : "";
  memory.slots = smbios.memory_slots > 0
                     ? Known<int64_t>(smbios.memory_slots)
                     : Known<int64_t>::unknown("the SMBIOS tables list no memory device");
  memory.theoretical_bandwidth_bytes_per_s =
      theoretical_bandwidth(smbios.memory, smbios.processors.size());
  // A hypervisor makes its tables up: what it writes there is no bandwidth of a real part.
  const auto cpuinfo = read_text(sources, "/proc/cpuinfo");
  const auto flags = cpuinfo ? field(*cpuinfo, "flags") : std::nullopt;
  if (flags && fmt::format(" {} ", *flags).find(" hypervisor ") != std::string::npos) {
    memory.theoretical_bandwidth_bytes_per_s = Known<double>::unknown(
        "a virtual machine: its SMBIOS tables are the hypervisor's, not the memory's");
  }
}

}  // namespace

void read_memory(const Sources& sources, Memory& memory) {
  const auto meminfo = read_text(sources, "/proc/meminfo");
  memory.total_bytes = kibibytes(meminfo, "MemTotal");
  memory.available_bytes = kibibytes(meminfo, "MemAvailable");
  memory.swap_total_bytes = kibibytes(meminfo, "SwapTotal");
  memory.swap_free_bytes = kibibytes(meminfo, "SwapFree");
  const int64_t page = sources.is_this_machine() ? ::sysconf(_SC_PAGESIZE) : 0;
  memory.page_bytes =
      page > 0 ? Known<int64_t>(page) : Known<int64_t>::unknown("only the running system tells");
  if (!memory.total_bytes && page > 0) {
    const int64_t pages = ::sysconf(_SC_PHYS_PAGES);
    if (pages > 0) memory.total_bytes = pages * page;
  }
  memory.cgroup_limit_bytes = cgroup_memory_limit_bytes(sources);
  memory.transparent_huge_pages = chosen(sources, "/sys/kernel/mm/transparent_hugepage/enabled");
  memory.huge_page_defrag = chosen(sources, "/sys/kernel/mm/transparent_hugepage/defrag");
  read_huge_pages(sources, memory);
  read_devices(sources, memory);
}

}  // namespace ridge::machine
