"""Is the process that sent an order proven gone? Only then can nothing more of that sending leave it.

A lease that has ended is no proof: a process that was stopped right before it wrote to the socket would write when it
is woken. That a process is gone can be seen on its own host only, so that is where it is asked for.
"""

import datetime as dt
import socket
from dataclasses import dataclass

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from orders.models import Heartbeat, Order, OrderEvent, WorkerLease
from orders.selectors import FLEET_SILENCE_SECONDS
from orders.services.processes import is_another, process_began_at


class StillThere(Exception):
    """It is not proven that the sending process is gone; the message says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The process that sent an order last."""

    worker: str
    host: str
    pid: int
    epoch: int
    sent_at: dt.datetime  # when it said that it would


def sender_of(order: Order) -> Sender:
    """Return who sent the order last, by its history. Raises ``StillThere`` where the history does not say."""
    event = OrderEvent.objects.filter(order=order.id, kind="Submitted").order_by("-id").first()
    if event is None or event.pid is None or event.epoch is None:
        raise StillThere("The order's history does not say which process sent it.")
    return Sender(event.worker, event.worker.rpartition("@")[2], event.pid, event.epoch, event.at)


def prove_gone(order: Order, *, host_is_gone: bool = False) -> str:
    """Return the proof that the process which sent this order is gone; raise ``StillThere`` without one.

    ``host_is_gone`` is an operator's word that the sender's host will never run again. It is taken only while none
    of that host's fleets shows itself.
    """
    sender = sender_of(order)
    proof = _proof(order, sender, host_is_gone=host_is_gone)
    _need_arrived(sender)
    return proof


def _proof(order: Order, sender: Sender, *, host_is_gone: bool) -> str:
    _need_lease_ended(order, sender)
    if host_is_gone:
        return _host_gone(sender)
    if sender.host != socket.gethostname():
        raise StillThere(
            f"Process {sender.pid} on {sender.host} sent it, and only there can it be seen to be gone: run "
            f"'manage.py resolve_order {order.pk} --never-sent …' on {sender.host}."
        )
    _need_sight_of_host(sender)
    began_at = process_began_at(sender.pid)
    if began_at is None:
        return f"no process {sender.pid} on {sender.host}"
    if is_another(began_at, sender.worker):
        return f"process {sender.pid} on {sender.host} is another: it began after the one that sent it"
    raise StillThere(
        f"Process {sender.pid} on {sender.host} sent it and still runs. Stop it with 'kill {sender.pid}' "
        f"('kill -9' where it does not end): another worker takes over its trader. Then try again."
    )


def _need_arrived(sender: Sender) -> None:
    """Make sure that nothing is on its way any more: what a process has written is not taken back by its end."""
    arrived_at = sender.sent_at + 2 * dt.timedelta(seconds=settings.BROKER_TIMEOUT_SECONDS)
    wait = (arrived_at - timezone.now()).total_seconds()
    if wait > 0:
        raise StillThere(f"What was sent may still be on its way to the broker. Try again in {wait:.0f} s.")


def _need_lease_ended(order: Order, sender: Sender) -> None:
    holds = WorkerLease.objects.filter(user=order.user_id, epoch=sender.epoch, expires_at__gt=Now())
    if holds.exists():
        raise StillThere(
            f"{sender.worker} sent it and still holds the trader's lease (epoch {sender.epoch}). Stop that worker: "
            f"'kill {sender.pid}' on {sender.host}. Then try again."
        )


def _need_sight_of_host(sender: Sender) -> None:
    """Make sure that this process sees that host's processes: a container may bear its host's name."""
    for pid in _fleet_pids(sender.host):
        if process_began_at(pid) is None:
            raise StillThere(
                f"The fleet of {sender.host} (process {pid}) cannot be seen from here. Run 'manage.py "
                "resolve_order' beside it, in the fleet's container; a fleet that was just stopped is "
                f"forgotten after {FLEET_SILENCE_SECONDS} s."
            )


def _host_gone(sender: Sender) -> str:
    if sender.host == socket.gethostname() or _fleet_pids(sender.host):
        raise StillThere(f"{sender.host} is not gone: it has shown itself just now.")
    return f"an operator's word that {sender.host} is gone for good; no fleet of it shows itself"


def _fleet_pids(host: str) -> list[int]:
    """Return the processes of the fleets on that host that have shown themselves lately."""
    lately = Now() - dt.timedelta(seconds=FLEET_SILENCE_SECONDS)
    fleets = Heartbeat.objects.filter(
        part=Heartbeat.Part.FLEET, name__startswith=f"fleet@{host}:", at__gt=lately
    )
    return [int(name.rpartition(":")[2]) for name in fleets.values_list("name", flat=True)]
