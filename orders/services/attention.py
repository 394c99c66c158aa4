"""The operators' attention list: what a person should look at, and what they said about it."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db.models.functions import Now

from failpoints import failpoint
from orders.models import AttentionItem, Order

MAX_REASON_LENGTH = 400

FOR_A_PERSON = (
    AttentionItem.Kind.OVERFILL,
    AttentionItem.Kind.DUPLICATE_AT_BROKER,
    AttentionItem.Kind.DENIED_BUT_SENT,
    AttentionItem.Kind.BROKER_COUNTS_LESS,
    AttentionItem.Kind.UNPROTECTED,
    AttentionItem.Kind.OVERCLOSED,
    AttentionItem.Kind.REVERSAL_ABORTED,
    AttentionItem.Kind.POSITION_DIFFERS,
)
"""What no report about the order itself settles."""


class ReasonRequiredError(ValueError):
    """An item of the attention list is only ever resolved with a reason."""


def resolve_item(item: AttentionItem, user: AbstractBaseUser, reason: str) -> bool:
    """Close an open item with the operator's name and reason; False where it was closed before.

    Raises ``ReasonRequiredError`` for a blank reason. Calling twice keeps the first resolution.
    """
    resolution = f"{user.get_username()[:90]}: {plain_reason(reason)}"
    open_items = AttentionItem.objects.filter(pk=item.pk, resolved_at__isnull=True)
    return bool(open_items.update(resolved_at=Now(), resolved_by=user.pk, resolution=resolution))


def plain_reason(reason: str) -> str:
    """Return an operator's reason on one line, cut to what fits; raise ``ReasonRequiredError`` for a blank one."""
    reason = " ".join(reason.split())[:MAX_REASON_LENGTH]
    if not reason:
        raise ReasonRequiredError("Say why the item is resolved.")
    return reason


def resolve_items(
    order: Order, *, operator_id: int, resolution: str, kinds: Sequence[AttentionItem.Kind]
) -> None:
    """Close the order's open items of these kinds in an operator's name, because the order itself is resolved."""
    items = AttentionItem.objects.filter(order=order, kind__in=kinds, resolved_at__isnull=True)
    items.update(resolved_at=Now(), resolved_by=operator_id, resolution=resolution[:500])


def open_item(
    kind: AttentionItem.Kind,
    *,
    order: Order | None = None,
    user_id: int | None = None,
    detail: str = "",
) -> None:
    """Put something on the list; while an item of the same kind and order is open, nothing is added."""
    item = AttentionItem(
        kind=kind, order=order, user_id=order.user_id if order else user_id, detail=detail[:500]
    )
    failpoint("attention.before")
    AttentionItem.objects.bulk_create([item], ignore_conflicts=True)


def retell_item(kind: AttentionItem.Kind, *, order: Order, detail: str) -> None:
    """Put something on the list, or have the item that is open already say this instead."""
    open_item(kind, order=order, detail=detail)
    items = AttentionItem.objects.filter(kind=kind, order=order, resolved_at__isnull=True)
    items.update(detail=detail[:500])


def close_items(order: Order, resolution: str, *, kind: AttentionItem.Kind | None = None) -> None:
    """Close the order's open items, of one kind or of all, because they have settled themselves."""
    items = AttentionItem.objects.filter(order=order, resolved_at__isnull=True).exclude(kind__in=FOR_A_PERSON)
    if kind is not None:
        items = items.filter(kind=kind)
    items.update(resolved_at=Now(), resolution=resolution)


def settle_items(kind: AttentionItem.Kind, *, user_id: int | None, resolution: str) -> int:
    """Close the open items of this kind that are about a trader (None: the desk), not an order; return how many."""
    items = AttentionItem.objects.filter(kind=kind, user=user_id, order=None, resolved_at__isnull=True)
    settled = items.update(resolved_at=Now(), resolution=resolution[:500])
    failpoint("attention.settled")
    return settled
