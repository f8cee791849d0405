# shellcheck shell=sh disable=SC2154,SC2034  # `root` comes from, `installed` goes to who sources it
# Shared by ridge, test and scripts/*: sourced, with `root` set to the checkout. POSIX sh.
# Nothing here writes to stdout, which belongs to results.

cache=${XDG_CACHE_HOME:-${HOME:-$root}/.cache}/ridgepoint
if [ "$(uname -s)" = Darwin ]; then system=brew; else system=debian; fi

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# is_there PROBE: a probe of scripts/packages holds on this machine.
is_there() {
  case $1 in
    bin:*) command -v "${1#bin:}" >/dev/null ;;
    inc:*) for prefix in /usr /usr/local /opt/homebrew; do
             if [ -e "$prefix/include/${1#inc:}" ]; then return 0; fi
           done; return 1 ;;
    py:*) for site in /usr/lib/python3/dist-packages /opt/homebrew/lib/python3*/site-packages; do
             if [ -d "$site/${1#py:}" ]; then return 0; fi
           done; return 1 ;;
    any:*) for file in ${1#any:}; do  # a pattern
             if [ -e "$file" ]; then return 0; fi
           done; return 1 ;;
    *) die "scripts/packages: no such probe: $1" ;;
  esac
}

# missing SET: prints the packages that SET lacks.
missing() {
  wanted=" run "
  if [ "$1" != run ]; then wanted=" run test "; fi
  if [ "$1" = dev ]; then wanted=" run test dev "; fi
  while read -r set debian brew probe; do
    case $wanted in *" $set "*) ;; *) continue ;; esac
    if is_there "$probe"; then continue; fi
    if [ $system = brew ]; then package=$brew; else package=$debian; fi
    if [ "$package" != - ]; then printf '%s ' "$package"; fi
  done <"$root/scripts/packages"
}

# setup SET: installs what SET lacks. Sets `installed` to yes if it had to.
setup() {
  installed=no
  if [ -n "${RIDGE_NO_SETUP:-}" ] || [ -z "$(missing "$1")" ]; then return 0; fi
  "$root/scripts/bootstrap" "$1" >&2 || exit 1
  installed=yes
}

# logged LOG COMMAND…: runs it with its output in LOG. A terminal shows the last line in place, a
# file every tenth step of ninja's; if it fails, LOG's end follows. Returns the command's status.
logged() {
  log=$1
  shift
  { "$@" 2>&1 </dev/null || printf '\nlogged-status %s\n' "$?"; } | show_progress "$log" &&
    return 0 || status=$?
  say "Failed: $*"
  grep -v '^logged-status ' "$log" | tail -n 25 >&2
  say "The whole log: $log"
  return "$status"
}
show_progress() {
  status=0 shown=
  while IFS= read -r line; do
    printf '%s\n' "$line"
    case $line in
      "logged-status "*) status=${line#logged-status } ;;
      "" | "ninja: "*) ;;
      *) if [ -t 2 ]; then printf '\r\033[K%.79s' "$line" >&2 && shown=yes; fi ;;
    esac
    case $line in "["*[1-9]0/*) [ -t 2 ] || say "$line" ;; esac
  done >"$1"
  if [ -n "$shown" ]; then printf '\r\033[K' >&2; fi
  return "$status"
}

# lock FOLDER: waits until this process alone builds in it; unlock, or its end, gives it back. The
# kernel holds the lock, so a killed holder blocks nobody. (macOS has no flock, but Perl.)
lock() {
  exec 9>"$1/.lock"
  try_lock -n && return 0
  say "Waiting for another build in $1 to end…"
  try_lock || die "cannot lock $1/.lock"
}
try_lock() {
  if command -v flock >/dev/null; then
    flock "$@" 9
  else
    perl -MFcntl=:flock -e 'open(F, ">&=9") or exit 1;
      exit !flock(F, LOCK_EX | (@ARGV ? LOCK_NB : 0))' -- "$@"
  fi
}
unlock() { exec 9>&-; }

# configured FOLDER: ninja can go on from there by itself.
configured() {
  [ -e "$1/build.ninja" ] && is_ours "$1" &&
    [ -z "$(find "$root/CMakePresets.json" -newer "$1/build.ninja")" ]
}
# The build files of a checkout that was moved or copied still point at the old sources.
is_ours() { grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$1/CMakeCache.txt"; }

# configure PRESET FOLDER [CMAKE ARGUMENT…]
configure() {
  preset=$1 folder=$2
  shift 2
  use_modern_cmake
  if [ -e "$folder/CMakeCache.txt" ] && ! is_ours "$folder"; then set -- --fresh "$@"; fi
  # From the root, because presets are looked for in the current folder.
  (cd "$root" && logged "$folder/configure.log" cmake --preset "$preset" -B "$folder" "$@")
}

# Puts a CMake of at least 3.25 on PATH. Debian 12 has that, Ubuntu 22.04 has 3.22.
use_modern_cmake() {
  if modern_cmake; then return 0; fi
  PATH=$cache/cmake/bin:$PATH
  if modern_cmake; then return 0; fi
  if [ -n "${RIDGE_NO_SETUP:-}" ]; then die "CMake 3.25 or newer is needed"; fi
  "$root/scripts/bootstrap" cmake >&2 || exit 1
}
modern_cmake() {
  version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p')
  [ -n "$version" ] && { [ "${version%.*}" -gt 3 ] || [ "${version#*.}" -ge 25 ]; }
}

# make_writable_folder FOLDER: makes it; false if nothing can be written there.
make_writable_folder() { mkdir -p "$1" 2>/dev/null && [ -w "$1" ]; }

# is_framework SONAME: it belongs to a framework that a worker links, which packages leave out.
is_framework() {
  case $1 in libtorch*.so | libc10*.so | libmlx.so | libllama.so* | libggml*.so*) ;; *) return 1 ;; esac
}

# is_glibc SONAME: it is a part of glibc, which comes with the kernel's own system, never with us.
is_glibc() {
  case $1 in
    ld-linux*.so.* | ld64.so.* | libc.so.6 | libm.so.6 | libmvec.so.1 | libpthread.so.0 | \
      libdl.so.2 | librt.so.1 | libresolv.so.2 | libutil.so.1 | libanl.so.1) return 0 ;;
    *) return 1 ;;
  esac
}
