// Written after Apple's headers; not run here.
#include "machine/darwin_sysctl.h"

#include <mach/mach.h>
#include <sys/sysctl.h>

#include <cstring>

namespace ridge::machine {

Known<std::string> sysctl_text(const char* name) {
  char text[512] = "";
  size_t size = sizeof text - 1;
  if (::sysctlbyname(name, text, &size, nullptr, 0) != 0 || text[0] == '\0') {
    return Known<std::string>::unknown(std::string("this system has no sysctl ") + name);
  }
  return std::string(text);
}

Known<int64_t> sysctl_number(const char* name) {
  unsigned char bytes[8] = {};
  size_t size = sizeof bytes;
  if (::sysctlbyname(name, bytes, &size, nullptr, 0) != 0 || (size != 4 && size != 8)) {
    return Known<int64_t>::unknown(std::string("this system has no sysctl ") + name);
  }
  int64_t out = 0;
  if (size == 8) {
    std::memcpy(&out, bytes, 8);
  } else {
    int32_t narrow = 0;
    std::memcpy(&narrow, bytes, 4);
    out = narrow;
  }
  return out;
}

Known<int64_t> darwin_available_bytes() {
  vm_statistics64_data_t pages{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  const mach_port_t host = mach_host_self();
  const auto status =
      host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count);
  mach_port_deallocate(mach_task_self(), host);
  const auto page = sysctl_number("hw.pagesize");
  if (status != KERN_SUCCESS || !page) {
    return Known<int64_t>::unknown("host_statistics64 does not answer");
  }
  return (static_cast<int64_t>(pages.free_count) + static_cast<int64_t>(pages.inactive_count)) *
         *page;
}

}  // namespace ridge::machine
