#include <fmt/format.h>

#include "cli/context.h"
#include "store/run_file.h"
#include "version_generated.h"
#include "worker/protocol.h"

namespace ridge::cli {
namespace {
constexpr int kMethodVersion = 1;  // raised when a number measured before no longer compares
}

Json tool_json() {
  Json tool = Json::object();
  tool.set("name", "ridge").set("version", RIDGE_VERSION).set("git", RIDGE_GIT);
  tool.set("dirty", RIDGE_DIRTY).set("build_type", RIDGE_BUILD_TYPE);
  tool.set("method_version", kMethodVersion).set("protocol", protocol::kVersion);
  tool.set("generator_version", kGeneratorVersion);
  return tool;
}

std::string version_text() {
  return fmt::format("ridge {} ({}{}, {}; protocol {}, method {}, run files {})", RIDGE_VERSION,
                     RIDGE_GIT, RIDGE_DIRTY ? ", changed" : "", RIDGE_BUILD_TYPE,
                     protocol::kVersion, kMethodVersion, kRunSchemaVersion);
}

}  // namespace ridge::cli
