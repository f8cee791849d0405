#include "report/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/run_files.h"
#include "cli/terminal.h"
#include "machine/chips.h"
#include "report/pictures.h"

namespace ridge::cli {

int explain(const ExplainArgs& args, const Context& context) {
  const auto format = parse_format(args.format);
  if (!format || *format == Format::csv || *format == Format::jsonl) {
    return complain(fmt::format("explain: --format '{}' (known: md, json)", args.format), kUsage);
  }
  auto files = run_files(args.runs);
  if (!files) return complain(files.error().message, kUsage);
  std::vector<Run> runs;
  for (const std::string& file : *files) {
    auto run = read_run(file);
    if (!run) return complain(run.error().message, kUsage);
    warn(run->warnings);
    const auto& header = run->header;
    if (!runs.empty() && header.machine_key != runs.front().header.machine_key) {
      return complain(
          fmt::format("{} is of {}, {} of {}: explain one machine at a time", file,
                      header.machine_key, runs.front().path, runs.front().header.machine_key),
          kUsage);
    }
    const bool again = std::any_of(runs.begin(), runs.end(),
                                   [&](const Run& other) { return other.header.id == header.id; });
    if (!again) runs.push_back(*std::move(run));  // the same file named twice, or a copy
  }
  auto database = read_chips(context.data);
  if (!database) {
    complain(database.error().message + ": no published figures", kOk);
    database = ChipDatabase{};
  }
  std::vector<const Run*> all;
  for (const Run& run : runs) all.push_back(&run);
  const Explanation explanation = ridge::explain(all, *database);
  const std::string text = *format == Format::json ? explain_json(explanation).dump(2) + "\n"
                                                   : explain_markdown(explanation);
  if (!print_result(text)) return kFailed;
  if (*format != Format::md || args.no_pictures) return kOk;
  const std::string pictures = explain_pictures(explanation, style_of_stdout(context.environment));
  return print_picture(pictures) ? kOk : kFailed;
}

}  // namespace ridge::cli
