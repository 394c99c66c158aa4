"""What the forkserver imports once, so that a fork is ready in milliseconds. No connection is opened here."""

import contextlib
import gc
import os

import django

# numpy (the SDK brings it) would start threads of its own, and a process with threads must not be forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

django.setup()

import celery.app.control  # noqa: E402
import celery.concurrency.solo  # noqa: E402
import celery.worker  # noqa: E402
import celery.worker.consumer  # noqa: E402, F401
import django.db.backends.postgresql.base  # noqa: E402
import kombu.transport.redis  # noqa: E402, F401

import brokers.alpaca.adapter  # noqa: E402
import brokers.paper.factory  # noqa: E402, F401
import tasks.execution  # noqa: E402
import tasks.fleet.worker  # noqa: E402
import tasks.pool  # noqa: E402, F401
from brokers.vault.open_broker import load_master_key  # noqa: E402
from brokers.vault.record import VaultError  # noqa: E402

# Without its key a worker says so on its first order; the fleet itself must come up all the same.
with contextlib.suppress(VaultError):
    load_master_key()

gc.collect()
gc.freeze()  # what is there now is for ever: collecting it in each child would copy its pages
