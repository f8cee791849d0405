// What is measured must not depend on the shell it was started from: OMP_NUM_THREADS and the like
// limit or bind threads, GGML_CUDA_DISABLE_GRAPHS and the like change what ggml does. libgomp reads
// them in its constructor, before main; this runs earlier still.
#include <cstring>
#include <initializer_list>

namespace {

bool steers(const char* entry) {
  for (const char* prefix : {"OMP_", "GOMP_", "KMP_", "GGML_", "LLAMA_"}) {
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
