"""A broker's refusals: which code its words mean, and what a trader reads."""

import pytest

from brokers.alpaca.refusals import REFUSALS
from brokers.errors import OrderRejected, PositionModeMismatch
from brokers.refusals import MEANINGS, Dictionary, RefusalCode, explain, words_for

SAID = {
    "insufficient buying power": RefusalCode.INSUFFICIENT_MARGIN,
    "insufficient day trading buying power": RefusalCode.DAY_TRADE_LIMIT,
    "insufficient balance for USD": RefusalCode.INSUFFICIENT_MARGIN,
    "insufficient qty available for order (requested: 10, available: 0)": RefusalCode.INSUFFICIENT_SHARES,
    "insufficient balance for BTC (requested: 1, available: 0)": RefusalCode.INSUFFICIENT_SHARES,
    "market is closed": RefusalCode.MARKET_CLOSED,
    "orders are only accepted during market hours": RefusalCode.MARKET_CLOSED,
    'asset "XXXX" not found': RefusalCode.UNKNOWN_SYMBOL,
    "invalid symbol: XXXX": RefusalCode.UNKNOWN_SYMBOL,
    "asset TSTA is not tradable": RefusalCode.NOT_TRADABLE,
    "asset TSTA is not active": RefusalCode.NOT_TRADABLE,
    "account is not allowed to short": RefusalCode.NOT_SHORTABLE,
    'asset "TSTA" cannot be sold short': RefusalCode.NOT_SHORTABLE,
    "fractional orders cannot be sold short": RefusalCode.NOT_SHORTABLE,
    "too many requests.": RefusalCode.RATE_LIMITED,
    "position mode mismatch": RefusalCode.POSITION_MODE,
    "trading in asset TSTA is halted": RefusalCode.HALTED,
    "limit price is too far away from the market": RefusalCode.PRICE_OUTSIDE_BANDS,
    "limit price 500 is outside of the price bands 90 to 110": RefusalCode.PRICE_OUTSIDE_BANDS,
    "invalid limit_price 11.055. sub-penny increment does not fulfill minimum pricing criteria": (
        RefusalCode.PRICE_INCREMENT
    ),
    "qty must be > 0": RefusalCode.QUANTITY,
    'asset "TSTA" is not fractionable': RefusalCode.QUANTITY,
    "cost basis must be >= minimal amount of order 1": RefusalCode.QUANTITY,
    "fractional orders must be DAY orders": RefusalCode.ORDER_TERMS,
    "opg orders must be submitted before the market opens": RefusalCode.ORDER_TERMS,
    "limit orders require limit_price": RefusalCode.ORDER_TERMS,
    "potential wash trade detected. use complex orders": RefusalCode.WASH_TRADE,
    "cannot open a short sell while a long buy order is open": RefusalCode.WASH_TRADE,
    "trade denied due to pattern day trading protection": RefusalCode.DAY_TRADE_LIMIT,
    "account is blocked from trading": RefusalCode.ACCOUNT_BLOCKED,
    "new orders are rejected by user request": RefusalCode.ACCOUNT_BLOCKED,
    "us_equity orders not allowed for account": RefusalCode.ACCOUNT_BLOCKED,
    'order is already in "filled" state': RefusalCode.ORDER_NOT_OPEN,
    "order not found for 4b0ac1f1-3b0e-4f0e-9d4a-1f4f3f6c1a11": RefusalCode.ORDER_NOT_OPEN,
    "unable to replace order, order isn't sent to exchange yet": RefusalCode.ORDER_NOT_OPEN,
    "notional orders cannot be replaced": RefusalCode.ORDER_TERMS,
    "": RefusalCode.OTHER,
    "the moon is in the wrong house": RefusalCode.OTHER,
}


@pytest.mark.parametrize("words", SAID)
def test_alpacas_words_have_their_code(words: str) -> None:
    assert REFUSALS.code_of(words, "40310000") is SAID[words]


def test_every_code_is_said_by_alpaca_or_for_other_brokers() -> None:
    assert set(SAID.values()) == set(RefusalCode)


def test_every_code_is_a_name_that_fits_its_column_and_has_words() -> None:
    assert set(MEANINGS) == set(RefusalCode)
    for code, meaning in MEANINGS.items():
        assert code.name == code.value
        assert len(code) <= 32
        for text in (meaning.sentence, meaning.advice):
            assert text[0].isupper()
            assert text.endswith(".")
        assert len(explain(code, "x" * 300)) <= 500


def test_another_brokers_dictionary_may_go_by_its_codes() -> None:
    other = Dictionary(
        words_for((r"margin", RefusalCode.INSUFFICIENT_MARGIN)), {"DUAL_MODE": RefusalCode.POSITION_MODE}
    )
    assert other.code_of("margin of dual mode", "DUAL_MODE") is RefusalCode.POSITION_MODE
    assert other.code_of("Margin is low", "E1") is RefusalCode.INSUFFICIENT_MARGIN
    assert other.code_of("unheard of") is RefusalCode.OTHER


def test_the_brokers_own_words_come_after_ours() -> None:
    assert explain(RefusalCode.HALTED, "halted, T1. ") == (
        "Trading in this symbol is halted. The broker says: halted, T1."
    )
    assert explain(RefusalCode.HALTED, "") == "Trading in this symbol is halted."
    assert explain(RefusalCode.MARKET_CLOSED, "shut", sentence="It opens on Monday.") == (
        "It opens on Monday. The broker says: shut."
    )


def test_a_position_mode_says_what_to_switch() -> None:
    error = PositionModeMismatch("dual mode is on")
    assert isinstance(error, OrderRejected)
    assert error.code is RefusalCode.POSITION_MODE
    assert explain(error.code, error.reason).startswith("Switch to one-way mode")
