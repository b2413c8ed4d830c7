#!/bin/sh
# Runs the part that is in the image. A gateway that was given no key and no pepper makes them once
# and keeps them in its home, as `parley up` does; the page reads the key from there. A provider
# service without a master key makes one likewise, in a home of its own.
set -eu

# `identity` makes the keys of all services, each where that service alone sees it, and a password of
# the database where none is set; with words it does what they say (`identity list`).
keys=${PARLEY_KEYS:-/keys}
password=$keys/database/password
if [ "${1:-}" = identity ]; then
  shift
  if [ $# -eq 0 ] && { [ -n "${DB_PASSWORD:-}" ] || [ ! -s "$password" ]; }; then
    made=${DB_PASSWORD:-$(python -c 'import secrets; print(secrets.token_hex(24))')}
    # PostgreSQL reads it as a user of its own; only containers that are to know it have the volume.
    (umask 022 && printf '%s\n' "$made" >"$password")
  fi
  [ $# -gt 0 ] || set -- complete "gateway=$keys/gateway" "context=$keys/gateway" "chat=$keys/chat"
  exec python -m parley_rpc.identities --folder "$keys/trusted" "$@"
fi

# Prints the secret in a file of the home; makes it, for its owner alone, when there is none.
keep() {
  if [ ! -s "$PARLEY_HOME/$1" ]; then
    (umask 077 && python -c 'import secrets; print(secrets.token_urlsafe(32))' >"$PARLEY_HOME/$1")
    [ "$1" = key.pepper ] || echo "A key for the administrator was made: $(cat "$PARLEY_HOME/$1")" >&2
  fi
  cat "$PARLEY_HOME/$1"
}

if [ "$PARLEY_PART $*" = "gateway serve" ]; then
  [ -n "${API_KEY:-}" ] || API_KEY=$(keep admin.key)
  [ -n "${KEY_PEPPER:-}" ] || KEY_PEPPER=$(keep key.pepper)
  export API_KEY KEY_PEPPER
fi
# Empty is how `docker-compose.yml` withholds them.
[ -n "${MASTER_KEY:-}" ] || unset MASTER_KEY
[ -n "${MASTER_KEY_FILE:-}" ] || unset MASTER_KEY_FILE
if [ "$PARLEY_PART $*" = "provider-service serve" ] && [ -z "${MASTER_KEY:-}${MASTER_KEY_FILE:-}" ]; then
  MASTER_KEY_FILE=$PARLEY_HOME/master.keys
  if [ ! -s "$MASTER_KEY_FILE" ]; then
    (umask 077 && python -c 'import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())' \
      >"$MASTER_KEY_FILE")
  fi
  export MASTER_KEY_FILE
fi
if [ -z "${DATABASE_URL:-}${DB_PASSWORD:-}" ] && [ -s "$password" ]; then
  DB_PASSWORD=$(cat "$password")
  export DB_PASSWORD
fi
# Where the keys are by which services know each other, when they are set nowhere else.
[ -n "${TRUSTED_KEYS:-}" ] || export TRUSTED_KEYS_FILE="${TRUSTED_KEYS_FILE:-$keys/trusted/trusted.json}"
case $PARLEY_PART in
  gateway)
    [ -n "${SERVICE_KEY:-}" ] || export SERVICE_KEY_FILE="${SERVICE_KEY_FILE:-$keys/gateway/gateway.key}"
    [ -n "${CONTEXT_KEY:-}" ] || export CONTEXT_KEY_FILE="${CONTEXT_KEY_FILE:-$keys/gateway/context.key}"
    ;;
  chat-service)
    [ -n "${SERVICE_KEY:-}" ] || export SERVICE_KEY_FILE="${SERVICE_KEY_FILE:-$keys/chat/chat.key}"
    ;;
esac
exec parley-part "$@"
