"""The admin and control endpoints: who may, and what they do."""

from __future__ import annotations

import time

import psycopg
import pytest
import requests

from tests.venue.process import TOKEN, Trader, VenueProcess
from venue.migrate import migrate


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("headers", [{}, bearer("wrong"), {"Authorization": f"Basic {TOKEN}"}, bearer("é")])
@pytest.mark.parametrize("path", ["/admin/ledger", "/control/faults"])
def test_wrong_token(venue: VenueProcess, path: str, headers: dict[str, str]) -> None:
    encoded = {name: value.encode() for name, value in headers.items()}
    assert requests.get(venue.url + path, headers=encoded, timeout=5).status_code == 401


def test_without_token_and_control_nothing_is_there(other_database_url: str) -> None:
    venue = VenueProcess(other_database_url, VENUE_CONTROL="0", VENUE_ADMIN_TOKEN="")
    venue.start()
    try:
        assert requests.get(venue.url + "/admin/ledger", headers=bearer(""), timeout=5).status_code == 404
        assert requests.get(venue.url + "/control/faults", headers=bearer(""), timeout=5).status_code == 404
    finally:
        venue.stop()


def test_five_hundred_accounts_at_once(venue: VenueProcess) -> None:
    started = time.monotonic()
    made = venue.control("POST", "/admin/accounts", {"count": 500, "cash": "2500.50", "label": "load"})
    assert time.monotonic() - started < 2
    assert len({row["key_id"] for row in made}) == len({row["account_number"] for row in made}) == 500
    assert Trader(venue, **made[499]).get("/v2/account")["cash"] == "2500.5"


def test_secrets_are_not_kept(venue: VenueProcess, trader: Trader) -> None:
    with psycopg.connect(venue.database_url) as connection:
        rows = connection.execute("SELECT account::text FROM account").fetchall()
    assert rows and not any(trader.secret in row[0] for row in rows)


@pytest.mark.parametrize(
    "body", [{"count": 0}, {"count": 1.5}, {"count": 10_001}, {"cash": "-1"}, {"shorting": 1}]
)
def test_bad_account_requests(venue: VenueProcess, body: dict[str, object]) -> None:
    answer = requests.post(venue.url + "/admin/accounts", json=body, headers=bearer(TOKEN), timeout=5)
    assert answer.status_code == 422


def test_account_becomes_class_c(venue: VenueProcess, trader: Trader) -> None:
    trader.order("buy", "1", client_order_id="twice")
    path = f"/control/accounts/{trader.account_id}"
    venue.control("PATCH", path, {"unique_client_order_ids": False})
    trader.order("buy", "1", client_order_id="twice")
    changes = [row["data"] for row in venue.ledger(trader) if row["kind"] == "account"]
    assert changes == [{"unique_client_order_ids": False}]


def test_migrating_twice_changes_nothing(venue: VenueProcess) -> None:
    assert migrate(venue.database_url) == []
