#include "machine/telemetry.h"

namespace ridge {

std::optional<double> gained_joules(int64_t before_uj, int64_t after_uj, int64_t range_uj,
                                    double seconds) {
  constexpr double kMostWatts = 10'000;
  if (before_uj < 0 || after_uj < 0 || !(seconds > 0)) return std::nullopt;
  double gained = static_cast<double>(after_uj) - static_cast<double>(before_uj);
  if (gained < 0) {
    if (range_uj <= 0 || before_uj > range_uj) return std::nullopt;
    gained += static_cast<double>(range_uj);
  }
  gained *= 1e-6;
  if (gained > kMostWatts * seconds) return std::nullopt;
  return gained;
}

Json to_json(const TelemetryOrigins& origins) {
  Json json = Json::object();
  const auto put = [&](const std::string& key, const Known<std::string>& origin) {
    json.set(key, origin.value);
    if (!origin) json.set(key + "_reason", origin.reason);
  };
  put("clock", origins.clock);
  put("temperature", origins.temperature);
  put("load", origins.load);
  put("processor_time", origins.processor_time);
  put("throttle", origins.throttle);
  put("energy", origins.energy);
  put("power_saving", origins.power_saving);
  return json;
}

}  // namespace ridge
