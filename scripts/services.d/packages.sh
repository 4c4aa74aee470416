# Servers from the distribution's packages. Sourced by scripts/services.
# shellcheck shell=bash

has_apt() { [[ $EUID == 0 ]] && command -v apt-get >/dev/null; }

# missing: prints the wanted services that are not installed.
missing() {
  local service
  for service in "${SERVICES[@]}"; do
    if wants "$service" && ! given "$service" && ! "${service}_bin" >/dev/null; then
      echo "$service"
    fi
  done
}

# packages SERVICE…: prints their packages.
packages() {
  local service list=""
  for service; do list+=" ${PACKAGE[$service]}"; done
  echo "${list# }"
}

# variables SERVICE…: prints the variables of their URLs, as "A and B".
variables() {
  local service list=""
  for service; do list+="${list:+ and }${VARIABLE[$service]}"; done
  echo "$list"
}

# install_packages SERVICE…: installs their packages, or exits with 69.
install_packages() {
  local policy=/usr/sbin/policy-rc.d log=$DIR/apt.log ours=no failed=no names
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
  names=$(packages "$@")
  say "installing with apt-get: $names (about a minute)"
  # Keep the packages from starting servers of their own on the standard ports.
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

# tell_missing SERVICE…: prints two lines: which packages are missing, and the next step.
tell_missing() {
  local why="no docker engine with compose" service list=""
  if [[ $EUID != 0 ]]; then
    why+=", not root"
  elif ! has_apt; then
    why+=", no apt-get"
  fi
  warn "not installed: $(packages "$@") (looked in PATH and the folders of packages; $why)"
  if command -v apt-get >/dev/null; then
    warn "next: sudo apt-get install -y --no-install-recommends $(packages "$@") (or set $(variables "$@") to running servers)"
  else
    for service; do list+="${list:+ and }${TITLE[$service]}"; done
    warn "next: install $list, or set $(variables "$@") to running servers"
  fi
}

unavailable() {
  tell_missing "$@"
  exit 69
}
