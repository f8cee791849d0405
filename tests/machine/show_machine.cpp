// Prints what discover() finds, as JSON or as text: a look at the library without the command.
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "report/machine_md.h"

extern char** environ;

int main(int argc, char** argv) {
  ridge::Sources sources;
  for (char** variable = environ; *variable; ++variable)
    sources.environment.emplace_back(*variable);
  std::string form = "md";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--root") sources.root = argv[i + 1];
    if (option == "--hwloc") sources.hwloc_xml = argv[i + 1];
    if (option == "--nvml") sources.nvml_library = argv[i + 1];
    if (option == "--format") form = argv[i + 1];
  }
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  if (form == "snapshot") {
    const auto snapshot = ridge::snapshot(sources);
    const double us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    fmt::print("{}\n", ridge::to_json(snapshot).dump(2));
    fmt::print(stderr, "{:.0f} us\n", us);
    return 0;
  }
  const auto machine = ridge::discover(sources);
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  fmt::print("{}\n", form == "json" ? ridge::to_json(machine).dump(2)
                                    : ridge::report::machine_markdown(machine));
  fmt::print(stderr, "{:.1f} ms\n", ms);
}
