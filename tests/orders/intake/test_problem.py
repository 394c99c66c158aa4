from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from orders.intake.fields import FieldCode, FieldError, InvalidFields
from orders.intake.problem import (
    Problem,
    ProblemType,
    invalid_fields,
    malformed,
    problem_table,
    to_response,
    unauthorized,
)
from orders.intake.strict_json import BodyTooLarge, MalformedBody


@pytest.mark.parametrize("kind", ProblemType)
def test_every_kind_is_an_answer(kind: ProblemType) -> None:
    response = to_response(Problem(kind, "Why."))
    assert response.status_code == kind.status == HTTPStatus(kind.status)
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content) == {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": "Why.",
    }
    assert response.has_header("WWW-Authenticate") is (kind.status == 401)


def test_codes_are_unique_and_in_the_table() -> None:
    codes = [kind.code for kind in ProblemType]
    assert len(set(codes)) == len(codes)
    assert all(f"`/problems/{code}`" in problem_table() for code in codes)


@pytest.mark.parametrize(("seconds", "header"), [(5, "5"), (0.2, "1"), (0, "1"), (61.1, "62")])
def test_retry_after_is_whole_seconds(seconds: float, header: str) -> None:
    problem = Problem(ProblemType.SERVICE_UNAVAILABLE, "Redis is down.", retry_after_seconds=seconds)
    assert to_response(problem)["Retry-After"] == header


def test_extra_members_and_headers() -> None:
    problem = Problem(ProblemType.DUPLICATE_ALERT, "Known.", extra={"order_id": "abc", "status": 200})
    assert problem.as_dict()["order_id"] == "abc"
    assert problem.as_dict()["status"] == 409
    allow = Problem(ProblemType.METHOD_NOT_ALLOWED, "POST only.", headers={"Allow": "POST"})
    assert to_response(allow)["Allow"] == "POST"


def test_field_errors_are_listed() -> None:
    error = InvalidFields([FieldError("quantity", FieldCode.BAD_FORMAT, "is not a plain decimal number")])
    body = json.loads(to_response(invalid_fields(error, ProblemType.INVALID_ALERT)).content)
    assert body["errors"] == [
        {"field": "quantity", "code": "bad_format", "message": "is not a plain decimal number"}
    ]
    assert body["detail"] == "1 field is wrong."


def test_malformed_bodies() -> None:
    assert malformed(MalformedBody("No.")).status == 400
    assert malformed(BodyTooLarge("No.")).status == 413
    assert malformed(MalformedBody("Twice.", field="qty")).as_dict()["field"] == "qty"


def test_unauthorized_is_always_the_same_answer() -> None:
    first, second = to_response(unauthorized()), to_response(unauthorized())
    assert first.status_code == second.status_code == 401
    assert first.content == second.content
    assert dict(first.items()) == dict(second.items())
