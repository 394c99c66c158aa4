"""Every kind and every source of event that the code writes has words, and no words are left over."""

import pytest

from orders.views.wording import EVENTS, SOURCES
from tests.failpoints.effects import sources
from tests.orders.history_scan import STATE_EVENTS, Scan, Unreadable


@pytest.fixture(scope="module")
def scan() -> Scan:
    return Scan(sources())


def test_the_scan_sees_every_way_of_writing_an_event(scan: Scan) -> None:
    assert scan.kinds() > STATE_EVENTS
    assert {"Recorded", "ReplaceRecorded", "AdoptRefused", "NeverSentDeclared", "Replied"} < scan.kinds()
    assert {"web", "stream", "operator", "sweep"} < scan.sources()


def test_every_kind_has_words(scan: Scan) -> None:
    assert scan.kinds() - EVENTS.keys() == set()
    assert EVENTS.keys() - scan.kinds() == set()


def test_every_source_has_words(scan: Scan) -> None:
    assert scan.sources() - SOURCES.keys() == set()
    assert SOURCES.keys() - scan.sources() == set()


def test_what_the_scan_cannot_read_is_no_kind_without_words() -> None:
    text = 'def act(order, name):\n    write_event(order, kind=f"{name}Done", at=None)\n'
    with pytest.raises(Unreadable, match=r"act\.py:2"):
        Scan({"act.py": text}).kinds()
