#!/bin/sh
# wrapper_test.sh ROOT: ./ridge and ./test of a small checkout whose "ridge" is a shell script, so
# that set-up, building, locking and every message are tried in seconds and without a network.
set -eu
root=$1
box=$(mktemp -d "${TMPDIR:-/tmp}/ridge-wrapper.XXXXXX")
trap 'chmod -R u+w "$box"; rm -rf "$box"' EXIT
passed=0 failed=0

mkdir -p "$box/a/workers" "$box/a/bench" "$box/bin" "$box/elsewhere"
cp "$root/ridge" "$root/test" "$root/CMakePresets.json" "$box/a"
cp -r "$root/scripts" "$box/a"
: >"$box/a/workers/CMakeLists.txt"
echo 'run nosuchpkg nosuchpkg bin:ridge-needs-this' >"$box/a/scripts/packages"
cat >"$box/a/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(wrapped NONE)
set(out ${CMAKE_BINARY_DIR}/bin/ridge)
add_custom_command(OUTPUT ${out} DEPENDS ridge.in build.sh
  COMMAND sh ${CMAKE_SOURCE_DIR}/build.sh ${CMAKE_SOURCE_DIR}/ridge.in ${out})
add_custom_target(ridge DEPENDS ${out})
add_custom_target(default ALL DEPENDS ${out})
add_custom_target(fast_tests DEPENDS ${out})
add_subdirectory(workers)
if(EXISTS ${CMAKE_SOURCE_DIR}/tests.cmake)
  enable_testing()
  include(tests.cmake)
endif()
END
cat >"$box/a/build.sh" <<'END'
echo "begin" >>"$(dirname "$1")/built"
sleep 0.5
echo "end" >>"$(dirname "$1")/built"
cp "$1" "$2" && chmod +x "$2"
END
cat >"$box/a/ridge.in" <<'END'
#!/bin/sh
printf 'in %s:' "$PWD"; printf ' [%s]' "$@"; echo; exit 3
END
printf '#!/bin/sh\n' >"$box/bin/ridge-needs-this"
# Fuzzers that there are none of, to begin with.
printf '#!/bin/sh\nexit 77\n' >"$box/a/scripts/fuzz"
printf '#!/bin/sh\necho "gets $*" >&2\n' >"$box/a/scripts/frameworks"
chmod +x "$box/bin/ridge-needs-this"

# run COMMAND…: sets out, err and status.
run() {
  status=0
  # The real setting of whoever runs this test is not its business.
  (unset RIDGE_BUILD_DIR RIDGE_NO_SETUP; cd "$box/elsewhere" && RIDGE_FRAMEWORKS="" XDG_CACHE_HOME=$box/cache PATH=$box/bin:$PATH "$@") \
    >"$box/out" 2>"$box/err" </dev/null || status=$?
  out=$(cat "$box/out") err=$(cat "$box/err")
}
# check WHAT ACTUAL EXPECTED: EXPECTED is a pattern.
check() {
  # shellcheck disable=SC2254  # a pattern
  case $2 in
    $3) passed=$((passed + 1)) ;;
    *) failed=$((failed + 1)); printf 'FAILED %s\n  found:    %s\n  expected: %s\n' "$1" "$2" "$3" ;;
  esac
}

run "$box/a/ridge" list 'a b' ''
check "arguments, folder and output are the caller's" "$out" "in $box/elsewhere: \[list\] \[a b\] \[\]"
check "the status is ridge's own" "$status" 3
check "set-up speaks on stderr" "$err" "Configuring in $box/a/build/release"
run "$box/a/ridge" again
check "nothing to do is silent" "$err" ""
check "and builds nothing" "$(grep -c begin "$box/a/built")" 1

run "$box/a/ridge" run --worker cpu,torch --worker=mlx
check "frameworks that are asked for are got" "$err" "gets torch
gets mlx*"
run env RIDGE_NO_SETUP=1 "$box/a/ridge" run --worker torch
check "not where set-up is unwanted" "$err" ""

ln -s ../a/ridge "$box/bin/rg1"
ln -s "$box/bin/rg1" "$box/elsewhere/rg2"
run ./rg2
check "a link to a link finds the checkout" "$status" 3

sed -i.old 's/exit 3/exit 4/' "$box/a/ridge.in"
run "$box/a/ridge"
check "a changed source is built" "$status" 4

: >"$box/a/built"
touch "$box/a/ridge.in"
for _ in 1 2 3; do (run "$box/a/ridge") & done
wait
check "three at once build once, in turn" "$(tr '\n' ' ' <"$box/a/built")" "begin end "

# Perl holds the lock where flock is missing: a PATH of links to everything but flock.
mkdir "$box/noflock"
for tool in sh dirname uname grep find cmake ninja sed mkdir sleep cat cp chmod perl tail id; do
  ln -s "$(command -v $tool)" "$box/noflock/$tool"
done
if [ -x "$box/noflock/perl" ]; then
  : >"$box/a/built"
  touch "$box/a/ridge.in"
  for _ in 1 2; do (run env PATH="$box/bin:$box/noflock" "$box/a/ridge") & done
  wait
  check "the same without flock" "$(tr '\n' ' ' <"$box/a/built")" "begin end "
fi

# A holder that was killed leaves its lock file, but no lock.
(exec 9>"$box/a/build/release/.lock"; flock 9 2>/dev/null || true; exec sleep 30) &
holder=$!
sleep 0.2
kill -9 $holder
run "$box/a/ridge"
check "a killed holder blocks nobody" "$status" 4

cp "$box/a/build.sh" "$box/build.sh.good"
echo 'echo "ridge.cpp:1: error: planted"; exit 1' >"$box/a/build.sh"
run "$box/a/ridge"
check "a failed build ends with 1" "$status" 1
check "it shows the error and the log" "$err" \
  "*error: planted*The whole log: $box/a/build/release/build.log"
check "and runs nothing old" "$out" ""
run "$box/a/test"
check "./test fails with the build" "$status" 1
cp "$box/build.sh.good" "$box/a/build.sh"

cp -r "$box/a" "$box/copy"
sed -i.old 's/exit 4/exit 5/' "$box/copy/ridge.in"
run "$box/copy/ridge"
check "a copied checkout builds its own sources" "$status" 5

run env RIDGE_BUILD_DIR=../other "$box/a/ridge"
check "RIDGE_BUILD_DIR counts from where the caller stands" "$(ls "$box/other/bin")" ridge

# A folder in which nobody can be given rights, root included.
run env RIDGE_BUILD_DIR=/dev/null/x "$box/a/ridge"
check "an unwritable build folder is explained" "$err" "*cannot write to /dev/null/x: set RIDGE_BUILD_DIR*"
check "with status 1" "$status" 1

# No right to install: `id` says nobody, and there is no sudo.
mkdir "$box/nobody"
for tool in sh dirname uname grep mkdir cat; do ln -s "$(command -v $tool)" "$box/nobody/$tool"; done
printf '#!/bin/sh\necho 1000\n' >"$box/nobody/id"
printf '#!/bin/sh\necho "apt-get ran" >&2\n' >"$box/nobody/apt-get"
chmod +x "$box/nobody/id" "$box/nobody/apt-get"
run env PATH="$box/nobody" "$box/a/ridge"
check "no rights: the one command" "$err" \
  "*  apt-get update && apt-get install -y --no-install-recommends nosuchpkg*"
check "no rights: nothing is tried" "$(grep -c 'apt-get ran' "$box/err")" 0
check "no rights: status 1" "$status" 1
run env PATH="$PATH" RIDGE_NO_SETUP=1 "$box/a/ridge"
check "RIDGE_NO_SETUP installs nothing" "$status" 4

# Rights, an apt-get that works only after its lists were refreshed, and a package of a probe.
mkdir "$box/apt"
cat >"$box/apt/apt-get" <<END
#!/bin/sh
case " \$* " in
  *" update "*) : >$box/apt/lists ;;
  *" install "*) [ -e $box/apt/lists ] || { echo "Unable to locate package"; exit 100; }
    case " \$* " in *" -s "*) ;; *) cp $box/bin/ridge-needs-this $box/apt ;; esac ;;
esac
echo "\$*" >>$box/apt/log
END
printf '#!/bin/sh\necho 0\n' >"$box/apt/id"
chmod +x "$box/apt/apt-get" "$box/apt/id"
run env PATH="$box/apt:$PATH" "$box/a/ridge"
check "set-up refreshes the lists when it must" "$(grep -c update "$box/apt/log")" 1
check "and installs what is missing" "$err" "Installing nosuchpkg*"
check "then ridge runs" "$status" 4

# The same by sudo: no root, but rights.
rm "$box/apt/ridge-needs-this"
printf '#!/bin/sh\necho 1000\n' >"$box/apt/id"
# shellcheck disable=SC2016  # for the stand-in
printf '#!/bin/sh\n[ "$1" != -n ] || shift\necho "sudo $*" >>%s/apt/log\nexec "$@"\n' "$box" \
  >"$box/apt/sudo"
chmod +x "$box/apt/sudo"
run env PATH="$box/apt:$PATH" "$box/a/ridge"
check "with sudo set-up goes through it" "$(tail -n 2 "$box/apt/log")" "sudo env *install*nosuchpkg*"
check "and ridge runs" "$status" 4

run "$box/a/test"
check "no test is a failure" "$status" "[1-9]*"
echo 'add_test(NAME one COMMAND true)' >"$box/a/tests.cmake"
echo 'set_tests_properties(one PROPERTIES LABELS fast)' >>"$box/a/tests.cmake"
run "$box/a/test"
check "./test shows ctest's summary" "$out" "*100% tests passed, 0 tests failed out of 1*"
check "and ends with a line a part" "$out" \
  "*tests: passed*fast tests under ASan and UBSan: passed*fuzzers: left out, as there is no clang*"
check "and 0" "$status" 0
run "$box/a/test" -R one
check "with arguments it runs no sanitizers" "$out" "*out of 1*"
case $out in *ASan*) check "nor says so" "$out" "" ;; esac
# shellcheck disable=SC2016  # for the stand-in
printf '#!/bin/sh\n[ "$1" = --probe ] || { echo "fuzz $* in $RIDGE_BUILD_DIR"; exit %s; }\n' \
  '$(cat "$0.status")' >"$box/a/scripts/fuzz"
echo 0 >"$box/a/scripts/fuzz.status"
run "$box/a/test"
check "fuzzers run for 30 s each" "$out" "*fuzz --seconds 30 --jobs * in $box/a/build/fuzz*"
check "and pass" "$status" 0
echo 1 >"$box/a/scripts/fuzz.status"
run "$box/a/test"
check "one that finds something fails ./test" "$out" "*tests: passed*fuzzers: FAILED"
check "with its status" "$status" 1
echo 0 >"$box/a/scripts/fuzz.status"
cat >"$box/a/tests.cmake" <<'END'
add_test(NAME slow COMMAND true)
add_test(NAME quick COMMAND true)
add_test(NAME gpu COMMAND false)
set_tests_properties(quick PROPERTIES LABELS fast)
set_tests_properties(gpu PROPERTIES LABELS "device")
END
run "$box/a/test"
check "tests that need a device are left out" "$out" "*0 tests failed out of 2*"
check "only the fast ones run under sanitizers" "$out" "*out of 2*0 tests failed out of 1*"
run "$box/a/test" --fast
check "--fast runs the fast ones" "$out" "*0 tests failed out of 1*"
run "$box/a/test" -R slow
check "-R goes to ctest" "$out" "*0 tests failed out of 1*"
sed -i.old 's/quick COMMAND true/quick COMMAND sh -c "echo why; false"/' "$box/a/tests.cmake"
run "$box/a/test"
check "a failed test is shown" "$out" "*why*1 tests failed out of 2*"
check "and fails ./test" "$status" "[1-9]*"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
