#include "analyze/sides.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analyze/roofline.h"
#include "base/dtype.h"

namespace ridge {
namespace {

// A member deep in a JSON object as text; empty where there is none.
std::string text_at(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* at = &json;
  for (const std::string_view key : path) {
    at = at->find(key);
    if (!at) return "";
  }
  if (at->is_null()) return "";
  return at->is_string() ? at->as_string() : at->dump();
}

std::string executed(const Row& row) {
  if (row.executed_dtype) return *row.executed_dtype;
  const auto dtype = dtype_of(row.work);
  return dtype ? std::string(name(*dtype)) : "";
}

const Json* hello_of(const Run& run, const std::string& worker) {
  if (!run.header.workers.is_array()) return nullptr;
  for (const Json& hello : run.header.workers.as_array()) {
    if (text_at(hello, {"worker"}) == worker) return &hello;
  }
  return nullptr;
}

// The versions of a worker's libraries. What it says of the machine ("onednn isa") has a blank.
std::map<std::string, std::string> libraries(const Run& run, const std::string& worker) {
  std::map<std::string, std::string> out;
  const Json* hello = hello_of(run, worker);
  const Json* list = hello ? hello->find("libraries") : nullptr;
  if (!list || !list->is_object()) return out;
  for (const auto& [library, version] : list->as_object()) {
    if (library.find(' ') == std::string::npos && version.is_string()) {
      out[library] = version.as_string();
    }
  }
  return out;
}

std::string version_of(const Run& run, const std::string& worker) {
  std::string text = "ridge " + text_at(run.header.tool, {"version"});
  for (const auto& [library, version] : libraries(run, worker))
    text += " " + library + " " + version;
  return text;
}

constexpr std::string_view kNoDevice = "-";  // of a worker that could not even say what it has

// Where a row ran, as its shared key says. Workers name one device each in their own way.
std::string place_of(const Member& m, std::span<const Across> across) {
  const Row& row = *m.row;
  if (contains(across, Across::device) || contains(across, Across::machine)) return "*";
  if (!contains(across, Across::worker) || row.device == kNoDevice) return row.device;
  return physical_device(m.run->header, row.worker, row.device);
}

// The key that rows of all sides share.
std::string shared_key(const Row& row, const std::string& place, std::span<const Across> across) {
  const std::string work = contains(across, Across::dtype) ? key_without_dtype(row) : row.key();
  return fmt::format("{}@{}:{}/{}", work, contains(across, Across::worker) ? "*" : row.worker,
                     place, settings_key(row.settings));
}

// Which side a row is on, by what is across; empty: it has no such thing.
std::string side_of(const Member& m, std::span<const Across> across) {
  std::string label;
  for (const Across one : across) {
    std::string part;
    switch (one) {
      case Across::worker: part = m.row->worker; break;
      case Across::device: part = m.row->worker + ":" + m.row->device; break;
      case Across::machine: part = m.run->header.machine_key; break;
      case Across::dtype:
        if (const auto dtype = dtype_of(m.row->work)) part = name(*dtype);
        break;
      case Across::version: part = version_of(*m.run, m.row->worker); break;
    }
    if (part.empty()) return "";
    label += (label.empty() ? "" : ", ") + part;
  }
  return label;
}

}  // namespace

std::string key_without_dtype(const Row& row) {
  std::string work = row.key();
  if (const auto dtype = dtype_of(row.work)) {
    const std::string part = fmt::format("/{}/", name(*dtype));
    if (const auto at = work.find(part); at != std::string::npos) {
      work.replace(at, part.size(), "/*/");
    }
  }
  return work;
}

std::string_view name(Across across) { return kAcrossNames[static_cast<size_t>(across)]; }

std::optional<Across> parse_across(std::string_view text) {
  for (size_t i = 0; i < std::size(kAcrossNames); ++i) {
    if (kAcrossNames[i] == text) return static_cast<Across>(i);
  }
  return std::nullopt;
}

bool contains(std::span<const Across> across, Across one) {
  return std::find(across.begin(), across.end(), one) != across.end();
}

Sides sides(const std::vector<Given>& given, std::span<const Across> across) {
  const bool as_given =
      given.size() > 1 && std::all_of(across.begin(), across.end(), [](Across one) {
        return one == Across::version || one == Across::machine;
      });
  Sides out;
  std::map<std::string, size_t> side_index, group_index;
  std::set<std::string> places;
  std::vector<std::pair<size_t, Member>> without_device;  // the side, and the row
  const auto add = [&](const std::string& key, size_t side, const Member& member) {
    const auto [at, new_group] = group_index.emplace(key, out.groups.size());
    if (new_group) out.groups.push_back({key, {}});
    auto& of_side = out.groups[at->second].of_side;
    of_side.resize(std::max(of_side.size(), side + 1));
    of_side[side].push_back(member);
  };
  for (size_t g = 0; g < given.size(); ++g) {
    for (const Run& run : given[g].runs) {
      for (const Row& row : run.rows) {
        const Member member{&run, &row};
        const std::string label = as_given         ? fmt::format("{}", g)
                                  : across.empty() ? "all"
                                                   : side_of(member, across);
        if (label.empty()) continue;
        const auto [side, new_side] = side_index.emplace(label, out.labels.size());
        if (new_side) out.labels.push_back(as_given ? given[g].label : label);
        if (row.device == kNoDevice) {
          without_device.emplace_back(side->second, member);
        } else {
          const std::string place = place_of(member, across);
          places.insert(place);
          add(shared_key(row, place, across), side->second, member);
        }
      }
    }
  }
  // What failed before it had a device stands beside every device that did the same work.
  for (const auto& [side, member] : without_device) {
    bool found = false;
    for (const std::string& place : places) {
      const std::string key = shared_key(*member.row, place, across);
      if (!group_index.contains(key)) continue;
      found = true;
      add(key, side, member);
    }
    if (!found) add(shared_key(*member.row, place_of(member, across), across), side, member);
  }
  for (Group& group : out.groups) group.of_side.resize(out.labels.size());
  return out;
}

std::string differs(const Member& a, const Member& b, std::span<const Across> across) {
  const Header &x = a.run->header, &y = b.run->header;
  const auto told = [](std::string_view what, const std::string& one, const std::string& other) {
    return fmt::format("{} differs: {} and {}", what, one.empty() ? "unknown" : one,
                       other.empty() ? "unknown" : other);
  };
  for (const std::string_view key : {"method_version", "generator_version"}) {
    const std::string one = text_at(x.tool, {key}), other = text_at(y.tool, {key});
    if (one != other) return told(key, one, other) + ": measure one of them again";
  }
  if (!contains(across, Across::machine) && x.machine_key != y.machine_key) {
    return told("machine", x.machine_key, y.machine_key);
  }
  if (!contains(across, Across::dtype) && executed(*a.row) != executed(*b.row)) {
    return told("the dtype that was executed", executed(*a.row), executed(*b.row));
  }
  if (contains(across, Across::version)) return "";
  for (const std::string_view key : {"version", "build_type"}) {
    const std::string one = text_at(x.tool, {key}), other = text_at(y.tool, {key});
    if (one != other) return told(fmt::format("ridge's {}", key), one, other);
  }
  if (a.row->worker == b.row->worker) {
    const auto one = libraries(*a.run, a.row->worker), other = libraries(*b.run, b.row->worker);
    for (const auto& [library, version] : one) {
      const auto at = other.find(library);
      const std::string there = at == other.end() ? "" : at->second;
      if (there != version) return told(library, version, there);
    }
    for (const auto& [library, version] : other) {
      if (!one.contains(library)) return told(library, "", version);
    }
  }
  return "";
}

std::vector<std::string> remarks(const Run& a, const Run& b) {
  std::vector<std::string> out;
  const auto note = [&](const std::string& what, const std::string& one, const std::string& other) {
    if (one != other) {
      out.push_back(fmt::format("{}: {} and {}", what, one.empty() ? "none" : one,
                                other.empty() ? "none" : other));
    }
  };
  const Json &x = a.header.machine, &y = b.header.machine;
  note("power source", text_at(x, {"system", "power_source"}),
       text_at(y, {"system", "power_source"}));
  note("governor", text_at(x, {"cpu", "clocks", "governor"}),
       text_at(y, {"cpu", "clocks", "governor"}));
  note("kernel", text_at(x, {"system", "kernel"}), text_at(y, {"system", "kernel"}));
  note("commit of ridge", text_at(a.header.tool, {"git"}), text_at(b.header.tool, {"git"}));
  std::map<std::string, std::pair<std::string, std::string>> variables;
  for (const bool second : {false, true}) {
    const Json* list = (second ? y : x).find("environment");
    if (!list || !list->is_array()) continue;
    for (const Json& entry : list->as_array()) {
      auto& values = variables[text_at(entry, {"name"})];
      (second ? values.second : values.first) = text_at(entry, {"value"});
    }
  }
  for (const auto& [variable, values] : variables) note(variable, values.first, values.second);
  return out;
}

}  // namespace ridge
