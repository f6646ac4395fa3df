#!/bin/sh
# Temporal's own tables, in the two databases that deploy/postgres/databases.sh has made. Running it again, with newer
# admin-tools, brings them up to date. Runs in temporalio/admin-tools.
set -eu
: "${SQL_HOST:?}" "${SQL_PORT:=5432}" "${SQL_USER:?}" "${SQL_PASSWORD_FILE:?}"
SQL_PASSWORD="$(cat "$SQL_PASSWORD_FILE")"
export SQL_PASSWORD SQL_HOST SQL_PORT SQL_USER SQL_PLUGIN=postgres12

update() { # folder
    temporal-sql-tool update-schema -d "/etc/temporal/schema/postgresql/v12/$1/versioned" 2>&1
}

for pair in temporal:temporal temporal_visibility:visibility; do
    export SQL_DATABASE="${pair%%:*}"
    # `setup-schema` writes version 0.0, also over a schema that is there: so it is run on an empty database only.
    if said=$(update "${pair#*:}"); then
        echo "$SQL_DATABASE: up to date"
        continue
    fi
    case $said in
    *schema_version*"does not exist"*)
        temporal-sql-tool setup-schema -v 0.0
        update "${pair#*:}"
        echo "$SQL_DATABASE: made"
        ;;
    *)
        echo "$said" >&2
        exit 1
        ;;
    esac
done
