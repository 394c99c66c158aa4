"""The addresses of the desk's pages."""

from django.urls import path
from django.views.generic import RedirectView

from orders.views.accounts import account_compare, account_list
from orders.views.exit_rules import default_exit_rules, strategy_exit_rules
from orders.views.flatten_page import position_flatten
from orders.views.instruments import instrument_options
from orders.views.order_detail import order_detail
from orders.views.order_list import order_list
from orders.views.order_new import order_new
from orders.views.order_requests import order_cancel, order_replace
from orders.views.position_list import position_list
from orders.views.strategies import strategy_list, strategy_pause, strategy_resume
from orders.views.strategy_sizing import strategy_sizing
from orders.views.trade_detail import trade_detail
from orders.views.trade_list import trade_list

app_name = "orders"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="orders:order-list"), name="home"),
    path("orders/", order_list, name="order-list"),
    path("orders/new/", order_new, name="order-new"),
    path("orders/<uuid:order_id>/", order_detail, name="order-detail"),
    path("orders/<uuid:order_id>/cancel", order_cancel, name="order-cancel"),
    path("orders/<uuid:order_id>/replace", order_replace, name="order-replace"),
    path("instruments/options", instrument_options, name="instrument-options"),
    path("positions/", position_list, name="position-list"),
    path("positions/flatten", position_flatten, name="position-flatten"),
    path("trades/", trade_list, name="trade-list"),
    path("trades/<uuid:trade_id>/", trade_detail, name="trade-detail"),
    path("accounts/", account_list, name="account-list"),
    path("accounts/<uuid:account_id>/compare", account_compare, name="account-compare"),
    path("strategies/", strategy_list, name="strategy-list"),
    path("strategies/<uuid:strategy_id>/sizing", strategy_sizing, name="strategy-sizing"),
    path("strategies/exit-rules", default_exit_rules, name="exit-rules"),
    path("strategies/<uuid:strategy_id>/exit-rules", strategy_exit_rules, name="strategy-exit-rules"),
    path("strategies/<uuid:strategy_id>/pause", strategy_pause, name="strategy-pause"),
    path("strategies/<uuid:strategy_id>/resume", strategy_resume, name="strategy-resume"),
]
