#include "log.h"

#include <llama.h>

#include <cstdio>
#include <mutex>
#include <utility>

namespace ridge::llamacpp {
namespace {

constexpr size_t kMost = 1 << 16;
constexpr char kErrorMark = '\1';  // begins what was logged as an error

std::mutex mutex;
std::string kept;

void take_line(ggml_log_level level, const char* text, void*) {
  static bool wanted = false;  // of the line that GGML_LOG_LEVEL_CONT goes on with
  const std::lock_guard hold(mutex);
  if (level != GGML_LOG_LEVEL_CONT) {
    wanted = level >= GGML_LOG_LEVEL_WARN;
    if (level == GGML_LOG_LEVEL_ERROR) kept += kErrorMark;
  }
  if (wanted) std::fputs(text, stderr);
  kept += text;
  if (kept.size() > 2 * kMost) kept.erase(0, kept.size() - kMost);
}

}  // namespace

void keep_log() { llama_log_set(take_line, nullptr); }

std::string take_log() {
  const std::lock_guard hold(mutex);
  return std::exchange(kept, {});
}

std::string first_error(const std::string& log) {
  const size_t at = log.find(kErrorMark);
  if (at == std::string::npos) return "it does not say why";
  std::string line = log.substr(at + 1, log.find('\n', at) - at - 1);
  if (const size_t colon = line.find(": "); colon != std::string::npos) line.erase(0, colon + 2);
  return line;
}

}  // namespace ridge::llamacpp
