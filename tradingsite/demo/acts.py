"""The acts of the demo. Each tells what it sees and checks what must be so."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from tradingsite.demo.cast import Actor, Books
from tradingsite.demo.page import open_page
from tradingsite.demo.story import Story, StoryEnds
from tradingsite.demo.trades import ClosedTrade, Fill, closed_trade
from tradingsite.demo.way import STAGES, Way
from tradingsite.desk_client import Answer, DeskClient, timenow

COLD_QTY, WARM_QTY = "10", "2.5"
READY_SECONDS = 30.0  # a desk that has just started: its schedule shows itself last


def find_desk(story: Story, client: DeskClient, url: str) -> None:
    """See that a desk answers at ``url`` and is ready. Raises ``StoryEnds``."""
    story.chapter(f"The desk at {url}")
    end = time.monotonic() + READY_SECONDS
    try:
        while (answer := client.get("/readyz")).status == 503 and time.monotonic() < end:
            time.sleep(0.2)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoryEnds(f"The desk at {url} does not answer ({reason}); 'make up' starts it.") from None
    said = answer.raw[:400].decode(errors="replace")
    story.need("/readyz", answer.status, 200, why=f"The desk is not ready: {said}")
    parts = [name for name, state in answer.body.items() if state is True]
    story.tell("alive", ", ".join(parts))


def trade_cold(story: Story, actor: Actor) -> tuple[dict[str, Any], Way]:
    """The first alert of a trader whom no worker serves: one from the pool becomes theirs."""
    story.chapter(f"Cold: the first alert of {actor.trader.username}, whom no worker serves yet")
    story.check("has a worker", actor.has_worker(), expected=False)
    body = actor.alert("buy", f"entry|{timenow()}|0", quantity=COLD_QTY, market_position="long")
    way = _trade(story, actor, body, COLD_QTY)
    story.check("has a worker now", actor.has_worker(), expected=True)
    return body, way


def trade_warm(story: Story, actor: Actor, first: Way) -> Way:
    """The second alert: the worker is there, with its session at the broker open."""
    story.chapter("Warm: the same trader's next alert, a fraction of a share too")
    body = actor.alert("buy", f"entry|{timenow()}|{COLD_QTY}", quantity=WARM_QTY, market_position="long")
    way = _trade(story, actor, body, WARM_QTY)
    story.check("the same worker", (way.pid, way.epoch), expected=(first.pid, first.epoch))
    return way


def verify(story: Story, actor: Actor, orders: int) -> Books:
    """Compare the trader's orders with what the exchange itself has written down."""
    story.chapter("Verified against the exchange's own ledger")
    books = actor.books()
    story.check("orders at the desk", len(books.desk), orders)
    story.check("orders at the exchange", len(books.venue.orders), orders)
    for order in books.venue.orders:
        fills = ", ".join(f"{fill.qty.normalize():f} at {fill.price.normalize():f}" for fill in order.fills)
        story.tell(order.client_order_id, f"{order.side} {order.symbol} {order.status}: {fills}")
    for number in ("lost", "duplicated", "unexplained", "indeterminate", "positions", "cash"):
        story.check(number, books.report.numbers()[number], 0)
    return books


def close_trade(story: Story, actor: Actor, entries: list[Way]) -> tuple[Way, ClosedTrade]:
    """An exit closes the whole position; its profit or loss comes from the executions."""
    story.chapter("Out: an exit alert closes the position")
    held = Decimal(COLD_QTY) + Decimal(WARM_QTY)
    body = actor.alert("close_long", f"exit|{timenow()}|{held}", market_position="flat")
    way = _trade(story, actor, body, str(held))
    story.check("side", way.order["side"], "SELL")
    try:
        trade = closed_trade([fill for part in (*entries, way) for fill in part.fills])
    except ValueError as error:
        raise StoryEnds(f"The trade is not closed: {error}.") from None
    story.check("closed", trade.qty, held)
    story.tell("in, on average", f"{trade.entry_px:.4f}")
    story.tell("out, on average", f"{trade.exit_px:.4f}")
    story.tell("held", f"{trade.held.total_seconds():.3f} s")
    story.tell("profit or loss", f"{trade.pnl:+.2f} USD")
    return way, trade


def verify_trade(story: Story, books: Books, trade: ClosedTrade) -> None:
    """Compute the same trade from the exchange's ledger."""
    fills = [
        Fill(exec_id=fill.execution_id, side=order.side.upper(), qty=fill.qty, px=fill.price, at=fill.at)
        for order in books.venue.orders
        for fill in order.fills
    ]
    try:
        there = closed_trade(fills)
    except ValueError as error:
        raise StoryEnds(f"The trade is not closed at the exchange: {error}.") from None
    story.check("profit or loss there", f"{there.pnl:+.2f} USD", f"{trade.pnl:+.2f} USD")


def refuse(story: Story, actor: Actor, first_body: Mapping[str, Any], first: Way) -> None:
    """A replay, a wrong secret and an old alert come to nothing."""
    story.chapter("Refused: nothing is recorded, nothing is sent")
    again = actor.send(first_body)
    _refused(story, "the first alert again", again, 409)
    story.check("names the first order", again.body.get("order_id"), first.order["id"])
    guess = actor.alert("buy", "guess", quantity="1") | {"secret": "x" * 32}
    _refused(story, "a bad secret", actor.send(guess), 401)
    seconds = settings.WEBHOOK_MAX_AGE_SECONDS + 60
    old = actor.alert("buy", "old", quantity="1") | {
        "timenow": timenow(datetime.now(UTC) - timedelta(seconds=seconds))
    }
    _refused(story, f"an alert {seconds} s old", actor.send(old), 401)


def show(story: Story, actor: Actor, way: Way, url: str) -> None:
    """The trader logs in and opens the order's page."""
    story.chapter("To be seen")
    trader = actor.trader
    path = f"/orders/{way.order['id']}/"
    page = open_page(actor.client, path, username=trader.username, password=trader.password)
    story.check("the order's page", page.status, 200)
    story.check("shows the order", str(way.order["cl_ord_id"]).encode() in page.raw, expected=True)
    story.tell("page", f"{url}{path}")
    story.tell("login", f"{trader.username} / {trader.password}")


def _trade(story: Story, actor: Actor, body: Mapping[str, Any], qty: str) -> Way:
    """Send one alert and tell its order's whole way. Raises ``StoryEnds`` where it was not filled."""
    shown = {**body, "secret": f"{str(body['secret'])[:4]}…"}
    story.tell("the alert", json.dumps(shown, ensure_ascii=False))
    answer = actor.send(body)
    story.need("answer", answer.status, 200, why=f"The alert was not executed: {answer.raw[:400]!r}")
    story.need("ord_status", answer.body.get("ord_status"), "FILLED")
    story.check("cum_qty", answer.body.get("cum_qty"), qty)
    way = actor.follow(answer.body["id"])
    _tell_layers(story, actor, body, answer, way)
    _tell_stages(story, way, answer)
    return way


def _tell_layers(story: Story, actor: Actor, body: Mapping[str, Any], answer: Answer, way: Way) -> None:
    said = datetime.fromisoformat(body["timenow"])
    age = (way.stages["received"] - said).total_seconds()
    token = actor.trader.webhook_path.rpartition("/")[2]
    story.tell(
        "received",
        f"{(way.stages['received'] - answer.sent_at).total_seconds() * 1000:.1f} ms on the way",
        ms=0,
    )
    story.tell("layer 1, token", f"{token[:6]}… names the strategy")
    story.tell("layer 2, time", f"said {age:.1f} s ago, {settings.WEBHOOK_MAX_AGE_SECONDS} s are allowed")
    story.tell("layer 3, secret", "fits its hash")
    story.tell("layer 4, replay", f"{body['id']} was never seen before")


def _tell_stages(story: Story, way: Way, answer: Answer) -> None:
    order, at = way.order, way.stages
    story.check("stages without a time", [stage for stage in STAGES if stage not in at], [])
    words = {
        "recorded": f"order {order['cl_ord_id']}: {order['side']} {order['order_qty']} {order['symbol']}",
        "dequeued": f"by {way.worker}, pid {way.pid}, epoch {way.epoch}",
        "sent": "to the broker",
        "acknowledged": "by the broker",
        "replied": "to whoever waits",
    }
    lines = [(at[stage], stage, text) for stage, text in words.items() if stage in at]
    if way.submitted_at is not None:
        lines.append((way.submitted_at, "transaction 1", "SUBMITTED, under the lease"))
    for fill in way.fills:
        text = f"{fill.qty.normalize():f} at {fill.px.normalize():f}, {fill.exec_id}"
        lines.append((fill.at, "fill", text))
    for moment, label, text in sorted(lines, key=lambda line: line[0]):
        story.tell(label, text, ms=way.ms(moment))
    answered = answer.sent_at + timedelta(milliseconds=answer.ms)
    story.tell("answered", f"{answer.ms:.1f} ms after it was sent", ms=way.ms(answered))
    filled = sum((fill.qty for fill in way.fills), Decimal(0))
    story.check("fills add up to", f"{filled.normalize():f}", order["order_qty"])


def _refused(story: Story, what: str, answer: Answer, status: int) -> None:
    story.check(what, answer.status, status)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    story.check("as problem details", kind, "application/problem+json")
    story.tell("it says", str(answer.body.get("detail") or answer.body.get("title") or ""))
