"""A trade in words: what has become of it, why it ended, what it has brought in."""

from decimal import Decimal

import pytest

from orders.models import ExitReason, Trade
from orders.templatetags.desk import pnl
from orders.views.trade_wording import amount, exit_words, signed_amount, trade_words


def trade(status: str, **fields: str) -> Trade:
    values = {"side": "LONG", "entry_qty": "10", "entry_amount": "1000", "exit_qty": "0", "exit_amount": "0"}
    values |= {"realized_pnl": "0", "fees": "0"} | fields
    texts = {name: values.pop(name) for name in ("side", "exit_reason") if name in values}
    return Trade(status=status, **texts, **{name: Decimal(number) for name, number in values.items()})


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("SIGNAL", "Its strategy's exit"),
        ("MANUAL_EXIT", "Closed by hand"),
        ("REVERSED", "Reversed by an entry on the other side"),
        ("A_RULE_OF_LATER", "A rule of later"),
        ("", ""),
    ],
)
def test_why_a_trade_ended(reason: str, words: str) -> None:
    assert exit_words(trade("CLOSED", exit_reason=reason)) == words


@pytest.mark.parametrize("reason", ExitReason.values)
def test_every_reason_has_words(reason: str) -> None:
    words = exit_words(trade("CLOSED", exit_reason=reason))
    assert words[0].isupper()
    assert "_" not in words
    assert words != reason


@pytest.mark.parametrize("status", Trade.Status.values)
@pytest.mark.parametrize("side", Trade.Side.values)
def test_every_status_has_words(status: str, side: str) -> None:
    words = trade_words(trade(status, side=side, exit_reason="SIGNAL" if status == "CLOSED" else ""))
    assert words.label
    assert words.sentence.endswith(".")
    assert words.tone in {"waiting", "working", "ended"}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (trade("POSITION"), "10 bought at 100.00 on average, all still open."),
        (
            trade("POSITION", exit_qty="4", exit_amount="404"),
            "10 bought at 100.00 on average, 4 of them sold at 101.00; 6 still open.",
        ),
        (
            trade(
                "CLOSED",
                exit_qty="10",
                exit_amount="1010",
                realized_pnl="10",
                fees="0.5",
                exit_reason="SIGNAL",
            ),
            "Its strategy's exit. 10 bought at 100.00 on average and sold at 101.00: 9.50 earned after fees.",
        ),
        (
            trade(
                "CLOSED",
                side="SHORT",
                exit_qty="10",
                exit_amount="1010",
                realized_pnl="-10",
                exit_reason="MANUAL_EXIT",
            ),
            "Closed by hand. 10 sold at 100.00 on average and bought back at 101.00: 10.00 lost after fees.",
        ),
        (
            trade("CLOSED", exit_qty="10", exit_amount="1000", exit_reason="REVERSED"),
            "Reversed by an entry on the other side. 10 bought at 100.00 on average and sold at 100.00: "
            "nothing earned, nothing lost.",
        ),
    ],
)
def test_what_a_trade_came_to(row: Trade, sentence: str) -> None:
    assert trade_words(row).sentence == sentence


@pytest.mark.parametrize(
    ("number", "plain", "signed"),
    [
        ("9.75", "9.75", "+9.75"),
        ("-9.75", "−9.75", "−9.75"),
        ("0", "0.00", "0.00"),
        ("0E-18", "0.00", "0.00"),
        ("1234567.891", "1234567.89", "+1234567.89"),
        ("0.5", "0.50", "+0.50"),
        ("-0.333333333333333333", "−0.3333", "−0.3333"),
        ("0.000012345678", "0.00001235", "+0.00001235"),
        ("0.99999999", "1.00", "+1.00"),
        ("1.005", "1.00", "+1.00"),
        ("1E+3", "1000.00", "+1000.00"),
    ],
)
def test_amounts(number: str, plain: str, signed: str) -> None:
    assert amount(Decimal(number)) == plain
    assert signed_amount(Decimal(number)) == signed


@pytest.mark.parametrize(("number", "tone"), [("1", "gain"), ("-1", "loss"), ("0", "")])
def test_a_gain_shows_by_its_sign_and_by_its_colour(number: str, tone: str) -> None:
    html = pnl(Decimal(number))
    assert f'class="pnl {tone}"' in html
    assert f">{signed_amount(Decimal(number))}<" in html


def test_the_whole_amount_is_in_its_title() -> None:
    assert 'title="-12.345678"' in pnl(Decimal("-12.345678000000000000"))
