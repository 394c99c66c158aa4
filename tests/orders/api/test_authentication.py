"""Who may use the API, and what everybody else is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoAssertNumQueries

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpResponse
    from django.test import Client

    from brokers.models import BrokerAccount

ORDERS = "/api/v1/orders"


def assert_problem(response: HttpResponse, status: int, code: str) -> dict[str, object]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, object] = json.loads(response.content)
    assert problem["type"] == f"/problems/{code}"
    assert problem["status"] == status
    return problem


@pytest.mark.parametrize(
    ("header", "form"),
    [("Authorization", "Bearer {}"), ("Authorization", "api-key  {}"), ("X-API-Key", "{}")],
)
def test_a_key_signs_in(client: Client, key: str, header: str, form: str) -> None:
    assert client.get(ORDERS, headers={header: form.format(key)}).status_code == 200


def test_a_key_costs_one_query(
    api: Client, ann: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):  # the key with its user, trader and plan; the orders
        assert api.get(ORDERS).status_code == 200


def test_only_the_digest_is_kept(ann: User, key: str) -> None:
    from orders.models import ApiKey

    row = ApiKey.objects.get(user=ann)
    assert key.startswith(f"{row.prefix}_")
    assert len(bytes(row.digest)) == 32
    assert key.rpartition("_")[2] not in str(vars(row))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer tsk_abcdefgh_" + "x" * 43},
        {"Authorization": "Bearer tsk_short"},
        {"X-API-Key": "\xff\x00"},
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.django_db(transaction=True)
def test_without_a_key_401(client: Client, headers: dict[str, str], method: str) -> None:
    response = getattr(client, method)(ORDERS, headers=headers)
    assert_problem(response, 401, "unauthorized")
    assert response["WWW-Authenticate"].startswith('Bearer realm="tradingsite"')


def test_a_revoked_key_is_refused_and_revoking_twice_changes_nothing(api: Client, ann: User) -> None:
    from orders.models import ApiKey
    from orders.services.api_keys import revoke_api_key

    key_id = ApiKey.objects.get(user=ann).id
    revoked_at = revoke_api_key(user=ann, key_id=key_id).revoked_at
    assert revoked_at is not None
    assert revoke_api_key(user=ann, key_id=key_id).revoked_at == revoked_at
    response = api.get(ORDERS)
    assert_problem(response, 401, "unauthorized")
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


def test_a_key_of_another_cannot_be_revoked(ann: User, key: str, bobs_account: BrokerAccount) -> None:
    from orders.models import ApiKey
    from orders.services.api_keys import revoke_api_key

    with pytest.raises(ApiKey.DoesNotExist):
        revoke_api_key(user=bobs_account.user, key_id=ApiKey.objects.get(user=ann).id)


def test_the_key_of_an_inactive_user_is_refused(api: Client, ann: User) -> None:
    ann.is_active = False
    ann.save()
    assert_problem(api.get(ORDERS), 401, "unauthorized")


def test_a_session_reads(client: Client, ann: User) -> None:
    client.force_login(ann)
    assert client.get(ORDERS).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_session_writes_only_with_the_csrf_token(ann: User) -> None:
    from django.middleware.csrf import _get_new_csrf_string
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    problem = assert_problem(client.post(ORDERS, "{}", content_type="application/json"), 403, "forbidden")
    assert "CSRF" in str(problem["detail"])
    token = _get_new_csrf_string()
    client.cookies["csrftoken"] = token
    allowed = client.post(ORDERS, "{}", content_type="application/json", headers={"X-CSRFToken": token})
    assert_problem(allowed, 400, "invalid-order")
    form = client.post(ORDERS, {"csrfmiddlewaretoken": token})  # multipart, which a page elsewhere could send
    assert_problem(form, 415, "unsupported-media-type")


@pytest.mark.django_db(transaction=True)
def test_a_key_needs_no_csrf_token(key: str) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    response = client.post(
        ORDERS, "{}", content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )
    assert_problem(response, 400, "invalid-order")
