# What is noted about a set's services, each in a file of its own. Sourced by scripts/services.
# shellcheck shell=bash

# field SERVICE NAME: one value of what was noted about a service's instance.
field() {
  [[ -r $DIR/$1.state ]] || return 0
  sed -n "s/^$2=//p" "$DIR/$1.state"
}

# note SERVICE NAME=VALUE…: written aside and renamed, so that a reader sees all of it or nothing.
note() {
  local file=$DIR/$1.state
  shift
  printf '%s\n' "$@" >"$file.new"
  mv "$file.new" "$file"
}

is_up() {
  case $(field "$1" KIND) in
    private) runs "$(field "$1" PID)" "$(field "$1" STAMP)" ;;
    docker) [[ -n $(compose ps -q --status running "$1" 2>/dev/null) ]] ;;
    *) return 1 ;;
  esac
}

# given SERVICE: its variable is set, so there is nothing to start. A variable that holds what `env`
# printed leads to our own instance, which is then looked after as ever.
given() {
  local variable=${VARIABLE[$1]}
  [[ -z ${STACKLEDGER_SERVICES_DIR:-} ]] || return 1
  [[ -n ${!variable:-} && ${!variable} != "$(field "$1" URL)" ]]
}
