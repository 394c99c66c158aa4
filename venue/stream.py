"""The ``trade_updates`` stream: WebSocket clients of an account hear each committed change, in ledger order.

Frames are binary JSON, as the paper endpoint of Alpaca sends them.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.websockets import WebSocket, WebSocketDisconnect

from venue import render
from venue.errors import VenueError
from venue.faults import ON_STREAM, Faults, Subject
from venue.models import Change

if TYPE_CHECKING:
    from venue.runtime import Venue

AUTH_SECONDS = 10.0
MAX_BACKLOG = 10_000
OUT_OF_ORDER_SECONDS = 0.2


class Subscriber:
    """One connection that listens; ``None`` in its queue ends it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def send(self, frame: bytes) -> None:
        """Queue a frame; a client that does not read is cut off rather than kept in memory."""
        if self.queue.qsize() < MAX_BACKLOG:
            self.queue.put_nowait(frame)
        else:
            self.end()

    def end(self) -> None:
        """Cut the connection after what is queued."""
        self.queue.put_nowait(None)


class Hub:
    """Who listens to which account."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._subscribers: defaultdict[UUID, set[Subscriber]] = defaultdict(set)
        self._held_back: dict[UUID, list[bytes]] = {}

    def add(self, account_id: UUID, subscriber: Subscriber) -> None:
        """Let a connection hear an account."""
        self._subscribers[account_id].add(subscriber)

    def remove(self, account_id: UUID, subscriber: Subscriber) -> None:
        """Forget a connection; it need not be there."""
        self._subscribers[account_id].discard(subscriber)
        if not self._subscribers[account_id]:
            del self._subscribers[account_id]

    def count(self) -> int:
        """Return the number of listening connections."""
        return sum(len(group) for group in self._subscribers.values())

    def disconnect(self, account_id: UUID | None) -> int:
        """Cut the connections of one account or of all; returns how many."""
        groups = (
            [self._subscribers.get(account_id, set())] if account_id else list(self._subscribers.values())
        )
        cut = [subscriber for group in groups for subscriber in group]
        for subscriber in cut:
            subscriber.end()
        return len(cut)

    def publish(self, account_id: UUID, changes: Sequence[Change]) -> None:
        """Tell an account's listeners of committed changes."""
        if account_id not in self._subscribers:
            return
        for change in changes:
            if change.event:
                self._emit(account_id, change)

    def _emit(self, account_id: UUID, change: Change) -> None:
        frame = json.dumps(render.trade_update(change), separators=(",", ":")).encode()
        kinds = {
            rule.kind for rule in self._faults.strike(ON_STREAM, Subject(account_id, change.symbol or ""))
        }
        if "stream_silence" in kinds:
            return
        if "stream_out_of_order" in kinds and account_id not in self._held_back:
            self._held_back[account_id] = [frame]
            asyncio.get_running_loop().call_later(OUT_OF_ORDER_SECONDS, self._release, account_id)
            return
        self._send(account_id, frame)
        if "stream_duplicate" in kinds:
            self._send(account_id, frame)
        self._release(account_id)

    def _release(self, account_id: UUID) -> None:
        for frame in self._held_back.pop(account_id, ()):
            self._send(account_id, frame)

    def _send(self, account_id: UUID, frame: bytes) -> None:
        for subscriber in list(self._subscribers.get(account_id, ())):
            subscriber.send(frame)


async def stream_endpoint(websocket: WebSocket) -> None:
    """Serve one client: authenticate, then listen."""
    venue: Venue = websocket.app.state.venue
    await websocket.accept()
    try:
        account_id = await asyncio.wait_for(_authenticate(venue, websocket), AUTH_SECONDS)
        if account_id is None:
            await websocket.close(1008)
            return
    except TimeoutError:
        await websocket.close(1008)
        return
    except WebSocketDisconnect:
        return
    subscriber = Subscriber()
    sender = asyncio.create_task(_send_forever(websocket, subscriber))
    try:
        await _listen(venue, websocket, account_id, subscriber)
    except WebSocketDisconnect:
        pass
    finally:
        venue.hub.remove(account_id, subscriber)
        sender.cancel()


async def _authenticate(venue: Venue, websocket: WebSocket) -> UUID | None:
    message = await _receive(websocket)
    action = message.get("action", "")
    nested = message.get("data")
    data = nested if isinstance(nested, dict) else {}
    key_id = str(data.get("key_id") or message.get("key") or "")
    secret = str(data.get("secret_key") or message.get("secret") or "")
    try:
        if action not in ("authenticate", "auth"):
            return await _answer_authorization(websocket, action, None)
        account_id = await venue.credentials.authenticate(key_id, secret)
    except VenueError:
        return await _answer_authorization(websocket, action, None)
    return await _answer_authorization(websocket, action, account_id)


async def _answer_authorization(websocket: WebSocket, action: str, account_id: UUID | None) -> UUID | None:
    status = "authorized" if account_id else "unauthorized"
    await _send(websocket, {"stream": "authorization", "data": {"status": status, "action": action}})
    return account_id


async def _listen(venue: Venue, websocket: WebSocket, account_id: UUID, subscriber: Subscriber) -> None:
    while True:
        message = await _receive(websocket)
        if message.get("action") != "listen":
            continue
        data = message.get("data")
        wanted = data.get("streams", []) if isinstance(data, dict) else []
        streams = ["trade_updates"] if "trade_updates" in wanted else []
        if streams:
            venue.hub.add(account_id, subscriber)
        else:
            venue.hub.remove(account_id, subscriber)
        answer = {"stream": "listening", "data": {"streams": streams}}
        subscriber.send(json.dumps(answer, separators=(",", ":")).encode())


async def _send_forever(websocket: WebSocket, subscriber: Subscriber) -> None:
    try:
        while (frame := await subscriber.queue.get()) is not None:
            await websocket.send_bytes(frame)
        await websocket.close(1012)
    except (WebSocketDisconnect, RuntimeError):
        # Starlette raises RuntimeError for a send after the close that the other side began.
        return


async def _receive(websocket: WebSocket) -> dict[str, Any]:
    """Return the next client message, an empty one if it is not a JSON object."""
    event = await websocket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code") or 1005, event.get("reason"))
    raw = event.get("bytes") or event.get("text") or ""
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


async def _send(websocket: WebSocket, message: dict[str, Any]) -> None:
    await websocket.send_bytes(json.dumps(message, separators=(",", ":")).encode())
