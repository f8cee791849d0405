#include "report/explain.h"

namespace ridge {
namespace {

Json interval_json(const stats::Interval& interval) {
  return Json(Json::Array{interval.lo, interval.hi});
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json roof_json(const Roof& roof, const ChipVerdict& verdict) {
  Json out = Json::object(), chip = Json::object();
  out.set("kind", name(roof.kind)).set("device", roof.device).set("threads", roof.threads);
  out.set("operation", roof.operation).set("level", text_or_null(roof.level));
  out.set("worker", text_or_null(roof.worker)).set("rate", roof.rate.value);
  out.set("ci", interval_json(roof.rate.interval));
  out.set("unit", name(unit_of(roof)));
  out.set("from", roof.from).set("run", roof.run);
  chip.set("verdict", name(verdict.is)).set("published", verdict.published);
  chip.set("published_of", text_or_null(verdict.published_of)).set("share", verdict.share);
  chip.set("says", verdict.says);
  return out.set("chip", std::move(chip));
}

Json limit_json(const Limit& limit) {
  Json out = Json::object();
  out.set("kind", name(limit.kind)).set("name", limit.name).set("floor_ns", limit.floor_ns);
  out.set("share", limit.share).set("share_ci", interval_json(limit.share_range));
  out.set("is_roof", limit.is_roof).set("from", limit.from);
  if (!limit.why.empty()) out.set("why", limit.why);
  return out;
}

Json row_json(const ExplainedRow& one) {
  const Row& row = *one.row;
  Json out = Json::object(), limits = Json::array();
  for (const Limit& limit : one.placement.limits) limits.push(limit_json(limit));
  out.set("row_key", row.row_key()).set("run", one.run->header.id);
  out.set("status", name(row.status)).set("median_ns", row.time.median_ns);
  out.set("refused", text_or_null(one.placement.refused));
  const Limit* bound = one.placement.bound();
  out.set("bound", bound ? Json(bound->name) : Json());
  const bool placed = one.placement.refused.empty() && !one.placement.limits.empty();
  out.set("headroom", placed ? Json(1 / one.placement.limits.front().share) : Json());
  out.set("limits", std::move(limits));
  return out.set("advice", text_or_null(one.advice));
}

}  // namespace

Json explain_json(const Explanation& all) {
  Json schema = Json::object(), out = Json::object();
  schema.set("name", kExplanationSchemaName).set("version", kExplanationSchemaVersion);
  out.set("schema", std::move(schema));
  out.set("machine_key", all.runs.back()->header.machine_key);
  Json runs = Json::array(), chips = Json::array(), roofs = Json::array(), ridges = Json::array(),
       levels = Json::array(), rows = Json::array();
  for (const Run* run : all.runs) {
    Json one = Json::object();
    one.set("id", run->header.id).set("started_utc", run->header.started_utc);
    runs.push(one.set("path", run->path));
  }
  for (const DeviceChip& chip : all.chips) chips.push(to_json(chip));
  for (size_t i = 0; i < all.roofline.roofs.size(); ++i) {
    roofs.push(roof_json(all.roofline.roofs[i], all.verdicts[i]));
  }
  for (const RidgePoint& ridge : all.ridges) {
    Json one = Json::object();
    one.set("device", ridge.device).set("threads", ridge.threads).set("dtype", ridge.dtype);
    ridges.push(one.set("flop_per_byte", ridge.flop_per_byte));
  }
  for (const CacheLevel& level : all.roofline.levels) {
    Json one = Json::object();
    one.set("device", level.device).set("threads", level.threads).set("level", level.name);
    levels.push(one.set("bytes", level.bytes).set("measured", level.measured));
  }
  for (const ExplainedRow& row : all.rows) rows.push(row_json(row));
  Json findings = Json::array();
  for (const std::string& finding : all.findings) findings.push(finding);
  out.set("bound_from", kBoundFrom).set("runs", std::move(runs)).set("chips", std::move(chips));
  out.set("roofs", std::move(roofs)).set("ridge_points", std::move(ridges));
  out.set("cache_levels", std::move(levels)).set("rows", std::move(rows));
  out.set("findings", std::move(findings));
  return out;
}

}  // namespace ridge
