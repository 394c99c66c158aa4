from __future__ import annotations

import pytest

from orders.api.preference import Waiting, waiting_for


@pytest.mark.parametrize(
    ("header", "waiting"),
    [
        (None, Waiting(30.0, "")),
        ("", Waiting(30.0, "")),
        ("wait=5", Waiting(5.0, "wait=5")),
        ('return=minimal, Wait = "7"; x=y', Waiting(7.0, "wait=7")),
        ("wait=0", Waiting(0.0, "wait=0")),
        ("wait=99", Waiting(30.0, "wait=99")),
        ("respond-async", Waiting(0.0, "respond-async")),
        ("wait=-1", Waiting(30.0, "")),
        ("wait=1.5", Waiting(30.0, "")),
        ("wait=99999", Waiting(30.0, "")),
    ],
)
def test_reads_the_preference(header: str | None, waiting: Waiting) -> None:
    assert waiting_for(header, 30.0) == waiting
