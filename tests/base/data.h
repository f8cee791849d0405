#pragma once

#include <rapidcheck.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "base/json.h"
#include "paths.h"

namespace ridge {

// A file of tests/base/data, which a script beside it made.
inline Json read_data(const std::string& file) {
  std::ifstream in(paths::here() + "/data/" + file);
  std::stringstream text;
  text << in.rdbuf();
  return Json::parse(text.str()).value();
}

inline uint32_t hex(const Json& value) {
  return static_cast<uint32_t>(std::strtoul(value.as_string().c_str(), nullptr, 16));
}

// RapidCheck begins with tiny sizes, at which every number is about 0 and every choice the first.
template <class T>
rc::Gen<T> full_size(rc::Gen<T> gen) {
  return rc::gen::resize(rc::kNominalSize, std::move(gen));
}

}  // namespace ridge
