"""What the desk changes of Celery: live database connections, prompt reconnects, no word of root."""

import os
import warnings
from typing import Any

import psycopg
import pytest
from celery import platforms, signals
from celery.exceptions import SecurityWarning
from django.db import OperationalError, connection, transaction
from kombu.exceptions import OperationalError as BrokerDown

from orders.selectors import database_is_alive
from tradingsite.celery import app


@pytest.mark.django_db(transaction=True)
def test_a_task_after_one_that_met_a_cut_connection_has_a_live_one() -> None:
    assert database_is_alive()
    pid = connection.connection.info.backend_pid
    with psycopg.connect(os.environ["TEST_POSTGRES"], autocommit=True) as operator:
        operator.execute("SELECT pg_terminate_backend(%s)", [pid])
    with pytest.raises(OperationalError):
        database_is_alive()  # outside of a transaction nobody closes what is dead
    with pytest.raises(OperationalError), transaction.atomic():
        pass
    signals.task_prerun.send(sender=None)
    with transaction.atomic():
        assert database_is_alive()


def test_redis_is_asked_again_within_a_second() -> None:
    waits: list[float] = []
    nowhere = app.connection_for_read("redis+socket:///nowhere/redis.sock")

    def note(_error: Exception, interval: float) -> None:
        waits.append(interval)

    def sleepless(_seconds: Any) -> None:
        """Do not wait: only how long it would have been matters."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kombu.utils.functional.sleep", sleepless)
        with pytest.raises(BrokerDown):
            nowhere.ensure_connection(note, max_retries=8)
    assert len(waits) >= 5
    assert max(waits) <= 1.0


def test_a_worker_that_is_root_is_not_warned_of_that_and_of_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_group(_gid: int) -> None:
        raise KeyError

    monkeypatch.setattr(os, "getuid", lambda: 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SecurityWarning, match="superuser"):
            platforms.check_privileges(app.conf.accept_content)
        signals.celeryd_init.send(sender="worker@host", instance=None, conf=app.conf, options={})
        platforms.check_privileges(app.conf.accept_content)
        monkeypatch.setattr(platforms.grp, "getgrgid", no_such_group)
        with pytest.raises(SecurityWarning, match="potential security issue"):
            platforms.check_privileges(app.conf.accept_content)
