"""The demo through a real desk, and what it and the benchmark compute by themselves."""

import datetime as dt
import io
from decimal import Decimal

import pytest

from tests.flows.floor import Floor
from tradingsite.bench.numbers import percentile, summary
from tradingsite.demo.story import Story, StoryEnds
from tradingsite.demo.trades import Fill, closed_trade


def test_all_of_the_demo_is_so(floor: Floor) -> None:
    done = floor.desk.run("manage.py", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("All of it was so.\n")
    for expected in (
        "whom no worker serves",
        "epoch 1",
        "profit or loss",
        "REVERSED",
        "STOPPED_OUT",
        " 409\n",
        " 401\n",
        "login",
    ):
        assert expected in done.stdout
    assert "\x1b" not in done.stdout


def test_a_desk_that_does_not_answer_is_one_clear_line(floor: Floor) -> None:
    done = floor.desk.run("manage.py", "demo", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "'make up' starts it" in done.stdout
    assert done.stderr == ""


def test_a_check_says_what_was_expected_and_what_came() -> None:
    out = io.StringIO()
    story = Story(out)
    story.check("answer", 200, 200)
    assert story.failures == []
    story.check("answer", 202, 200)
    with pytest.raises(StoryEnds):
        story.need("has a worker", False, True)
    assert story.failures == ["answer: expected 200, came 202", "has a worker: expected yes, came no"]
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["ok", "FAILED", "FAILED"]


def fill(exec_id: str, side: str, qty: str, px: str, second: int) -> Fill:
    at = dt.datetime(2026, 11, 21, 12, 0, second, tzinfo=dt.UTC)
    return Fill(exec_id=exec_id, side=side, qty=Decimal(qty), px=Decimal(px), at=at)


def test_a_closed_trade_adds_up_its_executions() -> None:
    entries = [fill("a", "BUY", "1", "100", 1), fill("b", "BUY", "3", "104", 2)]
    trade = closed_trade([*entries, fill("c", "SELL", "4", "102.5", 9)])
    assert (trade.qty, trade.entry_px, trade.exit_px, trade.pnl) == (4, 103, Decimal("102.5"), -2)
    assert trade.held == dt.timedelta(seconds=8)
    with pytest.raises(ValueError, match="1 of 4 are still open"):
        closed_trade([*entries, fill("c", "SELL", "3", "102.5", 9)])
    with pytest.raises(ValueError, match="twice"):
        closed_trade([*entries, fill("a", "SELL", "4", "102.5", 9)])


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (50, 95, 99, 100)] == [50.0, 95.0, 99.0, 100.0]
    assert percentile([7.0], 50) == 7.0
    assert summary([1.0, 2.0, 6.0]) == {"p50": 2.0, "p95": 6.0, "p99": 6.0, "max": 6.0, "mean": 3.0}
