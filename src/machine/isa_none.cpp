#include "machine/isa.h"
#include "machine/platform.h"

// An architecture whose instruction sets nobody has described yet.
namespace ridge::machine {

std::span<const Probe> isa_probes() { return {}; }
std::string isa_reason() { return "no instruction sets are described for this architecture"; }
void read_identity_of_cpu(Cpu&) {}  // /proc/cpuinfo or sysctl has all there is

Known<std::string> hypervisor_of_cpu() { return Known<std::string>::unknown("none is announced"); }
Known<double> counter_hz_of_cpu() { return Known<double>::unknown("not known how to ask here"); }
Known<double> base_hz_of_cpu() { return Known<double>::unknown("not known how to ask here"); }

}  // namespace ridge::machine
