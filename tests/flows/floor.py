"""The trading floor of one running desk: alerts go in here, and everything that must hold is read here.

The desk's and the venue's books are read straight from their databases, as the superuser: what a flow claims
must not rest on the code that it examines.
"""

import datetime as dt
import json
import os
import signal
import time
import uuid
from collections import Counter
from decimal import Decimal
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from desk.testing import Desk
from tests.flows.helpers import POLL_SECONDS, Trader, alert, wait_until

Row = dict[str, Any]

STOCK = 15
"""How many traders are made at a time."""

STAGES = ("received", "recorded", "dequeued", "sent", "acknowledged", "replied")


class Floor:
    """One desk, its web process's client and its two sets of books."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._stock: list[Trader] = []
        self.http = httpx.Client(
            base_url=desk.url, timeout=40, trust_env=False, limits=httpx.Limits(max_connections=300)
        )
        token = (desk.home.secrets / "venue_admin_token").read_text().strip()
        self._venue = httpx.Client(
            base_url=desk.venue_url,
            timeout=20,
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        )

    def close(self) -> None:
        self.http.close()
        self._venue.close()

    # --- in ---

    def traders(self, count: int) -> list[Trader]:
        """Return new traders, from a stock: they are made many at a time, since the command takes a second."""
        if len(self._stock) < count:
            self._stock += self._create(max(count, STOCK))
        taken, self._stock = self._stock[:count], self._stock[count:]
        return taken

    def trader(self, *options: str) -> Trader:
        """Return one new trader, made with these options of ``create_traders``."""
        return self._create(1, *options)[0] if options else self.traders(1)[0]

    def _create(self, count: int, *options: str) -> list[Trader]:
        done = self.desk.run("manage.py", "create_traders", "--count", str(count), *options)
        assert done.returncode == 0, done.stderr
        made = [json.loads(line) for line in done.stdout.splitlines()]
        accounts = {
            str(row["id"]): row["external_id"]
            for row in self.desk_rows("SELECT id, external_id FROM brokers_brokeraccount")
        }
        return [Trader(**keys, venue_account=accounts[keys["account_id"]]) for keys in made]

    def send(self, trader: Trader, **fields: Any) -> httpx.Response:
        """Send an alert that buys 1 AAPL, or what ``fields`` say instead."""
        return self.post(trader, alert(trader, **fields))

    def post(self, trader: Trader, body: Row) -> httpx.Response:
        return self.http.post(trader.webhook_path, json=body)

    def warm_up(self, trader: Trader) -> int:
        """Give the trader a worker by a first order; return its pid."""
        answer = self.send(trader)
        assert answer.status_code in (200, 202), answer.text
        self.wait_filled(trader, answer.json()["id"])
        return self.worker_pid(trader)

    # --- the desk's books ---

    def desk_rows(self, query: str, *values: Any) -> list[Row]:
        """Query the desk's database."""
        conninfo = self.desk.conninfo(database="tradingsite")
        with psycopg.connect(conninfo, row_factory=dict_row, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def order(self, order_id: str) -> Row:
        return self.desk_rows("SELECT * FROM orders_order WHERE id = %s", uuid.UUID(order_id))[0]

    def orders(self, trader: Trader) -> list[Row]:
        """Return the trader's orders in the order in which they were recorded."""
        return self.desk_rows(
            "SELECT * FROM orders_order WHERE user_id = %s ORDER BY recorded_at, id", trader.user_id
        )

    def events(self, order_id: str | uuid.UUID) -> list[Row]:
        return self.desk_rows(
            "SELECT * FROM orders_orderevent WHERE order_id = %s ORDER BY id", uuid.UUID(str(order_id))
        )

    def stages(self, order_id: str | uuid.UUID) -> dict[str, dt.datetime]:
        """Return the times of the order's stages, once all have been written; of one that came twice, the first.

        The sender may be answered a moment before: what the broker's stream tells can overtake its answer.
        """

        deadline = time.monotonic() + 5
        while True:
            found: dict[str, dt.datetime] = {}
            for event in self.events(order_id):
                for name, moment in event["stages"].items():
                    found.setdefault(name, dt.datetime.fromisoformat(moment))
            missing = set(STAGES) - found.keys()
            if not missing:
                return found
            assert time.monotonic() < deadline, f"order {order_id} has no {missing}: {self.events(order_id)}"
            time.sleep(POLL_SECONDS)

    def recorded(self) -> tuple[int, int]:
        """Return how many signals and orders there are in all."""
        row = self.desk_rows(
            "SELECT (SELECT count(*) FROM orders_signal) AS signals, (SELECT count(*) FROM orders_order) AS orders"
        )[0]
        return row["signals"], row["orders"]

    def lease(self, trader: Trader) -> Row | None:
        """Return the trader's lease while it is live."""
        rows = self.desk_rows(
            "SELECT * FROM orders_workerlease WHERE user_id = %s AND expires_at > now()", trader.user_id
        )
        return rows[0] if rows else None

    def worker_pid(self, trader: Trader) -> int:
        lease = self.lease(trader)
        assert lease is not None, "no worker holds the trader's lease"
        return int(lease["pid"])

    def wait_status(self, order_id: str, *statuses: str, seconds: float = 20.0) -> Row:
        def reached() -> Row | None:
            order = self.order(order_id)
            return order if order["ord_status"] in statuses else None

        try:
            return wait_until(f"order {order_id} is {' or '.join(statuses)}", reached, seconds)
        except AssertionError as error:
            story = [(e["kind"], e["source"], e["pid"], e["data"]) for e in self.events(order_id)]
            raise AssertionError(f"{error}; it is {self.order(order_id)['ord_status']}: {story}") from None

    def wait_filled(self, trader: Trader, order_id: str, *, seconds: float = 20.0) -> Row:
        """Wait until the order is filled, then make sure that the venue has it exactly once."""
        order = self.wait_status(order_id, "FILLED", seconds=seconds)
        assert self.times_at_venue(trader, order) == 1
        return order

    # --- the venue's books ---

    def venue_is_back(self) -> bool:
        """Say whether the venue answers from its database, which it shares a server with."""
        return self._venue.get("/admin/ledger", params={"limit": 1}).status_code == 200

    def venue(self, method: str, path: str, body: Any = None) -> Any:
        """Call an admin or control endpoint of the venue."""
        answer = self._venue.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def ledger(self, trader: Trader, *kinds: str) -> list[Row]:
        """Return the venue's ledger rows of this trader, of some kinds only where they are named."""
        rows = self.venue("GET", f"/admin/ledger?limit=10000&account_id={trader.venue_account}")["rows"]
        return [row for row in rows if not kinds or row["kind"] in kinds]

    def times_at_venue(self, trader: Trader, order: Row) -> int:
        """Return how often the venue has accepted this order's client order id."""
        return sum(row["client_order_id"] == order["cl_ord_id"] for row in self.ledger(trader, "accepted"))

    def add_fault(self, kind: str, trader: Trader, *, count: int | None = 1, **params: Any) -> None:
        """Have the venue misbehave towards this trader: on new orders, or as a stream for ``stream_…``."""
        match = {"account_id": trader.venue_account}
        if not kind.startswith("stream") and kind not in ("fill_plan", "never_fill", "reject"):
            match |= {"method": "POST", "path": "/v2/orders"}
        rule: Row = {"match": match, "fault": {"kind": kind, **params}}
        self.venue("POST", "/control/faults", rule if count is None else rule | {"count": count})

    def set_price(self, symbol: str, price: str) -> None:
        self.venue("POST", "/control/prices", {"symbol": symbol, "price": price})

    # --- the end ---

    def heal(self) -> None:
        """Take every fault back and see the whole desk ready again."""
        for name, component in self.desk.status()["components"].items():
            if component["state"] == "stopped":
                self.desk.start(name)
        self.desk.wait_ready(seconds=30)
        self.venue("DELETE", "/control/faults")

    def assert_books_balance(self) -> None:
        """Compare every order with the venue's ledger: by this file's own reading, then by the operators' command."""
        at_venue: Counter[str] = Counter()
        filled: Counter[str] = Counter()
        first = self._first_ids()
        for row in self._venue_rows("SELECT kind, client_order_id, qty FROM ledger"):
            name = first.get(row["client_order_id"], row["client_order_id"])
            if row["kind"] == "accepted":
                at_venue[row["client_order_id"]] += 1
            elif row["kind"] == "fill":
                filled[name] += row["qty"]
        orders = self.desk_rows(
            "SELECT cl_ord_id, ord_status, cum_qty, broker_order_id, sent_with_id FROM orders_order"
        )
        there = {ours: name for name, ours in first.items()}
        known = {order["cl_ord_id"] for order in orders} | first.keys()
        assert [name for name in at_venue if name not in known] == [], "the venue has orders of nobody"
        assert [name for name in first if at_venue[name] > 1] == [], "a replace was done twice"
        for order in orders:
            unsent = order["ord_status"] in ("DENIED", "REJECTED") and not order["broker_order_id"]
            name = (
                there.get(order["cl_ord_id"], order["cl_ord_id"])
                if order["sent_with_id"]
                else order["cl_ord_id"]
            )
            assert at_venue[name] == (0 if unsent else 1), order
            assert Decimal(filled[order["cl_ord_id"]]) == order["cum_qty"], order
        done = self.desk.run("manage.py", "ledger_check", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads(done.stdout)
        assert [result[name] for name in ("lost", "duplicated", "unexplained", "indeterminate")] == [0] * 4
        assert result["accepted"] == len(orders)

    def _first_ids(self) -> dict[str, str]:
        """Return, for each replace, the client order id under which its order went first.

        So for the stop of an OCO, which the broker makes under an id of its own.
        """
        rows = self.desk_rows(
            "SELECT request.cl_ord_id AS name, orders_order.cl_ord_id AS first FROM orders_orderrequest AS request"
            " JOIN orders_order ON orders_order.id = request.order_id WHERE request.kind = 'REPLACE'"
            " UNION ALL SELECT working_cl_ord_id, cl_ord_id FROM orders_order"
            " WHERE sent_with_id IS NOT NULL AND working_cl_ord_id <> cl_ord_id"
        )
        return {row["name"]: row["first"] for row in rows}

    def _venue_rows(self, query: str) -> list[Row]:
        with psycopg.connect(self.desk.conninfo(database="venue"), row_factory=dict_row) as connection:
            return connection.execute(query.encode()).fetchall()


def kill_process(pid: int) -> None:
    """Kill a process as the kernel does when memory runs out."""
    os.kill(pid, signal.SIGKILL)
