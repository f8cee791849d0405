// Pictures are read back by position: what stands where is held against the labels of the axes.

#include "report/pictures.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include "paths.h"
#include "picture_reader.h"
#include "sample_pictures.h"

namespace {

using namespace ridge;
using namespace report_test;

constexpr int kWidths[] = {40, 80, 120, 200};

std::vector<std::string> sample_pictures(const Style& style) {
  return {roofline_picture(sample_roofline(), sample_points(), style),
          cache_picture(sample_chase(), sample_caches(), style),
          cache_picture(sample_read(), sample_caches(), style)};
}

RooflinePoint point(std::string key, double intensity, double rate, std::string operation = "f32") {
  return {.key = std::move(key),
          .device = "cpu",
          .operation = std::move(operation),
          .intensity = intensity,
          .rate = rate};
}

// Numbers that a broken file may hold, beside ordinary ones.
double any_number() {
  return *rc::gen::oneOf(rc::gen::arbitrary<double>(),
                         rc::gen::element(0.0, -1.0, 1.0, 1e300, 1e-300, 5e-324, 0x1p60,
                                          std::numeric_limits<double>::quiet_NaN(),
                                          std::numeric_limits<double>::infinity(),
                                          -std::numeric_limits<double>::infinity()),
                         rc::gen::map(rc::gen::inRange(-12000, 24000),
                                      [](int e) { return std::pow(10, e / 1000.0); }));
}

std::string any_key() {
  return *rc::gen::oneOf(
      rc::gen::element<std::string>("gemm/f32/1x1x1@cpu:0/cold", "", "@", "\x1b[31mred", "a\nb",
                                    "日本語", "e\xcc\x81", "\xff\xc0", std::string(5000, 'k'),
                                    "größe@cpu:0/cold", "\xe2\x82"),
      rc::gen::arbitrary<std::string>());
}

Style any_style() {
  return {.width = *rc::gen::inRange(-3, 430),
          .unicode = *rc::gen::arbitrary<bool>(),
          .colour = *rc::gen::arbitrary<bool>()};
}

// What must hold of any picture.
void check_text(const std::string& text, const Style& style) {
  const std::string bare = style.colour ? without_escapes(text) : text;
  RC_ASSERT(bare.find('\x1b') == std::string::npos);
  for (const std::string& line : lines_of(bare)) {
    const auto codes = code_points(line);  // throws on what is not UTF-8
    RC_ASSERT(codes.size() <= static_cast<size_t>(std::clamp(style.width, 1, 400)));
    for (const char32_t code : codes) RC_ASSERT(code >= ' ' && code != 127);
    if (!style.unicode) {
      for (const char32_t code : codes) RC_ASSERT(code < 0x80);
    }
  }
}

TEST(Pictures, FitTheirWidthInEveryStyle) {
  for (const int width : kWidths) {
    for (const bool unicode : {true, false}) {
      for (const bool colour : {true, false}) {
        const Style style{width, unicode, colour};
        for (const std::string& picture : sample_pictures(style)) check_text(picture, style);
      }
    }
  }
}

TEST(Pictures, ColourIsAllThatEscapesAdd) {
  for (const bool unicode : {true, false}) {
    const auto plain = sample_pictures({100, unicode, false});
    const auto coloured = sample_pictures({100, unicode, true});
    for (size_t i = 0; i < plain.size(); ++i) {
      EXPECT_NE(plain[i], coloured[i]);
      EXPECT_EQ(plain[i], without_escapes(coloured[i]));
    }
  }
}

TEST(Pictures, BelowLeastWidthASentence) {
  for (std::string picture : sample_pictures({.width = 39})) {
    EXPECT_EQ(lines_of(picture).size(), 2u);
    std::replace(picture.begin(), picture.end(), '\n', ' ');
    EXPECT_NE(picture.find("needs 40 columns, here are 39."), std::string::npos) << picture;
  }
}

RC_GTEST_PROP(Pictures, AnyRooflineFits, ()) {
  Roofline roofline;
  for (int i = *rc::gen::inRange(0, 20); i > 0; --i) {
    roofline.roofs.push_back(
        {.kind = *rc::gen::element(Roof::Kind::compute, Roof::Kind::memory, Roof::Kind::call),
         .device = *rc::gen::element<std::string>("cpu", "gpu", "\x1b[2J"),
         .threads = *rc::gen::inRange(0, 2),
         .operation = *rc::gen::element<std::string>("f32", "read", "\xff"),
         .level = *rc::gen::element<std::string>("memory", "L1"),
         .rate = exactly(any_number())});
  }
  std::vector<RooflinePoint> points;
  for (int i = *rc::gen::inRange(0, 100); i > 0; --i) {
    points.push_back(point(any_key(), any_number(), any_number(),
                           *rc::gen::element<std::string>("f32", "bf16", "\xff")));
    points.back().device = *rc::gen::element<std::string>("cpu", "gpu", "\x1b[2J");
    points.back().threads = *rc::gen::inRange(0, 2);
  }
  const Style style = any_style();
  check_text(roofline_picture(roofline, points, style), style);
}

RC_GTEST_PROP(Pictures, AnyCurveFits, ()) {
  CacheCurve curve{.worker = any_key(),
                   .device = any_key(),
                   .settings = any_key(),
                   .op = *rc::gen::element(WorkingSet::Op::chase, WorkingSet::Op::read)};
  for (int i = *rc::gen::inRange(0, 60); i > 0; --i) {
    curve.bytes.push_back(any_number());
    curve.ns.push_back(any_number());
  }
  if (*rc::gen::arbitrary<bool>()) {
    curve.cliffs.emplace();
    for (int i = *rc::gen::inRange(0, 6); i > 0; --i) {
      curve.cliffs->cliffs.push_back({.capacity = {any_number(), {any_number(), any_number()}},
                                      .before = any_number(),
                                      .after = any_number()});
    }
    const bool whole = *rc::gen::arbitrary<bool>();
    for (size_t i = 0; i < curve.bytes.size() / (whole ? 1 : 2); ++i) {
      curve.cliffs->fitted.push_back(any_number());
    }
  }
  std::vector<SystemCache> caches;
  for (int i = *rc::gen::inRange(0, 20); i > 0; --i) caches.push_back({any_key(), any_number()});
  const Style style = any_style();
  check_text(cache_picture(curve, caches, style), style);
}

// Without roofs the frame holds letters alone.
RC_GTEST_PROP(RooflinePicture, LettersStandWhereTheAxesSay, ()) {
  std::vector<RooflinePoint> points;
  for (int i = *rc::gen::inRange(1, 30); i > 0; --i) {
    points.push_back(point("k", std::pow(10, *rc::gen::inRange(-200, 400) / 100.0),
                           std::pow(10, *rc::gen::inRange(900, 1300) / 100.0)));
  }
  const Style style{.width = *rc::gen::inRange(40, 240), .unicode = *rc::gen::arbitrary<bool>()};
  const Reader read(roofline_picture({}, points, style));
  RC_ASSERT(read.x.ticks.size() >= 2u && read.y.ticks.size() >= 2u);
  const auto drawn = [&](const RooflinePoint& p) {
    return std::any_of(read.cells.begin(), read.cells.end(), [&](const auto& cell) {
      return read.near(p.intensity, p.rate, cell.first);
    });
  };
  for (const RooflinePoint& p : points) RC_ASSERT(drawn(p));
  for (const auto& [cell, glyph] : read.cells) {  // and nothing else
    RC_ASSERT(std::any_of(points.begin(), points.end(), [&, at = cell](const RooflinePoint& p) {
      return read.near(p.intensity, p.rate, at);
    }));
  }
}

RC_GTEST_PROP(RooflinePicture, AHigherRateIsNeverDrawnLower, ()) {
  std::vector<RooflinePoint> points;
  const int count = *rc::gen::inRange(2, 20);
  for (int i = 0; i < count; ++i) {  // far enough apart for a letter each, in this order
    points.push_back(
        point("k", std::pow(10, i / 4.0), std::exp(*rc::gen::inRange(10, 40000) / 1e3)));
  }
  const Reader read(roofline_picture({}, points, {.width = 200}));
  RC_ASSERT(read.cells.size() == points.size());
  std::map<char32_t, std::pair<int, int>> at;
  for (const auto& [cell, glyph] : read.cells) at[glyph] = cell;
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = 0; j < points.size(); ++j) {
      const auto a = at.at(U'a' + static_cast<char32_t>(i));
      const auto b = at.at(U'a' + static_cast<char32_t>(j));
      if (points[i].rate >= points[j].rate) RC_ASSERT(a.second <= b.second);
      if (points[i].intensity >= points[j].intensity) RC_ASSERT(a.first >= b.first);
    }
  }
}

TEST(RooflinePicture, RoofsPassWhereTheyShould) {
  for (const int width : kWidths) {
    const Reader read(roofline_picture(sample_roofline(), sample_points(), {.width = width}));
    const double memory = 65e9, flats[] = {224e9, 449e9, 892e9};
    // The rows at which lines cross a column; a column is known to one, so a slope to its rise.
    std::map<int, std::vector<double>> lines;
    for (int column = read.left; column < read.right; ++column) {
      const double intensity = read.x.value(column);
      if (memory * intensity < flats[2]) lines[column].push_back(read.y.cell(memory * intensity));
      for (const double flat : flats) {
        if (intensity >= flat / memory) lines[column].push_back(read.y.cell(flat));
      }
    }
    const double slack = 1.6;
    const auto is_line = [](char32_t c) {
      return is_braille(c) || c == U'◇' || (c >= U'a' && c <= U'z');  // letters lie upon roofs
    };
    for (const auto& [column, rows] : lines) {
      for (const double row : rows) {
        if (row > read.bottom - 1) continue;
        bool drawn = false;
        for (int at = read.top; at < read.bottom; ++at) {
          const auto found = read.cells.find({column, at});
          drawn |=
              found != read.cells.end() && is_line(found->second) && std::fabs(at - row) <= slack;
        }
        EXPECT_TRUE(drawn) << width << ": column " << column << ", row " << row;
      }
    }
    for (const auto& [cell, glyph] : read.cells) {  // and nowhere else
      if (!is_braille(glyph)) continue;
      bool near = false;
      for (int column = cell.first - 1; column <= cell.first + 1; ++column) {
        for (const double row : lines[column]) near |= std::fabs(row - cell.second) <= slack;
      }
      EXPECT_TRUE(near) << width << ": column " << cell.first << ", row " << cell.second;
    }
  }
}

TEST(RooflinePicture, RowsWithoutAPlaceAreCounted) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  const std::string text = roofline_picture(
      {},
      {point("good", 10, 1e11), point("a", nan, 1e11), point("b", 10, inf), point("c", 0, 1e11),
       point("d", 10, -1), point("e", 1e300, 1e11), point("f", 10, 1e300)},
      {});
  EXPECT_NE(text.find("6 of 7 rows are not drawn"), std::string::npos) << text;
  EXPECT_EQ(roofline_picture(sample_roofline(), {point("a", nan, 1e11)}, {}), "");
}

TEST(RooflinePicture, IdenticalRowsShareALetter) {
  const std::vector<RooflinePoint> points(5, point("gemm/f32/1x1x1@cpu:0", 10, 1e11));
  const std::string text = roofline_picture({}, points, {});
  EXPECT_EQ(Reader(text).cells.size(), 1u);
  int named = 0;
  for (const std::string& line : lines_of(text)) named += line.starts_with("a gemm/f32/1x1x1 ");
  EXPECT_EQ(named, 5);
}

TEST(RooflinePicture, ThousandsOfRowsAreThinnedAndSaySo) {
  std::vector<RooflinePoint> points;
  for (int i = 0; i < 20000; ++i) {
    points.push_back(point("k" + std::to_string(i), std::pow(10, i % 400 / 100.0),
                           std::pow(10, 9 + i % 397 / 100.0)));
  }
  const std::string text = roofline_picture(sample_roofline(), points, {});
  EXPECT_NE(text.find("52 of 20000 rows have a letter"), std::string::npos);
  EXPECT_LT(lines_of(text).size(), 100u);
  size_t bullets = 0;
  for (const auto& [cell, glyph] : Reader(text).cells) bullets += glyph == U'•';
  EXPECT_GT(bullets, 200u);
}

TEST(RooflinePicture, APictureForEachDeviceAndNumberOfThreads) {
  auto one = point("a@cpu:0/cold/1t", 10, 1e11), gpu = point("a@cuda:0/cold", 10, 1e14);
  one.threads = 1;
  gpu.device = "NVIDIA H200";
  const std::string text =
      roofline_picture(sample_roofline(), {one, gpu, point("a@cpu:0", 1, 1e10)}, {});
  for (const char* title : {"Roofline of cpu, 1 thread", "Roofline of cpu, all threads",
                            "Roofline of NVIDIA H200, all threads"}) {
    EXPECT_NE(text.find(title), std::string::npos) << text;
  }
  // The roofs of the sample are those of all threads of the processor: two pictures have none.
  size_t without = 0;
  for (const std::string& line : lines_of(text)) without += line == "No roof was measured.";
  EXPECT_EQ(without, 2u) << text;
}

TEST(RooflinePicture, APointIsWhatTheRowMeasured) {
  Row row = sample_row(Gemm{.dtype = DType::bf16, .m = 1, .n = 14336, .k = 4096}, 38.9e9);
  const RooflinePoint good = roofline_point(row, "cpu");
  EXPECT_EQ(good.operation, "bf16");
  EXPECT_NEAR(good.rate, 38.9e9, 1);
  // 2mnk over 2·(mk + kn + mn) bytes
  EXPECT_NEAR(good.intensity, 14336. * 4096 / (4096 + 14336. * 4096 + 14336), 1e-9);
  row.status = Status::incorrect;
  EXPECT_EQ(roofline_point(row, "cpu").rate, 0);
  row.status = Status::ok;
  row.time.median_ns.reset();
  EXPECT_EQ(roofline_point(row, "cpu").intensity, 0);
}

TEST(CachePicture, MarksStandWhereTheAxisSays) {
  for (const int width : kWidths) {
    for (const CacheCurve& curve : {sample_chase(), sample_read()}) {
      const Reader read(cache_picture(curve, sample_caches(), {.width = width}));
      std::map<int, int> cliffs, caches;  // rows of an upright by column
      for (const auto& [cell, glyph] : read.cells) {
        if (glyph == U'│') ++cliffs[cell.first];
        if (glyph == U'┊') ++caches[cell.first];
      }
      const auto near = [&](const std::map<int, int>& uprights, double bytes) {
        int rows = 0;
        for (const auto& [column, count] : uprights) {
          if (read.x.near(bytes, column)) rows += count;
        }
        return rows;
      };
      for (const stats::Cliff& cliff : curve.cliffs->cliffs) {
        EXPECT_GE(near(cliffs, cliff.capacity.value), 3) << width;
      }
      EXPECT_LE(cliffs.size(), curve.cliffs->cliffs.size());
      // A cache in the column of a cliff is hidden by it.
      for (const SystemCache& cache : sample_caches()) {
        EXPECT_GE(near(caches, cache.bytes) + near(cliffs, cache.bytes), 3) << width;
      }
      for (size_t i = 0; i < curve.bytes.size(); ++i) {
        const double y = curve.op == WorkingSet::Op::chase ? curve.ns[i] : 1e9 / curve.ns[i];
        bool found = false;
        for (const auto& [cell, glyph] : read.cells) {
          found |= glyph == U'•' && read.near(curve.bytes[i], y, cell);
        }
        EXPECT_TRUE(found) << width << " " << curve.bytes[i];
      }
    }
  }
}

TEST(CachePicture, SaysWhatItCannotShow) {
  CacheCurve curve = sample_chase();
  curve.ns[3] = std::numeric_limits<double>::quiet_NaN();
  curve.cliffs.reset();
  const std::string few = cache_picture(curve, {}, {});
  EXPECT_NE(few.find("1 of 69 sizes are not drawn"), std::string::npos);
  EXPECT_NE(few.find("Too few sizes to tell cliffs."), std::string::npos);
  curve.cliffs.emplace();
  EXPECT_NE(cache_picture(curve, {}, {}).find("No cliff: a smooth line fits as well."),
            std::string::npos);
  curve.bytes = {65536};
  curve.ns = {1};
  EXPECT_EQ(Reader(cache_picture(curve, {}, {})).cells.size(), 1u);
  curve.ns = {-1};
  EXPECT_EQ(cache_picture(curve, {}, {}), "");
}

// Made anew where the environment has RIDGE_REMAKE_GOLDEN.
TEST(Pictures, LookAsTheyDid) {
  const char* names[] = {"roofline", "chase", "read"};
  for (const bool unicode : {true, false}) {
    for (const int width : {40, 80, 200}) {
      const auto pictures = sample_pictures({.width = width, .unicode = unicode});
      for (size_t i = 0; i < pictures.size(); ++i) {
        const std::string path = paths::here() + "/golden/" + names[i] + "_" +
                                 std::to_string(width) + (unicode ? "" : "_ascii") + ".txt";
        if (std::getenv("RIDGE_REMAKE_GOLDEN")) std::ofstream(path) << pictures[i];
        std::stringstream golden;
        golden << std::ifstream(path).rdbuf();
        EXPECT_EQ(golden.str(), pictures[i]) << path;
      }
    }
  }
}

}  // namespace
