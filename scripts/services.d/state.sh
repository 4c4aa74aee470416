# The notes about a set's services, one file a service. Sourced by scripts/services.
# shellcheck shell=bash

# field SERVICE NAME: prints one value of a service's notes.
field() {
  [[ -r $DIR/$1.state ]] || return 0
  sed -n "s/^$2=//p" "$DIR/$1.state"
}

# field_beside SERVICE NAME: prints one value of the notes of the set that this one joins.
field_beside() {
  DIR=$beside field "$1" "$2"
}

# note SERVICE NAME=VALUE…: replaces a service's notes. Written to another file and renamed, so that a
# reader sees all of them or none.
note() {
  local file=$DIR/$1.state
  shift
  printf '%s\n' "$@" >"$file.new"
  mv "$file.new" "$file"
}

# is_up SERVICE: whether its private instance or container is running.
is_up() {
  case $(field "$1" KIND) in
    private) runs "$(field "$1" PID)" "$(field "$1" STAMP)" ;;
    docker) [[ -n $(compose ps -q --status running "$1" 2>/dev/null) ]] ;;
    *) return 1 ;;
  esac
}

# given SERVICE: whether its variable names a server, so that none is started. A variable that `env`
# printed names our own instance, which is managed as usual.
given() {
  local variable=${VARIABLE[$1]}
  [[ -z ${STACKLEDGER_SERVICES_DIR:-} ]] || return 1
  [[ -n ${!variable:-} && ${!variable} != "$(field "$1" URL)" ]]
}
