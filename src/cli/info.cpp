#include <fmt/format.h>

#include "cli/commands.h"
#include "machine/chips.h"
#include "machine/machine.h"
#include "report/chips_md.h"
#include "report/machine_md.h"

namespace ridge::cli {

int info(const InfoArgs& args, const Context& context) {
  const auto format = parse_format(args.format);
  if (!format || *format == Format::csv || *format == Format::jsonl) {
    return complain(fmt::format("info: --format '{}' (known: md, json)", args.format), kUsage);
  }
  Machine machine = discover({.environment = context.environment});
  const Json tool = tool_json();
  machine.build.git = tool.find("git")->as_string();
  machine.build.dirty = tool.find("dirty")->as_bool();
  const auto database = read_chips(context.data);
  std::vector<DeviceChip> chips;
  if (database) chips = match_machine(*database, machine);
  std::string text;
  if (*format == Format::json) {
    Json all = to_json(machine), list = Json::array();
    for (const DeviceChip& device : chips) list.push(to_json(device));
    all.set("chips", std::move(list));
    if (!database) all.set("chips_reason", database.error().message);
    text = all.dump(2) + "\n";
  } else {
    text = report::machine_markdown(machine) + "\n";
    text += database ? report::chips_markdown(chips)
                     : "Published figures: unknown: " + database.error().message + "\n";
  }
  return print_result(text) ? kOk : kFailed;
}

}  // namespace ridge::cli
