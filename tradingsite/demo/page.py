"""The trader's own look at an order: log in with a browser's steps, open its page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from tradingsite.desk_client import Answer, DeskClient

_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')


def open_page(client: DeskClient, path: str, *, username: str, password: str) -> Answer:
    """Log in and open a page; where the login is refused, its answer is returned instead."""
    form = client.get("/login/")
    token = _TOKEN.search(form.raw)
    if form.status != 200 or token is None:
        return form
    fields = {"csrfmiddlewaretoken": token[1].decode(), "username": username, "password": password}
    headers = {"Content-Type": "application/x-www-form-urlencoded", **_cookie(form.cookies)}
    entered = client.request("POST", "/login/", urlencode(fields).encode(), headers)
    if entered.status != 302:
        return entered
    return client.request("GET", path, headers=_cookie(entered.cookies))


def _cookie(cookies: Mapping[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
