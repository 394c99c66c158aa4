"""The result in Markdown, and next to an earlier one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tradingsite.bench.stages import STEPS

RUNS = {
    "warm": "warm, 1 trader, one after the other",
    "warm_10": "warm, 10 traders at the same time",
    "cold": "cold, fresh traders, pool ready",
    "burst": "1 trader, all alerts at once",
}
SHORT = {"warm": "warm", "warm_10": "10 traders", "cold": "cold", "burst": "all at once"}
COLUMNS = ("p50", "p95", "p99", "max")


def render(result: Mapping[str, Any]) -> str:
    """Write the whole result as Markdown tables."""
    parts = [
        _machine(result),
        _answers(result["runs"]),
        _resting(result),
        _steps(result["runs"]),
        _rest(result),
    ]
    return "\n\n".join(part for part in parts if part)


def render_comparison(result: Mapping[str, Any], earlier: Mapping[str, Any]) -> str:
    """Write this result's times over an earlier one's: below 1 is faster now."""
    rows = []
    for name, words in RUNS.items():
        now, then = _at(result, "runs", name, "ms"), _at(earlier, "runs", name, "ms")
        # How long a burst takes depends on its size.
        same_size = name != "burst" or _at(result, "runs", name, "alerts") == _at(
            earlier, "runs", name, "alerts"
        )
        if now and then and same_size:
            rows.append([words, *(_ratio(now[column], then[column]) for column in COLUMNS)])
    steps = []
    for stage, words in STEPS.items():
        now, then = (_at(which, "runs", "warm", "stages", "steps", stage) for which in (result, earlier))
        if now and then:
            steps.append([words, f"{then['p50']:.2f}", f"{now['p50']:.2f}", _ratio(now["p50"], then["p50"])])
    return "\n\n".join(
        (
            f"Against {earlier.get('measured_at', 'an earlier run')} on {_at(earlier, 'machine', 'cpu')}:",
            _table(["now ÷ then", *COLUMNS], rows),
            _table(["step, warm, p50", "then, ms", "now, ms", "now ÷ then"], steps),
        )
    )


def _machine(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    load = ", ".join(map(str, machine["load_average"]))
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['kernel']}, "
        f"Python {machine['python']}; load average before: {load}; measured {result['measured_at']}."
    )


def _answers(runs: Mapping[str, Any]) -> str:
    rows = []
    for name, words in RUNS.items():
        if run := runs.get(name):
            rate = run.get("alerts_per_second") or run.get("orders_per_second") or ""
            counts = [f"{run['alerts']}", f"{run['answered_filled']}"]
            rows.append([words, *counts, *(f"{run['ms'][column]:.1f}" for column in COLUMNS), f"{rate}"])
    return _table(["alert to answer, ms", "alerts", "filled in it", *COLUMNS, "orders/s"], rows)


def _resting(result: Mapping[str, Any]) -> str:
    run = result.get("resting")
    if not run:
        return ""  # an earlier version's result, or an exchange whose prices cannot be ordered
    words = f"{run['traders']} traders, resting orders filled at {run['fills_per_second']} a second"
    counts = [f"{run['orders']}", f"{run['filled']}"]
    row = [words, *counts, *(f"{run['ms'][column]:.1f}" for column in COLUMNS)]
    return _table(
        ["fill in the exchange's ledger → on the order's row, ms", "orders", "filled", *COLUMNS], [row]
    )


def _steps(runs: Mapping[str, Any]) -> str:
    known = [name for name in RUNS if _at(runs, name, "stages", "steps")]
    header = [
        "step: p50 ms (share of the mean)",
        *(SHORT[name] for name in known),
    ]
    rows = [
        [words, *(_step(runs[name]["stages"]["steps"][stage]) for name in known)]
        for stage, words in STEPS.items()
    ]
    for key, words in (
        ("at_venue", "*sent → filled at the exchange*"),
        ("own", "*all the rest: the desk's own time*"),
    ):
        rows.append([words, *(f"{runs[name]['stages'][key]['p50']:.2f}" for name in known)])
    return _table(header, rows)


def _rest(result: Mapping[str, Any]) -> str:
    venue, database, memory = result["venue"], result["database"], result["memory_mb"]
    rows = [
        [
            "the exchange alone: call, p50 / p95 ms",
            f"{venue['call']['p50']:.2f} / {venue['call']['p95']:.2f}",
        ],
        [
            "the exchange alone: accepted → filled, p50 / p95 ms",
            f"{venue['fill']['p50']:.2f} / {venue['fill']['p95']:.2f}",
        ],
    ]
    if "transactions" in database:
        rows.append(
            ["transactions an alert, the desk's database, single reads too", str(database["transactions"])]
        )
    if "flushes" in database:
        rows.append(["log flushes (fsync) an alert, the exchange's included", str(database["flushes"])])
    for kind, words in (("bound", "a trader's worker"), ("idle", "an idle worker")):
        if memory[kind]["processes"]:
            row = memory[kind]
            rows.append(
                [f"{words}: private / PSS / RSS, MB", f"{row['private']} / {row['pss']} / {row['rss']}"]
            )
    return _table(["apart from that", ""], rows)


def _step(step: Mapping[str, float]) -> str:
    return f"{step['p50']:.2f} ({step['share_pct']:.0f} %)"


def _pair(times: Mapping[str, float]) -> str:
    return f"{times['p50']:.2f} / {times['p95']:.2f}"


def _ratio(now: float, then: float) -> str:
    return f"{now / then:.2f}" if then else "-"


def _at(tree: Mapping[str, Any], *path: str) -> Any:
    for name in path:
        tree = tree.get(name) or {}
    return tree


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
