#include "machine/chips.h"

namespace ridge {
namespace {

// A member that may be null, with the reason beside it ("model", "model_reason").
template <class T>
Known<T> known(const Json* object, const std::string& key) {
  std::optional<T> value;
  std::optional<std::string> reason;
  if (object && object->is_object()) {
    const std::string reason_key = key + "_reason";
    Fields fields(*object, key);
    fields.optional(key, value).optional(reason_key, reason);
    if (!fields.done(Fields::Unknown::allow)) return Known<T>::unknown("it is not readable");
  }
  if (value) return *value;
  return Known<T>::unknown(reason.value_or("the file does not tell it"));
}

}  // namespace

std::vector<DeviceChip> match_machine(const ChipDatabase& database, const Json& machine) {
  Machine stored;  // what matching looks at
  const Json *cpu = machine.find("cpu"), *system = machine.find("system");
  stored.cpu.model = known<std::string>(cpu, "model");
  stored.cpu.cores = known<int64_t>(cpu, "cores");
  stored.cpu.sockets = known<int64_t>(cpu, "sockets");
  stored.system.virtual_machine = known<bool>(system, "virtual_machine");
  const Json* nvidia = machine.find("nvidia");
  const Json* devices = nvidia ? nvidia->find("devices") : nullptr;
  if (devices && devices->is_array()) {
    for (const Json& one : devices->as_array()) {
      NvidiaDevice device;
      const auto index = known<int64_t>(&one, "index");
      device.index =
          index ? static_cast<int>(*index) : static_cast<int>(stored.nvidia.devices.size());
      device.name = known<std::string>(&one, "name");
      device.multiprocessors = known<int64_t>(&one, "multiprocessors");
      stored.nvidia.devices.push_back(std::move(device));
    }
  }
  const Json* apple = machine.find("apple_gpu");
  stored.apple_gpu.name = known<std::string>(apple, "name");
  stored.apple_gpu.cores = known<int64_t>(apple, "cores");
  return match_machine(database, stored);
}

}  // namespace ridge
