// What is measured must not depend on the shell it was started from: OMP_NUM_THREADS and the like
// may bind, limit or even cancel the threads that a setting asks for, and MLX_DISABLE_COMPILE and
// the like change what a library does. libgomp and OpenBLAS read them in their constructors, before
// main; this runs earlier still. CMake's ridge_worker() links it into each of our workers on Linux.
#include <cstring>
#include <initializer_list>

namespace {

bool steers(const char* entry) {
  for (const char* prefix :
       {"OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "MLX_", "GGML_", "LLAMA_"}) {
    if (std::strncmp(entry, prefix, std::strlen(prefix)) == 0) return true;
  }
  return false;
}

void forget_settings(int, char**, char** environment) {
  char** kept = environment;
  for (char** entry = environment; *entry; ++entry) {
    if (!steers(*entry)) *kept++ = *entry;
  }
  *kept = nullptr;
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const run_first)(int, char**,
                                                                      char**) = forget_settings;

}  // namespace
