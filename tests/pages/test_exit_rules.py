"""The page of exit rules: whose they are, what they may hold, and where they are shown."""

from decimal import Decimal

from django.contrib.auth.models import User
from django.test import Client

from brokers.models import BrokerAccount
from orders.models import ExitRules
from tests.pages.rows import make_strategy

DEFAULTS, STRATEGIES = "/strategies/exit-rules", "/strategies/"


def test_who_is_not_signed_in_is_sent_to_the_login(client: Client, db: None) -> None:
    assert client.get(DEFAULTS)["Location"] == f"/login/?next={DEFAULTS}"


def test_a_trader_sets_rules_for_every_trade(page: Client, ann: User) -> None:
    assert "stands_alone" not in page.get(DEFAULTS).content.decode()
    response = page.post(DEFAULTS, {"stop_loss_pct": "2.5", "max_hold_minutes": "90"}, follow=True)
    assert "The exit rules of your trades count from the next look on." in response.content.decode()
    [rules] = ExitRules.objects.all()
    assert (rules.user, rules.strategy, rules.stop_loss_pct, rules.max_hold_minutes) == (
        ann,
        None,
        Decimal("2.5"),
        90,
    )
    assert rules.profit_target_pct is None
    page.post(DEFAULTS, {"profit_target_pct": "5"})
    rules.refresh_from_db()
    assert (rules.profit_target_pct, rules.stop_loss_pct) == (5, None), "what is emptied is no rule any more"


def test_a_strategy_has_its_own(page: Client, ann: User) -> None:
    strategy = make_strategy(ann)
    assert "As for every trade" in page.get(STRATEGIES).content.decode()
    url = f"/strategies/{strategy.pk}/exit-rules"
    page.post(url, {"profit_target_pct": "5", "days_to_expiry": "0", "stands_alone": "on"})
    assert ExitRules.objects.get().strategy == strategy
    html = page.get(STRATEGIES).content.decode()
    assert "Profit target 5 %, 0 days to expiry, and none of yours" in html
    assert 'value="5.0000"' in page.get(url).content.decode()


def test_what_makes_no_sense_is_refused_beside_its_field(page: Client) -> None:
    for name, value in (
        ("stop_loss_pct", "0"),
        ("stop_loss_pct", "-1"),
        ("profit_target_pct", "abc"),
        ("trailing_pct", "1000"),
        ("max_hold_minutes", "0"),
        ("max_hold_minutes", "1.5"),
        ("days_to_expiry", "-1"),
        ("minutes_before_close", "1441"),
    ):
        response = page.post(DEFAULTS, {name: value})
        assert response.status_code == 422, name
        assert name in response.context["form"].errors
    assert not ExitRules.objects.exists()


def test_another_traders_strategy_is_not_there(page: Client, bobs_account: BrokerAccount) -> None:
    strategy = make_strategy(bobs_account.user, token="bobs-token")
    url = f"/strategies/{strategy.pk}/exit-rules"
    assert page.get(url).status_code == 404
    assert page.post(url, {"profit_target_pct": "5"}).status_code == 404
    assert not ExitRules.objects.exists()
