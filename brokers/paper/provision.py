"""Open accounts at the paper exchange through its admin endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import requests
from urllib3.exceptions import MaxRetryError

from brokers.errors import BrokerError, BrokerUnavailable, CredentialsRefused, OutcomeUnknown

_TIMEOUT_SECONDS = (2.0, 30.0)  # connect, read
ACCOUNTS_A_REQUEST = 1000


@dataclass(frozen=True, slots=True)
class PaperAccount:
    """A new account with its key; the venue never shows the secret again."""

    account_id: str
    account_number: str
    key_id: str = field(repr=False)
    secret: str = field(repr=False)


def create_accounts(
    count: int,
    cash: Decimal,
    *,
    venue_url: str,
    admin_token: str,
    label: str = "",
    unique_client_order_ids: bool = True,
) -> list[PaperAccount]:
    """Open ``count`` accounts with ``cash`` US dollars each; calling it again opens more.

    Raises ``BrokerUnavailable`` where the venue cannot be reached, ``CredentialsRefused`` where it
    does not take the token, ``OutcomeUnknown`` where its answer cannot be used (accounts that it
    may have opened all the same stay unused).
    """
    accounts: list[PaperAccount] = []
    with requests.Session() as session:
        session.trust_env = False
        session.auth = _Bearer(admin_token)
        while len(accounts) < count:
            body = {
                "count": min(ACCOUNTS_A_REQUEST, count - len(accounts)),
                "cash": format(cash, "f"),
                "label": label,
                "unique_client_order_ids": unique_client_order_ids,
            }
            accounts += _open(session, f"{venue_url.rstrip('/')}/admin/accounts", body)
    return accounts


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _post(session: requests.Session, url: str, body: dict[str, Any]) -> requests.Response:
    failure: BrokerError
    try:
        return session.post(url, json=body, timeout=_TIMEOUT_SECONDS)
    except requests.RequestException as error:
        if isinstance(error.args[0] if error.args else None, MaxRetryError):
            failure = BrokerUnavailable("the venue cannot be reached")
        else:
            failure = OutcomeUnknown(f"no answer from the venue: {type(error).__name__}")
    # Outside of the except block: the library's exception carries the request with the token.
    raise failure


def _open(session: requests.Session, url: str, body: dict[str, Any]) -> list[PaperAccount]:
    response = _post(session, url, body)
    if response.status_code in (401, 403, 404):
        raise CredentialsRefused(f"the venue's admin endpoint answers HTTP {response.status_code}")
    if not response.ok:
        raise OutcomeUnknown(f"the venue's admin endpoint answers HTTP {response.status_code}")
    try:
        accounts = [
            PaperAccount(row["account_id"], row["account_number"], row["key_id"], row["secret"])
            for row in response.json()
        ]
    except (ValueError, KeyError, TypeError):
        accounts = []
    if len(accounts) != body["count"]:
        raise OutcomeUnknown("the venue's admin endpoint gave an answer that cannot be used")
    return accounts
