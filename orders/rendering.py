"""Orders, positions and trades as JSON: the one form that webhook, API and WebSocket answer with."""

import datetime as dt
from decimal import Decimal
from typing import Any

from brokers.models import Instrument
from orders.figures import position_figures, trade_figures
from orders.models import Execution, Order, OrderEvent, OrderRequest, Position, Trade


def order_json(order: Order) -> dict[str, Any]:
    """Return the order result: decimals as plain strings, times as ISO 8601 in UTC, ids as text."""
    return {
        "id": str(order.id),
        "cl_ord_id": order.cl_ord_id,
        "account": str(order.account_id),
        "symbol": order.symbol,
        "side": order.side,
        "ord_type": order.ord_type,
        "time_in_force": order.time_in_force,
        "order_qty": decimal_text(order.order_qty),
        "sizing": order.sizing,
        "price": decimal_text(order.price),
        "stop_px": decimal_text(order.stop_px),
        "cum_qty": decimal_text(order.cum_qty),
        "leaves_qty": decimal_text(order.leaves_qty),
        "avg_px": decimal_text(order.avg_px),
        "ord_status": order.ord_status,
        "reason": order.reason or None,
        "text": order.text or None,
        "position_effect": order.position_effect,
        "exit_reason": order.exit_reason or None,
        "leg": order.leg or None,
        "parent": str(order.parent_id) if order.parent_id else None,
        "protection": order.protection,
        "trail_offset": decimal_text(order.trail_offset),
        "trail_percent": decimal_text(order.trail_percent),
        "source": order.source,
        "simulation": order.simulation,
        "auto_exit": order.auto_exit,
        "exit_order": str(order.exit_order_id) if order.exit_order_id else None,
        "exit_quantity": decimal_text(order.exit_quantity),
        "position_before": decimal_text(order.position_before),
        "eligible_at": time_text(order.eligible_at),
        "submitted_at": time_text(order.submitted_at),
        "transact_time": time_text(order.transact_time),
    }


def request_json(request: OrderRequest) -> dict[str, Any]:
    """Return a cancel or replace: what it asks for, and what has become of it."""
    return {
        "id": str(request.id),
        "cl_ord_id": request.cl_ord_id,
        "kind": request.kind,
        "status": request.status,
        "reason": request.reason or None,
        "text": request.text or None,
        "order_qty": decimal_text(request.order_qty),
        "price": decimal_text(request.price),
        "stop_px": decimal_text(request.stop_px),
        "recorded_at": time_text(request.recorded_at),
        "submitted_at": time_text(request.submitted_at),
        "answered_at": time_text(request.answered_at),
    }


def fill_json(execution: Execution) -> dict[str, Any]:
    return {
        "exec_id": execution.exec_id,
        "exec_type": execution.exec_type,
        "exec_ref_id": execution.exec_ref_id or None,
        "last_qty": decimal_text(execution.last_qty),
        "last_px": decimal_text(execution.last_px),
        "transact_time": time_text(execution.transact_time),
    }


def event_json(event: OrderEvent) -> dict[str, Any]:
    """Return one line of an order's timeline: what happened, who saw it, the times of its stages."""
    return {
        "kind": event.kind,
        "at": time_text(event.at),
        "recorded_at": time_text(event.recorded_at),
        "ord_status": event.ord_status,
        "source": event.source,
        "worker": event.worker or None,
        "pid": event.pid,
        "epoch": event.epoch,
        "stages": event.stages,
        "data": event.data,
    }


def position_json(position: Position) -> dict[str, Any]:
    """Return a position; ``qty`` and ``cost`` of a short one are negative."""
    figures = position_figures(position)
    return {
        "account": str(position.account_id),
        "symbol": position.symbol,
        "side": figures.side,
        "qty": decimal_text(position.qty),
        "avg_px": decimal_text(figures.avg_px),
        "cost": decimal_text(position.cost),
        "realized_pnl": decimal_text(position.realized_pnl),
        "fees": decimal_text(position.fees),
        "cash": decimal_text(position.cash),
        "mark_px": decimal_text(position.mark_px),
        "market_value": decimal_text(position.market_value),
        "unrealized_pnl": decimal_text(position.unrealized_pnl),
        "unrealized_pct": decimal_text(position.unrealized_pct),
        "quote_time": time_text(position.quote_time),
        "valued_at": time_text(position.valued_at),
        "updated_at": time_text(position.updated_at),
    }


def trade_json(trade: Trade) -> dict[str, Any]:
    """Return a trade with the orders that it was made of, in the order in which they joined it."""
    figures = trade_figures(trade)
    return {
        "id": str(trade.id),
        "account": str(trade.account_id),
        "strategy": str(trade.strategy_id) if trade.strategy_id else None,
        "symbol": trade.symbol,
        "side": trade.side,
        "status": trade.status,
        "source": trade.source,
        "simulation": trade.simulation,
        "entry_qty": decimal_text(trade.entry_qty),
        "entry_px": decimal_text(figures.entry_px),
        "exit_qty": decimal_text(trade.exit_qty),
        "exit_px": decimal_text(figures.exit_px),
        "realized_pnl": decimal_text(trade.realized_pnl),
        "fees": decimal_text(trade.fees),
        "net_pnl": decimal_text(figures.net_pnl),
        "exit_reason": trade.exit_reason or None,
        "ordered_at": time_text(trade.ordered_at),
        "opened_at": time_text(trade.opened_at),
        "closed_at": time_text(trade.closed_at),
        "orders": [
            {"id": str(leg.order_id), "role": leg.role, "qty": decimal_text(leg.qty)}
            for leg in sorted(trade.legs.all(), key=lambda leg: leg.pk)
        ],
    }


def instrument_json(instrument: Instrument) -> dict[str, Any]:
    """Return what a broker says of a symbol; ``ticks`` are pairs of a price and the tick that counts from it on."""
    return {
        "broker": instrument.broker,
        "symbol": instrument.symbol,
        "name": instrument.name,
        "exchange": instrument.exchange,
        "currency": instrument.currency,
        "ticks": [[decimal_text(start), decimal_text(tick)] for start, tick in instrument.tick_rule],
        "lot_step": decimal_text(instrument.lot_step),
        "short_step": decimal_text(instrument.short_step),
        "min_qty": decimal_text(instrument.min_qty),
        "min_notional": decimal_text(instrument.min_notional),
        "multiplier": decimal_text(instrument.multiplier),
        "tradable": instrument.tradable,
        "shortable": instrument.shortable,
        "fractionable": instrument.fractionable,
        "marginable": instrument.marginable,
        "refreshed_at": time_text(instrument.refreshed_at),
    }


def decimal_text(value: Decimal | None) -> str | None:
    """Write a decimal without exponent and without trailing zeros."""
    if value is None:
        return None
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_text(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z") if moment else None
