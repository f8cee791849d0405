#include <cstdlib>

#include "llamacpp_worker.h"

int main(int argc, char** argv) {
  // Where it asserts, ggml has a debugger print where, on stdout: that is the protocol's.
  setenv("GGML_NO_BACKTRACE", "1", 1);
  ridge::llamacpp::LlamacppWorker worker;
  return ridge::sdk::serve(argc, argv, worker);
}
