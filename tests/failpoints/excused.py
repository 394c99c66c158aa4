"""What ``effects`` finds and needs no point of its own, each with its reason. A line that excuses nothing fails."""

PASSED_ON: dict[str, tuple[str, str]] = {
    # a function whose effect is its callers': kind, reason
    "orders/rows.py:insert_rows": ("write", "one statement of whoever writes the rows"),
    "orders/rows.py:update_row": ("write", "one statement of whoever locked the row"),
    "orders/services/changes.py:Change.save": (
        "write",
        "part of the transaction of whoever locked the order",
    ),
    "orders/services/changes.py:Change.record_execution": (
        "write",
        "part of the transaction of whoever locked the order",
    ),
    "orders/services/changes.py:change_order": (
        "write",
        "part of the transaction of whoever locked the order",
    ),
    "orders/services/changes.py:write_event": (
        "write",
        "part of the transaction of whoever locked the order",
    ),
    "orders/services/changes.py:note_reply": ("write", "one statement; its caller tells the sender first"),
    "orders/services/unsent.py:cancel_unsent": (
        "write",
        "part of the transaction that would have sent the order, or the cancel",
    ),
    "orders/services/unsent.py:deny": ("write", "part of the transaction that would have sent the order"),
    "orders/services/unsent.py:hold_back_order": (
        "write",
        "part of the transaction that would have sent the order, or takes its sending back",
    ),
    "orders/services/request_answers.py:save_and_check_soon": (
        "write",
        "part of the transaction that marks the request sent, or takes in its answer",
    ),
    "orders/services/errands.py:defer_errand": (
        "write",
        "one statement; a worker that dies before it does the errand again",
    ),
    "orders/services/legs.py:take_legs": ("write", "part of the transaction that applies the report"),
    "orders/services/legs.py:is_of_unnamed_leg": (
        "write",
        "part of the transaction that would apply the report",
    ),
    "orders/services/attention.py:close_items": ("write", "part of the transaction that settles the order"),
    "orders/services/execution_rows.py:write_execution": (
        "write",
        "part of the transaction that applies the report",
    ),
    "orders/services/refusals.py:tell_refused_requests": (
        "write",
        "part of the transaction that applies the report",
    ),
    "orders/services/positions.py:book_executions": (
        "write",
        "part of the transaction that records the fills",
    ),
    "orders/services/positions.py:make_anew": ("write", "part of the transaction that locked the position"),
    "orders/services/journal.py:record_entry": ("write", "part of recording"),
    "orders/services/journal.py:cancel_unopened": ("write", "part of the transaction that ends the order"),
    "orders/services/journal.py:write_trips": ("write", "part of the transaction that locked the position"),
    "orders/services/journal.py:rewrite_trips": (
        "write",
        "part of the transaction that locked the position",
    ),
    "orders/services/new_orders.py:write_order": (
        "write",
        "part of the transaction that decides on the order",
    ),
    "orders/services/errands.py:write_errand": (
        "write",
        "part of the transaction that gives the reason for it",
    ),
    "orders/services/quotas.py:spend_quota": ("write", "part of recording"),
    "orders/services/errands.py:tend_if_waited_for": ("write", "part of the transaction that ends the order"),
    "orders/services/reconciliation/findings.py:note_done": (
        "write",
        "part of the transaction that has done it",
    ),
    "orders/services/reconciliation/findings.py:note_open": (
        "write",
        "part of the transaction that compares",
    ),
    "orders/services/reconciliation/findings.py:settle": ("write", "part of the transaction that books"),
    "orders/services/reconciliation/booking.py:book_difference": (
        "write",
        "part of the transaction that judges a position",
    ),
    "orders/services/reconciliation/outside.py:write_outside_order": (
        "write",
        "part of the transaction that records the finding",
    ),
    "orders/services/reconciliation/cash.py:compare_cash": (
        "write",
        "part of the transaction that ends a run",
    ),
    "orders/services/reconciliation/halts.py:settle_halt": (
        "write",
        "part of the transaction that ends a run",
    ),
    "orders/services/leases.py:take_lease": ("write", "one statement; what it means depends on who takes"),
    "orders/services/leases.py:renew_leases": ("write", "one statement of the supervisor's turn"),
    "orders/services/leases.py:expire_lease": (
        "write",
        "one statement; its callers differ in what they know",
    ),
    "tasks/routing.py:ring": ("publish", "whoever rings knows what was committed before"),
}

SHOWN_ELSEWHERE: dict[str, tuple[str, str]] = {
    # an effect whose point stands in another function: that function, reason
    "brokers/alpaca/transport.py:_GuardedConnection.endheaders broker: endheaders": (
        "brokers/alpaca/transport.py:Outgoing.depart",
        "called right before the first byte is written",
    ),
    "orders/services/sweeping.py:sweep_lock commit": (
        "tasks/sweeps.py:due",
        "a sweep's lock lasts as long as the caller's block, which has the points",
    ),
    "orders/services/unprotected.py:_alarm commit": (
        "orders/services/unprotected.py:watch_protection",
        "its caller's transaction, which has the points",
    ),
    "tasks/orphans.py:hand_out_cases commit": (
        "tasks/routing.py:hand_out",
        "what was found was only read; the publishing of each case has the points",
    ),
    "orders/services/attention.py:retell_item write: update": (
        "orders/services/attention.py:open_item",
        "called right before; without this the item keeps its older text",
    ),
    "orders/services/reconciliation/reading.py:read_their_books broker: list_executions": (
        "orders/services/reconciliation/reading.py:read_their_books",
        "one reading of several calls; nothing is recorded between them",
    ),
    "orders/services/reconciliation/reading.py:read_their_books broker: list_orders": (
        "orders/services/reconciliation/reading.py:read_their_books",
        "one reading of several calls; nothing is recorded between them",
    ),
    "orders/services/requests.py:_cancel write: _cancel_unsent": (
        "orders/services/requests.py:_record",
        "called in its transaction",
    ),
    "orders/services/requests.py:_cancel write: _hand_in": (
        "orders/services/requests.py:_record",
        "called in its transaction",
    ),
    "orders/services/requests.py:_replace write: _hand_in": (
        "orders/services/requests.py:_record",
        "called in its transaction",
    ),
    "tasks/fleet/session.py:TraderSession._wake publish: ring": (
        "orders/services/verification.py:check_all_now",
        "called right before; a lost bell leaves the orders due",
    ),
}

NOT_ON_AN_ORDERS_WAY: dict[str, str] = {
    # a file, or one effect of a function: reason
    "orders/services/api_keys.py": "a trader's keys, from the command line",
    "orders/rows.py:fetch_rows write: SQL": "reads, or locks what its caller is to change",
    "orders/rows.py:fetch_joined write: SQL": "reads",
    "orders/services/quotes.py:want_quotes commit": "a wish for quotes, in its caller's transaction if there is one",
    "orders/services/demo.py": "the demo's trader, before anything is traded",
    "tradingsite/demo/cast.py": "the same",
    "orders/services/heartbeats.py": "says that a part of the desk works; the next beat says it again",
    "orders/services/market_hours.py:save_override write: save": "an operator announces a day: one row",
    "orders/ledger/positions.py:position_differences commit": "reads while the position's row is locked",
    "orders/services/positions.py:make_all_anew commit": "rebuild_positions: run again it makes the same",
    "orders/services/provisioning.py": "makes traders, before anything is traded",
    "orders/services/exit_rules.py": "somebody sets exit rules: one row, whole or not at all",
    "orders/services/strategies.py": "an operator pauses a strategy: one row, whole or not at all",
    "orders/services/attention.py:resolve_item write: update": "an operator closes an item: one row",
    "orders/services/attention.py:resolve_items write: update": "the same for several: one statement",
    "orders/services/reconciliation/findings.py:accept_finding write: update": "an operator accepts one: one row",
    "orders/services/reconciliation/findings.py:settle_gone write: update": "one statement; the next run does it",
    "tradingsite/bench/database.py": "measures a database of its own",
}
