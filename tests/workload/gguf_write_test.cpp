// The GGUF writer: what is written reads the same, and a path holds the old file or the whole new.

#include "workload/files/gguf_write.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "file_bytes.h"

namespace {

using namespace ridge;
using namespace file_bytes;

// Byte i of a tensor, so that a byte in a wrong place shows.
uint8_t byte_of(const GgufTensor& tensor, uint64_t i) {
  return static_cast<uint8_t>((i * 31 + i / 251 + tensor.name.size() * 7) % 256);
}
void pattern(const GgufTensor& tensor, uint64_t first, std::span<std::byte> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = std::byte{byte_of(tensor, first + i)};
}

std::vector<GgufTensor> three() {
  return {{"token_embd.weight", BlockFormat::f16, {5, 7}},
          {"blk.0.ffn_up.weight", BlockFormat::q6_k, {3, 2, 512}},
          {"output_norm.weight", BlockFormat::f32, {9}}};
}

template <class T>
rc::Gen<GgufValue> any_value() {
  return rc::gen::map(rc::gen::arbitrary<T>(), [](T value) { return GgufValue(std::move(value)); });
}
rc::Gen<GgufValue> any_value_at_all() {
  return rc::gen::oneOf(any_value<uint8_t>(), any_value<int8_t>(), any_value<uint16_t>(),
                        any_value<int16_t>(), any_value<uint32_t>(), any_value<int32_t>(),
                        any_value<float>(), any_value<bool>(), any_value<std::string>(),
                        any_value<uint64_t>(), any_value<int64_t>(), any_value<double>(),
                        any_value<std::vector<uint8_t>>(), any_value<std::vector<int8_t>>(),
                        any_value<std::vector<uint16_t>>(), any_value<std::vector<int16_t>>(),
                        any_value<std::vector<uint32_t>>(), any_value<std::vector<int32_t>>(),
                        any_value<std::vector<float>>(), any_value<std::vector<bool>>(),
                        any_value<std::vector<std::string>>(), any_value<std::vector<uint64_t>>(),
                        any_value<std::vector<int64_t>>(), any_value<std::vector<double>>());
}

RC_GTEST_PROP(GgufWrite, WhatIsLaidOutReadsTheSame, ()) {
  GgufMetadata metadata;
  const int values = *rc::gen::inRange(0, 12);
  for (int i = 0; i < values; ++i) {
    metadata.emplace_back("key." + std::to_string(i), *any_value_at_all());
  }
  const uint32_t alignment = 8u << *rc::gen::inRange(0, 8);
  metadata.emplace_back("general.alignment", GgufValue(alignment));
  std::vector<GgufTensor> tensors;
  const int count = *rc::gen::inRange(0, 6);
  for (int i = 0; i < count; ++i) {
    GgufTensor tensor{
        .name = "t" + std::to_string(i),
        .format = *rc::gen::element(BlockFormat::f32, BlockFormat::bf16, BlockFormat::q8_0,
                                    BlockFormat::q4_k, BlockFormat::iq4_nl, BlockFormat::i8)};
    tensor.shape = *rc::gen::container<std::vector<int64_t>>(
        static_cast<size_t>(*rc::gen::inRange(1, 5)), rc::gen::inRange<int64_t>(1, 4));
    tensor.shape.back() *= block_elements(tensor.format);
    tensors.push_back(tensor);
  }
  const auto layout = lay_out_gguf(metadata, tensors);
  RC_ASSERT(layout.ok());
  std::vector<std::byte> file = layout->header;
  file.resize(layout->file_bytes);
  const auto read = parse_gguf(file);
  RC_ASSERT(read.ok());
  RC_ASSERT(read->version == 3u);
  RC_ASSERT(read->alignment == alignment);
  RC_ASSERT(read->metadata == metadata);
  RC_ASSERT(read->tensors == layout->tensors);
  RC_ASSERT(read->tensors.size() == tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    RC_ASSERT(read->tensors[i].name == tensors[i].name);
    RC_ASSERT(read->tensors[i].format == tensors[i].format);
    RC_ASSERT(read->tensors[i].shape == tensors[i].shape);
    RC_ASSERT(read->tensors[i].offset % alignment == 0u);
  }
}

TEST(GgufWrite, TensorsHoldWhatTheyWereFilledWith) {
  const Folder folder;
  std::vector<GgufTensor> tensors = three();
  // Several chunks, whose ends are blocks' ends and no round numbers.
  tensors.push_back({"large", BlockFormat::q6_k, {400, 25600}});
  const GgufMetadata metadata = {{"general.architecture", GgufValue(std::string("llama"))}};
  std::atomic<int> calls = 0;
  const GgufFill fill = [&](const GgufTensor& tensor, uint64_t first, std::span<std::byte> out) {
    const auto block = static_cast<uint64_t>(block_bytes(tensor.format));
    if (first % block != 0 || out.size() % block != 0) throw std::logic_error("half a block");
    ++calls;
    pattern(tensor, first, out);
  };
  for (const int threads : {1, 4, 0}) {
    const std::string path = folder / ("model-" + std::to_string(threads) + ".gguf");
    const auto written = write_gguf(path, metadata, tensors, fill, threads);
    ASSERT_TRUE(written.ok()) << written.error().message;
    const auto file = open_gguf(path);
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(file->gguf.metadata, metadata);
    ASSERT_EQ(file->gguf.tensors.size(), 4u);
    for (const GgufTensor& tensor : file->gguf.tensors) {
      const auto data = file->data(tensor);
      uint64_t wrong = 0;
      for (uint64_t i = 0; i < data.size(); ++i) wrong += data[i] != std::byte{byte_of(tensor, i)};
      EXPECT_EQ(wrong, 0u) << tensor.name << ", " << threads << " threads";
    }
    EXPECT_EQ(file->file.bytes().size() % 32, 0u) << "ggml wants the last tensor padded too";
  }
  EXPECT_EQ(calls, 3 * 5);
  EXPECT_EQ(folder.files(), 3u) << "nothing else is left";
  EXPECT_EQ(content(folder / "model-1.gguf"), content(folder / "model-4.gguf"));
}

TEST(GgufWrite, WhatTheReaderRefusesIsNotWritten) {
  const GgufTensor good{"t", BlockFormat::f32, {4}};
  const auto message = [](const GgufMetadata& metadata, const std::vector<GgufTensor>& tensors) {
    const auto layout = lay_out_gguf(metadata, tensors);
    return layout.ok() ? std::string("none") : layout.error().message;
  };
  const auto with = [&](auto change) {
    GgufTensor tensor = good;
    change(tensor);
    return message({}, {tensor});
  };
  EXPECT_EQ(message({}, {good}), "none");
  EXPECT_EQ(message({}, {good, good}), "GGUF: tensor 't' is there twice");
  EXPECT_NE(with([](auto& t) { t.name = ""; }).find("no name"), std::string::npos);
  EXPECT_NE(with([](auto& t) { t.name = std::string(65, 'x'); }).find("65 bytes"),
            std::string::npos);
  EXPECT_NE(with([](auto& t) { t.shape = {}; }).find("0 dimensions"), std::string::npos);
  EXPECT_NE(with([](auto& t) { t.shape = {2, 0}; }).find("extent of 0"), std::string::npos);
  EXPECT_NE(with([](auto& t) { t.shape = {1, 1, 1, 1, 1}; }).find("5 dim"), std::string::npos);
  EXPECT_NE(with([](auto& t) { t.format = BlockFormat::q4_k; }).find("blocks of 256"),
            std::string::npos);
  const GgufTensor vast{"v", BlockFormat::i8, {int64_t{1} << 62}};
  EXPECT_NE(message({}, {good, vast}).find("2^62"), std::string::npos);
  const auto value = [](auto v) { return GgufValue(v); };
  EXPECT_NE(message({{"a", value(1.0)}, {"a", value(2.0)}}, {}).find("twice"), std::string::npos);
  EXPECT_NE(message({{std::string(65536, 'k'), value(1.0)}}, {}).find("65535"), std::string::npos);
  EXPECT_NE(message({{"general.alignment", value(uint32_t{48})}}, {}).find("is 48"),
            std::string::npos);
  EXPECT_NE(message({{"general.alignment", value(uint64_t{32})}}, {}).find("u32"),
            std::string::npos);
}

TEST(GgufWrite, WhatFillThrowsLeavesTheOldFile) {
  const Folder folder;
  const std::string path = folder.write("model.gguf", "the old one");
  for (const int threads : {1, 3}) {
    const GgufFill fill = [](const GgufTensor& tensor, uint64_t, std::span<std::byte>) {
      if (tensor.name == "output_norm.weight") throw std::runtime_error("no such tensor");
    };
    EXPECT_THROW((void)write_gguf(path, {}, three(), fill, threads), std::runtime_error);
    EXPECT_EQ(content(path), "the old one");
    EXPECT_EQ(folder.files(), 1u);
  }
}

TEST(GgufWrite, ADiskWithoutRoomIsAnErrorBeforeAnythingIsWritten) {
  const Folder folder;
  const std::string path = folder.write("model.gguf", "the old one");
  const auto room = static_cast<int64_t>(std::filesystem::space(folder.path()).available);
  bool called = false;
  const auto written =
      write_gguf(path, {}, {{"vast", BlockFormat::i8, {2 * room + 1}}},
                 [&](const GgufTensor&, uint64_t, std::span<std::byte>) { called = true; });
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message.find(path + ": the disk is full: the file takes "), 0u)
      << written.error().message;
  EXPECT_NE(written.error().message.find("another folder"), std::string::npos);
  EXPECT_FALSE(called);
  EXPECT_EQ(content(path), "the old one");
  EXPECT_EQ(folder.files(), 1u);
}

// A limit on the size of files stands for whatever makes a write fail.
TEST(GgufWrite, AWriteThatFailsLeavesTheOldFile) {
  const Folder folder;
  const std::string path = folder.write("model.gguf", "the old one");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1024, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written = write_gguf(path, {}, three(), pattern);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message.find(path + ": cannot write it: "), 0u)
      << written.error().message;
  EXPECT_EQ(content(path), "the old one");
  EXPECT_EQ(folder.files(), 1u);
  EXPECT_TRUE(write_gguf(path, {}, three(), pattern).ok());
}

TEST(GgufWrite, APartThatAKilledProcessLeftIsTakenOver) {
  const Folder folder;
  const std::string path = folder / "model.gguf";
  folder.write("model.gguf.part", std::string(100'000, 'x'));
  const auto written = write_gguf(path, {}, three(), pattern);
  ASSERT_TRUE(written.ok()) << written.error().message;
  const auto file = open_gguf(path);
  ASSERT_TRUE(file.ok());
  EXPECT_LT(file->file.bytes().size(), 10'000u);
  EXPECT_EQ(folder.files(), 1u);
}

TEST(GgufWrite, TwoDoNotWriteOneFile) {
  const Folder folder;
  const std::string path = folder / "model.gguf";
  const std::string part = folder.write("model.gguf.part", "another's");
  const int other = open(part.c_str(), O_RDWR);
  ASSERT_GE(other, 0);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  const auto written = write_gguf(path, {}, three(), pattern);
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.error().message.find("another process"), std::string::npos);
  EXPECT_EQ(content(part), "another's");
  close(other);
  EXPECT_TRUE(write_gguf(path, {}, three(), pattern).ok());
}

TEST(GgufWrite, AFolderThatIsNotThereIsAnError) {
  const Folder folder;
  const auto written = write_gguf(folder / "none/model.gguf", {}, three(), pattern);
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.error().message.find("No such file"), std::string::npos);
}

}  // namespace
