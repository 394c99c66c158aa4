"""The operator of a chaos run: acts by the desk's own commands, in processes that run into failpoints as any other."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

NAME = "chaos-operator"
REASON = "seen to by the chaos run"
LONGEST_SECONDS = 20.0
_HIRE = f"""
from django.contrib.auth import get_user_model
rights = {{"is_staff": True, "is_superuser": True}}
get_user_model().objects.get_or_create(username="{NAME}", defaults=rights)
"""
_LETTER = """
from orders.models import DeadLetter
letter = DeadLetter.objects.filter(resolved_at__isnull=True).order_by("id").first()
"""
_RETRY = f"{_LETTER}\nfrom tasks.dead_letters import try_again\nletter and try_again(letter)"
_RESOLVE = f"""{_LETTER}
from django.contrib.auth import get_user_model
from orders.services.dead_letters import resolve_letter
letter and resolve_letter(letter, get_user_model().objects.get(username="{NAME}"), "{REASON}")
"""
_SETTLE = f"""
from decimal import Decimal
from django.contrib.auth import get_user_model
from orders.models import AccountHalt, ReconciliationFinding
from orders.services.reconciliation.booking import book_by_operator
from orders.services.reconciliation.halts import lift_halt
operator = get_user_model().objects.get(username="{NAME}")
"""
_BOOK = """
for finding in ReconciliationFinding.objects.filter(user={}, kind="CORPORATE_ACTION", resolved_at__isnull=True):
    book_by_operator(finding, operator, Decimal(0), "{}")
"""
_LIFT = """
for halt in AccountHalt.objects.filter(user={}, lifted_at__isnull=True):
    lift_halt(halt, operator, "{}")
"""


class Operator:
    """Each act is one process; one that is killed or hangs at a failpoint is given up, and the act done again later."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._environment = stage.desk.environment | {"FAILPOINTS": str(stage.failpoints)}
        hired = stage.desk.run("manage.py", "shell", "-c", _HIRE)
        if hired.returncode:
            raise RuntimeError(f"no operator: {hired.stderr[-500:]}")

    def adopt(self, order_id: str, broker_order_id: str) -> str:
        """Say that this order of the broker's is ours; return what the command said."""
        return self._act("resolve_order", order_id, "--adopt", broker_order_id, *self._signed())

    def declare_never_sent(self, order_id: str) -> str:
        """Say that nothing of this order has reached the broker; return what the command said."""
        return self._act("resolve_order", order_id, "--never-sent", *self._signed())

    def retry_letter(self) -> str:
        """Have the oldest open dead letter's task tried again."""
        return self._act("shell", "-c", _RETRY)

    def resolve_letter(self) -> str:
        """Close the oldest open dead letter."""
        return self._act("shell", "-c", _RESOLVE)

    def book(self, user_id: int) -> str:
        """Have a trader's positions follow what the exchange has split."""
        return self._act("shell", "-c", _SETTLE + _BOOK.format(user_id, REASON))

    def lift(self, user_id: int) -> str:
        """Let a trader's halted accounts trade again, and leave them as they are."""
        return self._act("shell", "-c", _SETTLE + _LIFT.format(user_id, REASON))

    @staticmethod
    def _signed() -> tuple[str, ...]:
        return "--operator", NAME, "--reason", REASON

    def _act(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        try:
            done = subprocess.run(
                command,
                start_new_session=True,  # whoever stops it at a failpoint takes its session for its fleet
                cwd=self._stage.desk.checkout,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "took too long"
        said = (done.stdout + done.stderr).strip().splitlines()
        return f"exit {done.returncode}: {said[-1] if said else ''}"
