// Tables, CSV and headlines from rows made by hand.

#include "report/formats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "report/headlines.h"
#include "report/table.h"

namespace {

using namespace ridge;

Row gemm_row(int64_t side, std::optional<double> rate, DType dtype = DType::f32) {
  Row row;
  row.work = Gemm{.dtype = dtype, .m = side, .n = side, .k = side};
  row.worker = "cpu";
  row.device = "0";
  row.status = Status::ok;
  row.check.verdict = CheckOutcome::Verdict::passed;
  row.cost = cost(row.work, {});
  row.rate.value = rate;
  if (rate) row.time.median_ns = row.cost.rate_work() * 1e9 / *rate;
  return row;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string table_of(std::vector<Row> rows) {
  ridge::Run run;
  run.rows = std::move(rows);
  return rows_table(run);
}

TEST(Table, ColumnsLineUpWhateverIsInThem) {
  Table table({"name", "value"}, {false, true});
  table.add({"a|b", "1"});
  table.add({"größer ☃", "12345"});
  table.add({"two\nlines"});
  const auto lines = lines_of(table.markdown());
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[1].back(), '|');
  EXPECT_NE(lines[1].find("-:|"), std::string::npos);
  EXPECT_NE(lines[2].find("a\\|b"), std::string::npos);
  EXPECT_NE(lines[4].find("two lines"), std::string::npos);
  const auto width = [](const std::string& line) {
    return std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; });
  };
  for (const std::string& line : lines) EXPECT_EQ(width(line), width(lines[0])) << line;
}

TEST(Rows, SayWhatLimitsThem) {
  ridge::Run run;
  run.rows = {gemm_row(512, 1e11), gemm_row(1024, 2e11), gemm_row(2048, 1.9e11),
              gemm_row(2048, std::nullopt), gemm_row(8, 1e9, DType::bf16)};
  for (Row& row : run.rows) row.settings.cache = CacheMode::warm;  // no memory limit
  const auto lines = lines_of(rows_table(run));
  ASSERT_GE(lines.size(), 7u);
  const char* expected[] = {"| –", "| compute, the roof", "| compute 95 %", "| –", "| –"};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NE(lines[i + 2].find(expected[i]), std::string::npos) << lines[i + 2];
  }
}

TEST(Rows, ThatEndedBadlyShowNoRateAndTheirReason) {
  Row wrong = gemm_row(512, std::nullopt);
  wrong.status = Status::incorrect;
  wrong.reason = "c[3] is 1 where 2 belongs";
  wrong.add(Flag::incorrect);
  Row crashed = gemm_row(1024, std::nullopt);
  crashed.status = Status::failed;
  crashed.reason = "time: killed by signal 11 (Segmentation fault)";
  crashed.stderr_tail = {"last words"};
  Row unsupported = gemm_row(64, std::nullopt, DType::fp8);
  unsupported.status = Status::unsupported;
  unsupported.reason = "no fp8 here";
  const std::string text = table_of({wrong, crashed, unsupported});
  for (const char* part : {"c[3] is 1 where 2 belongs", "killed by signal 11", "stderr: last words",
                           "not supported (1 row): cpu: no fp8 here", "`incorrect`: "}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(text.find("FLOPS"), std::string::npos) << text;
  EXPECT_EQ(text.find("| gemm/fp8"), std::string::npos) << "no line of dashes for what is not here";
}

TEST(Rows, EachFlagIsExplainedOnce) {
  std::vector<Row> rows = {gemm_row(512, 1e11), gemm_row(1024, 2e11)};
  for (Row& row : rows) row.add(Flag::drift);
  const std::string text = table_of(rows);
  const std::string advice(text_of(Flag::drift).advice);
  const size_t first = text.find(advice);
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find(advice, first + 1), std::string::npos);
}

TEST(Rows, NoneAtAllIsATableStill) {
  EXPECT_EQ(lines_of(table_of({})).size(), 2u);
  EXPECT_EQ(lines_of(render({}, Format::csv)).size(), 1u);
  EXPECT_EQ(render({}, Format::jsonl), "");
  EXPECT_TRUE(Json::parse(render({}, Format::json)));
}

TEST(Csv, FieldsAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"no\""), "\"say \"\"no\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
  EXPECT_EQ(csv_field(""), "");
}

TEST(Csv, NumbersKeepAllTheirDigits) {
  const double rate = 123456789012.34567;
  ridge::Run run;
  run.rows = {gemm_row(512, rate)};
  const auto lines = lines_of(render(run, Format::csv));
  ASSERT_EQ(lines.size(), 2u);
  std::vector<std::string> cells;
  std::stringstream stream(lines[1]);
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  EXPECT_EQ(std::stod(cells.at(8)), rate);
  EXPECT_EQ(cells.at(9), "");  // unknown is empty, never 0
}

TEST(Headlines, AreTheBestOfEachSort) {
  Row hot = gemm_row(64, 9e12);
  hot.work = Stream{.op = Stream::Op::copy, .bytes = 4096};
  hot.settings.cache = CacheMode::hot;
  hot.rate.unit = RateUnit::byte_per_s;
  Row failed = gemm_row(4096, std::nullopt);
  const std::vector<Row> rows = {gemm_row(512, 1e11), gemm_row(1024, 2e11), hot, failed,
                                 gemm_row(512, 5e11, DType::bf16)};
  const auto found = headlines(rows);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name, "gemm f32");
  EXPECT_EQ(found[0].row, &rows[1]);
  EXPECT_EQ(found[1].name, "gemm bf16");
}

TEST(Formats, AreNamed) {
  EXPECT_EQ(parse_format("md"), Format::md);
  EXPECT_EQ(parse_format("jsonl"), Format::jsonl);
  EXPECT_FALSE(parse_format("MD"));
  EXPECT_FALSE(parse_format(""));
}

}  // namespace
