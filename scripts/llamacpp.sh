# shellcheck shell=sh disable=SC2154  # root, cache come from lib.sh, locked() from scripts/frameworks
# llama.cpp, built from its sources: sourced by scripts/frameworks. One folder a version, compiler and
# processor features: include/, lib/, and bin/ with llama-bench, llama-quantize and ggml's back ends,
# which are modules (GGML_BACKEND_DL): a machine without the driver, or with a processor that lacks a
# feature of the build, loads the rest. CUDA is one module more in the same folder.

# llamacpp_features CPUINFO: what this processor has, as ggml's options name it. Named one by one instead of
# GGML_NATIVE: what is built here then runs on every machine that has these, and says so where not.
llamacpp_features() {
  if [ "$(uname -m)" != x86_64 ] || [ ! -r "$1" ]; then echo NATIVE; return; fi
  has=" $(sed -n 's/^flags[^:]*://p;/^flags/q' "$1") "
  while read -r option flags; do
    there=yes
    for flag in $flags; do case $has in *" $flag "*) ;; *) there='' ;; esac; done
    # g++ before 14 loads the tiles' configuration wrongly, which ends in SIGILL.
    case $option in AMX_*) amx_compiler || there='' ;; esac
    if [ -n "$there" ]; then echo "$option"; fi
  done <<EOF
SSE42 sse4_2
AVX avx
F16C f16c
FMA fma
BMI2 bmi2
AVX2 avx2
AVX_VNNI avx_vnni
AVX512 avx512f avx512cd avx512vl avx512dq avx512bw
AVX512_VBMI avx512vbmi
AVX512_VNNI avx512_vnni
AVX512_BF16 avx512_bf16
AMX_TILE amx_tile
AMX_INT8 amx_int8
EOF
}
amx_compiler() {
  major=$(${CXX:-c++} -dumpfullversion 2>/dev/null | sed 's/\..*//')  # empty for clang
  [ -z "$major" ] || [ "$major" -ge 14 ]
}

# llamacpp_options: what all builds have in common.
llamacpp_options() {
  cat <<EOF
-DCMAKE_BUILD_TYPE=Release
-DBUILD_SHARED_LIBS=ON
-DGGML_BACKEND_DL=ON
-DGGML_CPU_KLEIDIAI=OFF
-DGGML_CUDA_CUB_3DOT2=OFF
-DGGML_CUDA_NCCL=OFF
-DGGML_CUDA_FA=ON
-DGGML_CUDA_FA_ALL_QUANTS=OFF
-DLLAMA_BUILD_TOOLS=ON
-DLLAMA_BUILD_TESTS=OFF
-DLLAMA_BUILD_EXAMPLES=OFF
-DLLAMA_BUILD_SERVER=OFF
-DLLAMA_BUILD_APP=OFF
-DLLAMA_BUILD_UI=OFF
-DLLAMA_USE_PREBUILT_UI=OFF
-DLLAMA_OPENSSL=OFF
-DLLAMA_BUILD_NUMBER=0
-DGIT_EXE=OFF
EOF
  # All features off but the named: their defaults follow GGML_NATIVE.
  on=$(llamacpp_features /proc/cpuinfo)
  for feature in NATIVE SSE42 AVX F16C FMA BMI2 AVX2 AVX_VNNI AVX512 AVX512_VBMI AVX512_VNNI \
    AVX512_BF16 AMX_TILE AMX_INT8 AMX_BF16; do
    value=OFF
    if printf '%s\n' "$on" | grep -qx $feature; then value=ON; fi
    echo "-DGGML_$feature=$value"
  done
}

# llamacpp_folder: where this machine's build belongs.
llamacpp_folder() {
  key=$({ "${CXX:-c++}" --version | sed 1q; llamacpp_options; } | cksum | sed 's/ .*//')
  printf '%s/frameworks/llamacpp-%s-%s\n' "$cache" "$(locked llamacpp | sed 's/ .*//;q')" "$key"
}

# llamacpp_found NAME: prints the folder of an installed one that is new enough, or of ours.
llamacpp_found() {
  for prefix in /opt/homebrew /usr/local /usr; do
    if grep -qs llama_model_init_from_user "$prefix/include/llama.h"; then
      printf '%s\n' "$prefix"
      return 0
    fi
  done
  folder=$(llamacpp_folder)
  [ -e "$folder/complete" ] || return 1
  if [ "$1" = llamacpp-cuda ] || wants_cuda; then [ -e "$folder/complete-cuda" ] || return 1; fi
  printf '%s\n' "$folder"
}

wants_cuda() { [ "$gpu" = yes ] && nvcc_here >/dev/null; }
nvcc_here() {
  for nvcc in "$(command -v nvcc || :)" "${CUDA_PATH:-/usr/local/cuda}/bin/nvcc"; do
    if [ -x "$nvcc" ]; then printf '%s\n' "$nvcc"; return 0; fi
  done
  return 1
}

# The GPUs' architectures as CMake names them (no PTX: it would double the module), or Hopper's where
# there is none to ask.
cuda_architectures() {
  those=$({ nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null || :; } |
    tr -d '. ' | sort -u | sed 's/$/-real/' | paste -sd ';' -)
  printf '%s\n' "${RIDGE_CUDA_ARCHITECTURES:-${those:-90-real}}"
}

# llamacpp_source FOLDER: puts the sources there.
llamacpp_source() {
  if [ -e "$1/complete" ]; then return 0; fi
  rm -rf "$1"
  mkdir -p "$1/package" "$1/backend/scikit_build_core"
  # pip asks a source package's own build for its name and version before it hands the package out:
  # this build answers and does nothing, where the real one would have to be installed first.
  cat >"$1/backend/scikit_build_core/build.py" <<'EOF'
import os
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    name = "llama_cpp_python-VERSION.dist-info"
    os.mkdir(os.path.join(folder, name))
    with open(os.path.join(folder, name, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: VERSION\n")
    return name
EOF
  version=$(locked llamacpp | sed 's/ .*//;q')
  sed "s/VERSION/$version/" "$1/backend/scikit_build_core/build.py" >"$1/build.py"
  mv "$1/build.py" "$1/backend/scikit_build_core/build.py"
  locked llamacpp | sed 's/^[^ ]* \([^ ]*\) \(.*\)/\1 --hash=sha256:\2/' >"$1/wanted.txt"
  logged "$cache/frameworks/pip.log" env PYTHONPATH="$1/backend" "$cache/pip/bin/pip" download -q \
    --no-deps --require-hashes --no-binary=:all: --no-build-isolation -d "$1/package" -r "$1/wanted.txt" ||
    die "pip could not get it; again, when the network is there: scripts/frameworks llamacpp"
  # Only what is built: the vocabularies and pictures would be 110 of 170 MB.
  logged "$cache/frameworks/unpack.log" tar xzf "$1/package/llama_cpp_python-$version.tar.gz" -C "$1" \
    --strip-components=1 --exclude="*/llama.cpp/models" --exclude="*/llama.cpp/docs" \
    "llama_cpp_python-$version/vendor" "llama_cpp_python-$version/.git/modules/vendor/llama.cpp/HEAD" ||
    die "could not unpack it: is the disk full?"
  rm -rf "$1/package"
  touch "$1/complete"
}

# llamacpp_get NAME: builds what is missing of it. An interrupted build goes on where it was.
llamacpp_get() {
  use_modern_cmake
  folder=$(llamacpp_folder)
  build=$cache/frameworks/build/${folder##*/}
  source=$cache/frameworks/build/llamacpp-$(locked llamacpp | sed 's/ .*//;q')
  if [ ! -x "$cache/pip/bin/pip" ]; then "$root/scripts/bootstrap" pip || exit 1; fi
  mkdir -p "$build"
  lock "$build"  # one build at a time, and nobody who wants another framework waits for it
  if [ ! -e "$folder/complete" ]; then
    say "Building llama.cpp into $folder (10 core-minutes)"
    llamacpp_source "$source"
    rm -rf "$folder"
    llamacpp_build "$source" "$build/cpu" llama-bench llama-quantize ggml-cpu
    llamacpp_install "$source" "$build/cpu" "$folder" || die "cannot write $folder: is the disk full?"
  fi
  if { [ "$1" = llamacpp-cuda ] || wants_cuda; } && [ ! -e "$folder/complete-cuda" ]; then
    nvcc=$(nvcc_here) || die "there is no nvcc here: install CUDA's toolkit, or set CUDA_PATH"
    say "Building llama.cpp's CUDA module into $folder for $(cuda_architectures) (about 100 core-minutes)"
    llamacpp_source "$source"
    llamacpp_build "$source" "$build/cuda" ggml-cuda -DGGML_CUDA=ON -DCMAKE_CUDA_COMPILER="$nvcc" \
      -DCMAKE_CUDA_ARCHITECTURES="$(cuda_architectures)" \
      -DCMAKE_INSTALL_RPATH="\$ORIGIN;\$ORIGIN/../lib;${nvcc%/bin/nvcc}/lib64"
    if ! { cp -P "$build"/cuda/bin/libggml-cuda* "$folder/bin/" &&
      strip_libraries "$folder"/bin/libggml-cuda* && touch "$folder/complete-cuda"; }; then
      die "cannot write $folder: is the disk full?"
    fi
  fi
  rm -rf "$build/cpu" "$build/cuda"
  unlock
}

# llamacpp_build SOURCE BUILD TARGET… [-DOPTION…]
llamacpp_build() {
  from=$1 into=$2
  shift 2
  targets=''
  while [ $# -gt 0 ]; do
    case $1 in -D*) break ;; esac
    targets="$targets $1"
    shift
  done
  commit=$(cut -c1-9 "$from/.git/modules/vendor/llama.cpp/HEAD")
  rpath="\$ORIGIN;\$ORIGIN/../lib"
  if [ "$(uname -s)" = Darwin ]; then rpath="@loader_path;@loader_path/../lib"; fi
  # The commit is told, as the sources come without their git.
  # shellcheck disable=SC2046  # options have no blanks
  logged "$into.configure.log" cmake -G Ninja -S "$from/vendor/llama.cpp" -B "$into" \
    $(llamacpp_options) -DLLAMA_BUILD_COMMIT="$commit" -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON \
    -DCMAKE_INSTALL_RPATH="$rpath" "$@" || exit 1
  # shellcheck disable=SC2086  # targets are words
  logged "$into.log" ninja -C "$into" -j "$(getconf _NPROCESSORS_ONLN)" $targets || exit 1
}

# llamacpp_install SOURCE BUILD FOLDER: modules stand beside the programs, where ggml looks for them.
llamacpp_install() {
  mkdir -p "$3/bin" "$3/lib" "$3/include" &&
    cp "$1"/vendor/llama.cpp/include/*.h "$1"/vendor/llama.cpp/ggml/include/*.h \
      "$1"/vendor/llama.cpp/src/llama-ext.h "$3/include/" &&
    cp "$1/vendor/llama.cpp/LICENSE" "$3/" &&
    cp -P "$2"/bin/lib* "$3/lib/" &&
    mv "$3"/lib/libggml-cpu* "$3/bin/" &&
    cp "$2/bin/llama-bench" "$2/bin/llama-quantize" "$3/bin/" &&
    strip_libraries "$3"/lib/* "$3"/bin/* &&
    touch "$3/complete"
}
strip_libraries() {
  if [ "$(uname -s)" = Darwin ]; then return 0; fi
  for file in "$@"; do [ -h "$file" ] || strip "$file" || return 1; done
}
