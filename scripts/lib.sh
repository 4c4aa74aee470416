# Functions that the scripts beside this file share. Sourced, never run.
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

# stamp_of PID: prints the start time of a running process, in clock ticks since boot. Pid and start
# time together identify a process, while a pid alone may belong to a new process. A zombie counts as
# ended: in some containers nothing reaps it.
stamp_of() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name is in brackets and may contain anything; field 3 follows it.
  read -r -a stat <<<"${stat##*) }"
  [[ ${stat[0]} != [ZX] ]] || return 1
  echo "${stat[19]}"
}

# runs PID STAMP: whether this process is running.
runs() {
  [[ -n ${1:-} && -n ${2:-} ]] && [[ $(stamp_of "$1") == "$2" ]]
}

# gone SECONDS PID STAMP: waits until the process has ended; fails if it has not by then.
gone() {
  local ends=$((SECONDS + $1))
  while runs "$2" "$3"; do
    ((SECONDS <= ends)) || return 1
    sleep 0.02
  done
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# http_status HOST PORT PATH: prints the status code of a GET request, without curl.
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

# need_rust: finds cargo and a linker, or ends with a line that names what to install.
need_rust() {
  if ! command -v cargo >/dev/null && [[ -x ${HOME:-}/.cargo/bin/cargo ]]; then
    PATH=$HOME/.cargo/bin:$PATH
  fi
  command -v cargo >/dev/null ||
    die 69 "cargo is not installed: install Rust 1.92 or newer (https://rustup.rs), then run this again"
  command -v cc >/dev/null ||
    die 69 "Rust needs a C linker (cc), which is not installed: install it (Debian: apt-get install gcc libc6-dev), then run this again"
}

# in_group COMMAND…: runs a command in the background in a process group of its own, and stores the
# group's id in GROUP. Otherwise a background process of bash ignores Ctrl-C for ever, and the
# processes that the command starts could not be ended with it.
in_group() {
  set -m
  "$@" </dev/null &
  # shellcheck disable=SC2034 # read by the caller
  GROUP=$!
  set +m
}

# end_group GROUP: ends every process of the group and waits for it.
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

# hold NAME MESSAGE: takes a lock, so that only one run at a time is active per working copy, or ends
# with the message. The lock is released when this shell ends, in any way.
hold() {
  mkdir -p "$STATE"
  exec 8>>"$STATE/$1.lock"
  flock -n 8 || die "$2"
}
