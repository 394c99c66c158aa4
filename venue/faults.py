"""Faults that the control endpoint orders: which request, order or stream they strike, and how often."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID, uuid4

BEFORE = frozenset({"delay_ms", "drop_before_accepting", "refuse", "rate_limit", "error_before"})
AFTER = frozenset({"delay_after_ms", "drop_response_after_accepting", "error_after"})
ON_ORDER = frozenset({"fill_plan", "never_fill", "leg_race", "reject"})
ON_STREAM = frozenset({"stream_silence", "stream_duplicate", "stream_out_of_order"})
KINDS = BEFORE | AFTER | ON_ORDER | ON_STREAM


class FaultError(Exception):
    """A rule that makes no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is held against; ``symbol``, ``path`` and ``leg`` are empty where there is none.

    ``is_main`` tells an order that was asked for by itself from the legs that come with one.
    """

    account_id: UUID
    symbol: str = ""
    method: str = ""
    path: str = ""
    leg: str = ""
    is_main: bool = True


@dataclass(slots=True)
class Rule:
    """One fault; ``remaining`` is None for a rule that stays until it is cleared."""

    kind: str
    params: dict[str, Any]
    account_id: UUID | None = None
    symbol: str = ""
    method: str = ""
    path: str = ""
    leg: str = ""
    probability: float = 1.0
    remaining: int | None = None
    struck: int = 0
    id: str = field(default_factory=lambda: uuid4().hex[:12])

    def matches(self, subject: Subject) -> bool:
        """Tell whether the rule speaks of this subject; a rule without a path speaks of every path.

        A rule without a leg speaks of what is asked for by itself: simple orders, entries, an OCO's take-profit.
        """
        return (
            self.account_id in (None, subject.account_id)
            and self.symbol in ("", subject.symbol)
            and self.method in ("", subject.method)
            and (not self.path or fnmatchcase(subject.path, self.path))
            and (self.leg == subject.leg if self.leg else subject.is_main)
        )

    def describe(self) -> dict[str, Any]:
        """Render the rule as the control endpoint shows it."""
        match = {
            "account_id": str(self.account_id) if self.account_id else None,
            "symbol": self.symbol or None,
            "method": self.method or None,
            "path": self.path or None,
            "leg": self.leg or None,
            "probability": self.probability,
        }
        return {
            "id": self.id,
            "match": match,
            "fault": {"kind": self.kind, **self.params},
            "remaining": self.remaining,
            "struck": self.struck,
        }


class Faults:
    """The rules in force, oldest first; they live in memory and end with the process."""

    def __init__(self, seed: str) -> None:
        self.rules: list[Rule] = []
        # Faults are to be repeatable, not secret.
        self._random = random.Random(f"faults:{seed}")  # noqa: S311

    def add(self, rule: Rule) -> None:
        """Put a rule in force."""
        self.rules.append(rule)

    def clear(self, rule_id: str | None = None) -> int:
        """Take one rule or all out of force; returns how many."""
        kept = [rule for rule in self.rules if rule_id is not None and rule.id != rule_id]
        gone = len(self.rules) - len(kept)
        self.rules = kept
        return gone

    def strike(self, kinds: frozenset[str], subject: Subject) -> list[Rule]:
        """Return the rules of some kinds that strike now, counting each."""
        struck: list[Rule] = []
        for rule in list(self.rules):
            if rule.kind not in kinds or not rule.matches(subject):
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.struck += 1
            if rule.remaining is not None:
                rule.remaining -= 1
                if rule.remaining <= 0:
                    self.rules.remove(rule)
            struck.append(rule)
        return struck

    def fill_plan(self, subject: Subject) -> dict[str, Any] | None:
        """Return the plan by which a new order shall be filled, or nothing."""
        for rule in self.strike(ON_ORDER, subject):
            reason = str(rule.params.get("reason") or "rejected by a control rule")
            fixed: dict[str, dict[str, Any]] = {
                "never_fill": {"never": True},
                "leg_race": {"race": True},
                "reject": {"reject": reason},
            }
            return fixed.get(rule.kind) or dict(rule.params)
        return None


def parse_rule(document: Any) -> Rule:
    """Read a rule ``{match: {...}, fault: {kind, ...}, count}``; raises FaultError when it makes no sense."""
    if not isinstance(document, dict) or not isinstance(document.get("fault"), dict):
        raise FaultError("a rule is an object with match, fault and count")
    params = dict(document["fault"])
    kind = params.pop("kind", None)
    if kind not in KINDS:
        raise FaultError(f"fault.kind must be one of {', '.join(sorted(KINDS))}")
    match = document.get("match") or {}
    unknown = set(match) - {"account_id", "symbol", "method", "path", "leg", "probability"}
    if unknown:
        raise FaultError(f"match has unknown fields: {', '.join(sorted(unknown))}")
    count = document.get("count")
    if count is not None and (not isinstance(count, int) or count < 1):
        raise FaultError("count must be a positive integer")
    try:
        account_id = UUID(match["account_id"]) if match.get("account_id") else None
        probability = float(match.get("probability", 1))
    except (ValueError, TypeError, AttributeError) as error:
        raise FaultError(f"match: {error}") from error
    return Rule(
        kind=kind,
        params=_plan(params) if kind == "fill_plan" else params,
        account_id=account_id,
        symbol=str(match.get("symbol") or ""),
        method=str(match.get("method") or "").upper(),
        path=str(match.get("path") or ""),
        # A race is a matter of the two exits, and both know of it when the stop-loss does.
        leg=str(match.get("leg") or ("stop_loss" if kind == "leg_race" else "")),
        probability=probability,
        remaining=count,
    )


def _plan(params: dict[str, Any]) -> dict[str, Any]:
    fills, then = params.get("fills"), params.get("then", "rest")
    if not isinstance(fills, list) or not fills or then not in ("rest", "fill", "cancel"):
        raise FaultError("fill_plan needs fills (a list) and then (rest, fill or cancel)")
    steps = []
    for step in fills:
        amounts = {"qty", "fraction"} & set(step) if isinstance(step, dict) else set()
        if len(amounts) != 1:
            raise FaultError("each fill has either qty or fraction, and may have delay_ms")
        name = amounts.pop()
        try:
            amount, delay_ms = Decimal(str(step[name])), float(step.get("delay_ms", 0))
        except ArithmeticError as error:
            raise FaultError(f"{name} must be a number") from error
        if not amount.is_finite() or amount <= 0 or delay_ms < 0:
            raise FaultError("amounts must be above zero and delays not below")
        steps.append({name: str(amount), "delay_ms": delay_ms})
    return {"fills": steps, "then": then}
