// What rows tell together, of machines whose caches and calls are chosen.

#include "report/series_md.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "cache_truth.h"

namespace {

using namespace ridge;

using Lines = std::vector<std::vector<std::string>>;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

// The cells of the table's lines below its head: walk, level, ends at, the system's cache, then.
Lines cells_of(const std::string& text) {
  Lines out;
  for (const std::string& line : lines_of(text)) {
    if (!line.starts_with('|')) continue;
    std::vector<std::string>& cells = out.emplace_back();
    std::stringstream parts(line.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) {
      const size_t begin = cell.find_first_not_of(' ');
      const size_t end = cell.find_last_not_of(' ') + 1;
      cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin));
    }
  }
  if (out.size() >= 2) out.erase(out.begin(), out.begin() + 2);
  return out;
}

// "32.5 KiB (95 % …" in bytes.
double bytes_in(const std::string& cell) {
  std::stringstream stream(cell);
  double value = 0;
  std::string unit;
  stream >> value >> unit;
  return value * (unit == "KiB" ? 0x1p10 : unit == "MiB" ? 0x1p20 : std::nan(""));
}

Json machine(const std::vector<int64_t>& caches) {
  Json list = Json::array();
  int level = 0;
  for (const int64_t bytes : caches) {
    list.push(Json::object().set("level", ++level).set("type", "unified").set("bytes", bytes));
  }
  return Json::object().set("cpu", Json::object().set("caches", std::move(list)));
}

ridge::Run swept(const std::vector<int64_t>& caches, WorkingSet::Op op, auto&& ns,
                 int64_t most = 256 << 20) {
  ridge::Run run;
  run.header.machine = machine(caches);
  for (const int64_t bytes : cache_truth::sizes(4096, most)) {
    run.rows.push_back(cache_truth::sweep_row(op, bytes, ns(bytes)));
  }
  return run;
}

ridge::Run chased(const std::vector<int64_t>& caches) {
  return swept(caches, WorkingSet::Op::chase, cache_truth::latency);
}

ridge::Run called(int rounds, std::vector<int64_t> calls, auto&& ns) {
  ridge::Run run;
  for (const int64_t k : calls) {
    Row row;
    row.work = Dispatch{k};
    row.worker = "w";
    row.device = "0";
    row.status = Status::ok;
    row.time.median_ns = ns(static_cast<double>(k));
    for (int r = 0; r < rounds; ++r) {
      const double spread = 1 + 0.002 * (r - (rounds - 1) / 2.0);
      row.time.round_medians_ns.push_back(*row.time.median_ns * spread);
    }
    run.rows.push_back(row);
  }
  return run;
}

const std::vector<int64_t> kPowers = {1, 2, 4, 8, 16, 32, 64, 128, 256};

TEST(SeriesText, IsEmptyWithoutASeries) {
  ridge::Run run;
  EXPECT_EQ(series_text(run), "");
  run.rows.push_back({.work = Gemm{.m = 1, .n = 1, .k = 1}, .status = Status::ok});
  EXPECT_EQ(series_text(run), "");
  run.header.machine = machine({32 << 10});
  EXPECT_EQ(series_text(run), "") << "caches alone are no news";
  Row failed = cache_truth::sweep_row(WorkingSet::Op::chase, 4096, 1);
  failed.status = Status::failed;
  run.rows = {failed};
  EXPECT_EQ(series_text(run), "");
}

TEST(SeriesText, NamesTheCachesThatAreThereAndThoseThatAreNot) {
  // The machine has an L3 too, as it says; the walk does not show it.
  const auto lines = cells_of(series_text(chased({32 << 10, 1 << 20, 32 << 20})));
  ASSERT_EQ(lines.size(), 4u);
  for (const auto& line : lines) {
    ASSERT_EQ(line.size(), 5u);
    EXPECT_EQ(line[0], "chase w:0 cold/pipelined");
  }
  EXPECT_NEAR(std::stod(lines[0][1]), cache_truth::kFirstNs, 0.05);
  EXPECT_NEAR(bytes_in(lines[0][2]) / cache_truth::kFirst, 1, 0.05);
  EXPECT_EQ(lines[0][3], "L1, 32 KiB");
  EXPECT_NEAR(std::stod(lines[0][4].substr(std::string("×").size())), 5, 0.3);
  EXPECT_NEAR(std::stod(lines[1][1]), cache_truth::kSecondNs, 0.3);
  EXPECT_NEAR(bytes_in(lines[1][2]) / cache_truth::kSecond, 1, 0.05);
  EXPECT_EQ(lines[1][3], "L2, 1 MiB");
  EXPECT_NEAR(std::stod(lines[2][1]), cache_truth::kMemoryNs, 4);
  EXPECT_EQ(lines[2][2], "beyond");
  EXPECT_EQ(lines[3][2], "not found");
  EXPECT_EQ(lines[3][3], "L3, 32 MiB");
  EXPECT_NE(lines[3][4].find("nearest step at "), std::string::npos);
}

TEST(SeriesText, ACliffOfNoCacheIsCalledThat) {
  for (const auto& line : cells_of(series_text(chased({})))) {
    EXPECT_EQ(line[3], line[2] == "beyond" ? "" : "none of that size");
  }
}

// Cores of two kinds: 32 and 48 KiB are both within a factor of 1.5 of a cliff between them.
TEST(SeriesText, OfTwoCachesTheNearestIsNamed) {
  const auto named = [](int64_t first, int64_t second) {
    return cells_of(series_text(chased({first, second})))[0][3];
  };
  EXPECT_EQ(named(32 << 10, 40 << 10), "L1, 32 KiB");
  EXPECT_EQ(named(24 << 10, 32 << 10), "L2, 32 KiB");
}

TEST(SeriesText, CachesAtTheEdgeOfTheSweepAreNotMissed) {
  // 4 KiB to 256 MiB were walked: what lies within a factor of two of an end could not show.
  EXPECT_EQ(cells_of(series_text(chased({6 << 10, 200 << 20}))).size(), 3u);
}

TEST(SeriesText, AReadIsToldAsARate) {
  const auto run = swept({1 << 20}, WorkingSet::Op::read,
                         [](int64_t bytes) { return bytes <= (1 << 20) ? 0.02 : 0.1; });
  const auto lines = cells_of(series_text(run));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0][1].ends_with("GB/s"));
  EXPECT_NEAR(std::stod(lines[0][1]), 50, 1);
  EXPECT_NEAR(std::stod(lines[1][1]), 10, 0.3);
  EXPECT_EQ(lines[0][3], "L1, 1 MiB");
}

TEST(SeriesText, SaysWhyThereIsNoCliff) {
  const auto flat = [](int64_t) { return 2.0; };
  const auto few = swept({}, WorkingSet::Op::chase, flat, 16 << 10);
  EXPECT_NE(series_text(few).find("too few sizes to tell"), std::string::npos);
  const auto smooth = cells_of(series_text(swept({1 << 20}, WorkingSet::Op::chase, flat)));
  ASSERT_EQ(smooth.size(), 2u);
  EXPECT_EQ(smooth[0][2], "no cliff: a smooth line fits as well");
  EXPECT_EQ(smooth[1][4], "no step stands out of the noise");
}

TEST(SeriesText, AMachineThatTellsNothingCostsNothing) {
  for (const char* text : {"null", "[]", "3", "{}", R"({"cpu": null})", R"({"cpu": {"caches": 5}})",
                           R"({"cpu": {"caches": [null, {"bytes": -1}, {"bytes": "x"}]}})"}) {
    ridge::Run run = chased({});
    run.header.machine = *Json::parse(text);
    EXPECT_EQ(series_text(run), series_text(chased({}))) << text;
  }
}

TEST(SeriesText, NumbersThatAreNoneAreNeverShown) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), 0.0, -1.0}) {
    ridge::Run run = chased({32 << 10});
    run.rows[7].time.median_ns = bad;
    run.rows[9].time.round_medians_ns = {bad, bad, bad};
    for (const Row& row : called(3, kPowers, [&](double) { return bad; }).rows) {
      run.rows.push_back(row);
    }
    const std::string text = series_text(run);
    EXPECT_NE(text.find("- w:0 cold/pipelined: not comparable\n"), std::string::npos) << text;
    EXPECT_NE(text.find("L1, 32 KiB"), std::string::npos) << text;
    for (const char* none : {"nan", "inf", "-1"}) {
      EXPECT_EQ(text.find(none), std::string::npos) << text;
    }
  }
}

TEST(SeriesText, TellsTheCostOfACallOrWhyNot) {
  const auto line = [](double k) { return 5000 + 120 * k; };
  const auto told = [](const ridge::Run& run) {
    const auto lines = lines_of(series_text(run));
    return lines.size() == 4 && lines[1] == "Cost of a call" ? lines[3] : "?";
  };
  const std::string who = "- w:0 cold/pipelined: ";
  const std::string fits = told(called(5, kPowers, line));
  EXPECT_TRUE(fits.starts_with(who + "5.00 us (95 % ")) << fits;
  EXPECT_NE(fits.find(" to submit and wait, 120 ns (95 % "), std::string::npos) << fits;
  EXPECT_EQ(told(called(2, kPowers, line)), who + "fewer than three rounds");
  EXPECT_EQ(told(called(5, {1, 2, 4}, line)), who + "fewer than four numbers of calls");
  EXPECT_NE(
      told(called(5, kPowers, [](double k) { return 7 * k - 0.5; })).find("nothing to be seen"),
      std::string::npos);
  EXPECT_NE(told(called(5, kPowers, [](double k) { return 100 * k * k; }))
                .find("does not grow by the same for each call"),
            std::string::npos);
}

TEST(SeriesText, AlignsVeryManyLines) {
  ridge::Run run;
  run.header.machine = machine({32 << 10, 1 << 20});
  for (int device = 0; device < 40; ++device) {
    for (Row row : chased({}).rows) {
      row.device = std::to_string(device * 1000);
      run.rows.push_back(std::move(row));
    }
  }
  const std::string text = series_text(run);
  EXPECT_EQ(cells_of(text).size(), 40 * 3u);
  size_t width = 0;
  for (const std::string& line : lines_of(text)) {
    if (!line.starts_with('|')) continue;
    const auto columns = static_cast<size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; }));
    if (width == 0) width = columns;
    EXPECT_EQ(columns, width) << line;
  }
}

}  // namespace
