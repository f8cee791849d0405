#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/run_files.h"
#include "report/headlines.h"
#include "report/series_md.h"
#include "store/run_file.h"

namespace ridge::cli {

int show(const ShowArgs& args, const Context&) {
  const auto format = parse_format(args.format);
  if (!format) {
    return complain(fmt::format("--format '{}' (known: {})", args.format, kFormats), kUsage);
  }
  const auto files = run_files(args.files);
  if (!files) return complain(files.error().message, kUsage);
  bool first = true;
  for (const std::string& file : *files) {
    auto run = read_run(file);
    if (!run) return complain(run.error().message, kUsage);
    warn(run->warnings);
    std::string text = render(*run, *format);
    if (*format == Format::md) {
      const Header& header = run->header;
      text = fmt::format("{}{}, {}{}\n\n", first ? "" : "\n", header.machine_key,
                         header.started_utc, run->summary ? "" : ", cut short") +
             text + series_text(*run) + "\n" + headlines_text(*run);
    } else if (*format == Format::csv && !first) {
      text.erase(0, text.find('\n') + 1);  // one header for all files
    }
    if (!print_result(text)) return kFailed;
    first = false;
  }
  return kOk;
}

}  // namespace ridge::cli
