#!/bin/sh
# package_test.sh ROOT BUILD: makes a package of what BUILD holds, runs it from where it was never
# meant to lie, and plants faults that scripts/package-check must find.
set -eu
root=$1
build=$2
if [ "$(uname -s)" != Linux ] || ! command -v dpkg-query >/dev/null; then
  echo "skipped: packages are made on Debian and its kin"
  exit 77
fi
box=$(mktemp -d "${TMPDIR:-/tmp}/ridge-packed.XXXXXX")
trap 'rm -rf "$box"' EXIT
passed=0 failed=0
# check WHAT ACTUAL EXPECTED: EXPECTED is a pattern.
check() {
  # shellcheck disable=SC2254  # a pattern
  case $2 in
    $3) passed=$((passed + 1)) ;;
    *) failed=$((failed + 1)); printf 'FAILED %s\n  found:    %s\n  expected: %s\n' "$1" "$2" "$3" ;;
  esac
}
unset RIDGE_WORKER_PATH LD_LIBRARY_PATH || true

out=$(RIDGE_BUILD_DIR=$build RIDGE_NO_SETUP=1 "$root/scripts/package" --out "$box/p.tar.gz" \
  2>"$box/err") || { cat "$box/err"; exit 1; }
check "it says where the package is" "$out" "$box/p.tar.gz"
check "and that it was checked" "$(cat "$box/err")" "*; needs glibc 2.*"

mkdir "$box/a place"
tar -C "$box/a place" -xzf "$box/p.tar.gz"
to=$(echo "$box/a place"/ridgepoint-*)
check "it is named for what it is" "${to##*/}" "ridgepoint-[0-9]*-linux-$(uname -m)"
cd "$box"
check "ridge finds its own workers" "$("$to/bin/ridge" list -o json)" "*$to/libexec/ridge/ridge-worker-*"
check "and its own suites" "$("$to/bin/ridge" list --suite quick)" "gemm/*"
ln -s "$to/bin/ridge" link
check "so does a link" "$(./link list -o json)" "*$to/libexec/ridge/ridge-worker-*"
check "and a name on PATH" "$(PATH="$to/bin:$PATH" ridge list --suite quick)" "gemm/*"
mkdir alone
cp "$to/bin/ridge" alone
check "ridge without its folders says so" \
  "$(LD_LIBRARY_PATH=$to/lib/ridge alone/ridge run 2>&1)" "ridge: no suite found in */share/ridge/data*"
# An older library of the same name elsewhere must not take the place of the package's.
mkdir wrong
for library in "$to"/lib/ridge/*; do echo "not a library" >"wrong/${library##*/}"; done
check "LD_LIBRARY_PATH does not come first" \
  "$(LD_LIBRARY_PATH=$box/wrong "$to/bin/ridge" list --suite quick)" "gemm/*"

# fault WHAT EXPECTED COMMAND…: the command, run in an unpacked copy, spoils it.
fault() {
  what=$1 expected=$2
  shift 2
  rm -rf "$box/spoilt"
  mkdir "$box/spoilt"
  cp -r "$to" "$box/spoilt"
  (cd "$box/spoilt"/ridgepoint-* && "$@")
  tar -C "$box/spoilt" -cf - . | gzip -1 >"$box/spoilt.tar.gz"
  status=0
  "$root/scripts/package-check" "$box/spoilt.tar.gz" >"$box/out" 2>&1 || status=$?
  check "$what: what is wrong is said" "$(grep WRONG "$box/out")" "$expected"
  check "$what: status" "$status" 1
}
a_library=$(cd "$to/lib/ridge" && echo libfmt.so.*)
fault "a library is missing" "*bin/ridge needs $a_library*" rm "lib/ridge/$a_library"
fault "a library is not one" "*lib/ridge/$a_library is no ELF file*" \
  cp README.md "lib/ridge/$a_library"
fault "built, not installed" "*bin/ridge has the RPATH '*" cp "$build/bin/ridge" bin/ridge
fault "a link" "*links:*" ln -s /etc/passwd share/ridge/data/linked
fault "data is missing" "*share/ridge/data/suites/quick.json is not there*" rm -r share/ridge/data
fault "a licence is missing" "*no licence of *" sh -c 'rm share/doc/ridge/licenses/libfmt*'

echo "$passed passed, $failed failed"
[ $failed = 0 ]
