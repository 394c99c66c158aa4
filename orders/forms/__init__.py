"""The forms of the desk's pages."""

from orders.forms.manual_order import ManualOrderForm
from orders.forms.order_filters import OrderFilterForm
from orders.forms.replace_order import ReplaceOrderForm
from orders.forms.trade_filters import PositionFilterForm, TradeFilterForm

__all__ = [
    "ManualOrderForm",
    "OrderFilterForm",
    "PositionFilterForm",
    "ReplaceOrderForm",
    "TradeFilterForm",
]
