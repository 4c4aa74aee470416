#!/usr/bin/env bash
# connectorx reads PostgreSQL's numeric with exactly 10 decimals: smaller values become 0, without a warning, and a
# column with a number of more than 28 digits in all cannot be read. polars.read_database_uri reads through it.
#
# Seen with connectorx 0.4.6, polars 2.1.0, pyarrow 26.0.1 and PostgreSQL 15.20. A cast to text, or ADBC, keeps every
# digit. Needs Python 3, pip, and any PostgreSQL at DATABASE_URL, of which it only asks for constants.
#
# Ends with 0 while that is so, with another code if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --target "$folder" \
    connectorx==0.4.6 polars==2.1.0 pyarrow==26.0.1 adbc-driver-postgresql==1.13.0 2> "$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
export DATABASE_URL=${DATABASE_URL:-postgresql://postgres@127.0.0.1:5432/postgres}
PYTHONPATH=$folder python3 - <<'PYTHON'
import os
from decimal import Decimal

import adbc_driver_postgresql.dbapi as adbc
import connectorx
import polars

url = os.environ["DATABASE_URL"]
small = "SELECT 0.000000000012345::numeric AS v"
large = "SELECT 79228162514264337593543950335::numeric AS v"

arrow = connectorx.read_sql(url, small, return_type="arrow")["v"].to_pylist()
frame = polars.read_database_uri(small, url)["v"]
assert arrow == [Decimal(0)] and frame.to_list() == [Decimal(0)], (arrow, frame)
assert frame.dtype == polars.Decimal(38, 10), frame.dtype
try:
    connectorx.read_sql(url, large, return_type="arrow")
    raise AssertionError("29 digits are read")
except RuntimeError as error:
    assert "decimal scale is not equal to expected scale" in str(error), error

text = polars.read_database_uri(f"SELECT v::text FROM ({small}) AS t", url)["v"].to_list()
assert text == ["0.000000000012345"], text
with adbc.connect(url) as connection, connection.cursor() as cursor:
    cursor.execute(small)
    whole = cursor.fetch_arrow_table()["v"].to_pylist()
assert whole == ["0.000000000012345"], whole
print("still so: 0.000000000012345 is read as", arrow[0], "by connectorx, as", whole[0], "by ADBC")
PYTHON
