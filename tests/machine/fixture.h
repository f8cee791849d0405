#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "machine/machine.h"
#include "paths.h"

namespace ridge::machine {

inline Sources fixture(const std::string& name) {
  Sources sources;
  sources.root = paths::here() + "/fixtures/" + name;
  sources.hwloc_xml = sources.root + "/hwloc.xml";
  sources.nvml_library = "";
  sources.process_window_ms = 0;
  return sources;
}

// A folder that goes with the test. Files are put below it by their path.
class Tree {
 public:
  Tree() {
    const std::filesystem::path memory = "/dev/shm";  // many small files: quicker than a disk
    const bool there = ::access(memory.c_str(), W_OK) == 0;
    const auto parent = there ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "ridge_tree_XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    root_ = pattern;
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  void put(const std::string& path, const std::string& content) const {
    std::filesystem::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
    std::ofstream(root_ + path, std::ios::binary) << content;
  }
  void copy(const std::string& name) const {
    std::filesystem::copy(paths::here() + "/fixtures/" + name, root_,
                          std::filesystem::copy_options::recursive);
  }
  const std::string& root() const { return root_; }
  Sources sources() const {
    Sources out;
    out.root = root_;
    out.nvml_library = "";
    out.process_window_ms = 0;
    return out;
  }

 private:
  std::string root_;
};

}  // namespace ridge::machine
