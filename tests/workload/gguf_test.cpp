// The GGUF reader: files made byte by byte, whole and bent. A bent one is an error that names what
// is wrong, never a crash and never memory for what is not there.

#include "workload/files/gguf.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "file_bytes.h"

namespace {

using namespace ridge;
using namespace file_bytes;

Result<Gguf> parse(const std::string& text) { return parse_gguf(exact(text)); }

// Every type of value, and three tensors: [2, 3] of f32, [2, 256] of q4_k, [4] of i64.
GgufPieces small(uint32_t version = 3) {
  GgufPieces out{.version = version};
  out.pairs = {pair<uint8_t>("u8", 0, 200),
               pair<int8_t>("i8", 1, -100),
               pair<uint16_t>("u16", 2, 60000),
               pair<int16_t>("i16", 3, -30000),
               pair<uint32_t>("u32", 4, 4000000000u),
               pair<int32_t>("i32", 5, -2000000000),
               pair<float>("f32", 6, 0.5f),
               pair<uint8_t>("yes", 7, 1),
               text_pair("general.architecture", "llama"),
               pair<uint64_t>("u64", 10, 1ull << 63),
               pair<int64_t>("i64", 11, -(1ll << 62)),
               pair<double>("f64", 12, -0.25),
               array("heads", 4, 3).u32(8).u32(16).u32(32).str(),
               array("bytes", 0, 2).raw("\x01\xff").str(),
               array("flags", 7, 2).raw(std::string_view("\x01\0", 2)).str(),
               array("tokens", 8, 3).text("a").text("").text("<|end|>").str(),
               array("scores", 6, 2).put(1.5f).put(-2.0f).str(),
               array("none", 11, 0).str()};
  out.tensors = {{"token_embd.weight", {3, 2}, 0, 0},
                 {"blk.0.ffn_up.weight", {256, 2}, 12, 32},
                 {"positions", {4}, 27, 320}};
  out.data_bytes = 320 + 32;
  return out;
}

TEST(Gguf, ReadsEveryTypeOfValue) {
  for (const uint32_t version : {2u, 3u}) {
    const auto gguf = parse(small(version).str());
    ASSERT_TRUE(gguf.ok()) << gguf.error().message;
    EXPECT_EQ(gguf->version, version);
    EXPECT_EQ(gguf->metadata.size(), 18u);
    EXPECT_EQ(*gguf->find("u8"), GgufValue(uint8_t{200}));
    EXPECT_EQ(gguf->integer("u8"), 200);
    EXPECT_EQ(gguf->integer("i8"), -100);
    EXPECT_EQ(gguf->integer("u16"), 60000);
    EXPECT_EQ(gguf->integer("i16"), -30000);
    EXPECT_EQ(gguf->integer("u32"), 4000000000);
    EXPECT_EQ(gguf->integer("i32"), -2000000000);
    EXPECT_EQ(gguf->integer("u64"), std::nullopt) << "more than an int64 holds";
    EXPECT_EQ(gguf->number("u64"), 0x1p63);
    EXPECT_EQ(gguf->integer("i64"), -(1ll << 62));
    EXPECT_EQ(gguf->number("f32"), 0.5);
    EXPECT_EQ(gguf->number("f64"), -0.25);
    EXPECT_EQ(gguf->number("i8"), -100);
    EXPECT_EQ(gguf->integer("f32"), std::nullopt);
    EXPECT_EQ(gguf->boolean("yes"), true);
    EXPECT_EQ(gguf->integer("yes"), std::nullopt);
    EXPECT_EQ(gguf->text("general.architecture"), "llama");
    EXPECT_EQ(gguf->text("u8"), std::nullopt);
    EXPECT_EQ(gguf->integer("not there"), std::nullopt);
    EXPECT_EQ(gguf->find("not there"), nullptr);
    EXPECT_EQ(gguf->integers("heads"), (std::vector<int64_t>{8, 16, 32}));
    EXPECT_EQ(gguf->integers("u8"), (std::vector<int64_t>{200}));
    EXPECT_EQ(gguf->integers("bytes"), (std::vector<int64_t>{1, 255}));
    EXPECT_EQ(gguf->integers("none"), (std::vector<int64_t>{}));
    EXPECT_EQ(gguf->integers("scores"), std::nullopt);
    EXPECT_EQ(gguf->integers("flags"), std::nullopt);
    EXPECT_EQ(gguf->integers("tokens"), std::nullopt);
    EXPECT_EQ(gguf->numbers("scores"), (std::vector<double>{1.5, -2}));
    EXPECT_EQ(*gguf->find("flags"), GgufValue(std::vector<bool>{true, false}));
    ASSERT_NE(gguf->texts("tokens"), nullptr);
    EXPECT_EQ(*gguf->texts("tokens"), (std::vector<std::string>{"a", "", "<|end|>"}));
    EXPECT_EQ(gguf->texts("heads"), nullptr);
  }
}

TEST(Gguf, ReadsTensorsWithTheSlowestExtentFirst) {
  const std::string file = small().str();
  const auto gguf = parse(file);
  ASSERT_TRUE(gguf.ok());
  ASSERT_EQ(gguf->tensors.size(), 3u);
  EXPECT_EQ(gguf->data_offset, file.size() - 352);
  EXPECT_EQ(gguf->tensors[0],
            (GgufTensor{"token_embd.weight", BlockFormat::f32, {2, 3}, file.size() - 352, 24}));
  const GgufTensor* up = gguf->tensor("blk.0.ffn_up.weight");
  ASSERT_NE(up, nullptr);
  EXPECT_EQ(*up, (GgufTensor{
                     "blk.0.ffn_up.weight", BlockFormat::q4_k, {2, 256}, file.size() - 320, 288}));
  EXPECT_EQ(up->elements(), 512);
  EXPECT_EQ(gguf->tensor("output.weight"), nullptr);
}

TEST(Gguf, HonoursTheAlignment) {
  GgufPieces pieces = small();
  pieces.pairs.push_back(pair<uint32_t>("general.alignment", 4, 128));
  pieces.alignment = 128;
  pieces.tensors[1].offset = 128;
  pieces.tensors[2].offset = 512;
  pieces.data_bytes = 512 + 32;
  const auto gguf = parse(pieces.str());
  ASSERT_TRUE(gguf.ok()) << gguf.error().message;
  EXPECT_EQ(gguf->alignment, 128u);
  EXPECT_EQ(gguf->data_offset % 128, 0u);
  EXPECT_EQ(gguf->tensors[2].offset, gguf->data_offset + 512);
}

TEST(Gguf, MayHoldNoTensors) {
  GgufPieces pieces;
  pieces.pairs = {text_pair("general.name", "a vocabulary")};
  std::string file = pieces.str();
  EXPECT_TRUE(parse(file).ok());
  while (file.back() == '\0') file.pop_back();
  EXPECT_TRUE(parse(file).ok()) << "nothing is there that could be aligned";
}

TEST(Gguf, CutShortAnywhereIsAnError) {
  const std::string file = small().str();
  ASSERT_TRUE(parse(file).ok());
  for (size_t size = 0; size < file.size(); ++size) {
    const auto gguf = parse(file.substr(0, size));
    ASSERT_FALSE(gguf.ok()) << size;
    EXPECT_TRUE(gguf.error().message.starts_with("GGUF: ")) << gguf.error().message;
  }
}

TEST(Gguf, AnyByteMayBeAnything) {
  const std::string file = small().str();
  for (size_t at = 0; at < file.size() - 352; ++at) {
    for (const int value : {0, 1, 9, 0x7f, 0x80, 0xff}) {
      std::string bent = file;
      bent[at] = static_cast<char>(value);
      const auto gguf = parse(bent);
      if (!gguf) continue;
      for (const GgufTensor& tensor : gguf->tensors) {
        ASSERT_LE(tensor.offset + tensor.bytes, bent.size());
        ASSERT_EQ(bytes_of(tensor.format, tensor.elements()), static_cast<int64_t>(tensor.bytes));
      }
    }
  }
}

struct Bent {
  const char* what;
  std::function<void(GgufPieces&)> bend;
  std::vector<const char*> says;
};

const uint64_t kHuge = uint64_t{1} << 63;

TEST(Gguf, WhatCannotBeSaysWhatAndWhere) {
  const std::string escape = "\x1b[31m";
  const Bent all[] = {
      {"magic", [](auto& p) { p.magic = "GGML"; }, {"does not begin with 'GGUF'"}},
      {"old version", [](auto& p) { p.version = 1; }, {"version 1", "convert"}},
      {"new version", [](auto& p) { p.version = 4; }, {"version 4, where 2 and 3"}},
      {"big-endian", [](auto& p) { p.version = 0x03000000; }, {"big-endian"}},
      {"2^63 tensors", [](auto& p) { p.tensor_count = kHuge; }, {"byte 8", "cut short"}},
      {"2^63 values", [](auto& p) { p.pair_count = kHuge; }, {"byte 16", "cut short"}},
      {"a tensor too many", [](auto& p) { p.tensor_count = 4; }, {"tensor"}},
      {"key of 2^63 bytes",
       [](auto& p) { p.pairs[0] = Bytes().u64(kHuge).str(); },
       {"byte 32", "key", "cut short"}},
      {"key of 2^64 - 1 bytes",
       [](auto& p) { p.pairs[0] = Bytes().u64(~uint64_t{0}).str(); },
       {"byte 32", "key", "cut short"}},
      {"long key",
       [](auto& p) { p.pairs[0] = text_pair(std::string(65536, 'k'), "v"); },
       {"a key of 65536 bytes"}},
      {"text of 2^63 bytes",
       [](auto& p) { p.pairs[0] = Bytes().text("name").u32(8).u64(kHuge).str(); },
       {"metadata 'name'", "9223372036854775808", "cut short"}},
      {"2^63 bytes",
       [](auto& p) { p.pairs[0] = array("a", 0, kHuge).str(); },
       {"metadata 'a'", "cut short"}},
      {"2^61 doubles",
       [](auto& p) { p.pairs[0] = array("a", 12, kHuge / 4).str(); },
       {"metadata 'a'", "8 B each"}},
      {"2^63 texts",
       [](auto& p) { p.pairs[0] = array("a", 8, kHuge).str(); },
       {"metadata 'a'", "8 B each"}},
      {"2^63 booleans",
       [](auto& p) { p.pairs[0] = array("a", 7, kHuge).str(); },
       {"metadata 'a'", "cut short"}},
      {"array of arrays",
       [](auto& p) { p.pairs[0] = array("a", 9, 1).u32(4).u64(1).u32(7).str(); },
       {"metadata 'a'", "array of arrays"}},
      {"type 13",
       [](auto& p) { p.pairs[0] = pair<uint32_t>("a", 13, 7); },
       {"metadata 'a'", "type 13"}},
      {"array of type 13",
       [](auto& p) { p.pairs[0] = array("a", 13, 0).str(); },
       {"metadata 'a'", "type 13"}},
      {"boolean",
       [](auto& p) { p.pairs[0] = pair<uint8_t>("a", 7, 2); },
       {"metadata 'a' is the boolean 2"}},
      {"boolean in an array",
       [](auto& p) { p.pairs[0] = array("a", 7, 1).raw("\x03").str(); },
       {"metadata 'a' is the boolean 3"}},
      {"key twice",
       [](auto& p) { p.pairs[1] = pair<uint8_t>("u8", 0, 1); },
       {"metadata 'u8' is there twice"}},
      {"key for a terminal",
       [&](auto& p) { p.pairs[0] = pair<uint8_t>(escape, 13, 1); },
       {"'\\x1b[31m'"}},
      {"alignment 0",
       [](auto& p) { p.pairs[0] = pair<uint32_t>("general.alignment", 4, 0); },
       {"metadata 'general.alignment' is 0"}},
      {"alignment 4",
       [](auto& p) { p.pairs[0] = pair<uint32_t>("general.alignment", 4, 4); },
       {"is 4, where a power of two"}},
      {"alignment 48",
       [](auto& p) { p.pairs[0] = pair<uint32_t>("general.alignment", 4, 48); },
       {"is 48, where a power of two"}},
      {"alignment 2^31",
       [](auto& p) { p.pairs[0] = pair<uint32_t>("general.alignment", 4, 1u << 31); },
       {"is 2147483648, where a power of two"}},
      {"alignment as u64",
       [](auto& p) { p.pairs[0] = pair<uint64_t>("general.alignment", 10, 32); },
       {"must be a u32"}},
      {"tensor twice",
       [](auto& p) { p.tensors[1].name = "positions"; },
       {"tensor 'positions' is there twice"}},
      {"no name", [](auto& p) { p.tensors[0].name = ""; }, {"has no name"}},
      {"long name", [](auto& p) { p.tensors[0].name = std::string(65, 't'); }, {"65 bytes"}},
      {"no dimensions",
       [](auto& p) { p.tensors[0].ne = {}; },
       {"tensor 'token_embd.weight' has 0 dimensions"}},
      {"five dimensions",
       [](auto& p) {
         p.tensors[0].ne = {1, 1, 1, 1, 1};
       },
       {"has 5 dimensions"}},
      {"no extent",
       [](auto& p) {
         p.tensors[0].ne = {3, 0};
       },
       {"has an extent of 0"}},
      {"2^63 elements", [](auto& p) { p.tensors[0].ne = {kHuge}; }, {"has an extent of -"}},
      {"2^64 elements",
       [](auto& p) {
         p.tensors[0].ne = {1ull << 32, 1ull << 32};
       },
       {"more elements than 63 bits"}},
      {"2^64 bytes", [](auto& p) { p.tensors[2].ne = {1ull << 61}; }, {"more bytes than 63 bits"}},
      {"half a block",
       [](auto& p) {
         p.tensors[1].ne = {128, 4};
       },
       {"rows of 128 elements", "blocks of 256"}},
      {"withdrawn type", [](auto& p) { p.tensors[0].type = 4; }, {"ggml type 4", "withdrawn"}},
      {"unknown type", [](auto& p) { p.tensors[0].type = 99; }, {"ggml type 99"}},
      {"not aligned",
       [](auto& p) { p.tensors[1].offset = 33; },
       {"tensor 'blk.0.ffn_up.weight' begins at byte 33", "alignment 32"}},
      {"far outside",
       [](auto& p) { p.tensors[2].offset = kHuge; },
       {"tensor 'positions' lies outside"}},
      {"one element outside",
       [](auto& p) { p.tensors[2].ne = {5}; },
       {"tensor 'positions' lies outside", "cut short"}},
      {"overlapping",
       [](auto& p) { p.tensors[2].offset = 288; },
       {"tensor 'positions'", "within tensor 'blk.0.ffn_up.weight'"}},
      {"in one place", [](auto& p) { p.tensors[0].offset = 32; }, {"within tensor"}},
  };
  for (const Bent& bent : all) {
    GgufPieces pieces = small();
    bent.bend(pieces);
    const auto gguf = parse(pieces.str());
    ASSERT_FALSE(gguf.ok()) << bent.what;
    const std::string& message = gguf.error().message;
    for (const char* words : bent.says) {
      EXPECT_NE(message.find(words), std::string::npos) << bent.what << ": " << message;
    }
    EXPECT_EQ(message.find('\x1b'), std::string::npos) << bent.what;
    EXPECT_EQ(message.find('\n'), std::string::npos) << bent.what;
  }
}

TEST(Gguf, OpensFilesAndNamesThemInErrors) {
  const Folder folder;
  const std::string text = small().str();
  const auto file = open_gguf(folder.write("good.gguf", text));
  ASSERT_TRUE(file.ok()) << file.error().message;
  const auto data = file->data(file->gguf.tensors[2]);
  EXPECT_EQ(data.size(), 32u);
  EXPECT_EQ(data.data(), file->file.bytes().data() + text.size() - 32);

  const auto error = [](const std::string& path) {
    const auto opened = open_gguf(path);
    EXPECT_FALSE(opened.ok()) << path;
    EXPECT_EQ(opened.error().message.find(path), 0u) << opened.error().message;
    return opened.error().message;
  };
  EXPECT_NE(error(folder / "missing.gguf").find("No such file"), std::string::npos);
  EXPECT_NE(error(folder.path().string()).find("folder"), std::string::npos);
  EXPECT_NE(error(folder.write("empty.gguf", "")).find("empty"), std::string::npos);
  EXPECT_NE(error(folder.write("half.gguf", text.substr(0, 200))).find("cut short"),
            std::string::npos);
  const std::string pipe = folder / "pipe.gguf";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_NE(error(pipe).find("no plain file"), std::string::npos);
}

}  // namespace
