"""What the forkserver imports once, so that a fork is ready in milliseconds. No connection is opened here."""

import contextlib
import gc
import os

import django

# numpy (the SDK brings it) would start threads of its own, and a process with threads must not be forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Celery would run Django's checks in each child, and with them import every page: 25 MB and 0.3 s for nothing.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

django.setup()

import billiard.dummy  # noqa: E402
import billiard.pool  # noqa: E402, F401
import celery.app.amqp  # noqa: E402
import celery.app.control  # noqa: E402
import celery.app.events  # noqa: E402
import celery.app.log  # noqa: E402
import celery.app.routes  # noqa: E402
import celery.apps.worker  # noqa: E402
import celery.backends.base  # noqa: E402
import celery.concurrency.solo  # noqa: E402
import celery.contrib.django.task  # noqa: E402
import celery.events.dispatcher  # noqa: E402
import celery.events.receiver  # noqa: E402
import celery.utils.debug  # noqa: E402
import celery.worker  # noqa: E402
import celery.worker.autoscale  # noqa: E402
import celery.worker.components  # noqa: E402
import celery.worker.consumer  # noqa: E402
import celery.worker.consumer.delayed_delivery  # noqa: E402
import celery.worker.strategy  # noqa: E402, F401
import django.db.backends.postgresql.base  # noqa: E402
import kombu.mixins  # noqa: E402
import kombu.transport.redis  # noqa: E402, F401

import brokers.alpaca.adapter  # noqa: E402
import brokers.paper.factory  # noqa: E402, F401
import tasks.dead_letters  # noqa: E402
import tasks.execution  # noqa: E402
import tasks.fleet.worker  # noqa: E402
import tasks.orphans  # noqa: E402
import tasks.pool  # noqa: E402
import tasks.sweeps  # noqa: E402, F401
from brokers.vault.open_broker import load_master_key  # noqa: E402
from brokers.vault.record import VaultError  # noqa: E402
from tradingsite.celery import app  # noqa: E402

# Without its key a worker says so on its first order; the fleet itself must come up all the same.
with contextlib.suppress(VaultError):
    load_master_key()

app.finalize()  # tasks and settings are read once, here
gc.collect()
gc.freeze()  # what is there now is for ever: collecting it in each child would copy its pages
