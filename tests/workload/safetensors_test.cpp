// The safetensors reader: headers by hand, whole and bent, and folders of shards.

#include "workload/files/safetensors.h"

#include <gtest/gtest.h>

#include "file_bytes.h"

namespace {

using namespace ridge;
using namespace file_bytes;

std::string file_of(const std::string& header, size_t data) {
  return Bytes().text(header).zeros(data).str();
}
Result<Safetensors> parse(const std::string& header, size_t data) {
  return parse_safetensors(exact(file_of(header, data)));
}

// Members in another order than their data, as files have them; padded with blanks.
const std::string kSmall = R"({"__metadata__":{"format":"pt"},)"
                           R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},)"
                           R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                           R"("none":{"dtype":"I64","shape":[0,5],"data_offsets":[20,20]},)"
                           R"("one":{"dtype":"U8","shape":[],"data_offsets":[20,21]}}   )";

TEST(Safetensors, ReadsNamesTypesShapesAndPlaces) {
  const auto read = parse(kSmall, 21);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->metadata, (decltype(read->metadata){{"format", "pt"}}));
  const uint64_t data = 8 + kSmall.size();
  ASSERT_EQ(read->tensors.size(), 4u);
  EXPECT_EQ(read->tensors[0], (SafetensorsTensor{"a", SafetensorsType::f32, {2}, data, 8}));
  EXPECT_EQ(read->tensors[1],
            (SafetensorsTensor{"b", SafetensorsType::bf16, {2, 3}, data + 8, 12}));
  const SafetensorsTensor* none = read->tensor("none");
  ASSERT_NE(none, nullptr);
  EXPECT_EQ(none->bytes, 0u);
  EXPECT_EQ(none->elements(), 0);
  EXPECT_EQ(read->tensor("one")->elements(), 1);
  EXPECT_EQ(read->tensor("two"), nullptr);
}

TEST(Safetensors, KnowsTheTypesOfTheFormat) {
  const std::pair<const char*, int> known[] = {
      {"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
      {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
      {"U16", 16}, {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32},
      {"F32", 32}, {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}};
  for (const auto& [type, bits] : known) {
    const std::string end = std::to_string(bits);  // of 8 elements, in bytes
    const auto read = parse(std::string(R"({"t":{"dtype":")") + type +
                                R"(","shape":[8],"data_offsets":[0,)" + end + "]}}",
                            static_cast<size_t>(bits));
    ASSERT_TRUE(read.ok()) << type << ": " << read.error().message;
    EXPECT_EQ(name(read->tensors[0].type), type);
    EXPECT_EQ(bits_of(read->tensors[0].type), bits);
  }
}

TEST(Safetensors, AnEmptyHeaderHoldsNothing) {
  const auto read = parse("{}", 0);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->tensors.empty());
  EXPECT_FALSE(parse("{}", 1).ok()) << "data that no tensor owns";
}

TEST(Safetensors, CutShortAnywhereIsAnError) {
  const std::string file = file_of(kSmall, 21);
  ASSERT_TRUE(parse_safetensors(exact(file)).ok());
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(parse_safetensors(exact(file.substr(0, size))).ok()) << size;
  }
}

TEST(Safetensors, AnyByteMayBeAnything) {
  const std::string file = file_of(kSmall, 21);
  for (size_t at = 0; at < file.size(); ++at) {
    for (const int value : {0x00, 0x22, 0x5b, 0x39, 0x2d, 0x80, 0xff}) {
      std::string bent = file;
      bent[at] = static_cast<char>(value);
      const auto read = parse_safetensors(exact(bent));
      if (!read) continue;
      for (const auto& tensor : read->tensors) ASSERT_LE(tensor.offset + tensor.bytes, bent.size());
    }
  }
}

TEST(Safetensors, WhatCannotBeSaysWhatAndWhere) {
  const auto t = [](const std::string& type, const std::string& shape, const std::string& offsets) {
    return R"({"t":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}}";
  };
  const std::pair<std::string, const char*> bent[] = {
      {"", "does not begin with '{'"},
      {" {}", "does not begin with '{'"},
      {"[]", "does not begin with '{'"},
      {"{", "the header: not JSON"},
      {R"({"a":1})", "tensor 'a'"},
      {R"({"a":{}})", "is missing"},
      {R"({"__metadata__":7})", "'__metadata__' is no object"},
      {R"({"__metadata__":{"a":7}})", "'a', which is no text"},
      {t("F33", "[2]", "[0,8]"), "of type 'F33', which is unknown"},
      {t("F32", "[2]", "[0,9]"), "lies outside of the file"},
      {t("F32", "[2]", "[0,9223372036854775807]"), "lies outside of the file"},
      {t("F32", "[2]", "[0,18446744073709551615]"), "data_offsets"},
      {t("F32", "[2]", "[8,0]"), "no range"},
      {t("F32", "[2]", "[-8,0]"), "no range"},
      {t("F32", "[2]", "[0,4,8]"), "no range"},
      {t("F32", "[2]", "[]"), "no range"},
      {t("F32", "[3]", "[0,8]"), "takes 8 B, where its type and shape come to 12"},
      {t("F32", "[-2]", "[0,8]"), "extent of -2"},
      {t("F32", "[-1,0]", "[0,8]"), "extent of -1"},
      {t("F32", "[4294967296,4294967296]", "[0,8]"), "more bits than 63"},
      {t("F32", "[1.5]", "[0,8]"), "shape"},
      {t("F4", "[3]", "[0,2]"), "no whole bytes"},
      {t("F32", "[1]", "[4,8]"), "a hole after"},
      {t("F32", "[1]", "[0,4]"), "4 B of data follow"},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("u":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
       "tensor 'u' begins at byte 0 of the data, before the end"},
      {R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("u":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
       "before the end of the one before"},
      {R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
       R"("t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
       "'t' is given twice"},
      {R"({"t":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}})",
       "'dtype' is given twice"},
      {R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}})", "extra"},
  };
  for (const auto& [header, says] : bent) {
    const auto read = parse(header, 8);
    ASSERT_FALSE(read.ok()) << header;
    EXPECT_NE(read.error().message.find(says), std::string::npos) << header << "\n"
                                                                  << read.error().message;
  }
  // The length of the header, before anything is taken for it.
  for (const uint64_t length : {uint64_t{3}, uint64_t{100'000'001}, ~uint64_t{0}}) {
    const auto read = parse_safetensors(exact(Bytes().u64(length).raw("{}").str()));
    ASSERT_FALSE(read.ok());
    EXPECT_NE(read.error().message.find("a header of"), std::string::npos);
  }
  std::string many = "{\"a\":[0";
  for (int i = 0; i < 4'000'001; ++i) many += ",0";
  EXPECT_NE(parse(many + "]}", 0).error().message.find("4000000 values"), std::string::npos);
  const std::string deep = "{\"a\":" + std::string(5000, '[');
  EXPECT_NE(parse(deep, 0).error().message.find("nested deeper"), std::string::npos);
}

std::string one_tensor(const std::string& name) {
  return file_of(R"({"__metadata__":{"format":"pt"},")" + name +
                     R"(":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})",
                 4);
}
std::string index_of(const std::string& map) {
  return R"({"metadata":{"total_size":8},"weight_map":)" + map + "}";
}

TEST(Safetensors, OpensAFileOrItsFolder) {
  const Folder folder;
  const std::string path = folder.write("model.safetensors", one_tensor("w"));
  for (const std::string& from : {path, folder.path().string()}) {
    const auto read = open_safetensors(from);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->files, std::vector{path});
    EXPECT_NE(read->tensor("w"), nullptr);
  }
  const auto missing = open_safetensors(folder / "none");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
}

TEST(Safetensors, OpensAllShardsOfAnIndex) {
  const Folder folder;
  folder.write("model-2.safetensors", one_tensor("x"));
  folder.write("model-1.safetensors", one_tensor("w"));
  const std::string index =
      folder.write("model.safetensors.index.json",
                   index_of(R"({"x":"model-2.safetensors","w":"model-1.safetensors"})"));
  for (const std::string& from : {index, folder.path().string()}) {
    const auto read = open_safetensors(from);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->files,
              (std::vector{folder / "model-1.safetensors", folder / "model-2.safetensors"}));
    ASSERT_EQ(read->tensors.size(), 2u);
    EXPECT_EQ(read->tensor("x")->file, 1u);
    EXPECT_EQ(read->tensor("w")->file, 0u);
    EXPECT_EQ(read->metadata.size(), 1u);
  }
}

TEST(Safetensors, AnIndexThatIsNotTrueIsAnError) {
  const Folder folder;
  folder.write("a.safetensors", one_tensor("w"));
  const auto message = [&](const std::string& index) {
    folder.write("model.safetensors.index.json", index);
    const auto read = open_safetensors(folder.path().string());
    return read.ok() ? std::string("none") : read.error().message;
  };
  EXPECT_EQ(message(index_of(R"({"w":"a.safetensors"})")), "none");
  EXPECT_NE(message(index_of(R"({"w":"a.safetensors","v":"a.safetensors"})"))
                .find("tensor 'v' in 'a.safetensors', which does not hold it"),
            std::string::npos);
  EXPECT_NE(message(index_of(R"({"w":"b.safetensors"})")).find("b.safetensors"), std::string::npos);
  EXPECT_NE(message(index_of(R"({"w":7})")).find("tensor 'w'"), std::string::npos);
  for (const char* path : {"../a.safetensors", "/etc/passwd", "", "a\\u0000b"}) {
    EXPECT_NE(message(index_of(std::string(R"({"w":")") + path + "\"}")).find("beside it"),
              std::string::npos)
        << path;
  }
  EXPECT_NE(message("{}").find("weight_map"), std::string::npos);
  EXPECT_NE(message("[1]").find("weight_map"), std::string::npos);
  EXPECT_NE(message("{").find("not JSON"), std::string::npos);
  std::filesystem::remove(folder / "model.safetensors.index.json");
  EXPECT_NE(open_safetensors(folder.path().string()).error().message.find("holds neither"),
            std::string::npos);
}

}  // namespace
