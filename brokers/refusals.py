"""Why a broker refuses, in codes and words that are the same for every broker. Pure.

Each adapter brings a ``Dictionary`` that says which of its broker's codes and words mean which of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RefusalCode(StrEnum):
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    INSUFFICIENT_SHARES = "INSUFFICIENT_SHARES"
    MARKET_CLOSED = "MARKET_CLOSED"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    NOT_TRADABLE = "NOT_TRADABLE"
    NOT_SHORTABLE = "NOT_SHORTABLE"
    RATE_LIMITED = "RATE_LIMITED"
    POSITION_MODE = "POSITION_MODE"
    HALTED = "HALTED"
    PRICE_OUTSIDE_BANDS = "PRICE_OUTSIDE_BANDS"
    PRICE_INCREMENT = "PRICE_INCREMENT"
    QUANTITY = "QUANTITY"
    ORDER_TERMS = "ORDER_TERMS"
    WASH_TRADE = "WASH_TRADE"
    DAY_TRADE_LIMIT = "DAY_TRADE_LIMIT"
    ACCOUNT_BLOCKED = "ACCOUNT_BLOCKED"
    ORDER_NOT_OPEN = "ORDER_NOT_OPEN"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says to a trader, and what can be done about it; whole sentences."""

    sentence: str
    advice: str


MEANINGS: Mapping[RefusalCode, Meaning] = {
    RefusalCode.INSUFFICIENT_MARGIN: Meaning(
        "The account has not enough buying power for this order.",
        "Make the order smaller, close or cancel something, or pay in.",
    ),
    RefusalCode.INSUFFICIENT_SHARES: Meaning(
        "The account has not as many shares free as this order would close.",
        "Shares that other open orders hold are not free: cancel those first.",
    ),
    RefusalCode.MARKET_CLOSED: Meaning(
        "The market is closed.",
        "Send it again when the market opens, or have the strategy queue for the open.",
    ),
    RefusalCode.UNKNOWN_SYMBOL: Meaning(
        "The broker does not know this symbol.", "Check how the broker spells it."
    ),
    RefusalCode.NOT_TRADABLE: Meaning(
        "The broker does not take orders in this symbol.", "Ask the broker, or trade another symbol."
    ),
    RefusalCode.NOT_SHORTABLE: Meaning(
        "It cannot be sold short in this account.",
        "Margin, the symbol or the account's own settings forbid it; the broker's words say which.",
    ),
    RefusalCode.RATE_LIMITED: Meaning(
        "The broker asks for a slower pace.", "Nothing: it is sent again when the broker's delay is over."
    ),
    RefusalCode.POSITION_MODE: Meaning(
        "Switch to one-way mode: the account's position mode does not allow this order.",
        "Change the position mode in the broker's own settings; it asks for no open position there.",
    ),
    RefusalCode.HALTED: Meaning(
        "Trading in this symbol is halted.", "Send it again when it is traded again."
    ),
    RefusalCode.PRICE_OUTSIDE_BANDS: Meaning(
        "The price is too far from the market for the broker.", "Choose a price inside the broker's bands."
    ),
    RefusalCode.PRICE_INCREMENT: Meaning(
        "The price is not a whole number of the broker's ticks.", "Round the price to the tick."
    ),
    RefusalCode.QUANTITY: Meaning(
        "The broker does not take this quantity.",
        "Mind its smallest amount, its lots, and whether it takes fractions in this symbol.",
    ),
    RefusalCode.ORDER_TERMS: Meaning(
        "The broker does not take these terms together: type, duration, prices.",
        "The broker's words say which of them.",
    ),
    RefusalCode.WASH_TRADE: Meaning(
        "Another open order of this account stands on the other side, and the two could trade with each other.",
        "Cancel that one first.",
    ),
    RefusalCode.DAY_TRADE_LIMIT: Meaning(
        "The broker's rule about day trades forbids it.",
        "Wait for another day, or bring the account's equity above the rule's limit.",
    ),
    RefusalCode.ACCOUNT_BLOCKED: Meaning(
        "The broker has barred this account from trading, or from this kind of order.",
        "Ask the broker, or look at the account's settings there.",
    ),
    RefusalCode.ORDER_NOT_OPEN: Meaning(
        "The broker has no such order open.",
        "Nothing: it has ended, or is not at work yet; the desk asks which.",
    ),
    RefusalCode.OTHER: Meaning(
        "The broker refuses for a reason of its own.", "The broker's words say why, where it gives any."
    ),
}


@dataclass(frozen=True, slots=True)
class Dictionary:
    """What one broker's refusals mean: by its own code where that says it all, else by the first words that fit."""

    words: tuple[tuple[re.Pattern[str], RefusalCode], ...] = ()
    codes: Mapping[str, RefusalCode] = field(default_factory=dict)

    def code_of(self, words: str, broker_code: str = "") -> RefusalCode:
        """Return what a refusal means; ``OTHER`` for one that is not in the dictionary."""
        if broker_code in self.codes:
            return self.codes[broker_code]
        return next((code for pattern, code in self.words if pattern.search(words)), RefusalCode.OTHER)


def words_for(*entries: tuple[str, RefusalCode]) -> tuple[tuple[re.Pattern[str], RefusalCode], ...]:
    """Compile a dictionary's words, given as regular expressions; case does not matter."""
    return tuple((re.compile(expression, re.IGNORECASE), code) for expression, code in entries)


def explain(code: RefusalCode, words: str, *, sentence: str = "") -> str:
    """Say in plain words why a broker refused, its own words after ours; ``sentence`` takes the place of ours."""
    own = words.strip().rstrip(".")
    plain = sentence or MEANINGS[code].sentence
    return f"{plain} The broker says: {own}." if own else plain


def refusal_table() -> str:
    """Return the codes as a Markdown table for the docs."""
    rows = [f"| `{code}` | {meaning.sentence} | {meaning.advice} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["| code | what the trader reads | what helps |", "|---|---|---|", *rows])
