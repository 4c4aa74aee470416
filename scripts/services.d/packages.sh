# Servers from the distribution's packages. Sourced by scripts/services.
# shellcheck shell=bash

has_apt() { [[ $EUID == 0 ]] && command -v apt-get >/dev/null; }

# missing: the services that are wanted and not here.
missing() {
  local service
  for service in "${SERVICES[@]}"; do
    if wants "$service" && ! given "$service" && ! "${service}_bin" >/dev/null; then
      echo "$service"
    fi
  done
}

# packages SERVICE…: what to install.
packages() {
  local service list=""
  for service; do list+=" ${PACKAGE[$service]}"; done
  echo "${list# }"
}

# variables SERVICE…: what leads to servers that run, as "A and B".
variables() {
  local service list=""
  for service; do list+="${list:+ and }${VARIABLE[$service]}"; done
  echo "$list"
}

# install_packages SERVICE…
install_packages() {
  local policy=/usr/sbin/policy-rc.d log=$DIR/apt.log ours=no failed=no names
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
  names=$(packages "$@")
  say "installing with apt-get: $names (about a minute)"
  # The packages start a server each, on the standard ports: nobody asked for those.
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    ours=yes
  fi
  {
    "${apt[@]}" update || true
    # shellcheck disable=SC2086 # several names
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends $names
  } >"$log" 2>&1 </dev/null || failed=yes
  if [[ $ours == yes ]]; then rm -f "$policy"; fi
  if [[ $failed == yes ]]; then
    tail -n 5 "$log" >&2
    die 69 "apt-get could not install $names, see $log; or set $(variables "$@")"
  fi
  hash -r
}

# What was looked for, where, and what to do next, in two lines.
tell_missing() {
  local why="no docker engine with compose" service list=""
  if [[ $EUID != 0 ]]; then
    why+=", not root"
  elif ! has_apt; then
    why+=", no apt-get"
  fi
  warn "not found here: $(packages "$@") (looked in PATH and where packages put them; $why)"
  if command -v apt-get >/dev/null; then
    warn "next: sudo apt-get install -y --no-install-recommends $(packages "$@") (or set $(variables "$@") to servers that run)"
  else
    for service; do list+="${list:+ and }${TITLE[$service]}"; done
    warn "next: install $list, or set $(variables "$@") to servers that run"
  fi
}

unavailable() {
  tell_missing "$@"
  exit 69
}
