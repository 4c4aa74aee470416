#!/usr/bin/env bash
# polars makes null of a Decimal that does not fit into 38 digits once its column has the most decimals of any value:
# no error, no warning. A column of numeric that psycopg reads exactly, and polars.read_database takes over, has such
# values as soon as it mixes large numbers with numbers of many decimals.
#
# Seen with polars 2.1.0. A column of texts keeps them. Needs Python 3 and pip only.
#
# Ends with 0 while that is so, with another code if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --target "$folder" polars==2.1.0 2> "$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
PYTHONPATH=$folder python3 -W error - <<'PYTHON'
from decimal import Decimal

import polars

large, fine = Decimal("12345678901234567890"), Decimal("0.12345678901234567890")
alone = polars.DataFrame([(large,)], schema=["v"], orient="row")["v"].to_list()
both = polars.DataFrame([(large,), (fine,)], schema=["v"], orient="row", infer_schema_length=None)["v"]
assert alone == [large], alone
assert both.to_list() == [None, fine], both
print("still so: beside", fine, "the number", large, "is", both[0])
PYTHON
