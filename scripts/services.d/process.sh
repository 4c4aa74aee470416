# Servers as processes: starting one that outlives this script, and what they need. Sourced by
# scripts/services.
# shellcheck shell=bash

# launch LOG COMMAND…: starts a server that outlives this script; its pid is then in PID. It gets a
# session of its own (Ctrl-C is for the script, which ends it in order) and none of our open files:
# the lock above all would stay held for as long as the server runs.
launch() {
  local log=$1
  shift
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      if ((fd > 2 && fd != 255)); then eval "exec $fd>&-"; fi
    done
    cd / # or the server would hold on to the caller's folder
    exec setsid "$@"
  ) </dev/null >>"$log" 2>&1 &
  PID=$!
  disown "$PID"
}

# descendants PID: the processes below it, as "pid stamp" lines. Erlang's helpers have sessions of
# their own, so that neither the session nor the process group leads to them.
descendants() {
  local file stat pid all=() below=" $1 " found=1
  for file in /proc/[0-9]*/stat; do
    stat=$(cat "$file" 2>/dev/null) || continue
    pid=${stat%% *}
    read -r -a stat <<<"${stat##*) }"
    all+=("$pid ${stat[1]} ${stat[19]}")
  done
  while [[ $found == 1 ]]; do
    found=0
    for file in ${all[@]+"${all[@]}"}; do
      read -r -a stat <<<"$file"
      if [[ $below == *" ${stat[1]} "* && $below != *" ${stat[0]} "* ]]; then
        below+="${stat[0]} "
        found=1
        echo "${stat[0]} ${stat[2]}"
      fi
    done
  done
}

# free_port [TAKEN…]: a port nobody listens on, below the range from which the kernel hands out
# ports to clients (32768 and up), one of which could take it while the server is stopped.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    case " $* " in *" $port "*) continue ;; esac
    listens "$port" || break
  done
  echo "$port"
}

# own_folder PATH [USER]: a folder that only we (or that user) can enter. Under /tmp somebody else
# may have been there first.
own_folder() {
  local path=$1 user=${2:-} owner
  if mkdir -m 0700 "$path" 2>/dev/null; then
    if [[ -n $user ]]; then chown "$user" "$path"; fi
    return 0
  fi
  [[ -d $path && ! -L $path ]] || die "$path cannot be made, or is no folder: remove it"
  owner=$(stat -c %U "$path")
  [[ $owner == "${user:-$(id -un)}" ]] ||
    die "$path belongs to $owner: remove it, then run this again"
}

# as_user USER HOME COMMAND…: as that user, or as we are where none is named.
as_user() {
  local user=$1 home=$2
  shift 2
  if [[ -n $user ]]; then
    (cd / && HOME=$home setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@")
  else
    "$@"
  fi
}
