"""The load: what traders and their alerts ask of the desk while it is being broken.

Open-loop: the next request comes when the seed says, whether or not the one before was answered. What is asked of
which trader is drawn from the seed; only which resting order a cancel or replace picks depends on the answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from tests.chaos.requests import Journal, Sent
from tests.flows.helpers import Trader, alert

RESENDS = 3
"""How often TradingView sends an alert again that was answered 5xx; impatient programs do the same with a key."""
RESEND_SECONDS = 0.4
TIMEOUT = httpx.Timeout(8.0, connect=2.0)
ASKING_SECONDS = 20.0
BURST = 12
BURST_GAP_SECONDS = 0.015
CENT = Decimal("0.01")
WEIGHTS = {
    "entry": 22,
    "protected": 10,
    "short": 8,
    "exit": 12,
    "repeat": 8,
    "market": 10,
    "far": 13,
    "near": 7,
    "cancel": 8,
    "replace": 8,
}
ENTRY: Mapping[str, Any] = {"action": "buy"}
NEAR_EXITS = {"stop_loss": {"percent": "0.3"}, "take_profit": {"percent": "0.3"}}  # the walk comes by both
ALERTS: Mapping[str, Mapping[str, Any]] = {
    "exit": {"action": "sell", "order_type": "exit"},
    "protected": {"action": "buy", **NEAR_EXITS},
    "short": {"action": "sell", **NEAR_EXITS},
}
RECENT_ORDERS = 12
CHANGES = ("near", "cancel", "replace")


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that somebody wants of the desk: where to send it, and what makes a second sending the same."""

    kind: str
    trader: Trader
    key: str
    path: str
    body: Mapping[str, Any]
    target: str = ""


@dataclass(frozen=True, slots=True)
class Resting:
    """A limit order that may still wait in the market."""

    trader: Trader
    order_id: str
    price: Decimal
    order_qty: int


class Load:
    """Asks for things from a thread of its own between ``start`` and ``end``."""

    def __init__(
        self,
        base_url: str,
        traders: Sequence[Trader],
        prices: Mapping[str, Decimal],
        journal: Journal,
        *,
        seed: int,
        per_second: float = 5.0,
        changes: float = 1.0,
    ) -> None:
        self._base_url = base_url
        self._traders = list(traders)
        self._prices = dict(prices)
        self._journal = journal
        self._rng = random.Random(f"load:{seed}")
        self._seed = seed
        self._per_second = per_second
        self._weights = {
            what: weight * (changes if what in CHANGES else 1) for what, weight in WEIGHTS.items()
        }
        self._numbers = itertools.count()
        self._resting: list[Resting] = []
        self._recent: list[Wish] = []
        self._ending = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = ThreadPoolExecutor(1, "load")
        self._asked: Future[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._asked = self._thread.submit(asyncio.run, self._ask_on())

    def wait_until(self, moment: float) -> None:
        """Sleep until this moment of the monotonic clock; raises at once what the load dies of."""
        wait([self._asked] if self._asked else [], timeout=max(moment - time.monotonic(), 0))
        if self._asked is not None and self._asked.done():
            self._asked.result()

    def end(self) -> None:
        """Ask for nothing more; answers that are still to come are waited for by ``join``."""
        self._ending.set()

    def join(self) -> None:
        """Wait for the last answer; raises what the load died of."""
        if self._asked is not None:
            self._asked.result()
        self._thread.shutdown()

    def burst(self, user_id: int) -> None:
        """Send alerts for one trader, one close behind the other; returns amid them, without their answers."""
        trader = next((trader for trader in self._traders if trader.user_id == user_id), None)
        if trader is not None and self._loop is not None and not self._ending.is_set():
            asyncio.run_coroutine_threadsafe(self._burst(trader), self._loop)
            time.sleep(BURST * BURST_GAP_SECONDS / 2)

    def insist(self, kind: str, trader: Trader, path: str, body: Mapping[str, Any], target: str = "") -> Sent:
        """Ask for one thing besides, again and again until an answer comes that is no 5xx; return that one.

        An alert gets the key as its id. Raises TimeoutError where no answer comes in time.
        """
        key = f"chaos-{self._seed}-{next(self._numbers)}"
        wish = Wish(kind, trader, key, path, {**body, "id": key} if kind == "alert" else body, target)
        if self._loop is None:
            raise RuntimeError("the load has not begun")
        asked = asyncio.run_coroutine_threadsafe(self._insist(wish), self._loop)
        try:
            return asked.result(ASKING_SECONDS)
        finally:
            asked.cancel()

    # --- in the load's own thread ---

    async def _ask_on(self) -> None:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(
            base_url=self._base_url, timeout=TIMEOUT, trust_env=False, limits=limits
        ) as self._http:
            self._loop = asyncio.get_running_loop()
            async with asyncio.TaskGroup() as self._asking:
                due = time.monotonic()
                while not self._ending.is_set():
                    due += self._rng.expovariate(self._per_second)
                    await asyncio.sleep(max(due - time.monotonic(), 0))
                    for wish, delay in self._next_wishes():
                        self._asking.create_task(self._have(wish, delay))

    async def _burst(self, trader: Trader) -> None:
        if self._ending.is_set():
            return
        for number in range(BURST):
            wish = self._alert(trader, sorted(self._prices)[number % len(self._prices)], 1, "entry")
            self._asking.create_task(self._have(wish, number * BURST_GAP_SECONDS))

    async def _have(self, wish: Wish, delay: float = 0.0) -> None:
        """Send a wish, and again where the answer was 5xx or, to somebody with a key, none."""
        await asyncio.sleep(delay)
        for _ in range(1 + RESENDS):
            sent = await self._send(wish)
            self._learn(wish, sent)
            if sent.status is not None and sent.status < 500:
                return
            await asyncio.sleep(RESEND_SECONDS)

    async def _insist(self, wish: Wish) -> Sent:
        while True:
            sent = await self._send(wish)
            if sent.status is not None and sent.status < 500:
                return sent
            await asyncio.sleep(RESEND_SECONDS)

    async def _send(self, wish: Wish) -> Sent:
        headers = {}
        if wish.kind != "alert":
            headers = {"Authorization": f"Bearer {wish.trader.api_key}", "Idempotency-Key": wish.key}
            headers["Prefer"] = "wait=2"
        at, began = dt.datetime.now(dt.UTC), time.monotonic()
        status: int | None = None
        answer, error = {}, ""
        try:
            response = await self._http.post(wish.path, json=dict(wish.body), headers=headers)
            status, answer = response.status_code, _object(response)
        except httpx.HTTPError as failure:
            error = f"{type(failure).__name__}: {failure}"
        sent = Sent(
            kind=wish.kind,
            user_id=wish.trader.user_id,
            key=wish.key,
            body={name: value for name, value in wish.body.items() if name != "secret"},
            target=wish.target,
            at=at,
            seconds=round(time.monotonic() - began, 3),
            status=status,
            answer=answer,
            error=error,
        )
        self._journal.add(sent)
        return sent

    def _learn(self, wish: Wish, sent: Sent) -> None:
        """Remember what may rest in the market, and forget what was canceled."""
        if not sent.accepted:
            return
        if wish.kind == "order" and "price" in wish.body and sent.order_ids:
            price, qty = Decimal(wish.body["price"]), int(wish.body["quantity"])
            self._resting.append(Resting(wish.trader, sent.order_ids[0], price, qty))
        elif wish.kind == "cancel":
            self._resting = [order for order in self._resting if order.order_id != wish.target]

    # --- drawing ---

    def _next_wishes(self) -> list[tuple[Wish, float]]:
        """Draw what is asked next, and after how many seconds: an alert may come twice."""
        what = self._rng.choices(list(self._weights), list(self._weights.values()))[0]
        trader = self._rng.choice(self._traders)
        symbol = self._rng.choice(sorted(self._prices))
        place = self._rng.random()
        if what == "repeat" and self._recent:
            return [(self._recent[int(place * len(self._recent))], 0.0)]
        if what in ("cancel", "replace") and self._resting:
            return self._changes(what, place)
        if what in ("market", "far", "near"):
            return [(self._order(what, trader, symbol), 0.0)]
        wish = self._alert(trader, symbol, self._rng.randint(1, 5), what)
        self._recent = [*self._recent, wish][-40:]  # young enough to be fresh still
        twice = place < 0.1
        return [(wish, 0.0), (wish, self._rng.choice((0.0, 0.05, 1.0)))] if twice else [(wish, 0.0)]

    def _alert(self, trader: Trader, symbol: str, quantity: int, what: str) -> Wish:
        key = f"chaos-{self._seed}-{next(self._numbers)}"
        body = alert(trader, id=key, symbol=symbol, quantity=quantity, **ALERTS.get(what, ENTRY))
        return Wish("alert", trader, key, trader.webhook_path, body)

    def _order(self, what: str, trader: Trader, symbol: str) -> Wish:
        body: dict[str, Any] = {"symbol": symbol, "side": "buy", "quantity": str(self._rng.randint(2, 9))}
        if what != "market":
            # Far below the market an order rests; next to it the walk may come by.
            part = Decimal("0.7") if what == "far" else Decimal(self._rng.randint(9970, 10010)) / 10_000
            body |= {"order_type": "LIMIT", "price": str((self._prices[symbol] * part).quantize(CENT))}
        return Wish("order", trader, f"chaos-{self._seed}-{next(self._numbers)}", "/api/v1/orders", body)

    def _changes(self, what: str, place: float) -> list[tuple[Wish, float]]:
        """Draw a cancel or replace of one of the last orders; of replaces some are thought better of at once."""
        recent = self._resting[-RECENT_ORDERS:]
        order = recent[int(place * len(recent))]
        wishes = [(self._change(what, order), 0.0)]
        if what == "replace" and self._rng.random() < 0.4:
            wishes.append((self._change("cancel", order), self._rng.choice((0.05, 0.3, 1.0))))
        return wishes

    def _change(self, what: str, order: Resting) -> Wish:
        body = {}
        if what == "replace":
            price = (order.price * Decimal(self._rng.randint(980, 1020)) / 1000).quantize(CENT)
            body = {"order_qty": str(order.order_qty + self._rng.randint(1, 3)), "price": str(price)}
            if self._rng.random() < 0.3:
                del body["order_qty"]
        key = f"chaos-{self._seed}-{next(self._numbers)}"
        path = f"/api/v1/orders/{order.order_id}/{what}"
        return Wish(what, order.trader, key, path, body, target=order.order_id)


def _object(response: httpx.Response) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        answer = response.json()
        if isinstance(answer, dict):
            return answer
    return {"not JSON": response.text[:200]}
