#!/usr/bin/env bash
# PostgreSQL 15 without statistics of a table looks a row up by all three columns of a unique index in another index, on
# two of these columns, because that index is lower, and throws away every row that has the two values in common with it.
# It takes both for one row each; only of the unique index is that certain. After ANALYZE it takes the unique index. So a
# table that is filled at once, such as a fresh partition, is slow until autovacuum has been there. Seen here: 1999 rows
# removed by the filter for one that is found, and none afterwards.
#
# Seen with Debian 12's postgresql-15 15.18. For root on Debian: installs Debian 12 with debootstrap into a temporary
# folder, and starts the server there on a socket of its own.
#
# Ends with 0 while that is so, with another code if it has changed.
set -euo pipefail

[[ $EUID == 0 ]] || { echo "only root can install another release" >&2; exit 77; }
command -v debootstrap >/dev/null || { echo "debootstrap is not installed" >&2; exit 77; }

root=$(mktemp -d)
chmod 755 "$root"
cleanup() {
    chroot "$root" su postgres -c "/usr/lib/postgresql/15/bin/pg_ctl -D /var/tmp/data -m immediate stop" >/dev/null 2>&1 || true
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root" "$root.log"
}
trap cleanup EXIT

debootstrap --variant=minbase --include=postgresql-15 bookworm "$root" >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log" >&2; exit 2; }
mount -t proc proc "$root/proc"
version=$(chroot "$root" dpkg-query -W -f '${Version}' postgresql-15)
[[ $version == 15.* ]] || { echo "another version: $version" >&2; exit 1; }

as_postgres() { chroot "$root" env -i PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin LANG=C.UTF-8 su postgres -c "$1"; }
as_postgres "/usr/lib/postgresql/15/bin/initdb -D /var/tmp/data >/dev/null 2>&1"
as_postgres "/usr/lib/postgresql/15/bin/pg_ctl -w -D /var/tmp/data -l /var/tmp/log -o \"-k /var/tmp -c listen_addresses='' -c autovacuum=off\" start >/dev/null"

cat >"$root/var/tmp/finding.sql" <<'SQL'
\set QUIET 1
\pset tuples_only 1
\pset format unaligned
CREATE TABLE sample (resource text NOT NULL, meter text NOT NULL, at timestamptz NOT NULL, volume numeric);
CREATE UNIQUE INDEX sample_identity ON sample (resource, meter, at);
CREATE INDEX sample_meter ON sample (meter, at);
INSERT INTO sample
SELECT 'resource-' || r, 'meter-' || m, timestamptz '2026-11-20T00:00:00Z' + h * interval '1 hour', 1
FROM generate_series(0, 3) AS h, generate_series(1, 2000) AS r, generate_series(1, 4) AS m;
CREATE FUNCTION plan() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
    RETURN QUERY EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT volume FROM sample
        WHERE resource = ''resource-7'' AND meter = ''meter-2'' AND at = ''2026-11-20T02:00:00Z''';
END $$;
SELECT 'before: ' || plan();
ANALYZE sample;
SELECT 'after: ' || plan();
SQL
plans=$(as_postgres "psql -v ON_ERROR_STOP=1 -h /var/tmp -f /var/tmp/finding.sql postgres")
echo "$plans"
grep -q "before: Index Scan using sample_meter" <<<"$plans"
grep -q "before: *Rows Removed by Filter: 1999" <<<"$plans"
grep -q "after: Index Scan using sample_identity" <<<"$plans"
echo "still so with postgresql-15 $version"
