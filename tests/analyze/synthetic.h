#pragma once

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "base/random.h"
#include "store/run_file.h"

// Runs whose truth is known.
namespace synthetic {

struct Truth {
  double ns = 1e6;   // of one op
  double cv = 0.01;  // between rounds
  int rounds = 5;
  uint64_t salt = 1;  // of the noise
};

inline double gaussian(const ridge::TensorKey& key, int64_t step) {
  const double u = ridge::random_uniform(key, 2 * step),
               v = ridge::random_uniform(key, 2 * step + 1);
  return std::sqrt(-2 * std::log(u + 1e-300)) * std::cos(2 * std::numbers::pi * v);
}

inline ridge::Row row(ridge::Workload work, const Truth& truth, ridge::Settings settings = {}) {
  ridge::Row row;
  row.work = work;
  row.settings = settings;
  row.worker = "cpu";
  row.device = "0";
  row.status = ridge::Status::ok;
  row.cost = ridge::cost(work, settings);
  const auto key = ridge::tensor_key(7, truth.salt, 0, ridge::work_key(work));
  double logs = 0;
  for (int r = 0; r < truth.rounds; ++r) {
    row.time.round_medians_ns.push_back(truth.ns * std::exp(truth.cv * gaussian(key, r)));
    logs += std::log(row.time.round_medians_ns.back()) / truth.rounds;
  }
  row.time.rounds = truth.rounds;
  row.time.median_ns = std::exp(logs);
  row.rate = {row.cost.rate_work() / *row.time.median_ns * 1e9, {}, {}, row.cost.rate_unit};
  return row;
}

inline ridge::Run run(std::vector<ridge::Row> rows, const std::string& machine = "box-1") {
  ridge::Run run;
  run.header.id = "0";
  run.header.machine_key = machine;
  run.header.tool.set("version", "0.1.0").set("method_version", 1).set("generator_version", 1);
  run.header.tool.set("build_type", "Release");
  ridge::Json libraries = ridge::Json::object(), hello = ridge::Json::object();
  libraries.set("onednn", "2.6.3").set("onednn isa", "avx512");
  hello.set("worker", "cpu").set("libraries", std::move(libraries));
  run.header.workers.push(std::move(hello));
  run.rows = std::move(rows);
  return run;
}

}  // namespace synthetic
