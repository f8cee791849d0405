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
  (unset RIDGE_TORCH_ROOT RIDGE_MLX_ROOT
   XDG_CACHE_HOME=$box/cache PATH=$box/bin:$PATH "$@") >"$box/out" 2>"$box/err" </dev/null || status=$?
  out=$(cat "$box/out") err=$(cat "$box/err")
}
script=$box/a/scripts/frameworks
into=$box/cache/ridgepoint/frameworks

run "$script" --list mlx
check "what is not here is said" "$status $out" "1 mlx: not here"
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
check "an unknown one" "$status $err" "1 *no framework 'tensorflow' (known: torch, mlx)"
run env RIDGE_MLX_ROOT=/nowhere "$script" mlx
check "a folder that holds none" "$status $err" "1 *RIDGE_MLX_ROOT is /nowhere, and there is no mlx/lib in it"

rm -rf "$into"
for _ in 1 2; do (run "$script" mlx) & done
wait
check "two at once get it once" "$(grep -c download "$box/told")" 1

printf '%s passed, %s failed\n' $passed $failed
[ $failed = 0 ]
