"""Pages of rows by id, newest first, for the desk's pages. Nothing here writes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage(Generic[Row]):
    """One page, newest first, and the ids from which its neighbours start."""

    rows: Sequence[Row]
    newer: uuid.UUID | None
    older: uuid.UUID | None


def page_of(
    rows: QuerySet[Row], *, before: uuid.UUID | None = None, after: uuid.UUID | None = None, size: int = 50
) -> RowPage[Row]:
    """Return at most ``size`` of the rows, older than ``before`` or newer than ``after``.

    The ids are UUIDv7, so their order is that of the recording, and a page costs the same however
    many come before it.
    """
    if after is not None:
        newer = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
        if len(newer) > size:
            shown = newer[size - 1 :: -1]
            return RowPage(rows=shown, newer=shown[0].pk, older=shown[-1].pk)
        before = None  # what is newer fits the first page, which is then shown whole
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    return RowPage(
        rows=found[:size],
        newer=found[0].pk if before is not None and found else None,
        older=found[size - 1].pk if len(found) > size else None,
    )
