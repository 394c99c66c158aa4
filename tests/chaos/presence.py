"""Judge each order: at the venue exactly once and known alike on both sides, or with an explained end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from tests.chaos.books import Books, Row, by
from tests.chaos.chains import Chain, Chains

WORKING = frozenset({"PENDING_NEW", "NEW", "PARTIALLY_FILLED", "STOPPED", "SUSPENDED"})
VENUE_WORKING = frozenset({"accepted", "pending_new", "new", "held", "partially_filled"})
SPOKEN = frozenset({"PENDING_CANCEL", "PENDING_REPLACE", "FILLED", "DONE_FOR_DAY", "EXPIRED", "REPLACED"})
OPEN_REQUESTS = ("RECORDED", "SENT", "PENDING")


@dataclass(slots=True)
class Verdicts:
    """What became of the orders; each list has a line for every order that is not as it should be."""

    orders: int = 0
    at_venue: int = 0
    explained: int = 0
    waiting: int = 0  # exits behind what a person has to resolve
    unresolved: int = 0  # class C, and a person has been told
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    indeterminate: list[str] = field(default_factory=list)


def judge(books: Books, chains: Chains) -> Verdicts:
    """Judge every order, every cancel and replace, and every order at the venue that is nobody's."""
    found = Verdicts(orders=len(books.orders))
    refused = {
        (str(row["account_id"]), row["client_order_id"])
        for row in books.ledger
        if row["kind"] in ("refused", "rejected")
    }
    canceled = {str(request["order_id"]) for request in books.requests if request["kind"] == "CANCEL"}
    names = {str(order["id"]): order["cl_ord_id"] for order in books.orders}  # a stop goes with its target's
    for order in books.orders:
        chain = chains.of(order)
        found.at_venue += bool(chain.roots)
        if books.is_booked(order) and not chain.roots:
            found.explained += 1
        elif books.unresolved(order) and len(chain.roots) < 2:
            found.unresolved += 1
        elif books.waits_for_person(order) and not chain.roots:
            found.waiting += 1
        elif chain.roots:
            _judge_present(found, order, chain)
        else:
            sent_as = names.get(str(order["sent_with_id"]), order["cl_ord_id"])
            was_refused = (order["venue_account"], sent_as) in refused
            _judge_absent(found, order, was_refused, str(order["id"]) in canceled)
    for row in chains.strangers():
        found.unexplained.append(
            f"at the venue and nobody's here: {row['client_order_id']} {row['order_id']}"
        )
    _judge_requests(found, books, chains)
    return found


def unsettled(books: Books, chains: Chains) -> list[str]:
    """Say of every order and request why it has not come to rest; quiet is where there is none."""
    waiting = []
    for order in books.orders:
        if books.unresolved(order) or books.waits_for_person(order):
            continue
        if order["ord_status"] in ("INITIALIZED", "SUBMITTED"):
            waiting.append(name_of(order))
        elif chains.of(order).roots and (why := list(differences(order, chains.of(order)))):
            waiting.append(f"{name_of(order)}: {'; '.join(why)}")
    # Where a person has to resolve an order, its place is looked at again with each of its checks.
    places = {(order["account_id"], order["symbol"]) for order in books.orders if books.unresolved(order)}
    waiting += [
        f"{errand['symbol']} of account {errand['account_id']} is to be tended"
        for errand in books.errands
        if (errand["account_id"], errand["symbol"]) not in places
    ]
    unresolved = {str(order["id"]) for order in books.orders if books.unresolved(order)}
    waiting += [
        f"{request['kind']} {request['cl_ord_id']} is {request['status']}"
        for request in books.requests
        if request["status"] in OPEN_REQUESTS and str(request["order_id"]) not in unresolved
    ]
    return waiting


def name_of(order: Row) -> str:
    return f"{order['cl_ord_id']} ({order['id']}, {order['broker']}, trader {order['user_id']}) {order['ord_status']}"


def differences(order: Row, chain: Chain) -> Iterator[str]:
    """Say in what desk and venue differ about an order that both have."""
    there = chain.last
    if there is None:
        yield "the venue's ledger has it, its table of orders has not"
        return
    if not same_status(order["ord_status"], there["status"]):
        yield f"{order['ord_status']} here, {there['status']} there"
    if order["cum_qty"] != chain.filled_qty:
        yield f"cum_qty {order['cum_qty']} here, {chain.filled_qty} there"
    pairs = (("order_qty", "qty"), ("price", "limit_price"), ("symbol", "symbol"))
    for ours, theirs in pairs:
        if order[ours] != there[theirs]:
            yield f"{ours} {order[ours]} here, {there[theirs]} there"
    if order["side"].lower() != there["side"]:
        yield f"{order['side']} here, {there['side']} there"
    if order["working_cl_ord_id"] != there["client_order_id"]:
        yield f"{order['working_cl_ord_id']} works here, {there['client_order_id']} there"
    if order["avg_px"] != average(chain):
        yield f"avg_px {order['avg_px']} here, {average(chain)} there"


def same_status(ours: str, theirs: str) -> bool:
    if ours in WORKING:
        return theirs in VENUE_WORKING
    return ours.lower() == theirs


def average(chain: Chain) -> Decimal | None:
    """Average the venue's fills as the desk writes it: 10 places, half to even."""
    if not chain.fills:
        return None
    gross = sum((fill["qty"] * fill["price"] for fill in chain.fills), Decimal(0))
    return (gross / chain.filled_qty).quantize(Decimal("0.0000000001"))


def _judge_present(found: Verdicts, order: Row, chain: Chain) -> None:
    if len(chain.roots) > 1:
        found.duplicated.append(f"{name_of(order)}: {len(chain.roots)} times at the venue")
    elif order["ord_status"] == "SUBMITTED":
        found.indeterminate.append(f"{name_of(order)}: the venue has it, the desk does not know")
    elif order["ord_status"] == "INITIALIZED":
        found.unexplained.append(f"{name_of(order)}: the venue has it, the desk thinks it was never sent")
    elif why := list(differences(order, chain)):
        found.unexplained.append(f"{name_of(order)}: {'; '.join(why)}")


def _judge_absent(found: Verdicts, order: Row, was_refused: bool, cancel_asked: bool) -> None:
    status = order["ord_status"]
    if status == "SUBMITTED":
        found.indeterminate.append(f"{name_of(order)}: attempt {order['attempt']}, not at the venue")
    elif status == "INITIALIZED":
        found.lost.append(f"{name_of(order)}: recorded {order['recorded_at']}, never sent")
    elif status in WORKING | SPOKEN or order["broker_order_id"] or order["cum_qty"]:
        found.lost.append(f"{name_of(order)}: the venue has no such order")
    elif _is_explained(order, was_refused, cancel_asked):
        found.explained += 1
    else:
        found.unexplained.append(f"{name_of(order)}: ended without a reason ({order['reason']!r})")


def _is_explained(order: Row, was_refused: bool, cancel_asked: bool) -> bool:
    """Say whether an end without the venue has a reason: ours, the venue's own refusal, or a cancel."""
    match order["ord_status"]:
        case "DENIED":
            return bool(order["reason"])
        case "REJECTED":
            return bool(order["reason"]) and was_refused
        case "CANCELED":
            return cancel_asked
        case _:
            return False


def _judge_requests(found: Verdicts, books: Books, chains: Chains) -> None:
    """Each replace has replaced at most once, and only what was asked for has been canceled or replaced."""
    replaced = by((row for row in chains.accepted if row["data"].get("replaces")), "client_order_id")
    requests = {request["cl_ord_id"]: request for request in books.requests}
    for cl_ord_id, rows in replaced.items():
        request = requests.get(cl_ord_id)
        if request is None or request["kind"] != "REPLACE":
            found.unexplained.append(f"a replacement that nobody asked for: {cl_ord_id}")
        elif len(rows) > 1:
            found.duplicated.append(f"replace {cl_ord_id}: {len(rows)} times at the venue")
        elif request["status"] != "ACCEPTED":
            found.unexplained.append(f"replace {cl_ord_id} is {request['status']}, and the venue has done it")
    for request in books.requests:
        done = request["kind"] == "REPLACE" and request["status"] == "ACCEPTED"
        if done and request["cl_ord_id"] not in replaced:
            found.lost.append(f"replace {request['cl_ord_id']} is ACCEPTED, and the venue has not done it")
    _judge_cancels(found, books, chains)
    unresolved = {str(order["id"]) for order in books.orders if books.unresolved(order)}
    for request in books.requests:
        if request["status"] in OPEN_REQUESTS and str(request["order_id"]) not in unresolved:
            what = f"{request['kind']} {request['cl_ord_id']} of order {request['order_id']}"
            found.indeterminate.append(f"{what} is {request['status']} ({request['of_order']})")


def _judge_cancels(found: Verdicts, books: Books, chains: Chains) -> None:
    asked = {str(request["order_id"]) for request in books.requests if request["kind"] == "CANCEL"}
    canceled = (chains.of(order) for order in books.orders if str(order["id"]) in asked)
    wanted = {order_id for chain in canceled for order_id in chain.order_ids}
    for row in books.ledger:
        by_request = row["kind"] == "canceled" and row["data"].get("reason") == "requested"
        if by_request and str(row["order_id"]) not in wanted:
            found.unexplained.append(f"canceled, and nobody asked for it: {row['client_order_id']}")
