"""The operators' attention list: what a person should look at, and what they said about it."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db.models.functions import Now

from orders.models import AttentionItem, Order

MAX_REASON_LENGTH = 400


class ReasonRequiredError(ValueError):
    """An item of the attention list is only ever resolved with a reason."""


def resolve_item(item: AttentionItem, user: AbstractBaseUser, reason: str) -> bool:
    """Close an open item with the operator's name and reason; False where it was closed before.

    Raises ``ReasonRequiredError`` for a blank reason. Calling twice keeps the first resolution.
    """
    reason = " ".join(reason.split())[:MAX_REASON_LENGTH]
    if not reason:
        raise ReasonRequiredError("Say why the item is resolved.")
    resolution = f"{user.get_username()[:90]}: {reason}"
    open_items = AttentionItem.objects.filter(pk=item.pk, resolved_at__isnull=True)
    return bool(open_items.update(resolved_at=Now(), resolution=resolution))


def open_item(
    kind: AttentionItem.Kind, *, order: Order | None = None, user_id: int | None = None, detail: str = ""
) -> None:
    """Put something on the list; while an item of the same kind and order is open, nothing is added."""
    item = AttentionItem(
        kind=kind, order=order, user_id=order.user_id if order else user_id, detail=detail[:500]
    )
    AttentionItem.objects.bulk_create([item], ignore_conflicts=True)


def close_items(order: Order, resolution: str, *, kind: AttentionItem.Kind | None = None) -> None:
    """Close the order's open items, of one kind or of all, because they have settled themselves."""
    items = AttentionItem.objects.filter(order=order, resolved_at__isnull=True).exclude(
        kind=AttentionItem.Kind.OVERFILL  # only a person settles that one
    )
    if kind is not None:
        items = items.filter(kind=kind)
    items.update(resolved_at=Now(), resolution=resolution)
