#!/bin/sh
# shellcheck disable=SC2016  # scripts that are written, for their own shell
# frameworks_test.sh ROOT: scripts/frameworks with a pip that is a shell script and wheels made here:
# what it gets, what it refuses, and what it leaves behind when it is stopped.
set -eu
root=$1
box=$(mktemp -d "${TMPDIR:-/tmp}/ridge-frameworks.XXXXXX")
trap 'rm -rf "$box"' EXIT
passed=0 failed=0
check() {  # WHAT ACTUAL EXPECTED: EXPECTED is a pattern
  # shellcheck disable=SC2254  # a pattern
  case $2 in
    $3) passed=$((passed + 1)) ;;
    *) failed=$((failed + 1)); printf 'FAILED %s\n  found:    %s\n  expected: %s\n' "$1" "$2" "$3" ;;
  esac
}

mkdir -p "$box/a" "$box/cache/ridgepoint/pip/bin" "$box/bin"
cp -r "$root/scripts" "$box/a"
# No Python of this machine's has a torch here.
cat >"$box/bin/python3" <<END
#!/bin/sh
case \$1 in -c) exit 1 ;; *) exec $(command -v python3) "\$@" ;; esac
END
cp "$box/bin/python3" "$box/bin/python"
# A pip that notes what it was told and gives the wheel that stands ready.
cat >"$box/cache/ridgepoint/pip/bin/pip" <<END
#!/bin/sh
echo "\$*" >>"$box/told"
while [ \$# -gt 0 ]; do
  case \$1 in -d) to=\$2 ;; -r) cp "\$2" "$box/wanted" ;; esac
  shift
done
$box/pip-does "\$to"
END
printf '#!/bin/sh\ncp %s/wheel.whl "$1"\n' "$box" >"$box/pip-does"
chmod +x "$box/bin/python3" "$box/bin/python" "$box/pip-does" "$box/cache/ridgepoint/pip/bin/pip"
(mkdir -p "$box/in/mlx/lib" && cd "$box/in" && echo library >mlx/lib/libmlx.so &&
  python3 -m zipfile -c "$box/wheel.whl" mlx)

run() {
  status=0
  (unset RIDGE_TORCH_ROOT RIDGE_MLX_ROOT RIDGE_LLAMACPP_ROOT
   XDG_CACHE_HOME=$box/cache PATH=$box/bin:$PATH "$@") >"$box/out" 2>"$box/err" </dev/null || status=$?
  out=$(cat "$box/out") err=$(cat "$box/err")
}
script=$box/a/scripts/frameworks
into=$box/cache/ridgepoint/frameworks

run "$script" --list mlx
check "what is not here is said" "$status $out" "1 mlx: not here"
# One that Python has, by its files alone.
mkdir -p "$box/python" "$box/site/mlx/include/mlx" "$box/site/mlx/lib" "$box/site/torch/include/ATen"
: >"$box/site/mlx/lib/libmlx.so"
cat >"$box/python/python3" <<END
#!/bin/sh
case \$2 in *"'mlx'"*) echo "$box/site/mlx" ;; *"'torch'"*) echo "$box/site/torch" ;; *) exit 1 ;; esac
END
chmod +x "$box/python/python3"
has_python() { run env PATH="$box/python:$box/bin:/usr/bin:/bin" "$script" --list "$1"; }
for of in "0.32:0 mlx: $box/site" "1.0:0 mlx: $box/site" "0.31:1 mlx: not here"; do
  version=${of%%:*}
  printf '#define MLX_VERSION_MAJOR %s\n#define MLX_VERSION_MINOR %s\n' "${version%.*}" "${version#*.}" \
    >"$box/site/mlx/include/mlx/version.h"
  has_python mlx
  check "Python's MLX $version" "$status $out" "${of#*:}"
done
for of in "2.8.0:0 torch: $box/site" "2.11.0+cpu:0 torch: $box/site" "3.0.0:0 torch: $box/site" \
  "2.7.1:1 torch: not here" "1.13.1:1 torch: not here"; do
  echo "__version__ = '${of%%:*}'" >"$box/site/torch/version.py"
  has_python torch
  check "Python's PyTorch ${of%%:*}" "$status $out" "${of#*:}"
done
printf '#!/bin/sh\necho "no network" >&2\nexit 1\n' >"$box/pip-does"
run "$script" mlx
check "without a network: what to do" "$status $err" "1 *no network*scripts/frameworks"
check "… and nothing counts as there" "$(ls -d "$into"/mlx-[0-9]*/complete 2>/dev/null)" ""
printf '#!/bin/sh\necho garbage >"$1/wheel.whl"\n' >"$box/pip-does"
run "$script" mlx
check "a broken wheel is refused" "$status $err" "1 *could not unpack*"
printf '#!/bin/sh\ncp %s/wheel.whl "$1"\n' "$box" >"$box/pip-does"
run "$script" mlx
check "after a failure it works again" "$status" 0
check "the libraries are there" "$(cat "$into"/mlx-*/mlx/lib/libmlx.so)" library
check "every package has its checksum" "$(grep -vc -- '--hash=sha256:[0-9a-f]\{64\}$' "$box/wanted")" 0
check "and pip is told to hold them against it" "$(tail -n 1 "$box/told")" "*--require-hashes*"
: >"$box/told"
run "$script" mlx
check "got once" "$status $(cat "$box/told")" "0 "
run "$script" --list mlx
check "where it is" "$out" "mlx: $into/mlx-*"
run "$script" tensorflow
check "an unknown one" "$status $err" "1 *no framework 'tensorflow' (known: torch, mlx, llamacpp,*)"
run env RIDGE_MLX_ROOT=/nowhere "$script" mlx
check "a folder that holds none" "$status $err" "1 *RIDGE_MLX_ROOT is /nowhere, and there is no mlx/lib in it"

rm -rf "$into"
for _ in 1 2; do (run "$script" mlx) & done
wait
check "two at once get it once" "$(grep -c download "$box/told")" 1

# llama.cpp: sources, of the same targets, that are built.
version=$(sed -n 's/^llamacpp *\([^ ]*\) .*/\1/p' "$root/scripts/frameworks.lock")
source=$box/source/llama_cpp_python-$version
mkdir -p "$source/vendor/llama.cpp/include" "$source/vendor/llama.cpp/ggml/include" \
  "$source/vendor/llama.cpp/src" \
  "$source/vendor/llama.cpp/docs" "$source/.git/modules/vendor/llama.cpp"
echo 0123456789abcdef >"$source/.git/modules/vendor/llama.cpp/HEAD"
(cd "$source/vendor/llama.cpp" && echo 'int x;' >x.c && echo 'int main(void) { return 0; }' >main.c &&
  touch LICENSE include/llama.h src/llama-ext.h ggml/include/ggml.h docs/picture && cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.14)
project(like C)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_library(ggml-cpu MODULE x.c)
add_library(llama SHARED x.c)
file(WRITE ${CMAKE_BINARY_DIR}/bin/options "${GGML_BACKEND_DL} ${GGML_NATIVE} ${LLAMA_BUILD_COMMIT}")
foreach(program llama-bench llama-quantize)
  add_executable(${program} main.c)
  target_link_libraries(${program} llama)
endforeach()
if(EXISTS ${CMAKE_SOURCE_DIR}/docs OR NOT CMAKE_BUILD_TYPE STREQUAL Release)
  message(FATAL_ERROR "docs unpacked, or no Release")
endif()
include(broken OPTIONAL)
END
)
tar czf "$box/sdist.tar.gz" -C "$box/source" "llama_cpp_python-$version"
printf '#!/bin/sh\ncp %s/sdist.tar.gz "$1/llama_cpp_python-%s.tar.gz"\n' "$box" "$version" >"$box/pip-does"
# "broken" stands for sources that do not compile.
sed 's/^include(broken.*/message(FATAL_ERROR "it does not build")/' \
  "$source/vendor/llama.cpp/CMakeLists.txt" >"$box/broken"
: >"$box/told"
run "$script" llamacpp
check "llama.cpp is built" "$status $err" "0 *Building llama.cpp*"
check "from a source package with its checksum" "$(cat "$box/told" "$box/wanted")" \
  "*--require-hashes --no-binary*llama-cpp-python==$version --hash=sha256:*"
built=$(ls -d "$into/llamacpp-$version"-*)
for part in include/llama.h include/ggml.h lib/libllama. bin/libggml-cpu. bin/llama-bench LICENSE; do
  check "… with $part" "$(ls "$built/${part%/*}")" "*${part##*/}*"
done
run "$built/bin/llama-bench"
check "a program finds its libraries" "$status $err" "0 "
run "$script" --list llamacpp
check "where llama.cpp is" "$out" "llamacpp: $built"
: >"$box/told"
run "$script" llamacpp
check "built once" "$status $(cat "$box/told") $err" "0  "
run env CXX="$box/bin/other-c++" "$script" --list llamacpp
check "another compiler, another build" "$status $out" "1 llamacpp: not here"
run env RIDGE_LLAMACPP_ROOT="$built" "$script" --list llamacpp
check "one that is named" "$out" "llamacpp: $built"
run env CUDA_PATH=/nowhere PATH="$box/bin:/usr/bin:/bin" "$script" llamacpp-cuda
check "CUDA without a compiler for it" "$status $err" "1 *no nvcc*"
# AMX is built by compilers that load its tiles' configuration rightly.
printf 'flags\t\t: fpu sse4_2 avx2 amx_tile amx_int8\n' >"$box/cpuinfo"
for of in "12.2.0:SSE42 AVX2" "14.1.0:SSE42 AVX2 AMX_TILE AMX_INT8" ":SSE42 AVX2 AMX_TILE AMX_INT8"; do
  printf '#!/bin/sh\necho %s\n' "${of%%:*}" >"$box/bin/versioned-c++"
  chmod +x "$box/bin/versioned-c++"
  # shellcheck disable=SC2016  # for the shell inside
  run env CXX="$box/bin/versioned-c++" sh -c '. "$1/scripts/llamacpp.sh"; llamacpp_features "$2" | xargs' sh \
    "$root" "$box/cpuinfo"
  if [ "$(uname -m)" = x86_64 ]; then check "AMX by a compiler '${of%%:*}'" "$out" "${of#*:}"; fi
done
rm -rf "$built"
cp "$box/broken" "$into/build/llamacpp-$version/vendor/llama.cpp/CMakeLists.txt"
run "$script" llamacpp
check "what fails is shown" "$status $err" "1 *it does not build*The whole log: *"
run "$script" --list llamacpp
check "… and nothing counts as built" "$status $out" "1 llamacpp: not here"
cp "$source/vendor/llama.cpp/CMakeLists.txt" "$into/build/llamacpp-$version/vendor/llama.cpp/CMakeLists.txt"
run "$script" llamacpp
check "after a failure it goes on" "$status $(ls "$built/complete")" "0 $built/complete"

printf '%s passed, %s failed\n' $passed $failed
[ $failed = 0 ]
