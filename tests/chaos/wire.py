"""One client's connection through the proxy, and the few things that can be done to its ends."""

import asyncio
import socket
import struct

CHUNK_BYTES = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Link:
    """One client's connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.swallowed = False  # bytes have gone missing: nothing sensible can follow on this connection
        self.late = False
        self.answer_is_dropped = False
        self.answered = asyncio.Event()

    def reset(self) -> None:
        """End both sides; the client sees a reset connection where it came by TCP."""
        peer = self.client.get_extra_info("socket")
        if peer is not None and peer.family != socket.AF_UNIX and not self.client.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.close()

    def close(self) -> None:
        """End both sides."""
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()


async def connect(target: int | str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a local port, or to the path of a socket. Raises OSError."""
    if isinstance(target, int):
        return await asyncio.open_connection("127.0.0.1", target)
    return await asyncio.open_unix_connection(target)


async def read(reader: asyncio.StreamReader) -> bytes:
    """Read what there is; b'' at the end, and where the connection was cut."""
    try:
        return await reader.read(CHUNK_BYTES)
    except OSError:
        return b""


async def write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write unless nobody is there any more: then the bytes are lost, as on a wire."""
    if writer.is_closing():
        return
    try:
        writer.write(data)
        await writer.drain()
    except (OSError, RuntimeError):
        return  # cut, or this direction was shut


def shut(writer: asyncio.StreamWriter | None) -> None:
    """Say that no more will be written."""
    if writer is None or writer.is_closing():
        return
    try:
        writer.write_eof()
    except (OSError, RuntimeError):
        return  # shut already
