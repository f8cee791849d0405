#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "measure/plan.h"
#include "report/formats.h"
#include "workload/suite.h"

namespace ridge::cli {

struct Choice;

// What main knows and commands need. Nothing below main reads the environment by itself.
struct Context {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=value"
  std::string libexec;                   // where our own workers are
  std::string data;                      // suites/, …

  std::string variable(std::string_view name) const;  // empty: unset
};

// What this build is.
Json tool_json();
std::string version_text();

// Prints "ridge: message" on stderr and returns the exit code.
int complain(const std::string& message, int code);

// Writes results to stdout; false (and a complaint) if it cannot: a closed pipe, a full disk.
bool print_result(const std::string& text);
// The same with its escapes: for pictures, which clean foreign text themselves.
bool print_picture(const std::string& picture);

std::vector<std::string> suite_names(const Context& context);
// By name, or by the path of a .json file.
Result<Suite> load_suite(const std::string& name, const Context& context);

// Models by name in data/models, files and folders.
ModelLookup models_of(const Context& context);

// Resolves a choice: the suite (or the works or models given), the workers found, the filter.
struct Resolved {
  Suite suite;
  PlanQuery query;
};
Result<Resolved> resolve(const Choice& choice, const Context& context);
// Errors that show only once the workers have answered: no such device, nothing to do.
Result<void> validate_plan(const Plan& plan, const Choice& choice);

// True once Ctrl-C or SIGTERM has come; a second one ends the process at once.
void catch_signals();
bool interrupted();

}  // namespace ridge::cli
