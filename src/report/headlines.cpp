#include "report/headlines.h"

#include <fmt/format.h>

#include <algorithm>

namespace ridge {
namespace {

std::string headline_of(const Row& row) {
  if (const auto* gemm = std::get_if<Gemm>(&row.work)) {
    return fmt::format("gemm {}", operation(*gemm));
  }
  if (const auto* stream = std::get_if<Stream>(&row.work)) {
    const bool big = row.settings.cache == CacheMode::cold && row.settings.threads == 0;
    return big ? std::string(name(stream->op)) : "";
  }
  return "";
}

}  // namespace

std::vector<Headline> headlines(const std::vector<Row>& rows) {
  std::vector<Headline> out;
  for (const Row& row : rows) {
    const std::string title = headline_of(row);
    if (title.empty() || !row.rate.value) continue;
    const auto at = std::find_if(out.begin(), out.end(),
                                 [&](const Headline& other) { return other.name == title; });
    if (at == out.end()) {
      out.push_back({title, &row});
    } else if (*row.rate.value > *at->row->rate.value) {
      at->row = &row;
    }
  }
  return out;
}

std::string headlines_text(const Run& run) {
  std::string out;
  for (const auto& [title, row] : headlines(run.rows)) {
    const std::string low = row->rate.ci_low ? show_rate(*row->rate.ci_low, row->rate.unit) : "";
    const std::string high = row->rate.ci_high ? show_rate(*row->rate.ci_high, row->rate.unit) : "";
    out += fmt::format("best {}: {}{} ({})\n", title, show_rate(*row->rate.value, row->rate.unit),
                       low.empty() ? "" : fmt::format(", 95 % {} to {}", low, high), row->key());
  }
  return out;
}

}  // namespace ridge
