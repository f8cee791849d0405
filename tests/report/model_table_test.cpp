// Rows of whole models as llama-bench's users know them.

#include "report/model_table.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "mistral_7b.h"
#include "report/formats.h"
#include "report/table.h"

namespace {

using namespace ridge;

ModelUse mistral() {
  ModelUse use;
  use.model = mistral_7b();
  return use;
}

Row row_of(Workload work, double tokens_per_s) {
  Row row;
  row.work = std::move(work);
  row.settings.cache = CacheMode::hot;
  row.settings.timing = Timing::isolated;
  row.worker = "llamacpp";
  row.device = "cpu";
  row.status = Status::ok;
  row.check.verdict = CheckOutcome::Verdict::passed;
  row.cost = cost(row.work, row.settings);
  row.rate = {tokens_per_s, tokens_per_s * 0.99, tokens_per_s * 1.01, RateUnit::token_per_s};
  const double ns = row.cost.count * 1e9 / tokens_per_s;
  row.time.median_ns = ns;
  row.time.ci_low_ns = ns * 0.99;
  row.time.ci_high_ns = ns * 1.01;
  row.time.rounds = 3;
  return row;
}

ridge::Run run_of(std::vector<Row> rows) {
  ridge::Run run;
  run.header.machine = *Json::parse(R"({"cpu": {"model": "Simulated", "cores": 4}})");
  run.rows = std::move(rows);
  return run;
}

// Cells of a table by their column's title.
using Line = std::map<std::string, std::string>;
std::vector<Line> lines_of(const std::string& markdown) {
  std::vector<std::vector<std::string>> cells;
  std::stringstream stream(markdown);
  for (std::string text; std::getline(stream, text) && text.starts_with('|');) {
    std::vector<std::string>& line = cells.emplace_back();
    std::stringstream parts(text.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) {
      const size_t begin = cell.find_first_not_of(' ');
      const size_t end = cell.find_last_not_of(' ');
      line.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
    }
  }
  std::vector<Line> out;
  for (size_t i = 2; i < cells.size(); ++i) {
    Line& line = out.emplace_back();
    for (size_t c = 0; c < cells[0].size(); ++c) line[cells[0][c]] = cells[i].at(c);
  }
  return out;
}

TEST(ModelTable, HasLlamaBenchsColumns) {
  ModelUse deep = mistral();
  deep.depth = 4096;
  const auto lines = lines_of(
      rows_table(run_of({row_of(Prefill{mistral(), 512}, 1000), row_of(Decode{deep, 128}, 50)})));
  ASSERT_EQ(lines.size(), 2u);
  const Line &prompt = lines[0], &generated = lines[1];
  EXPECT_EQ(prompt.at("model"), "mistral-7b f16");
  EXPECT_EQ(prompt.at("size"), "13.5 GiB");  // 7.24 B elements of two bytes
  EXPECT_EQ(prompt.at("params"), "7.24 B");
  EXPECT_EQ(prompt.at("backend"), "llamacpp cpu");
  EXPECT_EQ(prompt.at("threads"), "4");
  EXPECT_EQ(prompt.at("test"), "pp512");
  EXPECT_EQ(generated.at("test"), "tg128 @ d4096");
  EXPECT_EQ(prompt.at("t/s"), "1000");
  EXPECT_EQ(prompt.at("95 %"), "±1.0 %");
  EXPECT_EQ(prompt.at("TTFT"), "512 ms");  // of 512 tokens at 1000 a second
  EXPECT_EQ(prompt.at("TPOT"), "");
  EXPECT_EQ(generated.at("TTFT"), "");
  EXPECT_EQ(generated.at("TPOT"), "20.0 ms");  // 50 a second
  EXPECT_EQ(prompt.count("how"), 0u);
  EXPECT_EQ(prompt.count("J/token"), 0u);
}

TEST(ModelTable, WhatDiffersHasAColumn) {
  ModelUse use = mistral();
  use.kv = KvFormat::q8_0;
  use.batch = 4;
  Row row = row_of(Decode{use, 128}, 200);
  row.settings.micro_batch = 256;
  row.settings.backend = "flash";
  row.settings.threads = 2;
  row.telemetry.energy_j_per_op = 1024;
  const auto lines = lines_of(rows_table(run_of({row, row_of(Decode{mistral(), 128}, 50)})));
  EXPECT_EQ(lines[0].at("how"), "kv q8_0, 4 sequences, ub 256, flash");
  EXPECT_EQ(lines[1].at("how"), "");
  EXPECT_EQ(lines[0].at("threads"), "2");
  // 4 sequences of 128 tokens; each waits 20 ms for its next one.
  EXPECT_EQ(lines[0].at("J/token"), "2");
  EXPECT_EQ(lines[1].at("J/token"), "–");
  EXPECT_EQ(lines[0].at("TPOT"), "20.0 ms");
}

TEST(ModelTable, OneProcessIsSaid) {
  Row row = row_of(Decode{mistral(), 128}, 50);
  row.time.rounds = 1;
  EXPECT_EQ(lines_of(rows_table(run_of({row})))[0].at("95 %"), "±1.0 % (1 process)");
}

TEST(ModelTable, RowsThatEndedBadlyHaveNoRate) {
  Row row = row_of(Decode{mistral(), 128}, 50);
  row.status = Status::incorrect;
  row.reason = "logits are wrong";
  row.rate.value = row.rate.ci_low = row.rate.ci_high = std::nullopt;
  const std::string text = rows_table(run_of({row}));
  EXPECT_EQ(lines_of(text)[0].at("t/s"), "incorrect");
  EXPECT_EQ(lines_of(text)[0].at("TPOT"), "");
  EXPECT_NE(text.find("logits are wrong"), std::string::npos);
}

TEST(ModelTable, ResultsStandBelow) {
  Row row = row_of(Decode{mistral(), 128}, 50);
  row.values = {{.name = "load", .value = 4.2, .unit = "s"}};
  row.bytes_peak = int64_t{15} << 30;
  const std::string text = rows_table(run_of({row}));
  EXPECT_NE(text.find("- mistral-7b f16 tg128: load 4.2 s, peak memory 15 GiB\n"),
            std::string::npos)
      << text;
}

TEST(ModelTable, AnImpossibleDecodeIsSaid) {
  Row read;
  read.work = Stream{.op = Stream::Op::read, .bytes = 1 << 30};
  read.worker = "cpu";
  read.device = "0";
  read.status = Status::ok;
  read.cost = cost(read.work, {});
  read.time.median_ns = (1 << 30) / 100.0;  // 100 GB/s
  read.rate.value = 1e11;
  read.rate.unit = RateUnit::byte_per_s;
  const std::string text = rows_table(
      run_of({read, row_of(Decode{mistral(), 128}, 6), row_of(Decode{mistral(), 64}, 40)}));
  const auto lines = lines_of(text);
  EXPECT_EQ(lines[0].at("limit"), "memory read 85 %");
  EXPECT_EQ(lines[1].at("limit"), "impossible");
  EXPECT_NE(text.find("no decode: 64 tokens one by one"), std::string::npos) << text;
}

TEST(ModelCsv, EveryRowHasEveryField) {
  ModelUse file = mistral();
  file.file = ModelFile{.path = "a, b.gguf", .label = "Q8_0", .matrix_bytes = 1000};
  Row other;
  other.work = Gemm{.m = 8, .n = 8, .k = 8};
  other.worker = "cpu";
  other.device = "0";
  const std::string text =
      render(run_of({row_of(Prefill{file, 512}, 1000), row_of(Decode{mistral(), 128}, 50), other}),
             Format::csv);
  std::stringstream stream(text);
  size_t columns = 0;
  for (std::string line; std::getline(stream, line);) {
    size_t count = 1;
    bool quoted = false;
    for (const char c : line) {
      quoted ^= c == '"';
      count += c == ',' && !quoted;
    }
    if (columns == 0) columns = count;
    EXPECT_EQ(count, columns) << line;
  }
  EXPECT_NE(text.find("pp512,mistral-7b q8_0,\"a, b.gguf\",1000,"), std::string::npos) << text;
  EXPECT_NE(text.find("tg128,mistral-7b f16,,"), std::string::npos) << text;
}

}  // namespace
