#!/bin/sh
# Who may use which database: each of the two products its own, and neither the other's. The postgres image runs this
# once, when its volume is empty (docker-entrypoint-initdb.d); running it again changes nothing but the passwords.
set -eu
: "${POSTGRES_USER:?}"

role() { # name, file that holds its password
    psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres -v name="$1" -v password="$(cat "$2")" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'name', :'password') \gexec
SQL
}

database() { # name, owner
    psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres -v name="$1" -v owner="$2" <<'SQL'
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'name') \gexec
SQL
}

role temporal "${TEMPORAL_PASSWORD_FILE:?}" >/dev/null
role ledger "${LEDGER_PASSWORD_FILE:?}" >/dev/null
database temporal temporal
database temporal_visibility temporal
database ledger ledger
