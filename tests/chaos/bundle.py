"""What is kept of a run that failed: everything that somebody needs to find out why."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg

from desk.testing import Desk
from tests.chaos.report import Outcome, table
from tests.chaos.stage import Stage

SECRET_COLUMNS = {
    "brokers_brokeraccount": {"sealed_credentials"},
    "orders_strategy": {"secret_digest", "sealed_signing_key", "token"},
}
DESK_TABLES = ("orders_%", "brokers_%")
VENUE_TABLES = ("ledger", "orders", "position", "price")


def write_bundle(folder: Path, stage: Stage, outcome: Outcome, again: str) -> Path:
    """Write logs, plan, requests, ledger and tables to ``folder``; ``again`` is the command that runs it again."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "again.txt").write_text(again + "\n")
    (folder / "report.txt").write_text(table(outcome) + "\n")
    (folder / "findings.txt").write_text(
        "".join(f"{name}: {line}\n" for name, found in outcome.findings.items() for line in found)
    )
    (folder / "plan.txt").write_text("\n".join(outcome.plan.lines()) + "\n")
    faults = [f"{one.at_seconds:8.2f}  {one.number:4d}  {one.kind}  {one.done}" for one in outcome.injected]
    (folder / "faults.txt").write_text("\n".join(faults) + "\n")
    shutil.copy(outcome.journal.path, folder / "requests.jsonl")
    for desk, name in ((stage.desk, "logs"), (stage.annex, "logs-annex")):
        shutil.copytree(desk.home.logs, folder / name, dirs_exist_ok=True)
    _dump(stage.desk, "tradingsite", DESK_TABLES, folder / "desk")
    _dump(stage.desk, "venue", VENUE_TABLES, folder / "venue")
    return folder


def _dump(desk: Desk, database: str, patterns: tuple[str, ...], folder: Path) -> None:
    """Write each table that a pattern matches as CSV, without the columns that hold secrets."""
    folder.mkdir(exist_ok=True)
    with psycopg.connect(desk.conninfo(database=database), autocommit=True) as connection:
        columns: dict[str, list[str]] = {}
        query = (
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name LIKE ANY(%s) ORDER BY table_name, ordinal_position"
        )
        for table_name, column in connection.execute(query, [list(patterns)]):
            if column not in SECRET_COLUMNS.get(table_name, ()):
                columns.setdefault(table_name, []).append(column)
        for table_name, names in columns.items():
            chosen = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, names))
            copy = psycopg.sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, HEADER)")
            with (folder / f"{table_name}.csv").open("wb") as file:
                with connection.cursor().copy(
                    copy.format(chosen, psycopg.sql.Identifier(table_name))
                ) as rows:
                    for block in rows:
                        file.write(block)
