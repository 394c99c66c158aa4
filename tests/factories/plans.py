"""What a function's queries cost: the buffers that each touches and the indexes that it reads."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from django.db import connection
from psycopg import ClientCursor

Call = Callable[[], object]
MODES = ("force_custom_plan", "force_generic_plan")
"""Statements are prepared: PostgreSQL may plan each run for its values, or once for any."""


@dataclass(frozen=True)
class Cost:
    buffers: int
    reads: frozenset[str]  # "table by index", "table by reading it all"
    statements: int
    rows: float  # that they answer with


def queries_of(call: Call) -> list[tuple[str, Any]]:
    """Run ``call`` and return its queries with their parameters."""
    queries: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        call()
    return [(sql, params) for sql, params in queries if sql.lstrip("( \n").startswith("SELECT")]


def cost_of(call: Call, on: psycopg.Connection[Any], mode: str) -> Cost:
    """Run the queries of ``call`` again as prepared statements, planned as ``mode`` says, and add up their costs."""
    on.execute(f"SET plan_cache_mode = {mode}")
    return _cost([_explained(on, sql, params) for sql, params in queries_of(call)])


def cost_here(call: Call, table: str) -> Cost:
    """Run those queries of ``call`` that read a table again, in the test's own transaction, and add up their costs."""
    plans = []
    for sql, params in queries_of(call):
        if f'FROM "{table}"' in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                plans.append(_plan_in(cursor.fetchone()))
    return _cost(plans)


def _cost(plans: Sequence[dict[str, Any]]) -> Cost:
    nodes = [node for plan in plans for node in _nodes(plan)]
    buffers = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
    rows = sum(plan["Actual Rows"] for plan in plans)
    return Cost(buffers, frozenset(_read(node) for node in nodes if _is_read(node)), len(plans), rows)


def _explained(on: psycopg.Connection[Any], sql: str, params: Any) -> dict[str, Any]:
    """Explain the statement's second run: the first one reads catalogs and warms the buffers."""
    numbered, values = _numbered(sql, params)
    with ClientCursor(on) as cursor:
        with suppress(psycopg.errors.InvalidSqlStatementName):
            cursor.execute("DEALLOCATE probe")
        types = ", ".join("interval" if isinstance(value, timedelta) else "unknown" for value in values)
        declared = f"PREPARE probe ({types}) AS" if values else "PREPARE probe AS"
        cursor.execute(f"{declared} {numbered}")  # type: ignore[arg-type]
        run = f"EXECUTE probe ({', '.join(['%s'] * len(values))})" if values else "EXECUTE probe"
        cursor.execute(run, values)  # type: ignore[arg-type]
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {run}", values)  # type: ignore[arg-type]
        return _plan_in(cursor.fetchone())


def _plan_in(row: tuple[Any, ...] | None) -> dict[str, Any]:
    assert row is not None
    (explained,) = row[0] if isinstance(row[0], list) else json.loads(row[0])
    plan: dict[str, Any] = explained["Plan"]
    return plan


def _numbered(sql: str, params: Any) -> tuple[str, Sequence[Any]]:
    """Turn %s and %(name)s into $1, $2 and so on."""
    names: list[Any] = []

    def number(match: re.Match[str]) -> str:
        name = match[1] if match[1] is not None else len(names)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    numbered = re.sub(r"%(?:\((\w+)\))?s", number, sql)
    return numbered, [params[name] for name in names]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _is_read(node: dict[str, Any]) -> bool:
    return "Index Name" in node or node["Node Type"].endswith("Seq Scan")


def _read(node: dict[str, Any]) -> str:
    return node.get("Index Name") or f"all of {node['Relation Name']}"
