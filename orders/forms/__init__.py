"""The forms of the desk's pages."""

from orders.forms.manual_order import ManualOrderForm
from orders.forms.order_filters import OrderFilterForm
from orders.forms.replace_order import ReplaceOrderForm

__all__ = ["ManualOrderForm", "OrderFilterForm", "ReplaceOrderForm"]
