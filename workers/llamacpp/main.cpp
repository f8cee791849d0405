#include <cstdlib>

#include "compiled_against.h"
#include "llamacpp_worker.h"
#include "versions.h"

int main(int argc, char** argv) {
  // Where it asserts, ggml has a debugger print where, on stdout: that is the protocol's.
  setenv("GGML_NO_BACKTRACE", "1", 1);
  const auto same =
      ridge::sdk::same_version("llama.cpp", kCompiledAgainst, ridge::llamacpp::versions());
  if (!same) return ridge::sdk::refuse(argc, argv, same.error().message);
  ridge::llamacpp::LlamacppWorker worker;
  return ridge::sdk::serve(argc, argv, worker);
}
