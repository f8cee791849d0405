#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/run_file.h"

// Which rows of which runs are held against each other.
namespace ridge {

// What is meant to differ between the sides of a comparison; nothing else may.
enum class Across { worker, device, machine, dtype, version };
inline constexpr std::string_view kAcrossNames[] = {"worker", "device", "machine", "dtype",
                                                    "version"};
std::string_view name(Across across);
std::optional<Across> parse_across(std::string_view text);
bool contains(std::span<const Across> across, Across one);

// What a person named: a file, a folder of runs, a baseline.
struct Given {
  std::string label;
  std::vector<Run> runs;
};

// A row and the run that it stands in.
struct Member {
  const Run* run = nullptr;
  const Row* row = nullptr;
};

// Rows that are the same but for what is across.
struct Group {
  std::string key;                           // "gemm/*/512x512x512@cpu:0/cold/pipelined"
  std::vector<std::vector<Member>> of_side;  // by side; a side may have it from several runs
};

// "gemm/*/512x512x512": the work of a row, whatever its dtype.
std::string key_without_dtype(const Row& row);

struct Sides {
  std::vector<std::string> labels;  // the first is the base
  std::vector<Group> groups;        // in the order of their first rows
};

// Two or more given are the sides themselves where only version, machine or nothing is across. Else
// the rows of all are sorted by what is across: "cpu" and "torch", "f32" and "bf16". Points into
// `given`.
Sides sides(const std::vector<Given>& given, std::span<const Across> across);

// What differs between two rows beside that, for a person; empty: they may be compared.
std::string differs(const Member& a, const Member& b, std::span<const Across> across);

// What differs between their runs and may matter, though it is no reason to refuse: variables such
// as OMP_NUM_THREADS, the power source, the kernel. One line each.
std::vector<std::string> remarks(const Run& a, const Run& b);

}  // namespace ridge
