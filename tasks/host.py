"""This host's processes: which of them are gone."""

from orders.services.processes import is_another, process_began_at

START_SECONDS = 0.1
"""A process is noted as started once it has been; its clock ticks more coarsely than ours."""


def is_gone(pid: int, worker: str | None) -> bool:
    """Say whether no such process runs here, or (given a worker's name) only one that took over its number."""
    began_at = process_began_at(pid)
    return began_at is None or (worker is not None and is_another(began_at, worker))


def has_ended(pid: int, started: float) -> bool:
    """Say whether the process of this number that had been started by then (seconds since boot) has ended."""
    began_at = process_began_at(pid)
    return began_at is None or began_at > started + START_SECONDS
