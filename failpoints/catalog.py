"""Every failpoint, in the order of an order's way, and what is true when a process dies there."""

from __future__ import annotations

POINTS: dict[str, str] = {
    # web
    "web.received": "the request is read; nothing is recorded",
    "record.before_commit": "signal, orders and history are written, not committed",
    "record.after_commit": "recorded; nobody has been told",
    "bell.before": "the doorbell is about to be published",
    "bell.after": "the doorbell is published, the claim perhaps not",
    "claim.before": "a claim is about to be published",
    "claim.after": "the claim is published",
    # fleet
    "fork.before": "the pool is short, its new worker not forked",
    "fork.after": "the new worker is forked",
    "lease.before_take": "an idle worker is about to take a trader's lease",
    "lease.after_take": "the lease is taken, the trader's queue not consumed yet",
    "lease.before_renew": "the supervisor is about to renew its workers' leases",
    "lease.after_renew": "the leases are renewed, the workers not told",
    "lease.before_release": "a worker is about to let its trader go",
    "lease.after_release": "the lease is released; the last look for new orders is still to come",
    "reap.before_expire": "a worker's death is seen, its lease still stands",
    "reap.after_expire": "the dead worker's lease is ended, nobody has been asked to take over",
    # sending
    "submit.before": "an order is chosen; its transaction 1 has not begun",
    "submit.before_commit": "transaction 1 is written, not committed",
    "submit.after_commit": "transaction 1 is committed: the order is SUBMITTED and not sent",
    "send.departing": "the lease's deadline was checked; nothing is written to the broker's socket",
    "send.after": "the broker's answer (or its absence) is known to the worker alone",
    "report.before_commit": "a broker's fact is written, not committed",
    "report.after_commit": "a broker's fact is committed; nobody has been told",
    "undo.before_commit": "a sending that did not happen is taken back, not committed",
    "undo.after_commit": "a sending that did not happen is taken back",
    "unknown.after_commit": "the outcome is recorded as unknown",
    "reply.before": "the sender is about to be told",
    "reply.after": "the sender is told, the note of it is not written",
    # asking
    "lookup.before": "an order whose outcome is unknown is about to be looked up",
    "lookup.after": "the look-up is answered, nothing is applied",
    "check.before": "working orders are about to be checked",
    "check.after": "the check is answered, nothing is applied",
    "fills.after": "an account's fills are fetched, none is applied",
    # cancel and replace
    "request.record.before_commit": "a cancel or replace is written, not committed",
    "request.record.after_commit": "a cancel or replace is recorded; nobody has been told",
    "request.before": "a request is chosen; its transaction 1 has not begun",
    "request.before_commit": "a request's transaction 1 is written, not committed",
    "request.after_commit": "a request's transaction 1 is committed; nothing is sent",
    "cancel.after": "the broker's answer to a cancel is known to the worker alone",
    "replace.after": "the broker's answer to a replace is known to the worker alone",
    # sweeps
    "sweep.due.before": "the sweep for due orders holds its lock",
    "sweep.due.after": "the bells of due orders are rung, the lock not released",
    "sweep.orphans.before": "the orphans' coordinator holds its lock",
    "sweep.orphans.after": "the orphans' cases are handed out, the lock not released",
}
