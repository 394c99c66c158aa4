"""A proxy that misbehaves when told to: it sits between two processes that believe they speak to each other.

Each direction of a connection is a queue: what is read is put in with the time at which it is due, and a second task
writes it when that time has come. All delays are made of this, and whatever was read is delivered even when its
sender has hung up meanwhile, as a network does.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from desk.testing import free_ports
from tests.chaos import wire
from tests.chaos.wire import Link

Queue = asyncio.Queue[tuple[float, bytes]]

LINGER_SECONDS = 5.0
"""How long the server's side of a connection stays open for an answer to bytes that came late."""
AWAY_SECONDS = 0.1
"""How often a target that is away is looked for."""


class Proxy:
    """Forwards connections to `target` (a local port, or the path of a socket) from a local port of its own.

    It runs in a thread of its own; the modes may be set from any other thread and hold for present and future
    connections until `heal`. While nobody listens at the target, nobody listens here either.
    """

    def __init__(self, name: str, target: int | Path, listen: Path | None = None) -> None:
        self.name = name
        self._target = target if isinstance(target, int) else str(target)
        self._listen = listen
        """The path of a socket to listen on instead of a port."""
        self._socket = socket.socket(socket.AF_UNIX if listen else socket.AF_INET)
        self._links: set[Link] = set()
        self._latency = self._lateness = 0.0
        self._is_hole = self._is_away = False
        self._doomed: bytes | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{name}", daemon=True)

    def __enter__(self) -> "Proxy":
        # By its number: a port that the system has chosen is given back as soon as nobody listens. Re-used: connections
        # that are still open have it too when we listen again.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(str(self._listen) if self._listen else ("127.0.0.1", free_ports(1)[0]))
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()
        self._socket.close()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self._socket.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections go through it now."""
        return len(self._links)

    # --- modes ---

    def latency(self, seconds: float) -> None:
        """Deliver everything so much later, both ways."""
        self._set(lambda: setattr(self, "_latency", seconds))

    def late(self, seconds: float) -> None:
        """Deliver what goes to the server so much later, also when its sender has hung up by then."""
        self._set(lambda: setattr(self, "_lateness", seconds))

    def black_hole(self) -> None:
        """Accept connections and bytes and pass nothing on, either way; nothing is closed."""
        self._set(lambda: setattr(self, "_is_hole", True))

    def reset(self) -> None:
        """Reset every present connection."""
        self._set(lambda: self._for_each(Link.reset))

    def half_close(self, *, to_server: bool = False) -> None:
        """Shut one direction of every present connection; by default the client hears no more."""
        self._set(lambda: self._for_each(lambda link: wire.shut(link.server if to_server else link.client)))

    def drop_response(self, containing: bytes = b"") -> None:
        """Let the next request (with these bytes) through, drop its answer and close its connection."""
        self._set(lambda: setattr(self, "_doomed", containing))

    def heal(self) -> None:
        """Forward faithfully again: deliver what is held back at once, reset whatever lost bytes."""

        def be_faithful() -> None:
            self._latency = self._lateness = 0.0
            self._is_hole, self._doomed = False, None
            self._healed.set()
            self._for_each(lambda link: link.reset() if link.swallowed else None)

        self._set(be_faithful)

    def _set(self, change: Callable[[], object]) -> None:
        async def apply() -> None:
            self._healed.clear()
            change()

        asyncio.run_coroutine_threadsafe(apply(), self._loop).result(timeout=10)

    def _for_each(self, act: Callable[[Link], object]) -> None:
        for link in list(self._links):
            act(link)

    # --- in the loop's thread ---

    async def _start(self) -> None:
        self._healed = asyncio.Event()
        await self._accept()

    async def _accept(self) -> None:
        start = asyncio.start_unix_server if self._listen else asyncio.start_server
        self._server = await start(self._serve, sock=self._socket.dup())

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        link = Link(client)
        self._links.add(link)
        try:
            if self._is_hole:
                link.swallowed = True
                while await wire.read(from_client):
                    pass
                return
            from_server, link.server = await wire.connect(self._target)
            await asyncio.gather(
                self._forward(link, from_client, link.server, to_server=True),
                self._forward(link, from_server, client, to_server=False),
            )
        except OSError:
            self._stop_listening()
            link.reset()
        except asyncio.CancelledError:
            return  # the proxy ends; asyncio would log the cancellation of a connection as an error
        finally:
            link.close()
            self._links.discard(link)

    def _stop_listening(self) -> None:
        """Refuse connections until somebody listens at the target again."""
        if self._is_away or self._listen:
            return
        self._is_away = True
        self._server.close()
        with contextlib.suppress(OSError):  # Linux keeps the port without listening; elsewhere it listens on
            self._socket.shutdown(socket.SHUT_RDWR)
        self._search = asyncio.create_task(self._look_for_target())

    async def _look_for_target(self) -> None:
        while not await self._comes_back():
            continue
        self._is_away = False

    async def _comes_back(self) -> bool:
        await asyncio.sleep(AWAY_SECONDS)
        try:
            _, writer = await wire.connect(self._target)
            writer.close()
            await self._accept()
        except OSError:
            return False
        return True

    async def _forward(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        queue: Queue = asyncio.Queue()
        delivery = asyncio.create_task(self._deliver(link, queue, writer, to_server=to_server))
        try:
            while data := await wire.read(reader):
                if self._is_wanted(link, data, to_server=to_server):
                    link.late |= to_server and bool(self._lateness)
                    delay = self._latency + (self._lateness if to_server else 0.0)
                    queue.put_nowait((self._loop.time() + delay, data))
            queue.put_nowait((0.0, b""))
            await delivery
        finally:
            delivery.cancel()

    def _is_wanted(self, link: Link, data: bytes, *, to_server: bool) -> bool:
        """Say whether these bytes are to be passed on."""
        if self._is_hole:
            link.swallowed = True
            return False
        if to_server and self._doomed is not None and self._doomed in data:
            self._doomed, link.answer_is_dropped = None, True
        elif not to_server and link.answer_is_dropped:
            link.reset()
            return False
        return True

    async def _deliver(
        self, link: Link, queue: Queue, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        while True:
            due, data = await queue.get()
            if not data:
                break
            if due > self._loop.time():
                await self._heal_or(due - self._loop.time())
            if not to_server:
                link.answered.set()
            await wire.write(writer, data)
        while self._is_hole:  # not even the end of a connection is heard of through a hole
            await self._healed.wait()
        if not to_server:
            link.close()  # a server that ends its side ends the connection
            return
        if link.late:
            await self._linger(link)
        wire.shut(writer)

    async def _heal_or(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._healed.wait(), seconds)

    @staticmethod
    async def _linger(link: Link) -> None:
        link.answered.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(link.answered.wait(), LINGER_SECONDS)
