"""Bring the venue's database to the newest schema: ``python -m venue.migrate``."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg

from venue.settings import SettingsError, load_settings

SCHEMA = Path(__file__).parent / "schema"
MIGRATION_LOCK = 0x76656E7565


def steps() -> list[tuple[int, Path]]:
    """List the numbered SQL steps in order."""
    return sorted((int(path.name.split("_", 1)[0]), path) for path in SCHEMA.glob("[0-9]*.sql"))


def migrate(database_url: str) -> list[int]:
    """Apply the steps that are missing, each in its own transaction, and return their numbers.

    Safe to call twice and at the same time: an advisory lock lets one through after the other.
    """
    applied: list[int] = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version"
            " (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        present = {row[0] for row in connection.execute("SELECT version FROM schema_version")}
        for number, path in steps():
            if number in present:
                continue
            with connection.transaction():
                connection.execute(path.read_bytes())
                connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (number,))
            applied.append(number)
    return applied


def main() -> int:
    """Migrate the configured database and say what was done."""
    try:
        applied = migrate(load_settings().database_url)
    except (SettingsError, psycopg.Error) as error:
        print(f"venue: cannot migrate: {error}", file=sys.stderr)
        return 1
    print(f"venue: applied {applied}" if applied else "venue: schema is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
