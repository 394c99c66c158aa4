"""The mutants without their runs: each patch still applies, and says which run must see it."""

import subprocess
from pathlib import Path

import pytest

from desk.config import CHECKOUT
from tests.chaos.mutants import PATCHES, read_mutant

GUARANTEES = {
    "client-order-id",
    "deadline",
    "epoch",
    "exec-id",
    "lock-order",
    "look-up",
    "replay-key",
    "sweep",
}


def test_every_guarantee_has_its_mutant() -> None:
    assert {patch.stem for patch in PATCHES.glob("*.patch")} == GUARANTEES


@pytest.mark.parametrize("patch", sorted(PATCHES.glob("*.patch")), ids=lambda patch: patch.stem)
def test_the_patch_applies_and_names_its_run(patch: Path) -> None:
    mutant = read_mutant(patch)
    assert {"--seed", "--faults", "--focus"} <= set(mutant.arguments)
    checked = subprocess.run(
        ["git", "apply", "--check", str(patch)], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
