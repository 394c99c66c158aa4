"""A table as it is after years: a million finished orders, written past every trigger, as the superuser."""

import os

import psycopg
from django.db import connections
from psycopg.conninfo import make_conninfo

from tests.factories.traders import Desk

# Half are the given trader's own, in the same symbol; the others are spread over ten thousand traders.
ORDERS = """
INSERT INTO orders_order (
    id, cl_ord_id, working_cl_ord_id, user_id, account_id, source, simulation, request_digest, symbol, side,
    ord_type, time_in_force, order_qty, position_effect, ord_status, cum_qty, leaves_qty, avg_px, ended, state,
    reason, text, broker_order_id, exit_reason, leg, closes_whole,
    auto_exit, attempt, checks, received_at, recorded_at
)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'done-' || n, 'done-' || n,
       CASE WHEN n %% 2 = 0 THEN %(user)s ELSE 1000000 + n %% 10000 END, %(account)s, 'webhook', true, '',
       'AAPL', 'SELL', 'MARKET', 'DAY', 10, 'CLOSE',
       (ARRAY['FILLED', 'FILLED', 'CANCELED', 'REJECTED', 'DENIED'])[1 + n %% 5], 10, 0, 100, true, '{}',
       '', '', '', 'SIGNAL', '', true, false, 1, 0, moment, moment
FROM generate_series(1, %(count)s) AS n, LATERAL (SELECT now() - make_interval(secs => n) AS moment) AS at
"""
REQUESTS = """
INSERT INTO orders_orderrequest (
    id, cl_ord_id, order_id, user_id, kind, source, request_digest, status, reason, text, attempt, checks,
    received_at, recorded_at, submitted_at, answered_at
)
SELECT id, 'asked-' || cl_ord_id, id, user_id, 'CANCEL', 'api', '', 'ACCEPTED', '', '', 1, 0,
       recorded_at, recorded_at, recorded_at, recorded_at
FROM orders_order WHERE ended AND id < lpad(to_hex(%(count)s / 10), 32, '0')::uuid
"""


def superuser() -> psycopg.Connection[tuple[object, ...]]:
    """Connect to the tests' database past triggers, foreign keys and grants."""
    conninfo = make_conninfo(os.environ["TEST_POSTGRES"], dbname=connections["owner"].settings_dict["NAME"])
    return psycopg.connect(conninfo, autocommit=True, options="-c session_replication_role=replica")


def finish_orders(desk: Desk, count: int) -> None:
    """Add ``count`` finished orders and a tenth as many answered requests; have the planner know of them."""
    values = {"user": desk.user.id, "account": desk.account.id, "count": count}
    with superuser() as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(ORDERS, values)
        connection.execute(REQUESTS, values)
        connection.execute("VACUUM (ANALYZE) orders_order, orders_orderrequest")
