#include "worker/missing_library.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "base/units.h"
#include "worker/process.h"

namespace ridge {
namespace {

constexpr size_t kMostText = size_t{4} << 20;
constexpr int kPatienceMs = 2000;  // the loader only opens files

void each_line(std::string_view text, const std::function<void(std::string_view)>& use) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// What stands between `before` and `after` (or the end) in a line; empty if `before` is not there.
std::string_view between(std::string_view line, std::string_view before, std::string_view after) {
  const size_t at = line.find(before);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + before.size());
  return line.substr(0, line.find(after));
}

void add(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

// Where the libraries of a framework lie that Python's package manager installed.
std::string_view found_by_python(std::string_view library) {
  if (library.starts_with("libtorch") || library.starts_with("libc10")) {
    return "PyTorch's lie in \"$(python3 -c 'import torch; print(torch.__path__[0])')/lib\"";
  }
  if (library.starts_with("libmlx")) {
    return "MLX's lie in \"$(python3 -c 'import mlx; print(list(mlx.__path__)[0])')/lib\"";
  }
  return {};
}

// glibc looks in subfolders for libraries of this very processor first, and tells of each.
bool is_variant(const std::filesystem::path& folder) {
  return std::any_of(folder.begin(), folder.end(), [](const std::filesystem::path& part) {
    return part == "glibc-hwcaps" || part == "tls" || part == "x86_64" || part == "aarch64" ||
           part == "haswell";
  });
}

// Reads until the process closes both, or stops talking.
void read_all(Process& process, std::string& out, std::string& err) {
  pollfd fds[2] = {{process.out(), POLLIN, 0}, {process.err(), POLLIN, 0}};
  std::string* const texts[2] = {&out, &err};
  while ((fds[0].fd >= 0 || fds[1].fd >= 0) && ::poll(fds, 2, kPatienceMs) > 0) {
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[1 << 14];
      const ssize_t got = ::read(fds[i].fd, buffer, sizeof buffer);
      if (got <= 0 || texts[i]->size() > kMostText) {
        fds[i].fd = -1;
      } else {
        texts[i]->append(buffer, static_cast<size_t>(got));
      }
    }
  }
}

void ask_loader(const std::string& executable, std::string& traced, std::string& debug) {
  auto process = Process::start({executable}, {"LD_TRACE_LOADED_OBJECTS=1", "LD_DEBUG=libs"});
  if (!process) return;
  process->close_in();
  read_all(*process, traced, debug);
}

uint64_t number_at(const std::string& bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = width; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

// Bytes that the program headers of a 64-bit ELF file reach to (elf(5)); 0 if it is none.
uint64_t bytes_that_belong(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const auto read = [&](uint64_t at, size_t count) {
    std::string bytes(count, '\0');
    in.seekg(static_cast<std::streamoff>(at))
        .read(bytes.data(), static_cast<std::streamsize>(count));
    return bytes;
  };
  const std::string header = read(0, 64);
  if (!in || !header.starts_with("\x7f"
                                 "ELF\2\1"))
    return 0;
  const uint64_t table = number_at(header, 32, 8), width = number_at(header, 54, 2);
  uint64_t end = 0;
  for (uint64_t i = 0; i < number_at(header, 56, 2); ++i) {
    const std::string segment = read(table + i * width, 56);
    if (!in) return table + (i + 1) * width;
    end = std::max(end, number_at(segment, 8, 8) + number_at(segment, 32, 8));
  }
  return end;
}

}  // namespace

bool lacks_a_library(std::string_view stderr_line) {
  return stderr_line.find("error while loading shared libraries: ") != std::string_view::npos &&
         stderr_line.find("cannot open shared object file") != std::string_view::npos;
}

std::optional<std::string> describe_missing_libraries(std::string_view traced,
                                                      std::string_view debug) {
  std::vector<std::string> missing, folders;
  each_line(traced, [&](std::string_view line) {
    const std::string_view name = between(line, "\t", " => not found");
    if (line.ends_with(" => not found") && !name.empty()) add(missing, std::string(name));
  });
  if (missing.empty()) return std::nullopt;
  bool ours = false;
  each_line(debug, [&](std::string_view line) {
    if (const auto name = between(line, "find library=", " ["); !name.empty()) {
      ours = std::find(missing.begin(), missing.end(), name) != missing.end();
    }
    if (!ours) return;
    if (const auto cache = between(line, "search cache=", "\n"); !cache.empty()) {
      add(folders, std::string(cache));
    }
    if (const auto file = between(line, "trying file=", "\n"); !file.empty()) {
      const auto folder = std::filesystem::path(file).lexically_normal().parent_path();
      if (!is_variant(folder)) add(folders, folder.string());
    }
  });
  const std::string_view hint = found_by_python(missing.front());
  return fmt::format(
      "needs {}, which {} not found here (looked in {}; LD_LIBRARY_PATH adds folders{}{})",
      fmt::join(missing, " and "), missing.size() == 1 ? "is" : "are", fmt::join(folders, ", "),
      hint.empty() ? "" : ": ", hint);
}

std::optional<std::string> explain_missing_libraries(const std::string& executable) {
  std::string traced, debug;
  ask_loader(executable, traced, debug);
  return describe_missing_libraries(traced, debug);
}

std::optional<std::string> explain_cut_library(const std::string& executable) {
  std::string traced, debug;
  ask_loader(executable, traced, debug);
  std::optional<std::string> why;
  each_line(debug, [&](std::string_view line) {
    const std::filesystem::path file = between(line, "trying file=", "\n");
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(file, error);
    if (error || why) return;
    if (const uint64_t belong = bytes_that_belong(file); size < belong) {
      why = fmt::format("{} is cut short: {} of {}", file.string(),
                        show_bytes(static_cast<int64_t>(size)),
                        show_bytes(static_cast<int64_t>(belong)));
    }
  });
  return why;
}

}  // namespace ridge
