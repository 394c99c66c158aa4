"""For whom the sweep rings that heals lost doorbells, by the room that the fleets have."""

import pytest

from orders.models import Errand
from orders.services.errands import write_errand
from orders.services.heartbeats import Fleet, beat_fleet, room_in_fleets
from tasks import sweeps
from tests.factories.traders import make_desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting() -> list[int]:
    """Return traders without a worker of whom quotes are wanted, who has waited longest first."""
    traders = []
    for _ in range(sweeps.PATIENT_CLAIMS + 2):
        desk = make_desk()
        write_errand(user_id=desk.user.id, account_id=desk.account.pk, kind=Errand.Kind.QUOTES)
        traders.append(desk.user.id)
    return traders


@pytest.mark.parametrize(
    ("fleets", "claims"),
    [
        ([(4, 4)], 1),
        ([(5, 4)], 1),
        ([(2, 4)], 2),
        ([(4, 4), (1, 4)], 3),
        ([(10, 300)], sweeps.PATIENT_CLAIMS),
        ([], 1),
    ],
)
def test_who_can_wait_gets_the_room_there_is_and_otherwise_one_turn(
    fleets: list[tuple[int, int]], claims: int, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (workers, most) in enumerate(fleets):
        beat_fleet(Fleet(f"fleet@host:{number}", workers=workers, most=most))
    assert room_in_fleets() == sum(max(most - workers, 0) for workers, most in fleets)
    rung: list[int] = []
    monkeypatch.setattr(sweeps, "nudge", rung.append)
    sweeps.due()
    assert rung == waiting[:claims]
