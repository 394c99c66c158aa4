"""The test database itself: tests see it as the runtime role does, and find it empty."""

import pytest
from django.contrib.auth import get_user_model
from django.db import ProgrammingError, connection

pytestmark = pytest.mark.django_db


def scalar(statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def test_tests_run_as_a_role_that_owns_nothing() -> None:
    assert scalar("SELECT current_user") == "tradingsite_app"
    assert scalar("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user") == 0


@pytest.mark.parametrize(
    "statement", ["TRUNCATE orders_order CASCADE", "CREATE TABLE mine ()", "DROP TABLE auth_user"]
)
def test_the_runtime_role_may_not(statement: str) -> None:
    with (
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("run", [1, 2])
def test_a_transactional_test_leaves_nothing(run: int) -> None:
    assert get_user_model().objects.count() == 0
    get_user_model().objects.create(username=f"user-{run}")
