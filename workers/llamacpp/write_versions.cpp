// Run by the build: prints a header that says which llama.cpp the worker is linked with.

#include <cstdio>

#include "versions.h"

int main() {
  std::printf("#pragma once\n\ninline constexpr char kCompiledAgainst[] = \"%s\";\n",
              ridge::llamacpp::versions().c_str());
}
