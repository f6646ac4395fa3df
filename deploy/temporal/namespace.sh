#!/bin/sh
# The namespace that orders live in: made, or its retention brought up to what is wanted. Running it again changes nothing.
# Runs in temporalio/admin-tools (or wherever the `temporal` command is). Needs TEMPORAL_ADDRESS.
set -eu
: "${TEMPORAL_ADDRESS:?}" "${TEMPORAL_NAMESPACE:=default}" "${RETENTION:=90d}"

try() { # so many seconds, for a server that is still coming up
    left=$1; shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" -le 0 ]; then
            echo "no success with: $*" >&2
            exec "$@"
        fi
        sleep 1
    done
}

try 120 temporal operator cluster health
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION" >/dev/null
    echo "namespace $TEMPORAL_NAMESPACE: there, closed orders are kept for $RETENTION"
else
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION" >/dev/null
    echo "namespace $TEMPORAL_NAMESPACE: made, closed orders are kept for $RETENTION"
fi
# The frontends learn of a new namespace within ten seconds or so.
try 60 temporal workflow list --namespace "$TEMPORAL_NAMESPACE" --limit 1
