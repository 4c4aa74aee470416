# A private PostgreSQL. Sourced by scripts/services.
# shellcheck shell=bash

OLDEST_POSTGRES=15

TITLE[postgres]="PostgreSQL $OLDEST_POSTGRES or newer"
VARIABLE[postgres]=DATABASE_URL
PACKAGE[postgres]=postgresql

# Its socket is beside its data, and a socket's path has at most 107 bytes. For root it runs as a user
# of its own.
PG_BASE=$DIR/postgres PG_USER=
if [[ $PATH_IS_PLAIN == no ]]; then PG_BASE=/tmp/$NAME; fi
if [[ $EUID == 0 ]]; then
  PG_BASE=/tmp/$NAME
  PG_USER=postgres
  id postgres >/dev/null 2>&1 || PG_USER=nobody
fi
# Tests create and drop some thousand databases of hundreds of files each, for which a disk's file system takes longer and
# longer: their data is in memory, where there is room. The large clouds of --long have more.
SHM=/dev/shm SHM_KB=$((4 << 20))
if [[ $test == yes && -z ${STACKLEDGER_LONG:-} && -w $SHM ]] &&
  (($(df --output=avail -k "$SHM" | tail -n 1) >= SHM_KB)); then
  PG_BASE=$SHM/$NAME
fi
# It stays where it was made.
if [[ -n $(field postgres DATA) ]]; then PG_BASE=$(dirname "$(field postgres DATA)"); fi
BASE[postgres]=$PG_BASE

# postgres_bin [VERSION]: prints the folder with PostgreSQL's programs: those of this version, which
# existing data needs; without one the first of the PATH, else the newest.
postgres_bin() {
  local wanted=${1:-} dir version candidates=()
  if dir=$(command -v postgres); then candidates+=("$(dirname "$(readlink -f "$dir")")"); fi
  while IFS= read -r dir; do candidates+=("$dir"); done < <(
    printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* | sort -rV
  )
  for dir in "${candidates[@]}"; do
    [[ -x $dir/postgres && -x $dir/initdb ]] || continue
    version=$("$dir/postgres" --version 2>/dev/null | grep -Eo '[0-9]+' | head -n 1) || continue
    if [[ -n $wanted ]]; then
      [[ $version == "$wanted" ]] || continue
    else
      ((version >= OLDEST_POSTGRES)) || continue
    fi
    echo "$dir"
    return 0
  done
  return 1
}

# Notes the container's port and URL.
postgres_container() {
  local port
  port=$(free_port)
  note postgres KIND=docker TEST="$test" PORT="$port" \
    URL="postgresql://postgres:postgres@127.0.0.1:$port/stackledger"
}

as_postgres() { as_user "$PG_USER" "$PG_BASE" "$@"; }

# encoded TEXT: prints it percent-encoded.
encoded() {
  local LC_ALL=C text=$1 char i
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    case $char in
      [A-Za-z0-9._~-]) printf %s "$char" ;;
      *) printf '%%%02X' "'$char" ;;
    esac
  done
}

# postgres_ready DATA: waits until the server that was just launched accepts connections; fails if it
# ends instead. After a crash it first replays its own log, which may take some time.
postgres_ready() {
  local began=$SECONDS
  while ! { [[ $(sed -n 1p "$1/postmaster.pid" 2>/dev/null) == "$PID" ]] &&
    [[ $(sed -n 8p "$1/postmaster.pid" 2>/dev/null) == ready* ]]; }; do
    stamp_of "$PID" >/dev/null || return 1
    ((SECONDS - began < 300)) || die "PostgreSQL is not ready after five minutes, see $DIR/postgres.log"
    sleep 0.03
  done
}

start_postgres() {
  local data=$PG_BASE/data log=$DIR/postgres.log bin version lock began=$SECONDS settings=() run=()
  own_folder "$PG_BASE" "$PG_USER"
  if [[ -e $data/PG_VERSION ]]; then
    version=$(cat "$data/PG_VERSION")
    bin=$(postgres_bin "$version") ||
      die "the data in $data needs PostgreSQL $version, which is not installed: install it (Debian: apt-get install postgresql-$version), or delete the data with scripts/services down"
  else
    bin=$(postgres_bin) || die 69 "PostgreSQL $OLDEST_POSTGRES or newer is not installed"
    # In another folder first, so that an incomplete one is never taken for data.
    rm -rf "$data.tmp"
    if [[ -n $beside ]]; then
      as_postgres "$bin/pg_basebackup" -D "$data.tmp" -h "$(field_beside postgres DATA)" -U postgres \
        --write-recovery-conf --checkpoint=fast >"$log" 2>&1 ||
        { tail -n 5 "$log" >&2 && die "the standby could not be made, see $log"; }
      # The copy has the files of the primary's socket.
      as_postgres rm -f "$data.tmp"/.s.PGSQL.*
    else
    as_postgres "$bin/initdb" -D "$data.tmp" -U postgres -A trust -E UTF8 --locale=C \
      --no-sync >"$log" 2>&1 || { tail -n 5 "$log" >&2 && die "initdb failed, see $log"; }
    as_postgres "$bin/postgres" --single -D "$data.tmp" -F postgres \
      <<<'CREATE DATABASE stackledger' >>"$log" 2>&1 ||
      { tail -n 5 "$log" >&2 && die "the database could not be created, see $log"; }
    fi
    [[ $test == yes ]] || sync -f "$data.tmp" || true
    mv "$data.tmp" "$data"
  fi

  settings=(-c listen_addresses= -c unix_socket_directories="$data" -c unix_socket_permissions=0700
    -c max_connections=300)
  if [[ $test == yes ]]; then
    settings+=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
  fi
  if [[ -n $PG_USER ]]; then
    run=(setpriv --reuid="$PG_USER" --regid="$(id -g "$PG_USER")" --init-groups --)
  fi
  # A killed server leaves its lock files. If nothing reaps it, the pid in them still seems to exist,
  # so replace it by one that cannot exist. The rest stays: it shows PostgreSQL whether a session of
  # the old server is left.
  for lock in "$data/postmaster.pid" "$data/.s.PGSQL.5432.lock"; do
    if [[ -s $lock ]] && ! stamp_of "$(sed -n 1p "$lock")" >/dev/null; then
      as_postgres sed -i '1s/.*/2147483646/' "$lock"
    fi
  done
  while :; do
    launch "$log" ${run[@]+"${run[@]}"} "$bin/postgres" -D "$data" "${settings[@]}"
    # Noted before it is ready, so that `down` can end it if this script is killed while it waits.
    note postgres KIND=private TEST="$test" PID="$PID" STAMP="$(stamp_of "$PID")" DATA="$data" \
      URL="postgresql://postgres@$(encoded "$data")/stackledger"
    if postgres_ready "$data"; then break; fi
    # If the server was killed, its last session may need a moment to notice.
    if ((SECONDS - began > 10)) || ! tail -n 4 "$log" | grep -Eq 'shared memory block|already exists'; then
      tail -n 5 "$log" >&2
      die "PostgreSQL did not start, see $log"
    fi
    sleep 0.5
  done
  say "PostgreSQL $(cat "$data/PG_VERSION"): private instance, pid $PID, data in $data"
}

stop_postgres() {
  local pid stamp signal=INT
  pid=$(field postgres PID) stamp=$(field postgres STAMP)
  runs "$pid" "$stamp" || return 0
  if [[ $immediate == yes ]]; then signal=QUIT; fi
  kill "-$signal" "$pid"
  gone 60 "$pid" "$stamp" || {
    warn "PostgreSQL (pid $pid) has not ended after a minute: killing it"
    kill -KILL "$pid" 2>/dev/null || true
    gone 10 "$pid" "$stamp" || die "PostgreSQL (pid $pid) cannot be killed"
  }
  say "PostgreSQL (pid $pid) has ended"
}
