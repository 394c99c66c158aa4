"""``python -m tests.chaos``: break a whole desk by a seed, let it heal, and compare the books.

Exit status 0: everything that must be zero is; 1: it is not; anything else: the run itself failed and says nothing.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.chaos.bundle import write_bundle
from tests.chaos.ending import Ended, ended_by_signals
from tests.chaos.report import Outcome, table, verdict
from tests.chaos.run import Options, run
from tests.chaos.stage import Stage

CLEAN, NOT_CLEAN, NO_RESULT = 0, 1, 3
VERDICT = "Verdict: "


def main(arguments: list[str] | None = None) -> int:
    """Run once, print the table; on a failure keep a bundle and say where."""
    parsed = _parse(arguments)
    options = _options(parsed)
    home = _folder() / f"chaos-{options.seed}-{time.strftime('%H%M%S')}"
    statuses: list[int] = []

    def judge(stage: Stage, outcome: Outcome) -> None:
        say(table(outcome))
        say(f"{VERDICT}{verdict(outcome)}")
        if parsed.keep or not outcome.is_clean:
            folder = home.with_name(home.name + "-bundle")
            say(f"Kept in {write_bundle(folder, stage, outcome, command_of(options))}")
            say(f"Again: {command_of(options)}")
        statuses.append(CLEAN if outcome.is_clean else NOT_CLEAN)

    say(f"Seed {options.seed}. Again: {command_of(options)}")
    try:
        with ended_by_signals():
            run(options, home, say, judge, parsed.like)
    except Ended:
        say("The run was ended, and its desk with it.")
        shutil.rmtree(home, ignore_errors=True)
        raise
    except Exception:  # noqa: BLE001 - Python's own status for it is 1, which would say that a promise is broken
        traceback.print_exc()
        if not statuses:
            say(f"The run failed and proves nothing; its folder is {home}. Again: {command_of(options)}")
            return NO_RESULT
    shutil.rmtree(home, ignore_errors=True)
    return statuses[0]


def command_of(options: Options) -> str:
    """Return the command that does the same run again."""
    parts = [f"{Path(sys.executable)} -m tests.chaos --seed {options.seed} --faults {options.faults}"]
    if options.seconds is not None:
        parts.append(f"--seconds {options.seconds:g}")
    if options.focus:
        parts.append(f"--focus {','.join(options.focus)}")
    if options.every_point:
        parts.append("--every-point")
    parts.append(f"--traders {options.traders} --rate {options.per_second:g} --changes {options.changes:g}")
    return " ".join(parts)


def say(text: str) -> None:
    print(text, flush=True)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", default="", help="a whole number (default: drawn, and printed)")
    parser.add_argument("--faults", type=int, default=300, help="how many (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, help="over which they are spread (default: about one a second)"
    )
    parser.add_argument("--focus", default="", help="kinds of faults, or how they begin, with commas between")
    parser.add_argument("--traders", type=int, default=10, help="how many (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=5.0, help="requests a second (default: %(default)s)")
    parser.add_argument("--changes", type=float, default=1.0, help="times as many cancels and replaces")
    parser.add_argument(
        "--every-point",
        action="store_true",
        help="fail unless each failpoint (of the focus) was struck twice, as a run of enough faults does anyway",
    )
    parser.add_argument(
        "--like", type=Path, help="a home that is prepared already, to begin with a copy of it"
    )
    parser.add_argument("--keep", action="store_true", help="keep a bundle of a clean run too")
    return parser.parse_args(arguments)


def _options(parsed: argparse.Namespace) -> Options:
    return Options(
        seed=int(parsed.seed) if parsed.seed else secrets.randbelow(100_000),
        faults=parsed.faults,
        seconds=parsed.seconds,
        focus=tuple(kind for kind in parsed.focus.split(",") if kind),
        traders=parsed.traders,
        per_second=parsed.rate,
        changes=parsed.changes,
        every_point=parsed.every_point,
    )


def _folder() -> Path:
    """Return where runs are made: the desk's own home where one is named, else the system's temporary folder."""
    return Path(os.environ.get("TRADINGSITE_HOME") or tempfile.gettempdir()).absolute()


if __name__ == "__main__":
    sys.exit(main())
