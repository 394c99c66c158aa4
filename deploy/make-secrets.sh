#!/bin/bash
# Writes every secret that docker-compose.yml reads, once, into deploy/secrets. Existing files are kept.
set -euo pipefail
cd "$(dirname "$0")/secrets"
umask 077

random() { head -c 36 /dev/urandom | base64 | tr -d '+/=\n'; }
write() { [ -s "$1" ] || printf '%s' "$2" > "$1"; }

for name in secret_key venue_admin_token flower_password redis_password db_superuser_password \
    db_owner_password db_app_password db_auditor_password db_venue_password; do
    write "$name" "$(random)"
done
write database_url "postgres://tradingsite_app:$(cat db_app_password)@postgres:5432/tradingsite"
write owner_database_url "postgres://tradingsite_owner:$(cat db_owner_password)@postgres:5432/tradingsite"
write venue_database_url "postgres://venue:$(cat db_venue_password)@postgres:5432/venue"
write redis_url "redis://:$(cat redis_password)@redis:6379/0"
# The containers read these as another user than the one who made them.
chmod 0644 ./[a-z]*
chmod 0700 .
echo "Secrets are in deploy/secrets. Still yours to bring: deploy/tls/fullchain.pem and deploy/tls/privkey.pem."
