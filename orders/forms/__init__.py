"""The forms of the desk's pages."""

from orders.forms.manual_order import ManualOrderForm
from orders.forms.order_filters import OrderFilterForm

__all__ = ["ManualOrderForm", "OrderFilterForm"]
