#!/usr/bin/env bash
# A URL that ends in two slashes, as most OpenStack configurations have it, is the vhost "/" for kombu and a vhost
# without a name for pika: a tool with pika connects elsewhere, or nowhere, with a URL that works for the cloud.
#
# Seen with kombu 5.7.0 and pika 1.4.4. With one slash, or %2f, both mean "/". Needs Python 3 and pip only.
#
# Ends with 0 while that is so, with another code if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --target "$folder" kombu==5.7.0 pika==1.4.4 2> "$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
PYTHONPATH=$folder python3 - <<'PYTHON'
import kombu
import pika


def vhosts(url):
    return kombu.Connection(url).virtual_host, pika.URLParameters(url).virtual_host


for url in ("amqp://h", "amqp://h/", "amqp://h/%2f"):
    assert vhosts(url) == ("/", "/"), (url, vhosts(url))
two = vhosts("amqp://h//")
assert two == ("/", ""), two
print("still so: amqp://h// is the vhost", repr(two[0]), "for kombu,", repr(two[1]), "for pika")
PYTHON
