# A private MariaDB, the target of the tests of exports. Sourced by scripts/services.
# shellcheck shell=bash

TITLE[mariadb]=MariaDB
VARIABLE[mariadb]=MARIADB_URL
PACKAGE[mariadb]=mariadb-server

# As with PostgreSQL, its socket is beside its data, and for root it runs as a user of its own.
MARIADB_BASE=$DIR/mariadb MARIADB_USER=
if [[ $PATH_IS_PLAIN == no ]]; then MARIADB_BASE=/tmp/$NAME-mariadb; fi
if [[ $EUID == 0 ]]; then
  MARIADB_BASE=/tmp/$NAME-mariadb
  MARIADB_USER=mysql
  id mysql >/dev/null 2>&1 || MARIADB_USER=nobody
fi
BASE[mariadb]=$MARIADB_BASE

# Prints the path of the server, which distributions often put only into root's PATH. The program
# that creates its first tables must exist as well.
mariadb_bin() {
  local file
  command -v mariadb-install-db >/dev/null || return 1
  for file in "$(command -v mariadbd || true)" /usr/sbin/mariadbd /usr/libexec/mariadbd; do
    if [[ -x $file ]]; then echo "$file" && return 0; fi
  done
  return 1
}

# Notes the container's ports and URL.
mariadb_container() {
  local port
  port=$(free_port)
  note mariadb KIND=docker TEST="$test" PORT="$port" URL="mysql://root@127.0.0.1:$port"
}

# greets_as_mysql PORT: whether a server there accepts connections. It sends the first packet, number
# 0, with the protocol's version 10.
greets_as_mysql() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    head -c 5 <&3 | tail -c 1 | od -An -tx1 | grep -q 0a
  ) 2>/dev/null
}

# mariadb_ready PORT: waits until the server that was just launched accepts connections; fails if it
# ends instead, as it does if its port is in use.
mariadb_ready() {
  local began=$SECONDS
  until greets_as_mysql "$1"; do
    stamp_of "$PID" >/dev/null || return 1
    ((SECONDS - began < 120)) || die "MariaDB is not ready after two minutes, see $DIR/mariadb.log"
    sleep 0.05
  done
}

# start_mariadb [same]: starts the server; with `same` on the port it had.
start_mariadb() {
  local server data=$MARIADB_BASE/data log=$DIR/mariadb.log attempt port settings=() run=()
  server=$(mariadb_bin) || die 69 "MariaDB is not installed"
  own_folder "$MARIADB_BASE" "$MARIADB_USER"
  if [[ ! -d $data ]]; then
    # In another folder first, so that an incomplete one is never taken for data.
    rm -rf "$data.tmp"
    as_user "$MARIADB_USER" "$MARIADB_BASE" mariadb-install-db --no-defaults \
      --datadir="$data.tmp" --auth-root-authentication-method=normal --skip-test-db \
      --skip-name-resolve >"$log" 2>&1 ||
      { tail -n 5 "$log" >&2 && die "mariadb-install-db failed, see $log"; }
    mv "$data.tmp" "$data"
  fi

  settings=(--no-defaults --datadir="$data" --socket="$MARIADB_BASE/socket"
    --pid-file="$MARIADB_BASE/pid" --bind-address=127.0.0.1 --skip-name-resolve --skip-log-bin
    --max-connections=300 --character-set-server=utf8mb4 --innodb-buffer-pool-size=64M)
  if [[ $test == yes ]]; then
    settings+=(--innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-flush-method=nosync)
  fi
  if [[ -n $MARIADB_USER ]]; then
    run=(setpriv --reuid="$MARIADB_USER" --regid="$(id -g "$MARIADB_USER")" --init-groups --)
  fi
  for attempt in 1 2 3; do
    port=$(field mariadb PORT)
    if [[ ${1:-} != same ]] && { [[ -z $port || $attempt -gt 1 ]] || listens "$port"; }; then
      port=$(free_port)
    fi
    launch "$log" ${run[@]+"${run[@]}"} "$server" "${settings[@]}" --port="$port"
    # Noted before it is ready, so that `down` can end it if this script is killed while it waits.
    note mariadb KIND=private TEST="$test" PID="$PID" STAMP="$(stamp_of "$PID")" PORT="$port" \
      URL="mysql://root@127.0.0.1:$port"
    if mariadb_ready "$port"; then
      say "MariaDB: private instance, pid $PID, port $port, data in $data"
      return 0
    fi
  done
  tail -n 5 "$log" >&2
  die "MariaDB did not start in $attempt attempts, see $log"
}

stop_mariadb() {
  local pid stamp signal=TERM
  pid=$(field mariadb PID) stamp=$(field mariadb STAMP)
  runs "$pid" "$stamp" || return 0
  if [[ $immediate == yes ]]; then signal=KILL; fi
  kill "-$signal" "$pid"
  gone 60 "$pid" "$stamp" || {
    warn "MariaDB (pid $pid) has not ended after a minute: killing it"
    kill -KILL "$pid" 2>/dev/null || true
    gone 10 "$pid" "$stamp" || die "MariaDB (pid $pid) cannot be killed"
  }
  say "MariaDB (pid $pid) has ended"
}
