#include "analyze/evidence.h"
#include "report/pictures.h"

namespace ridge {

std::string explain_pictures(const Explanation& explanation, const Style& style) {
  std::vector<RooflinePoint> points;
  std::vector<Row> sweeps;
  for (const ExplainedRow& one : explanation.rows) {
    const Row& row = *one.row;
    if (one.placement.impossible) continue;
    if (reads_file(row.work)) continue;  // its bytes are no memory's
    const std::string device = physical_device(one.run->header, row.worker, row.device);
    RooflinePoint point = roofline_point(row, device);
    point.threads = evidence::threads_of(one.run->header, device, row.settings);
    point.operation = evidence::product_dtype(row).value_or(point.operation);
    for (const Limit& limit :
         one.placement.limits) {  // of a model: the products it is held against
      if (!limit.why.empty()) point.operation = limit.name.substr(limit.name.find(' ') + 1);
    }
    points.push_back(std::move(point));
    if (std::holds_alternative<WorkingSet>(row.work)) sweeps.push_back(row);
  }
  std::vector<std::string> pictures = {roofline_picture(explanation.roofline, points, style)};
  const auto caches = system_caches(explanation.runs.back()->header.machine);
  for (const CacheCurve& curve : cache_curves(sweeps)) {
    pictures.push_back(cache_picture(curve, caches, style));
  }
  std::string out;
  for (const std::string& picture : pictures) {
    if (!picture.empty()) out += "\n```\n" + picture + "```\n";
  }
  return out;
}

}  // namespace ridge
