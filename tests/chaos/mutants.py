"""``python -m tests.chaos.mutants``: break one guarantee at a time in a copy of the desk, and see the proof fail.

Each ``mutants/*.patch`` is what ``git apply`` takes, with a heading above it: ``Breaks:`` names the guarantee,
``Chaos:`` the arguments of the run that has to see it. A patch that does not apply, a mutant that survives, and a run
that says nothing all fail the command.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from desk.config import CHECKOUT
from tests.chaos.__main__ import CLEAN, NOT_CLEAN, VERDICT
from tests.chaos.ending import ended_by_signals

PATCHES = Path(__file__).parent / "mutants"
LONGEST_SECONDS = 180.0
ENDING_SECONDS = 120.0
KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One patch: the guarantee that it breaks, and the arguments of the run that must fail."""

    name: str
    breaks: str
    arguments: tuple[str, ...]
    patch: Path


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one mutant; ``said`` is the run's last word."""

    mutant: Mutant
    verdict: str
    said: str
    seconds: float


def read_mutant(patch: Path) -> Mutant:
    """Read a patch's heading. Raises ValueError where it lacks one of the two lines."""
    heading = patch.read_text().partition("diff --git ")[0]
    fields = dict(line.split(": ", 1) for line in heading.splitlines() if ": " in line)
    if not {"Breaks", "Chaos"} <= fields.keys():
        raise ValueError(f"{patch.name} does not say what it breaks and which run must see it")
    return Mutant(patch.stem, fields["Breaks"], tuple(shlex.split(fields["Chaos"])), patch)


def copy_checkout(folder: Path) -> None:
    """Copy what is tracked, and what is new and not ignored, as it lies there now."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=CHECKOUT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = CHECKOUT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def apply_patch(patch: Path, folder: Path) -> str:
    """Apply a patch in a copy; return why it does not apply, '' where it did."""
    done = subprocess.run(["git", "apply", str(patch)], cwd=folder, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


def try_mutant(mutant: Mutant, *, sound: bool) -> Trial:
    """Run the proof against a copy with the patch, or with ``sound`` against one without it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        copy_checkout(folder)
        why = "" if sound else apply_patch(mutant.patch, folder)
        if why:
            return Trial(mutant, "does not apply", why.splitlines()[0], 0.0)
        status, output = _prove(folder, mutant.arguments)
    said = [line.removeprefix(VERDICT) for line in output.splitlines() if line.startswith(VERDICT)]
    verdict = {CLEAN: "survived", NOT_CLEAN: KILLED}.get(status, f"no result (exit status {status})")
    if status not in (CLEAN, NOT_CLEAN):
        print(output[-3000:], flush=True)
    return Trial(mutant, verdict, said[-1] if said else "", time.monotonic() - began)


def _prove(folder: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """Run the proof with everything imported from the copy; one that takes too long is interrupted."""
    command = [sys.executable, "-m", "tests.chaos", *arguments]
    environment = os.environ | {"TRADINGSITE_HOME": str(folder / "var"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # it puts its desk away
            output, _ = process.communicate(timeout=ENDING_SECONDS)
        finally:
            if process.poll() is None:  # this command is being ended, and its run with it
                process.terminate()
                process.communicate(timeout=ENDING_SECONDS)
    return process.returncode, output


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every mutant; exit status 1 unless each was killed, or with ``--sound`` unless each run was clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="of the patches to try (default: all)")
    parser.add_argument(
        "--sound", action="store_true", help="leave the patches out: the same runs must be clean"
    )
    parsed = parser.parse_args(arguments)
    mutants = [read_mutant(patch) for patch in sorted(PATCHES.glob("*.patch"))]
    chosen = [mutant for mutant in mutants if mutant.name in (parsed.names or [mutant.name])]
    trials = []
    with ended_by_signals():
        for mutant in chosen:
            trials.append(trial := try_mutant(mutant, sound=parsed.sound))
            print(_line(trial), flush=True)
    wanted = "survived" if parsed.sound else KILLED
    failed = [trial for trial in trials if trial.verdict != wanted]
    print("\n".join(["", f"{'mutant':<18}{'breaks':<42}{'verdict':<16}{'s':>5}", *map(_line, trials)]))
    print(f"{len(trials) - len(failed)} of {len(trials)} {'sound' if parsed.sound else KILLED}.")
    return 1 if failed or not trials else 0


def _line(trial: Trial) -> str:
    mutant = trial.mutant
    return f"{mutant.name:<18}{mutant.breaks:<42}{trial.verdict:<16}{trial.seconds:>5.0f}  {trial.said}"


if __name__ == "__main__":
    sys.exit(main())
