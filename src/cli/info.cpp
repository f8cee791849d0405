#include <fmt/format.h>

#include "cli/commands.h"
#include "machine/machine.h"
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
  const std::string text =
      *format == Format::json ? to_json(machine).dump(2) + "\n" : report::machine_markdown(machine);
  return print_result(text) ? kOk : kFailed;
}

}  // namespace ridge::cli
