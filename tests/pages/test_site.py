"""What holds for every page: the login, the errors, the headers."""

import re

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client

from tests.pages.rows import PASSWORD, make_account, make_position, make_strategy, make_trader

PAGES = ["/orders/", "/orders/new/", "/positions/", "/trades/", "/strategies/"]


@pytest.fixture
def carol(db: None) -> User:
    return make_trader("carol", password=PASSWORD)


def test_logging_in_and_out(client: Client, carol: User) -> None:
    response = client.post("/login/", {"username": "carol", "password": PASSWORD})
    assert response["Location"] == "/orders/"
    assert client.get("/")["Location"] == "/orders/"
    assert client.get("/login/")["Location"] == "/orders/"  # who is in already goes on
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/orders/").status_code == 302


def test_a_wrong_password_is_told_without_saying_which_part_is_wrong(client: Client, carol: User) -> None:
    known = client.post("/login/", {"username": "carol", "password": "x"}).content.decode()
    unknown = client.post("/login/", {"username": "nobody", "password": "x"}).content.decode()
    said = "The user name and the password do not fit together."
    assert said in known
    assert said in unknown


def test_the_login_leads_to_no_other_site(client: Client, carol: User) -> None:
    data = {"username": "carol", "password": PASSWORD, "next": "https://elsewhere.example/"}
    assert client.post("/login/", data)["Location"] == "/orders/"


def test_a_link_logs_nobody_out(client: Client, carol: User) -> None:
    client.force_login(carol)
    assert client.get("/logout/").status_code == 405


@pytest.mark.parametrize("url", [*PAGES, "/nothing-here/"])
def test_every_page_forbids_inline_code_and_has_none(client: Client, carol: User, url: str) -> None:
    client.force_login(carol)
    response = client.get(url)
    assert "default-src 'self'" in response["Content-Security-Policy"]
    html = response.content.decode()
    assert "style=" not in html
    assert " onclick" not in html
    assert "<style" not in html
    assert "<script>" not in html
    assert html.count("<script") == html.count("<script src=")


@pytest.mark.parametrize("url", PAGES)
def test_no_page_of_a_trader_is_kept_by_a_cache(client: Client, carol: User, url: str) -> None:
    client.force_login(carol)
    assert "no-store" in client.get(url)["Cache-Control"]


@pytest.mark.parametrize("url", PAGES)
def test_every_page_can_be_reached_and_is_marked_as_the_one_that_is_shown(
    client: Client, carol: User, url: str
) -> None:
    client.force_login(carol)
    html = client.get(url).content.decode()
    assert re.findall(r'<a href="([^"]+)" aria-current="page">', html) == [url]
    assert [page for page in PAGES if f'<a href="{page}"' in html] == PAGES


@pytest.mark.parametrize(
    ("url", "above"),
    [
        ("/positions/flatten", "/positions/"),
        ("/strategies/exit-rules", "/strategies/"),
        ("/strategies/{}/exit-rules", "/strategies/"),
        ("/strategies/{}/sizing", "/strategies/"),
    ],
)
def test_a_page_below_another_is_marked_as_that_one(
    client: Client, carol: User, url: str, above: str
) -> None:
    make_position(make_account(carol), "AAPL")
    client.force_login(carol)
    response = client.get(url.format(make_strategy(carol).pk))
    assert response.status_code == 200
    assert re.findall(r'<a href="([^"]+)" aria-current="page">', response.content.decode()) == [above]


def test_an_address_that_is_none_has_a_page(client: Client, db: None) -> None:
    response = client.get("/nothing-here/")
    assert response.status_code == 404
    assert "Not found" in response.content.decode()


@pytest.mark.parametrize("template", ["403.html", "403_csrf.html", "404.html", "500.html"])
def test_error_pages_need_nothing_of_the_request(template: str) -> None:
    assert "To the orders" in render_to_string(template)
