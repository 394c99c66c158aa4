"""Compare what the desk has recorded with the paper exchange's own ledger: nothing lost, nothing twice.

``rows`` holds what goes in and comes out, ``compare`` the comparison (pure), ``desk`` reads the desk's side,
``table`` writes the report for people.
"""

from orders.ledger.compare import compare
from orders.ledger.desk import desk_holdings, desk_orders, paper_account_ids
from orders.ledger.rows import DeskFill, DeskHolding, DeskOrder, Finding, Report
from orders.ledger.table import table

__all__ = [
    "DeskFill",
    "DeskHolding",
    "DeskOrder",
    "Finding",
    "Report",
    "compare",
    "desk_holdings",
    "desk_orders",
    "paper_account_ids",
    "table",
]
