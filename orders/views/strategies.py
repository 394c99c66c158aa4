"""The trader's strategies: their webhooks, and the switch that stops each one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from orders.listing import latest_signals, strategies_of
from orders.models import Strategy
from orders.services.strategies import pause_strategy, resume_strategy
from orders.views.pages import page, signed_in

_ALERT = {
    "secret": "YOUR-SECRET",
    "action": "{{strategy.order.action}}",
    "order_type": "entry",
    "symbol": "{{ticker}}",
    "quantity": "{{strategy.order.contracts}}",
    "timestamp": "{{timenow}}",
    "id": "{{strategy.order.id}}|{{time}}|{{timenow}}|{{strategy.position_size}}",
    "market_position": "{{strategy.market_position}}",
    "prev_market_position": "{{strategy.prev_market_position}}",
    "position_size": "{{strategy.position_size}}",
    "comment": "{{strategy.order.comment}}",
}
_EXITS = {"stop_loss": {"percent": "2"}, "take_profit": {"percent": "4"}}


@require_safe
@page
def strategy_list(request: HttpRequest) -> HttpResponse:
    """Show the trader's strategies, the alert message for each, and the latest signals."""
    context = {
        "strategies": [(strategy, _webhook_url(strategy)) for strategy in strategies_of(signed_in(request))],
        "messages_to_paste": [
            ("Alert that enters", alert_message()),
            ("Alert that enters with a stop loss and a profit target", alert_message(protected=True)),
            ("Alert that exits", alert_message(order_type="exit")),
        ],
        "signals": latest_signals(signed_in(request)),
    }
    return render(request, "orders/strategy_list.html", context)


@require_POST
@page
def strategy_pause(request: HttpRequest, strategy_id: uuid.UUID) -> HttpResponse:
    return _switch(request, strategy_id, pause_strategy, "{} is paused: its entries are refused.")


@require_POST
@page
def strategy_resume(request: HttpRequest, strategy_id: uuid.UUID) -> HttpResponse:
    return _switch(request, strategy_id, resume_strategy, "{} trades again.")


def alert_message(*, order_type: str = "entry", protected: bool = False) -> str:
    """Return the message to paste into a TradingView alert, its secret left to be filled in."""
    exits = _EXITS if protected else {}
    return json.dumps({**_ALERT, "order_type": order_type, **exits}, indent=2)


def _switch(
    request: HttpRequest, strategy_id: uuid.UUID, switch: Callable[..., Strategy], said: str
) -> HttpResponse:
    try:
        strategy = switch(user=signed_in(request), strategy_id=strategy_id)
    except Strategy.DoesNotExist:
        raise Http404("No such strategy") from None
    messages.success(request, said.format(strategy.name))
    return redirect("orders:strategy-list")


def _webhook_url(strategy: Strategy) -> str:
    return f"{settings.BASE_URL}{strategy.webhook_path}"
