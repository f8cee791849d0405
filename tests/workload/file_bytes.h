#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

// Files made byte by byte, apart from the code under test.
namespace file_bytes {

class Bytes {
 public:
  template <class T>
  Bytes& put(T value) {
    data_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& u32(uint32_t value) { return put(value); }
  Bytes& u64(uint64_t value) { return put(value); }
  Bytes& raw(std::string_view text) { return data_.append(text), *this; }
  Bytes& text(std::string_view text) { return u64(text.size()).raw(text); }
  Bytes& zeros(size_t count) { return data_.append(count, '\0'), *this; }
  Bytes& pad(size_t alignment) { return zeros((alignment - data_.size() % alignment) % alignment); }
  const std::string& str() const { return data_; }

 private:
  std::string data_;
};

// A copy that ends where the bytes end, so that AddressSanitizer sees who reads on.
inline std::vector<std::byte> exact(std::string_view text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

struct TensorEntry {
  std::string name;
  std::vector<uint64_t> ne;  // the fastest first, as the file has them
  uint32_t type;
  uint64_t offset;
};

// The pieces of a GGUF file that tests bend.
struct GgufPieces {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> tensor_count = {}, pair_count = {};  // else as many as there are
  std::vector<std::string> pairs;
  std::vector<TensorEntry> tensors;
  size_t alignment = 32, data_bytes = 0;

  std::string str() const {
    Bytes out;
    out.raw(magic).u32(version).u64(tensor_count.value_or(tensors.size()));
    out.u64(pair_count.value_or(pairs.size()));
    for (const std::string& pair : pairs) out.raw(pair);
    for (const auto& [name, ne, type, offset] : tensors) {
      out.text(name).u32(static_cast<uint32_t>(ne.size()));
      for (const uint64_t extent : ne) out.u64(extent);
      out.u32(type).u64(offset);
    }
    return out.pad(alignment).zeros(data_bytes).str();
  }
};

template <class T>
std::string pair(std::string_view key, uint32_t type, T value) {
  return Bytes().text(key).u32(type).put(value).str();
}
inline std::string text_pair(std::string_view key, std::string_view value) {
  return Bytes().text(key).u32(8).text(value).str();
}
// The head of an array; its items follow.
inline Bytes array(std::string_view key, uint32_t type, uint64_t count) {
  return Bytes().text(key).u32(9).u32(type).u64(count);
}

// A folder of its own for a test, removed after it.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("ridge-" + unique())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }
  Folder(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }
  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return *this / name;
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  static std::string unique() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    return std::string(test->name()) + "-" + std::to_string(getpid());
  }
  std::filesystem::path path_;
};

inline std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace file_bytes
