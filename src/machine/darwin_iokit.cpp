// Written after Apple's headers; not run here.
#include "machine/darwin_iokit.h"

#include <CoreFoundation/CoreFoundation.h>
#include <IOKit/IOKitLib.h>
#include <IOKit/ps/IOPSKeys.h>
#include <IOKit/ps/IOPowerSources.h>

#include <memory>
#include <type_traits>

namespace ridge::machine {
namespace {

struct Release {
  void operator()(const void* object) const { CFRelease(object); }
};
template <class Ref>
using Owned = std::unique_ptr<const std::remove_pointer_t<Ref>, Release>;

// 0: the default main port, under its old and its new name.
constexpr mach_port_t kMainPort = 0;

std::string text_of(CFTypeRef value) {
  char text[256] = "";
  if (value && CFGetTypeID(value) == CFStringGetTypeID()) {
    CFStringGetCString(static_cast<CFStringRef>(value), text, sizeof text, kCFStringEncodingUTF8);
  } else if (value && CFGetTypeID(value) == CFDataGetTypeID()) {
    const auto data = static_cast<CFDataRef>(value);
    return std::string(reinterpret_cast<const char*>(CFDataGetBytePtr(data)),
                       static_cast<size_t>(CFDataGetLength(data)))
        .c_str();  // up to its first zero
  }
  return text;
}

Owned<CFTypeRef> property(io_registry_entry_t entry, CFStringRef key) {
  return Owned<CFTypeRef>(
      IORegistryEntrySearchCFProperty(entry, kIOServicePlane, key, kCFAllocatorDefault,
                                      kIORegistryIterateRecursively | kIORegistryIterateParents));
}

}  // namespace

Known<std::string> iokit_power_source() {
  const Owned<CFTypeRef> info(IOPSCopyPowerSourcesInfo());
  if (!info) return Known<std::string>::unknown("IOKit tells no power source");
  const std::string type = text_of(IOPSGetProvidingPowerSourceType(info.get()));  // not owned
  if (type == kIOPMACPowerKey) return "ac";
  if (type == kIOPMBatteryPowerKey) return "battery";
  return Known<std::string>::unknown("IOKit's power source is '" + type + "'");
}

AppleGpu iokit_gpu() {
  AppleGpu out;
  out.name = Known<std::string>::unknown("IOKit lists no Apple GPU");
  out.cores = Known<int64_t>::unknown("IOKit lists no Apple GPU");
  // IOServiceGetMatchingService releases the dictionary.
  const io_service_t service =
      IOServiceGetMatchingService(kMainPort, IOServiceMatching("AGXAccelerator"));
  if (service == IO_OBJECT_NULL) return out;
  const auto model = property(service, CFSTR("model"));
  const auto cores = property(service, CFSTR("gpu-core-count"));
  const std::string name = text_of(model.get());
  if (!name.empty()) out.name = name;
  int64_t count = 0;
  if (cores && CFGetTypeID(cores.get()) == CFNumberGetTypeID() &&
      CFNumberGetValue(static_cast<CFNumberRef>(cores.get()), kCFNumberSInt64Type, &count)) {
    out.cores = count;
  } else {
    out.cores = Known<int64_t>::unknown("IOKit does not tell gpu-core-count");
  }
  IOObjectRelease(service);
  return out;
}

}  // namespace ridge::machine
