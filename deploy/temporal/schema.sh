#!/bin/sh
# Temporal's own tables, in the two databases that deploy/postgres/databases.sh has made. Running it again, with newer
# admin-tools, brings them up to date. Runs in temporalio/admin-tools.
set -eu
: "${SQL_HOST:?}" "${SQL_PORT:=5432}" "${SQL_USER:?}" "${SQL_PASSWORD_FILE:?}"
SQL_PASSWORD="$(cat "$SQL_PASSWORD_FILE")"
export SQL_PASSWORD SQL_HOST SQL_PORT SQL_USER SQL_PLUGIN=postgres12

schema=/etc/temporal/schema/postgresql/v12
for pair in temporal:temporal temporal_visibility:visibility; do
    export SQL_DATABASE="${pair%%:*}"
    temporal-sql-tool setup-schema -v 0.0 || echo "$SQL_DATABASE: has its first tables"
    temporal-sql-tool update-schema -d "$schema/${pair#*:}/versioned"
done
