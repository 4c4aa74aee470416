# Servers as processes that outlive this script, with their ports, folders and users. Sourced by
# scripts/services.
# shellcheck shell=bash

# launch LOG COMMAND…: starts a server that outlives this script, and stores its pid in PID. The server
# gets a session of its own, because Ctrl-C is for the script, which ends it in order. It inherits no
# open file: the lock, above all, would be held for as long as the server runs.
launch() {
  local log=$1
  shift
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      if ((fd > 2 && fd != 255)); then eval "exec $fd>&-"; fi
    done
    cd / # or the server would keep the caller's folder in use
    exec setsid "$@"
  ) </dev/null >>"$log" 2>&1 &
  PID=$!
  disown "$PID"
}

# descendants PID: prints the processes below it, as "pid stamp" lines. Erlang's helpers have sessions
# of their own, so they cannot be found by session or process group.
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

# free_port [TAKEN…]: prints an unused port. It is below the range of ports that the kernel assigns to
# clients (32768 and up), so that no client takes it while the server is stopped.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    case " $* " in *" $port "*) continue ;; esac
    listens "$port" || break
  done
  echo "$port"
}

# own_folder PATH [USER]: creates a folder that only this user (or USER) can enter. Under /tmp, it may
# belong to somebody else already: then this fails.
own_folder() {
  local path=$1 user=${2:-} owner
  if mkdir -m 0700 "$path" 2>/dev/null; then
    if [[ -n $user ]]; then chown "$user" "$path"; fi
    return 0
  fi
  [[ -d $path && ! -L $path ]] || die "$path cannot be created, or is not a folder: remove it"
  owner=$(stat -c %U "$path")
  [[ $owner == "${user:-$(id -un)}" ]] ||
    die "$path belongs to $owner: remove it, then run this again"
}

# as_user USER HOME COMMAND…: runs a command as that user; as the current user if USER is empty.
as_user() {
  local user=$1 home=$2
  shift 2
  if [[ -n $user ]]; then
    (cd / && HOME=$home setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@")
  else
    "$@"
  fi
}
