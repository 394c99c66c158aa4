"""Pages that neither skip nor repeat a row while new ones arrive, and cost the same however deep."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from orders.api.queries import InvalidQuery, refuse
from orders.intake.fields import FieldCode


class OrderCursorPagination(CursorPagination):
    """Newest first by id: UUIDv7 ids are in the order of their making."""

    ordering = "-id"
    id_type: Callable[[str], object] = UUID
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    page_size_query_description = "Rows a page."
    cursor_query_description = "Where the page begins: from `next` or `previous` of another page."

    def get_page_size(self, request: Request) -> int:
        """Return how many rows the page holds. Raises ``InvalidQuery``."""
        text = request.query_params.get("limit")
        if text is None:
            return self.page_size
        if not (
            text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= self.max_page_size
        ):
            raise refuse("limit", FieldCode.OUT_OF_RANGE, f"must be between 1 and {self.max_page_size}")
        return int(text)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the cursor that the query names. Raises ``InvalidQuery`` for one that we never gave."""
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                self.id_type(str(cursor.position))
        except (NotFound, ValueError):
            raise _bad_cursor() from None
        return cursor


class NumberCursorPagination(OrderCursorPagination):
    """Newest first, for rows whose ids are numbers."""

    id_type = int


def _bad_cursor() -> InvalidQuery:
    return refuse("cursor", FieldCode.BAD_FORMAT, "is not a cursor of this list")
