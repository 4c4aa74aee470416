#!/usr/bin/env bash
# oslo.messaging's help of kombu_compression names two values, gzip and bz2, and passes the value to kombu as it is.
# kombu has no compression of the name bz2, only bzip2 and bzip: with the documented value, every message fails with
# KeyError. The three that the help does not name (lzma, brotli, zstd) work where their packages are installed.
#
# Seen with oslo.messaging 18.3.1 and kombu 5.7.0. Needs Python 3 and pip only.
#
# Ends with 0 while that is so, with another code if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --target "$folder" oslo.messaging==18.3.1 kombu==5.7.0 2> "$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
PYTHONPATH=$folder python3 -W ignore - <<'PYTHON'
from kombu import compression
from oslo_messaging._drivers import impl_rabbit

help_text = next(opt.help for opt in impl_rabbit.rabbit_opts if opt.name == "kombu_compression")
assert "Possible values are: gzip, bz2." in help_text, help_text
assert compression.compress(b"x", "gzip")[1] == "application/x-gzip"
assert compression.compress(b"x", "bzip2")[1] == "application/x-bz2"
assert compression.compress(b"x", "lzma")[1] == "application/x-lzma"
try:
    compression.compress(b"x", "bz2")
    raise AssertionError("kombu knows bz2")
except KeyError as error:
    print("still so: kombu_compression = bz2 ends in", repr(error))
PYTHON
