"""``/admin``: making accounts and reading the ledger, for whoever holds the admin token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response

from venue import render
from venue.api import fields
from venue.api.endpoint import error_response, json_response
from venue.auth import hash_secret, new_key_id, new_secret, same_secret
from venue.engine.engine import TRANSIENT
from venue.errors import VenueError, malformed, not_found, unauthorized, unavailable
from venue.models import utc_now

if TYPE_CHECKING:
    from venue.runtime import Venue

MAX_ACCOUNTS = 10_000
MAX_LEDGER_ROWS = 10_000
DEFAULT_CASH = Decimal(100_000)
_LEDGER_NAMES = (
    "seq", "at", "account_id", "kind", "order_id", "client_order_id", "execution_id", "symbol", "side", "qty",
    "price", "cash_delta", "data",
)  # fmt: skip

AdminHandler = Callable[["Venue", Request], Awaitable[Response]]


def admin_endpoint(handler: AdminHandler) -> Callable[[Request], Awaitable[Response]]:
    """Let a handler be called with the admin token only; without a configured token it does not exist."""

    async def serve(request: Request) -> Response:
        venue: Venue = request.app.state.venue
        try:
            check_token(venue.settings.admin_token, request.headers.get("authorization", ""))
            return await handler(venue, request)
        except VenueError as error:
            return error_response(error)
        except TRANSIENT:
            venue.engine.doubt()
            return error_response(unavailable())

    return serve


def check_token(expected: str, header: str) -> None:
    """Raise 404 without a configured token and 401 for a wrong one; compares in constant time."""
    if not expected:
        raise not_found("not found")
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not same_secret(given.strip(), expected):
        raise unauthorized()


async def create_accounts(venue: Venue, request: Request) -> Response:
    """``POST /admin/accounts``: make accounts in one transaction and show their secrets this once."""
    raw = await request.body()
    body = fields.json_object(raw) if raw else {}
    count = fields.decimal(body, "count")
    count = Decimal(1) if count is None else count
    cash = fields.decimal(body, "cash")
    cash = DEFAULT_CASH if cash is None else cash
    if count != count.to_integral_value() or not 1 <= count <= MAX_ACCOUNTS or not 0 <= cash < 10**12:
        raise malformed(f"count must be from 1 to {MAX_ACCOUNTS}, cash not below 0")
    label = fields.text(body, "label") or ""
    unique = fields.flag({"unique_client_order_ids": True, **body}, "unique_client_order_ids")
    shorting = fields.flag({"shorting": True, **body}, "shorting")
    made = [
        {
            "account_id": str(uuid4()),
            "account_number": _number(),
            "key_id": new_key_id(),
            "secret": new_secret(),
        }
        for _ in range(int(count))
    ]
    await _insert(venue, made, label, cash, unique=unique, shorting=shorting)
    return json_response(made)


async def read_ledger(venue: Venue, request: Request) -> Response:
    """``GET /admin/ledger?after_seq=&limit=&account_id=``: rows in sequence, gaps never filled in later.

    Returns ``{rows, last_seq}``; ask again with ``after_seq=last_seq`` until ``rows`` is empty.
    """
    query = request.query_params
    after = int(fields.decimal(dict(query), "after_seq") or 0)
    limit = fields.count(query, "limit", 1000, MAX_LEDGER_ROWS)
    condition, values = "", list[Any]()
    if query.get("account_id"):
        try:
            values.append(UUID(query["account_id"]))
        except ValueError as error:
            raise malformed("account_id is not an id") from error
        condition = "AND account_id = %s"
    rows = await _ledger_rows(venue, f"seq > %s AND seq <= %s {condition}", after, values, limit)
    return json_response({"rows": rows, "last_seq": rows[-1]["seq"] if rows else after})


async def _ledger_rows(
    venue: Venue, condition: str, after: int, values: list[Any], limit: int
) -> list[dict[str, Any]]:
    async with venue.pool.connection() as connection:
        async with connection.transaction():
            # Sequence numbers are drawn before the commit: wait for the writers that are under way, so that
            # no row below the highest one seen can still appear.
            await connection.execute("LOCK TABLE ledger IN SHARE MODE")
            cursor = await connection.execute("SELECT coalesce(max(seq), 0) FROM ledger")
            newest = await cursor.fetchone()
        names = ", ".join(_LEDGER_NAMES)
        statement = f"SELECT {names} FROM ledger WHERE {condition} ORDER BY seq LIMIT {limit}"  # noqa: S608
        cursor = await connection.execute(statement, (after, newest[0] if newest else 0, *values))
        return [
            {name: _plain(value) for name, value in zip(_LEDGER_NAMES, row, strict=True)}
            for row in await cursor.fetchall()
        ]


async def _insert(
    venue: Venue, made: list[dict[str, str]], label: str, cash: Decimal, *, unique: bool, shorting: bool
) -> None:
    now = utc_now()
    ids = [UUID(account["account_id"]) for account in made]
    numbers = [account["account_number"] for account in made]
    keys = [account["key_id"] for account in made]
    hashes = [hash_secret(account["secret"]) for account in made]
    async with venue.pool.connection() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO account (id, account_number, key_id, secret_hash, label, created_at, cash,"
            " unique_client_order_ids, shorting)"
            " SELECT id, number, key_id, hash, %s, %s, %s, %s, %s"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bytea[]) AS t (id, number, key_id, hash)",
            (label, now, cash, unique, shorting, ids, numbers, keys, hashes),
        )
        await connection.execute(
            "INSERT INTO ledger (at, account_id, kind, cash_delta)"
            " SELECT %s, id, 'deposit', %s FROM unnest(%s::uuid[]) AS t (id)",
            (now, cash, ids),
        )


def _number() -> str:
    return f"PA{uuid4().int % 10**16:016d}"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return render.number(value)
    if isinstance(value, UUID):
        return str(value)
    return render.moment(value) if hasattr(value, "isoformat") else value
