"""What every page of the desk shares: who may see it, whose time it tells, how it stays fresh."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect

from orders.listing import time_zone_of

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def page(view: View[P]) -> View[P]:
    """Let signed-in users only see the view, in the trader's time zone.

    A part that refreshes itself after the session has ended leads the whole page to the login: a
    redirect would put the login form into the part.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            if is_refresh(request):
                return HttpResponseClientRedirect(reverse("login"))
            return redirect_to_login(request.get_full_path())
        with timezone.override(time_zone_of(request.user)):
            response = view(request, *args, **kwargs)
        # Back and forward must not show what another person's session was given.
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return guarded


def signed_in(request: HttpRequest) -> AbstractBaseUser:
    """Return who looks at a page that ``page`` guards."""
    return cast(AbstractBaseUser, request.user)


def is_refresh(request: HttpRequest) -> bool:
    """Say whether htmx asks, and so wants the changing part of the page only."""
    return bool(request.htmx)  # type: ignore[attr-defined]


def live_part(request: HttpRequest, template: str, context: dict[str, Any]) -> dict[str, Any]:
    """Render the part of a page that changes, with a version by which to tell whether it did.

    Returns ``part``, its HTML, and ``version``.
    """
    html = render_to_string(template, context, request=request)
    return {"part": html, "version": hashlib.blake2s(html.encode(), digest_size=8).hexdigest()}


def unchanged(request: HttpRequest, version: str) -> bool:
    """Say whether the page that asks already shows this version; 204 then leaves it untouched."""
    return is_refresh(request) and request.GET.get("seen") == version
