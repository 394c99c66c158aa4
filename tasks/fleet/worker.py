"""The main function of a forked worker process: a real Celery worker with the solo pool."""

import os
import socket
import sys

from celery import bootsteps
from celery.worker.consumer import Consumer

from orders.services.processes import worker_name
from tasks import routing
from tasks.fleet import process
from tasks.fleet.slots import Slot, boottime
from tradingsite.celery import app


class AttachStep(bootsteps.StartStopStep):
    """Hand Celery's consumer to the worker process once its task consumer is there."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Consumer) -> None:
        if process.current is not None:
            process.current.attach(parent)


def main(slot: Slot) -> None:
    """Serve the pool, then one trader, then exit. Runs in a child of the fleet's forkserver."""
    name = worker_name(pid=os.getpid(), host=socket.gethostname())
    slot.progress = boottime()
    process.current = process.WorkerProcess(slot, name)
    app.steps["consumer"].add(AttachStep)
    worker = app.Worker(
        hostname=name,
        pool="solo",
        concurrency=1,
        queues=[routing.POOL_QUEUE],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",
        quiet=True,  # no banner for each of hundreds
    )
    worker.start()
    process.current.let_go()
    sys.exit(worker.exitcode or 0)
