#!/usr/bin/env bash
# A quorum queue that is declared with x-delivery-limit -1, which newer RabbitMQ takes for "no limit", is declared by
# RabbitMQ 3.10 without an error, and loses a message that is given back once: who switches the limit off for
# RabbitMQ 4, where the default is 20, loses messages on an older broker.
#
# Seen with Debian 12's rabbitmq-server 3.10.8 and python3-pika 1.2.0. For root on Debian: installs Debian 12 with
# debootstrap into a temporary folder, and starts the broker there on ports of its own.
#
# Ends with 0 while that is so, with another code if it has changed.
set -euo pipefail

[[ $EUID == 0 ]] || { echo "only root can install another release" >&2; exit 77; }
command -v debootstrap >/dev/null || { echo "debootstrap is not installed" >&2; exit 77; }

root=$(mktemp -d)
broker=""
cleanup() {
    if [[ -n $broker ]]; then
        kill "$broker" 2>/dev/null || true
        wait "$broker" 2>/dev/null || true
    fi
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root" "$root.log"
}
trap cleanup EXIT

debootstrap --variant=minbase --include=rabbitmq-server,python3-pika bookworm "$root" >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log" >&2; exit 2; }
echo "127.0.0.1 localhost" >"$root/etc/hosts"
mount -t proc proc "$root/proc"
version=$(chroot "$root" dpkg-query -W -f '${Version}' rabbitmq-server)
[[ $version == 3.10.8-* ]] || { echo "another version: $version" >&2; exit 1; }

chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/var/tmp LANG=C.UTF-8 \
    RABBITMQ_NODENAME="finding$$@localhost" RABBITMQ_NODE_PORT=25871 RABBITMQ_DIST_PORT=25872 \
    RABBITMQ_MNESIA_BASE=/var/tmp/data RABBITMQ_LOG_BASE=/var/tmp/log RABBITMQ_PID_FILE=/var/tmp/pid \
    /usr/lib/rabbitmq/bin/rabbitmq-server >/dev/null 2>&1 &
broker=$!

chroot "$root" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 python3 - <<'PYTHON'
import time

import pika


def connect():
    for _ in range(120):
        try:
            return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", 25871))
        except pika.exceptions.AMQPConnectionError:
            time.sleep(1)
    raise SystemExit("the broker does not start")


channel = connect().channel()
channel.confirm_delivery()
left = {}
for name, limit in (("limit -1", {"x-delivery-limit": -1}), ("none given", {})):
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum", **limit})
    channel.basic_publish("", name, b"message")
    time.sleep(2)
    method, _, _ = channel.basic_get(name)
    channel.basic_nack(method.delivery_tag, requeue=True)
    time.sleep(2)
    left[name] = channel.queue_declare(name, passive=True).method.message_count
assert left == {"limit -1": 0, "none given": 1}, left
print("still so: given back once, of 1 message are left", left)
PYTHON
