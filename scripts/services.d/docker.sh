# Services as containers of docker-compose.yml. Sourced by scripts/services.
# shellcheck shell=bash

# has_docker: whether both the engine and compose answer; a client without one of them is common.
has_docker() {
  command -v docker >/dev/null && docker info >/dev/null 2>&1 &&
    docker compose version >/dev/null 2>&1
}

compose() {
  local fsync=on
  if [[ $test == yes ]]; then fsync=off; fi
  POSTGRES_PORT=$(field postgres PORT) RABBITMQ_PORT=$(field rabbitmq PORT) \
    RABBITMQ_MANAGEMENT_PORT=$(field rabbitmq MANAGEMENT) MARIADB_PORT=$(field mariadb PORT) \
    POSTGRES_FSYNC=$fsync docker compose -p "$NAME" -f "$ROOT/docker-compose.yml" "$@"
}

start_container() {
  if [[ -z $(field "$1" PORT) ]]; then "${1}_container"; fi
  touch "$DIR/containers"
  compose up -d --wait "$1" >"$DIR/$1.log" 2>&1 ||
    { tail -n 5 "$DIR/$1.log" >&2 && die "docker compose could not start $1, see $DIR/$1.log"; }
  say "$1: container of project $NAME, port $(field "$1" PORT)"
}
