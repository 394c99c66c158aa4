"""Addresses of lists: their filters and where a page of them begins stand in the query."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest

CURSORS = ("before", "after")


def cursor_in(request: HttpRequest, name: str) -> uuid.UUID | None:
    """Return the id that a page begins before or after; raises ``Http404`` for what is no id."""
    text = request.GET.get(name)
    if not text:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404(f"{name} is not an id") from None


def has_cursor(request: HttpRequest) -> bool:
    """Say whether another page than the first is asked for."""
    return bool(set(CURSORS) & request.GET.keys())


def list_url(request: HttpRequest, **changes: object) -> str:
    """Return the list's address with ``changes``, from the first page unless they say otherwise."""
    query = request.GET.copy()
    for name in (*CURSORS, "seen"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = str(value)
    if query.get("status") == "all":
        del query["status"]
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return f"{request.path}?{query.urlencode()}".rstrip("?")


def without_seen(request: HttpRequest) -> str:
    """Return the address that was asked for, without the version that a refresh names."""
    query = request.GET.copy()
    query.pop("seen", None)
    return f"{request.path}?{query.urlencode()}".rstrip("?")
