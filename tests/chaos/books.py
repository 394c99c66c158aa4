"""Both sets of books as they stand, read by SQL as the superuser: nothing here runs the code that is examined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.flows.floor import Floor

Row = dict[str, Any]

_ORDERS = """
SELECT o.*, a.external_id AS venue_account, a.broker,
       EXISTS (SELECT FROM orders_attentionitem AS i
                WHERE i.order_id = o.id AND i.kind = 'OUTCOME_UNKNOWN' AND i.resolved_at IS NULL) AS listed
  FROM orders_order AS o JOIN brokers_brokeraccount AS a ON a.id = o.account_id
 ORDER BY o.recorded_at, o.id
"""
_REQUESTS = """
SELECT r.*, o.account_id, o.ord_status AS of_order, a.external_id AS venue_account,
       EXISTS (SELECT FROM orders_attentionitem AS i
                WHERE i.order_id = o.id AND i.resolved_at IS NULL) AS listed
  FROM orders_orderrequest AS r JOIN orders_order AS o ON o.id = r.order_id
  JOIN brokers_brokeraccount AS a ON a.id = o.account_id
 ORDER BY r.id
"""
_POSITIONS = """
SELECT p.*, a.external_id AS venue_account
  FROM orders_position AS p JOIN brokers_brokeraccount AS a ON a.id = p.account_id
 WHERE p.qty <> 0
"""
_PROTECTIONS = """
SELECT t.symbol, a.external_id AS venue_account, newest.protection
  FROM orders_trade AS t JOIN brokers_brokeraccount AS a ON a.id = t.account_id
 CROSS JOIN LATERAL (
    SELECT o.protection FROM orders_tradeorder AS part JOIN orders_order AS o ON o.id = part.order_id
     WHERE part.trade_id = t.id AND part.role = 'ENTRY' AND part.qty > 0
       AND o.position_effect = 'OPEN' AND o.protection IS NOT NULL
     ORDER BY o.id DESC LIMIT 1) AS newest
 WHERE t.status = 'POSITION'
"""
_SIGNALS = "SELECT id, user_id, strategy_id, replay_key, body ->> 'id' AS alert_id FROM orders_signal"
_LEDGER = "SELECT * FROM ledger WHERE account_id = ANY(%s::uuid[]) ORDER BY seq"
_AT_VENUE = "SELECT * FROM orders WHERE account_id = ANY(%s::uuid[]) ORDER BY number"


@dataclass(frozen=True)
class Books:
    """One reading of the desk's and the venue's tables, as rows by column name."""

    orders: list[Row]  # with venue_account, broker, listed (on the attention list as unknown)
    events: list[Row]
    executions: list[Row]
    requests: list[Row]  # cancels and replaces, with venue_account and listed
    signals: list[Row]
    positions: list[Row]  # the desk's own that are open, with venue_account
    protections: list[Row]  # of each open trade that is to be protected: the newest entry's terms
    errands: list[Row]
    accounts: list[Row]
    leases: list[Row]
    dead_letters: int
    ledger: list[Row]
    venue_orders: list[Row]
    venue_accounts: list[Row]
    venue_positions: list[Row]

    def of_class_c(self, order: Row) -> bool:
        """Say whether the order's broker takes an id twice."""
        return bool(order["broker"] == "paper_c")

    def unresolved(self, order: Row) -> bool:
        """Say whether an order's outcome may stay unknown: at a class C broker, and a person has been told."""
        return order["ord_status"] == "SUBMITTED" and self.of_class_c(order) and bool(order["listed"])

    @staticmethod
    def is_booked(order: Row) -> bool:
        """Say whether an order was never sent: the desk has booked what nothing at the broker explains."""
        return bool(order["reason"] == "RECONCILED")

    def waits_for_person(self, order: Row) -> bool:
        """Say whether an exit rightly waits: an order of its place may have been filled, and a person has been told."""
        if order["ord_status"] != "INITIALIZED" or order["reason"] != "CLEARING_WAY":
            return False
        place = order["account_id"], order["symbol"]
        rivals = [other for other in self.orders if (other["account_id"], other["symbol"]) == place]
        return any(self.unresolved(other) for other in rivals)


def read_books(floor: Floor) -> Books:
    """Read everything; what changes meanwhile may be seen in one table and not in another."""
    accounts = floor.desk_rows(
        "SELECT id, user_id, broker, external_id FROM brokers_brokeraccount WHERE broker LIKE 'paper%%'"
    )
    ours = [account["external_id"] for account in accounts]
    return Books(
        orders=floor.desk_rows(_ORDERS),
        events=floor.desk_rows("SELECT * FROM orders_orderevent ORDER BY id"),
        executions=floor.desk_rows("SELECT * FROM orders_execution ORDER BY id"),
        requests=floor.desk_rows(_REQUESTS),
        signals=floor.desk_rows(_SIGNALS),
        positions=floor.desk_rows(_POSITIONS),
        protections=floor.desk_rows(_PROTECTIONS),
        errands=floor.desk_rows("SELECT * FROM orders_errand WHERE kind = 'TEND_POSITION' ORDER BY id"),
        accounts=accounts,
        leases=floor.desk_rows("SELECT * FROM orders_workerlease"),
        dead_letters=floor.desk_rows("SELECT count(*) AS n FROM orders_deadletter")[0]["n"],
        ledger=venue_rows(floor, _LEDGER, ours),
        venue_orders=venue_rows(floor, _AT_VENUE, ours),
        venue_accounts=venue_rows(floor, "SELECT * FROM account WHERE id = ANY(%s::uuid[])", ours),
        venue_positions=venue_rows(floor, "SELECT * FROM position WHERE account_id = ANY(%s::uuid[])", ours),
    )


def venue_rows(floor: Floor, query: str, *values: Any) -> list[Row]:
    """Query the venue's own database."""
    conninfo = floor.desk.conninfo(database="venue")
    with psycopg.connect(conninfo, row_factory=dict_row, autocommit=True) as connection:
        return connection.execute(query.encode(), values).fetchall()


def by(rows: Iterable[Row], *names: str) -> dict[Any, list[Row]]:
    """Group rows by one column, or by several as a tuple; ids as text."""
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        key = tuple(str(row[name]) for name in names)
        groups[key if len(names) > 1 else key[0]].append(row)
    return groups
