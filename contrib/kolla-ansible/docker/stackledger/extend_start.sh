#!/bin/bash

# kolla_start sources this before it replaces itself by the command of config.json. It traces its commands: the
# assignments below contain passwords.
{ set +o xtrace; } 2>/dev/null
set -o allexport
# shellcheck source=/dev/null
. /etc/stackledger/stackledger.env
set +o allexport
