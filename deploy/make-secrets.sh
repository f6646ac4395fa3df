#!/bin/sh
# The secrets that docker-compose.yml mounts, made once: passwords, a key that seals what Temporal stores, and orderack.env
# with the ledger's address, the secret of the buyers' links, an API key (printed here, kept nowhere in clear) and a token
# for the codec server. Nothing that is there is made anew. Usage: deploy/make-secrets.sh [FOLDER]
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
store=${STORE:-demo}
namespace=${TEMPORAL_NAMESPACE:-orders}
# Containers read them as users of their own, so the files are readable; the folder lets nobody else in on this host.
mkdir -p "$folder"
chmod 700 "$folder"

random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
digest() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
keep() { # file, content: unless it is there
    [ -e "$folder/$1" ] || printf '%s\n' "$2" > "$folder/$1"
    chmod 444 "$folder/$1"
}

for name in postgres temporal ledger grafana; do
    keep "${name}_password" "$(random)"
done
keep codec_key "$(date -u +%F)-$(random | cut -c 1-4):$(head -c 32 /dev/urandom | base64)"

if [ ! -e "$folder/orderack.env" ]; then
    api_key=$(random)
    token=$(random)
    keep orderack.env "ORDERACK_DATABASE_URL=postgresql+psycopg://ledger:$(cat "$folder/ledger_password")@postgres:5432/ledger
ORDERACK_SECRET=$(random)
ORDERACK_API_KEYS=shop:$store:$(digest "$api_key")
ORDERACK_CODEC_SERVER_TOKENS=operator:$namespace:$(digest "$token")
# Whom the weekly report is mailed to (docs/weekly.md), and when:
#ORDERACK_WEEKLY_TO=owner@shop.example
#ORDERACK_WEEKLY_TIME_ZONE=Europe/Berlin
# Your vendors' settings follow; docs/channels.md, docs/sources.md and docs/erps.md name them."
    echo "API key of the store $store (for POST /intake/$store): $api_key"
    echo "token for the codec server (at its /login, and for temporal --codec-auth 'Bearer TOKEN'): $token"
fi
echo "secrets are in $folder"
