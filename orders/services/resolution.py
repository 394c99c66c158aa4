"""An operator's word on an order whose outcome the desk cannot find out: adopt the broker's order, or never sent.

Nothing here reaches a broker. An adoption is recorded as a wish, which the trader's worker carries out with its next
look-up; a declaration takes effect at once.
"""

import re
import uuid

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from brokers.types import OrdStatus, PositionEffect
from failpoints import failpoint
from orders.models import AttentionItem, Order
from orders.services.adoption import REQUESTED
from orders.services.attention import ReasonRequiredError, plain_reason, resolve_items
from orders.services.changes import Change, Origin, lock_order, write_event
from orders.services.retrying import retried
from orders.services.sending_process import StillThere, prove_gone
from orders.state import Denied, NotSent

NEVER_SENT = "NEVER_SENT"
DECLARED = "NeverSentDeclared"

_BROKER_ORDER_ID = re.compile(r"[!-~]{1,64}")


class ResolutionRefused(Exception):
    """This order cannot be resolved like this; the message says why, and what to do."""


@retried
def adopt_order(
    order_id: uuid.UUID, *, broker_order_id: str, operator: AbstractBaseUser, reason: str
) -> Order:
    """Record that this order of the broker's is ours; the trader's worker looks it up at once and decides.

    Ring the trader's worker afterwards. Calling it again names another order. Raises ``ResolutionRefused``.
    """
    reason = _needed(reason)
    broker_order_id = broker_order_id.strip()
    if not _BROKER_ORDER_ID.fullmatch(broker_order_id):
        raise ResolutionRefused("Give the broker's own id of the order, as the broker shows it.")
    with transaction.atomic():
        order = _lock_unknown(order_id)
        others = Order.objects.filter(account=order.account_id, broker_order_id=broker_order_id)
        if others.exclude(pk=order.pk).exists():
            raise ResolutionRefused(
                f"Another order of this account has the broker's order {broker_order_id}."
            )
        now = timezone.now()
        data = {"broker_order_id": broker_order_id, "attempt": order.attempt, **_signed(operator, reason)}
        write_event(order, kind=REQUESTED, at=now, origin=Origin("operator"), data=data)
        order.next_check_at = now
        order.save(update_fields=["next_check_at"])
        _log(operator, order, f"Asked to adopt {broker_order_id}: {reason}")
        failpoint("resolve.adopt.before_commit")
    failpoint("resolve.adopt.after_commit")
    return order


@retried
def declare_never_sent(
    order_id: uuid.UUID,
    *,
    operator: AbstractBaseUser,
    reason: str,
    send_again: bool = False,
    host_is_gone: bool = False,
) -> Order:
    """Declare that nothing of this order has ever reached the broker, once its sender is proven gone.

    It is ``DENIED`` with the reason ``NEVER_SENT``. An exit may be sent again instead, since closing a position is
    never too late; an entry is not what the trader wants any more. Should the broker report it all the same, the
    report counts, and the operators are told.

    Raises ``ResolutionRefused``.
    """
    reason = _needed(reason)
    with transaction.atomic():
        order = _lock_unknown(order_id)
        if send_again and order.position_effect != PositionEffect.CLOSE:
            raise ResolutionRefused(
                "Only an exit is sent again; an entry of long ago is not wanted any more."
            )
        duplicates = AttentionItem.Kind.DUPLICATE_AT_BROKER
        if AttentionItem.objects.filter(order=order, kind=duplicates, resolved_at=None).exists():
            raise ResolutionRefused("The broker has it, and more than once: adopt one of its orders.")
        try:
            proof = prove_gone(order, host_is_gone=host_is_gone)
        except StillThere as missing:
            raise ResolutionRefused(str(missing)) from None
        _take_back(order, {"proof": proof, "send_again": send_again, **_signed(operator, reason)})
        if not send_again:
            _deny(order, reason)
        resolve_items(
            order,
            operator_id=operator.pk,
            resolution=f"never sent: {reason}",
            kinds=[AttentionItem.Kind.OUTCOME_UNKNOWN],
        )
        _log(operator, order, f"Declared never sent ({proof}): {reason}")
        failpoint("resolve.never_sent.before_commit")
    failpoint("resolve.never_sent.after_commit")
    return order


def _needed(reason: str) -> str:
    try:
        return plain_reason(reason)
    except ReasonRequiredError:
        raise ResolutionRefused("Give a reason.") from None


def _lock_unknown(order_id: uuid.UUID) -> Order:
    order = lock_order(order_id)
    if order.ord_status != OrdStatus.SUBMITTED:
        raise ResolutionRefused(f"Its outcome is known: it is {order.ord_status}.")
    return order


def _take_back(order: Order, data: dict[str, object]) -> None:
    change, now = Change(order, Origin("operator")), timezone.now()
    change.note(DECLARED, at=now, data=data)
    change.apply(NotSent("an operator declared it never sent"), at=now)
    change.set(eligible_at=None)
    change.save()


def _deny(order: Order, reason: str) -> None:
    """Deny it in a step of its own: a row is written for each decision."""
    change = Change(order, Origin("operator"))
    change.apply(Denied(NEVER_SENT), at=timezone.now())
    change.set(reason=NEVER_SENT, text=reason)
    change.save(keep_following=True)  # the broker is asked a few times more, in case the operator was wrong


def _signed(operator: AbstractBaseUser, reason: str) -> dict[str, object]:
    return {"operator": operator.get_username(), "operator_id": operator.pk, "reason": reason}


def _log(operator: AbstractBaseUser, order: Order, message: str) -> None:
    LogEntry.objects.log_actions(
        operator.pk, Order.objects.filter(pk=order.pk), CHANGE, message, single_object=True
    )
