"""The second half of the demo: a position under protection, reversed, and stopped out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from tradingsite.demo.cast import Actor
from tradingsite.demo.story import Story, StoryEnds
from tradingsite.desk_client import Answer, timenow

SYMBOL = "MSFT"
LONG_QTY, SHORT_QTY = "5", "3"
ORDERS = 7
"""An entry with two exits, what closes it, and an entry with two exits."""
WIDE = {"stop_loss": {"percent": "5"}, "take_profit": {"percent": "10"}}
NEAR = {"stop_loss": {"offset": "0.02"}, "take_profit": {"percent": "10"}}
"""The market's next step or two touches this stop; nothing touches any of the others."""
PLACED_SECONDS, REVERSED_SECONDS, TOUCHED_SECONDS = 10.0, 20.0, 45.0
TIGHTENINGS = 4
POLL_SECONDS = 0.1

Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exits:
    """A position's stop loss and profit target, as the API tells of them."""

    stop: Row
    target: Row


def protect(story: Story, actor: Actor) -> Exits:
    """An entry comes with a stop loss and a profit target: both are at the exchange once it is filled."""
    story.chapter("Protected: an entry with a stop loss and a profit target")
    entry = _enter(story, actor, "buy", LONG_QTY, WIDE)
    exits = _exits_of(story, actor, entry)
    _tell_exits(story, exits, LONG_QTY, side="SELL")
    return exits


def reverse(story: Story, actor: Actor, before: Exits) -> Exits:
    """An entry on the other side closes the position first: its exits are taken back, then it is sold, then short."""
    story.chapter("Reversed: an entry on the other side")
    entry = _enter(story, actor, "sell", SHORT_QTY, NEAR)
    closed = _trade(story, actor, "REVERSED", REVERSED_SECONDS)
    story.check("auto_exit", entry["auto_exit"], expected=True)
    story.check("position before", entry["position_before"], LONG_QTY)
    story.check("closed first", entry["exit_quantity"], LONG_QTY)
    for name, exit_ in (("stop loss", before.stop), ("profit target", before.target)):
        story.check(f"its {name}", _order(actor, exit_["id"])["ord_status"], "CANCELED")
    story.tell("profit or loss", f"{Decimal(closed['realized_pnl']):+.2f} USD")
    exits = _exits_of(story, actor, entry)
    _tell_exits(story, exits, SHORT_QTY, side="BUY")
    return exits


def stop_out(story: Story, actor: Actor, exits: Exits) -> Row:
    """The market touches the stop: the position is closed, and its target is taken back."""
    story.chapter("Stopped out: the market touches the stop")
    closed = None
    for _ in range(TIGHTENINGS):
        closed = _wait(lambda: _closed(actor, "STOPPED_OUT"), TOUCHED_SECONDS)
        if closed is not None:
            break
        _tighten(story, actor, exits.stop["id"])
    if closed is None:
        raise StoryEnds("The market has not touched the stop.")
    story.check("status", closed["status"], "CLOSED")
    story.check("exit reason", closed["exit_reason"], "STOPPED_OUT")
    story.check("closed", closed["exit_qty"], SHORT_QTY)
    story.tell("in, on average", f"{Decimal(closed['entry_px']):.4f}")
    story.tell("out, on average", f"{Decimal(closed['exit_px']):.4f}")
    story.tell("profit or loss", f"{Decimal(closed['realized_pnl']):+.2f} USD")
    ended = _wait(lambda: _ended(actor, exits.target["id"]), PLACED_SECONDS)
    story.check("its profit target", ended and ended["ord_status"], "CANCELED")
    flat = list(_get(actor, f"positions?symbol={SYMBOL}&all=1")["results"])
    story.check("position", [row["qty"] for row in flat], ["0"])
    return closed


# --- inside ---


def _enter(story: Story, actor: Actor, action: str, qty: str, exits: Mapping[str, Any]) -> Row:
    """Send an entry and wait for its end: a reversal takes longer than an alert's budget where the machine is busy."""
    body = actor.alert(action, f"{action}|{timenow()}|{SYMBOL}", quantity=qty)
    body |= {"ticker": f"NASDAQ:{SYMBOL}", **exits}
    answer: Answer = actor.send(body)
    if answer.status not in (200, 202):
        raise StoryEnds(f"The alert was not accepted: {answer.raw[:400]!r}")
    order_id = answer.body["id"]
    ended = _wait(lambda: _ended(actor, order_id), REVERSED_SECONDS) or _order(actor, order_id)
    story.tell(
        "the entry", f"{ended['side']} {ended['order_qty']} {SYMBOL} at {ended['avg_px']}, {answer.ms:.1f} ms"
    )
    story.need(
        "ord_status", ended["ord_status"], "FILLED", why=str(ended["text"] or "The entry was not filled.")
    )
    return ended


def _exits_of(story: Story, actor: Actor, entry: Row) -> Exits:
    """Wait until both exits of an entry work at the exchange."""

    def placed() -> Exits | None:
        legs = {
            row["leg"]: row
            for row in _get(actor, f"orders?symbol={SYMBOL}&limit=50")["results"]
            if row["parent"] == entry["id"] and row["leg"] and row["ord_status"] in ("NEW", "PENDING_NEW")
        }
        return Exits(legs["STOP_LOSS"], legs["TAKE_PROFIT"]) if len(legs) == 2 else None

    exits = _wait(placed, PLACED_SECONDS)
    if exits is None:
        raise StoryEnds("The position's stop loss and profit target are not at the exchange.")
    return exits


def _tell_exits(story: Story, exits: Exits, qty: str, *, side: str) -> None:
    story.tell("stop loss", f"{exits.stop['side']} {exits.stop['leaves_qty']} at {exits.stop['stop_px']}")
    story.tell(
        "profit target", f"{exits.target['side']} {exits.target['leaves_qty']} at {exits.target['price']}"
    )
    for exit_ in (exits.stop, exits.target):
        story.check(exit_["leg"].lower().replace("_", " "), (exit_["side"], exit_["leaves_qty"]), (side, qty))


def _tighten(story: Story, actor: Actor, stop_id: str) -> None:
    """Move the stop to where the market is now: it has gone the other way."""
    quote = _get(actor, f"positions?symbol={SYMBOL}")["results"][0]
    price = Decimal(quote["mark_px"] or quote["avg_px"]).quantize(Decimal("0.01"))
    answer = actor.client.request(
        "POST",
        f"/api/v1/orders/{stop_id}/replace",
        f'{{"stop_px": "{price}"}}'.encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {actor.trader.api_key}"},
    )
    story.tell("the stop follows", f"to {price}, answered {answer.status}")


def _trade(story: Story, actor: Actor, reason: str, seconds: float) -> Row:
    closed = _wait(lambda: _closed(actor, reason), seconds)
    if closed is None:
        raise StoryEnds(f"No trade was closed as {reason}.")
    story.check("the trade before", closed["exit_reason"], reason)
    return closed


def _closed(actor: Actor, reason: str) -> Row | None:
    trades: Sequence[Row] = _get(actor, f"trades?symbol={SYMBOL}&status=closed")["results"]
    return next((trade for trade in trades if trade["exit_reason"] == reason), None)


def _ended(actor: Actor, order_id: str) -> Row | None:
    order = _order(actor, order_id)
    return order if order["ord_status"] in ("FILLED", "CANCELED", "REJECTED", "DENIED", "EXPIRED") else None


def _order(actor: Actor, order_id: str) -> Row:
    return _get(actor, f"orders/{order_id}")


def _get(actor: Actor, path: str) -> dict[str, Any]:
    return actor.client.get(f"/api/v1/{path}", actor.trader.api_key).body


def _wait(condition: Callable[[], T | None], seconds: float) -> T | None:
    end = time.monotonic() + seconds
    while (value := condition()) is None and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return value
