# A private RabbitMQ. Sourced by scripts/services.
# shellcheck shell=bash

TITLE[rabbitmq]=RabbitMQ
VARIABLE[rabbitmq]=AMQP_URL
PACKAGE[rabbitmq]=rabbitmq-server

# RabbitMQ's scripts split paths at spaces.
MQ_BASE=$DIR/rabbitmq
if [[ $PATH_IS_PLAIN == no ]]; then MQ_BASE=/tmp/$NAME-rabbitmq; fi
BASE[rabbitmq]=$MQ_BASE

# Prints the path of the server's own script. The file in the PATH is often a link to a wrapper of the
# distribution, which requires the user root or rabbitmq and, called by its own name, calls itself for
# ever. Only a file whose own name is rabbitmq-server, with rabbitmq-env beside it, is the server's.
rabbitmq_bin() {
  local file
  command -v erl >/dev/null || return 1
  for file in "$(command -v rabbitmq-server || true)" /usr/lib/rabbitmq/bin/rabbitmq-server \
    /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server /opt/rabbitmq/sbin/rabbitmq-server; do
    [[ -x $file ]] || continue
    file=$(readlink -f "$file")
    [[ ${file##*/} == rabbitmq-server && -e ${file%/*}/rabbitmq-env ]] || continue
    echo "$file"
    return 0
  done
  return 1
}

# Notes the container's ports and URL.
rabbitmq_container() {
  local port management
  port=$(free_port) management=$(free_port "$port")
  note rabbitmq KIND=docker TEST="$test" PORT="$port" MANAGEMENT="$management" \
    URL="amqp://guest:guest@127.0.0.1:$port/%2f"
}

# Prints the variable with the URL of the management API, beside AMQP_URL.
rabbitmq_env() {
  if given rabbitmq; then
    if [[ -n ${AMQP_MANAGEMENT_URL:-} ]]; then
      printf 'export AMQP_MANAGEMENT_URL=%q\n' "$AMQP_MANAGEMENT_URL"
    fi
  elif [[ -n $(field rabbitmq MANAGEMENT) ]]; then
    printf 'export AMQP_MANAGEMENT_URL=%q\n' \
      "http://guest:guest@127.0.0.1:$(field rabbitmq MANAGEMENT)"
  else
    echo 'unset AMQP_MANAGEMENT_URL'
  fi
}

# speaks_amqp PORT: whether a broker there answers the protocol header with a method frame, which
# starts with 1.
speaks_amqp() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'AMQP\0\0\011\001' >&3
    IFS= read -r -N 1 -t 2 byte <&3 && [[ $byte == $'\001' ]]
  ) 2>/dev/null
}

epmd_bin() {
  local file
  for file in "$(command -v epmd || true)" \
    "$(dirname "$(readlink -f "$(command -v erl)")")"/../erts-*/bin/epmd; do
    if [[ -x $file ]]; then echo "$file" && return 0; fi
  done
  return 1
}

# boot_rabbitmq SERVER PORT DIST EPMD MANAGEMENT: tries to start a node; fails if it ends before it is
# ready, as it does if one of the ports is in use.
boot_rabbitmq() {
  local server=$1 port=$2 dist=$3 epmd=$4 management=$5
  local log=$DIR/rabbitmq.log began=$SECONDS epmd_pid="" epmd_stamp="" url schedulers="" launcher node
  mkdir -p "$MQ_BASE"/{home,log,mnesia,conf.d,generated}

  {
    echo "listeners.tcp.default = 127.0.0.1:$port"
    if [[ -n $management ]]; then
      echo "management.tcp.ip = 127.0.0.1"
      echo "management.tcp.port = $management"
    fi
    # The maximum age of the management API's data about queues.
    if [[ $test == yes ]]; then echo "collect_statistics_interval = 1000"; fi
  } >"$MQ_BASE/rabbitmq.conf"
  if [[ -n $management ]]; then
    echo "[rabbitmq_management]." >"$MQ_BASE/plugins"
  else
    echo "[]." >"$MQ_BASE/plugins"
  fi
  if [[ -n $beside ]]; then
    # A node joins a cluster at its first start alone, and only with the others' cookie.
    printf 'cluster_formation.classic_config.nodes.%s\n' "1 = $(field_beside rabbitmq NODE)" \
      "2 = $NAME@localhost" >>"$MQ_BASE/rabbitmq.conf"
    cp -p "$(field_beside rabbitmq HOME)/.erlang.cookie" "$MQ_BASE/home/"
  fi
  rm -f "$MQ_BASE/pid"
  # Leave processors for the tests.
  if [[ $test == yes ]]; then schedulers="+S 2:2"; fi

  # The node would start Erlang's name service itself, and that would outlive the node. Started here,
  # its pid is known. The nodes of a cluster have one name service, that of the first.
  if ! { [[ -n $joins ]] && listens "$epmd"; }; then
    launch "$log" "$(epmd_bin)" -port "$epmd" -address 127.0.0.1
    epmd_pid=$PID epmd_stamp=$(stamp_of "$PID")
    while ! listens "$epmd"; do
      stamp_of "$epmd_pid" >/dev/null || return 1
      sleep 0.02
    done
  fi

  # With an empty environment, because the caller's RABBITMQ_… variables are for another node. With the
  # variable `detached` the server's script becomes the node instead of waiting for it.
  launch "$log" bash -c 'ulimit -n 65536 2>/dev/null; exec "$@"' bash \
    env -i PATH="$PATH" LANG=C.UTF-8 HOME="$MQ_BASE/home" detached=true \
    RABBITMQ_NODENAME="$NAME@localhost" \
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$port" RABBITMQ_DIST_PORT="$dist" \
    RABBITMQ_MNESIA_BASE="$MQ_BASE/mnesia" RABBITMQ_LOG_BASE="$MQ_BASE/log" \
    RABBITMQ_CONFIG_FILE="$MQ_BASE/rabbitmq.conf" \
    RABBITMQ_CONFIG_FILES="$MQ_BASE/conf.d" \
    RABBITMQ_ADVANCED_CONFIG_FILE="$MQ_BASE/none.config" \
    RABBITMQ_CONF_ENV_FILE="$MQ_BASE/none.conf" \
    RABBITMQ_GENERATED_CONFIG_DIR="$MQ_BASE/generated" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$MQ_BASE/plugins" RABBITMQ_PID_FILE="$MQ_BASE/pid" \
    ERL_EPMD_PORT="$epmd" ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP_BYTES=0 \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$schedulers +sbwt none -kernel inet_dist_use_interface {127,0,0,1}" \
    "$server"
  launcher=$PID
  url=amqp://guest:guest@127.0.0.1:$port/%2f
  local noted=(KIND=private TEST="$test" URL="$url" PORT="$port" DIST="$dist" EPMD="$epmd"
    MANAGEMENT="$management" LAUNCHER="$launcher"
    EPMD_PID="$epmd_pid" EPMD_STAMP="$epmd_stamp"
    NODE="$NAME@localhost" HOME="$MQ_BASE/home" JOINS="$joins")
  note rabbitmq "${noted[@]}" PID="$launcher" STAMP="$(stamp_of "$launcher")"

  until speaks_amqp "$port" && { [[ -z $management ]] || listens "$management"; }; do
    stamp_of "$launcher" >/dev/null || return 1
    if ((SECONDS - began > 90)); then
      immediate=yes stop_rabbitmq quietly
      die "RabbitMQ was not ready after 90 seconds and was ended, see $log and $MQ_BASE/log"
    fi
    sleep 0.1
  done
  # If the script waits for the node after all, note the pid of the node.
  node=$(cat "$MQ_BASE/pid" 2>/dev/null || true)
  if [[ -n $node ]] && stamp_of "$node" >/dev/null; then
    note rabbitmq "${noted[@]}" PID="$node" STAMP="$(stamp_of "$node")"
  fi
}

# start_rabbitmq [same]: starts the node; with `same` on the ports it had.
start_rabbitmq() {
  local server attempt port dist epmd management="" joins
  server=$(rabbitmq_bin) || die 69 "RabbitMQ is not installed"
  epmd_bin >/dev/null || die 69 "Erlang is installed without its epmd: install it (Debian: erlang-base)"
  if [[ $MQ_BASE == /tmp/* ]]; then own_folder "$MQ_BASE"; fi
  # If the node was killed, its epmd is still running and holds the port.
  stop_rabbitmq quietly
  : >"$DIR/rabbitmq.log"
  joins=${beside:-$(field rabbitmq JOINS)}
  for attempt in 1 2 3; do
    port=$(field rabbitmq PORT) dist=$(field rabbitmq DIST)
    epmd=$(field rabbitmq EPMD) management=$(field rabbitmq MANAGEMENT)
    if [[ ${1:-} != same ]] && { [[ -z $port || $attempt -gt 1 ]] || listens "$port"; }; then
      port=$(free_port) dist=$(free_port "$port") epmd=$(free_port "$port" "$dist") management=""
      if [[ -n $joins ]]; then epmd=$(field_beside rabbitmq EPMD); fi
      # shellcheck disable=SC2144 # one folder per plugin
      if compgen -G "${server%/*}/../plugins/rabbitmq_management-*" >/dev/null; then
        management=$(free_port "$port" "$dist" "$epmd")
      fi
    fi
    if boot_rabbitmq "$server" "$port" "$dist" "$epmd" "$management"; then
      say "RabbitMQ: private instance, pid $(field rabbitmq PID), port $port${management:+, management on port $management}, data in $MQ_BASE"
      return 0
    fi
    immediate=yes stop_rabbitmq quietly
  done
  tail -n 8 "$DIR/rabbitmq.log" >&2
  die "RabbitMQ did not start in $attempt attempts, see $DIR/rabbitmq.log and $MQ_BASE/log"
}

stop_rabbitmq() {
  local pid stamp helper helpers=() was=no
  pid=$(field rabbitmq PID) stamp=$(field rabbitmq STAMP)
  if runs "$pid" "$stamp"; then
    was=yes
    mapfile -t helpers < <(descendants "$(field rabbitmq LAUNCHER)"; descendants "$pid")
    if [[ $immediate == yes ]]; then kill -KILL "$pid"; else kill -TERM "$pid"; fi
    # Wait for the process, because its pid file disappears earlier, and a restart before the end fails.
    gone 60 "$pid" "$stamp" || {
      warn "RabbitMQ (pid $pid) has not ended after a minute: killing it"
      kill -KILL "$pid" 2>/dev/null || true
      gone 10 "$pid" "$stamp" || die "RabbitMQ (pid $pid) cannot be killed"
    }
  fi
  # Its helpers notice that it has ended, and end by themselves.
  for helper in ${helpers[@]+"${helpers[@]}"}; do
    # shellcheck disable=SC2086 # pid and stamp
    gone 3 $helper || kill -KILL "${helper% *}" 2>/dev/null || true
  done
  pid=$(field rabbitmq EPMD_PID) stamp=$(field rabbitmq EPMD_STAMP)
  if runs "$pid" "$stamp"; then
    kill -TERM "$pid"
    gone 10 "$pid" "$stamp" || die "epmd (pid $pid) has not ended after 10 seconds"
  fi
  if [[ $was == yes && ${1:-} != quietly ]]; then say "RabbitMQ (pid $(field rabbitmq PID)) has ended"; fi
}
