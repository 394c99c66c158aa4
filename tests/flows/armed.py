"""A floor whose processes can be made to die or stand still at a named point."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx

from desk.testing import Desk
from failpoints import arm, disarm
from tests.flows.floor import Floor, Row
from tests.flows.helpers import Trader, is_alive, wait_until


class ArmedFloor(Floor):
    """A floor and the folder in which its processes' failpoints are armed."""

    def __init__(self, desk: Desk, points: Path) -> None:
        super().__init__(desk)
        self._points = points
        self._stopped: list[int] = []

    def wait_ready(self) -> None:
        """Wait until orders are taken: a fleet that was just started or killed needs a moment."""
        wait_until("the desk is ready", lambda: self.http.get("/readyz").status_code == 200)

    def heal(self) -> None:
        """Heal once everybody is back: to the floor, what was killed so often looks as if it would not live."""

        def is_back() -> bool:
            components = self.desk.status()["components"].values()
            return all(component["state"] in ("ready", "stopped") for component in components)

        wait_until("every process is back", is_back, seconds=40)
        super().heal()

    def arm(self, point: str, action: str) -> None:
        arm(self._points, point, action)

    def disarm(self) -> list[str]:
        """Take back what nobody has passed; return the names."""
        return disarm(self._points)

    def hits(self, point: str) -> list[int]:
        """Return the pids of the processes that this point struck, earliest first."""
        found = sorted(self._points.glob(f"{point}.hit-*"), key=lambda path: path.stat().st_mtime_ns)
        return [int(path.name.rpartition(".hit-")[2].split("-")[0]) for path in found]

    def forget_hits(self) -> None:
        for path in self._points.glob("*.hit-*"):
            path.unlink()

    def wait_hit(self, point: str, *, seconds: float = 20.0) -> int:
        """Wait until a process was struck; return its pid."""
        return wait_until(f"somebody passes {point}", lambda: self.hits(point), seconds)[-1]

    def wait_stopped(self, point: str) -> int:
        """Wait until a process stands still at the point; return its pid, to be woken by ``wake``."""
        pid = self.wait_hit(point)
        wait_until(f"{pid} stands still", lambda: is_stopped(pid))
        self._stopped.append(pid)
        return pid

    def wake(self, pid: int) -> None:
        self._stopped.remove(pid)
        os.kill(pid, signal.SIGCONT)

    def wake_all(self) -> None:
        for pid in list(self._stopped):
            if is_alive(pid):
                self.wake(pid)
        self._stopped.clear()

    # --- cancel and replace ---

    def request(self, trader: Trader, order_id: str, what: str, **terms: Any) -> httpx.Response:
        """Ask for a cancel or replace, and do not wait for its answer."""
        headers = {"Authorization": f"Bearer {trader.api_key}", "Prefer": "respond-async"}
        return self.http.post(f"/api/v1/orders/{order_id}/{what}", json=terms, headers=headers)

    def requests(self, order_id: str) -> list[Row]:
        return self.desk_rows("SELECT * FROM orders_orderrequest WHERE order_id = %s ORDER BY id", order_id)

    # --- what reaches the venue, accepted or not ---

    def count_calls(self, trader: Trader) -> str:
        """Have the venue count what this trader's account sends, cancels and replaces from now on."""
        match = {"account_id": trader.venue_account, "path": "/v2/orders*"}
        rules = [
            self.venue(
                "POST",
                "/control/faults",
                {"match": match | {"method": method}, "fault": {"kind": "delay_ms", "ms": 0}},
            )
            for method in ("POST", "PATCH", "DELETE")
        ]
        return ",".join(rule["id"] for rule in rules)

    def calls(self, counter: str) -> int:
        """Return how often the venue was called since ``count_calls``."""
        wanted = set(counter.split(","))
        return sum(rule["struck"] for rule in self.venue("GET", "/control/faults") if rule["id"] in wanted)

    def allow_duplicates(self, trader: Trader) -> None:
        """Have the venue take a client order id of this account as often as it comes."""
        self.venue("PATCH", f"/control/accounts/{trader.venue_account}", {"unique_client_order_ids": False})


def is_stopped(pid: int) -> bool:
    """Say whether the process stands still, as after SIGSTOP."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] == "T"
