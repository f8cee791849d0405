#include "base/units.h"
#include "report/compare_md.h"

namespace ridge {
namespace {

Json interval_json(const stats::Interval& interval) {
  Json json = Json::array();
  json.push(interval.lo);
  json.push(interval.hi);
  return json;
}

Json speedup_json(const std::optional<stats::Speedup>& speedup) {
  if (!speedup) return nullptr;
  Json json = Json::object();
  json.set("ratio", speedup->ratio.value).set("ci", interval_json(speedup->ratio.interval));
  json.set("p_value", speedup->p_value).set("degrees_of_freedom", speedup->degrees);
  return json;
}

Json limit_json(const std::optional<Limit>& limit) {
  if (!limit) return nullptr;
  Json json = Json::object();
  json.set("name", limit->name).set("floor_ns", limit->floor_ns).set("share", limit->share);
  json.set("binds", limit->share >= kBoundFrom);
  return json;
}

Json member_json(const Member& member) {
  if (!member.row) return nullptr;
  Json json = Json::object();
  json.set("row_key", member.row->row_key()).set("run", member.run->header.id);
  json.set("machine_key", member.run->header.machine_key);
  return json;
}

Json pair_json(const Pair& pair, const Comparison& comparison) {
  Json json = Json::object();
  json.set("key", pair.key).set("side", comparison.labels[pair.side]);
  json.set("a", member_json(pair.a)).set("b", member_json(pair.b));
  json.set("refused", pair.refused.empty() ? Json() : Json(pair.refused));
  json.set("a_ns", pair.a_ns).set("b_ns", pair.b_ns).set("ratio", pair.ratio);
  json.set("speedup", speedup_json(pair.speedup));
  if (pair.refused.empty()) {
    json.set("verdict", stats::name(pair.verdict));
    json.set("note", pair.note.empty() ? Json() : Json(pair.note));
    json.set("adjusted_p_value", pair.speedup ? Json(pair.adjusted_p) : Json());
    json.set("band", pair.speedup ? Json(pair.band) : Json());
    json.set("noise", pair.noise);
    json.set("predicted_ratio", pair.predicted);
    json.set("a_limit", limit_json(pair.a_limit)).set("b_limit", limit_json(pair.b_limit));
  }
  return json;
}

Json recommendation_json(const Recommendation& r) {
  Json json = Json::object();
  json.set("job", r.job).set("best", member_json(r.best)).set("next", member_json(r.next));
  json.set("margin", r.margin).set("speedup", speedup_json(r.speedup));
  json.set("verdict", stats::name(r.verdict));
  return json;
}

Json support_json(const SupportMatrix& support) {
  Json list = Json::array();
  for (size_t r = 0; r < support.rows.size(); ++r) {
    for (size_t c = 0; c < support.columns.size(); ++c) {
      const auto& cell = support.cells[r][c];
      if (!cell) continue;
      Json json = Json::object();
      json.set("work", support.rows[r]).set("on", support.columns[c]);
      json.set("ok", cell->ok).set("unsupported", cell->unsupported);
      json.set("failed", cell->failed).set("incorrect", cell->incorrect);
      json.set("reason", cell->reason.empty() ? Json() : Json(cell->reason));
      list.push(std::move(json));
    }
  }
  return list;
}

}  // namespace

Json comparison_json(const Comparison& comparison, const std::vector<Recommendation>& recommended,
                     const SupportMatrix& support) {
  Json schema = Json::object(), out = Json::object();
  schema.set("name", "ridgepoint-comparison").set("version", "1.0.0");
  Json sides = Json::array(), across = Json::array(), pairs = Json::array(), means = Json::array(),
       remarks = Json::array(), best = Json::array();
  for (const std::string& label : comparison.labels) sides.push(label);
  for (const Across one : comparison.across) across.push(name(one));
  for (const Pair& pair : comparison.pairs) pairs.push(pair_json(pair, comparison));
  for (const BoundGroup& group : comparison.means) {
    Json json = Json::object();
    json.set("side", comparison.labels[group.side]).set("bound", group.bound);
    json.set("pairs", group.pairs).set("geometric_mean", group.geometric_mean);
    json.set("least", group.least).set("most", group.most);
    means.push(std::move(json));
  }
  for (const std::string& remark : comparison.remarks) remarks.push(remark);
  for (const Recommendation& r : recommended) best.push(recommendation_json(r));
  out.set("schema", std::move(schema)).set("sides", std::move(sides));
  out.set("across", std::move(across)).set("pairs", std::move(pairs));
  out.set("means", std::move(means)).set("remarks", std::move(remarks));
  out.set("recommended", std::move(best)).set("support", support_json(support));
  return out;
}

}  // namespace ridge
