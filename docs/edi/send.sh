#!/bin/sh
# Posts an interchange as your gateway would, signed by Standard Webhooks, and prints the answer, a segment a line.
# Usage, after `. .orderack/shell.env`:  send.sh STORE FILE
# For trying it out: the key is on a command line, where other users of the machine can see it.
set -eu
store=$1 file=$2
name="ORDERACK_SOURCE_$(printf %s "$store" | tr 'a-z-' 'A-Z_')_EDI_X12_INBOUND_SECRET"
eval "secret=\${$name:?is not set}"
id="msg_$(openssl rand -hex 8)" at=$(date +%s)
key=$(printf %s "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
signature=$({ printf '%s.%s.' "$id" "$at"; cat "$file"; } |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
curl --silent --show-error --data-binary "@$file" --header 'Content-Type: application/edi-x12' \
  --header "webhook-id: $id" --header "webhook-timestamp: $at" --header "webhook-signature: v1,$signature" \
  --write-out '%{http_code}\n' "$ORDERACK_PUBLIC_URL/intake/$store/edi_x12" | tr '~' '\n'
