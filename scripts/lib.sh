# What the scripts beside this file share; sourced, never run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
STATE=$ROOT/.services
ME=${0##*/}

say() { printf '%s: %s\n' "$ME" "$*"; }
warn() { printf '%s: %s\n' "$ME" "$*" >&2; }
# die [CODE] MESSAGE
die() {
  local code=1
  if [[ $1 =~ ^[0-9]+$ ]]; then code=$1 && shift; fi
  warn "$*"
  exit "$code"
}

# The comment block at the top of a script is its help text.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# The start time of a process that runs, in clock ticks since boot: together with the pid it names
# a process for good, where a pid alone may have been given to another one since. A zombie counts
# as gone: some containers have nobody who reaps it.
stamp_of() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name stands in brackets and may hold anything: what follows it starts with field 3.
  read -r -a stat <<<"${stat##*) }"
  [[ ${stat[0]} != [ZX] ]] || return 1
  echo "${stat[19]}"
}

# runs PID STAMP
runs() {
  [[ -n ${1:-} && -n ${2:-} ]] && [[ $(stamp_of "$1") == "$2" ]]
}

# gone SECONDS PID STAMP: waits until the process is gone; fails when it is still there.
gone() {
  local ends=$((SECONDS + $1))
  while runs "$2" "$3"; do
    ((SECONDS <= ends)) || return 1
    sleep 0.02
  done
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The status code of GET http://HOST:PORT/PATH; needs no curl.
http_status() {
  local answer
  answer=$(
    exec 2>/dev/null 3<>"/dev/tcp/$1/$2" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n' "$3" "$1" "$2" >&3
    IFS= read -r -t 5 line <&3 && echo "$line"
  ) || return 1
  answer=${answer#* }
  echo "${answer%% *}"
}

# cargo and a linker, or one line that says what to install.
need_rust() {
  if ! command -v cargo >/dev/null && [[ -x ${HOME:-}/.cargo/bin/cargo ]]; then
    PATH=$HOME/.cargo/bin:$PATH
  fi
  command -v cargo >/dev/null ||
    die 69 "no cargo here: install Rust 1.92 or newer (https://rustup.rs), then run this again"
  command -v cc >/dev/null ||
    die 69 "no C linker here (cc), which Rust needs: install it (Debian: apt-get install gcc libc6-dev), then run this again"
}

# in_group COMMAND…: runs it in the background as a process group of its own, whose id is then in
# GROUP. Without that, what bash runs in the background ignores Ctrl-C for ever, and what a command
# has itself started could not be ended with it.
in_group() {
  set -m
  "$@" </dev/null &
  # shellcheck disable=SC2034 # read by the caller
  GROUP=$!
  set +m
}

# end_group GROUP: ends every process of the group and waits for the first.
end_group() {
  [[ -n ${1:-} ]] || return 0
  kill -TERM -- "-$1" 2>/dev/null || return 0
  wait "$1" 2>/dev/null || true
  local ends=$((SECONDS + 10))
  while kill -0 -- "-$1" 2>/dev/null; do
    ((SECONDS <= ends)) || { kill -KILL -- "-$1" 2>/dev/null || true; return 0; }
    sleep 0.05
  done
}

# hold NAME MESSAGE: one run at a time per working copy. The lock goes when this shell ends,
# however it ends.
hold() {
  mkdir -p "$STATE"
  exec 8>>"$STATE/$1.lock"
  flock -n 8 || die "$2"
}
