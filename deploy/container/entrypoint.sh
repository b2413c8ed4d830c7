#!/bin/sh
# Runs the part that is in the image. A gateway that was given no key and no pepper makes them once
# and keeps them in its home, as `parley up` does; the page reads the key from there. A provider
# service without a master key makes one likewise, in a home of its own.
set -eu

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
exec parley-part "$@"
