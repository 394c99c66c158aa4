#!/bin/bash
# Runs once, when PostgreSQL's volume is new: the desk's roles and databases, as the embedded desk makes them.
# The owner migrates and owns everything; the runtime role owns nothing; the auditor only reads.
set -euo pipefail

secret() { cat "/run/secrets/$1"; }

psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    -v owner="$(secret db_owner_password)" -v app="$(secret db_app_password)" \
    -v auditor="$(secret db_auditor_password)" -v venue="$(secret db_venue_password)" <<'SQL'
CREATE ROLE tradingsite_owner LOGIN CREATEDB PASSWORD :'owner';
CREATE ROLE tradingsite_app LOGIN PASSWORD :'app';
CREATE ROLE tradingsite_auditor LOGIN PASSWORD :'auditor';
CREATE ROLE venue LOGIN PASSWORD :'venue';
ALTER ROLE tradingsite_auditor SET default_transaction_read_only = on;
CREATE DATABASE tradingsite OWNER tradingsite_owner;
CREATE DATABASE venue OWNER venue;
REVOKE ALL ON DATABASE tradingsite FROM PUBLIC;
REVOKE ALL ON DATABASE venue FROM PUBLIC;
GRANT CONNECT ON DATABASE tradingsite TO tradingsite_app, tradingsite_auditor;
SQL
