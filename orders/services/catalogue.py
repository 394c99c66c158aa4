"""Keep what every broker has to trade: read once a day by one trader's worker, whoever's account it is."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Min, Q
from django.utils import timezone

from brokers.base import BrokerAdapter
from brokers.errors import OutcomeUnknown
from brokers.models import BrokerAccount, Instrument
from brokers.types import InstrumentReport
from failpoints import failpoint
from orders.models import AttentionItem, Errand
from orders.services.attention import open_item, settle_items
from orders.services.errands import write_errand
from orders.services.executions import Applied
from orders.services.instruments import forget_instruments
from orders.services.leases import Fence
from orders.services.retrying import retried
from orders.services.sweeping import sweep_lock

STALE_DAYS = 3
"""A catalogue that is older is an alarm; it goes on counting."""
ROWS_AT_A_TIME = 2000
MOST_TRIES = 3
"""How often one account's worker is to try before another one's is asked."""
LEAST_PART = 0.5
"""Of what was tradable, that a new listing must hold: one that is much shorter was cut off, or is not what it seems."""
FEW = 20
"""Tradable symbols up to which a listing may lose any number of them."""

# Every row that the broker has named gets the new time, so that what it has not named is told apart.
UPSERT = """
INSERT INTO brokers_instrument (broker, symbol, name, exchange, currency, ticks, lot_step, short_step, min_qty,
    min_notional, multiplier, tradable, shortable, fractionable, marginable, refreshed_at)
SELECT %(broker)s, row.symbol, row.name, row.exchange, row.currency, row.ticks, row.lot_step, row.short_step,
    row.min_qty, row.min_notional, row.multiplier, row.tradable, row.shortable, row.fractionable, row.marginable,
    %(at)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (symbol text, name text, exchange text, currency text, ticks jsonb,
    lot_step numeric, short_step numeric, min_qty numeric, min_notional numeric, multiplier numeric,
    tradable boolean, shortable boolean, fractionable boolean, marginable boolean)
ON CONFLICT (broker, symbol) DO UPDATE SET
    name = excluded.name, exchange = excluded.exchange, currency = excluded.currency, ticks = excluded.ticks,
    lot_step = excluded.lot_step, short_step = excluded.short_step, min_qty = excluded.min_qty,
    min_notional = excluded.min_notional, multiplier = excluded.multiplier, tradable = excluded.tradable,
    shortable = excluded.shortable, fractionable = excluded.fractionable, marginable = excluded.marginable,
    refreshed_at = excluded.refreshed_at
"""

# Who has nothing open is disturbed least; a worker that is there need not be started.
CHOOSE_ACCOUNT = """
SELECT account.id, account.user_id FROM brokers_brokeraccount AS account
WHERE account.broker = %(broker)s AND account.verified_at IS NOT NULL
ORDER BY account.id = ANY(%(tried)s::uuid[]),
    EXISTS (SELECT FROM orders_order AS held
            WHERE held.user_id = account.user_id AND held.next_check_at IS NOT NULL),
    NOT EXISTS (SELECT FROM orders_workerlease AS lease
                WHERE lease.user_id = account.user_id AND lease.expires_at > now()),
    random()
LIMIT 1
"""


def ask_for_instruments() -> None:
    """Ask one trader's worker of every broker whose catalogue is due.

    Where one account's worker has failed at it for some time, another one's is asked instead. May be called at any
    time and by several at once.
    """
    with sweep_lock("instruments") as alone:
        for broker in _brokers_due() if alone else ():
            _ask(broker)
        failpoint("instruments.asked")


def read_instruments(errand: Errand, adapter: BrokerAdapter, fence: Fence) -> Sequence[Applied]:
    """Read all that the account's broker has to trade, and keep it. Nothing where somebody has done so meanwhile.

    Raises ``NotSent`` or ``OutcomeUnknown`` where the broker does not give a list that can be believed.
    """
    broker = BrokerAccount.objects.values_list("broker", flat=True).get(pk=errand.account_id)
    if is_due(broker):
        reports = adapter.list_instruments()
        failpoint("instruments.read")
        refresh_instruments(broker, reports)
    return ()


@retried
def refresh_instruments(broker: str, reports: Sequence[InstrumentReport]) -> int:
    """Put a broker's whole listing in the place of what was kept; return how many symbols have vanished from it.

    What has vanished stays, not tradable. All or nothing: a listing that cannot be kept leaves the old one. Raises
    ``OutcomeUnknown`` for one that is far shorter than the last.
    """
    with transaction.atomic():
        now = timezone.now()
        kept = Instrument.objects.filter(broker=broker)
        _check_plausible(reports, kept.filter(tradable=True).count())
        for start in range(0, len(reports), ROWS_AT_A_TIME):
            _write(broker, reports[start : start + ROWS_AT_A_TIME], now)
        gone = kept.filter(~Q(refreshed_at=now), tradable=True)
        vanished = gone.update(tradable=False, shortable=False)
        failpoint("instruments.before_commit")
    failpoint("instruments.after_commit")
    forget_instruments()
    return vanished


def is_due(broker: str) -> bool:
    """Say whether this broker's catalogue was read too long ago, or never."""
    return broker in _brokers_due()


def watch_instruments() -> list[str]:
    """Tell the operators of brokers whose catalogue has not been read for days; return their names.

    It goes on counting meanwhile: a symbol that is new since then is refused where the broker lists every symbol.
    """
    oldest = timezone.now() - dt.timedelta(days=STALE_DAYS)
    read = _read_last()
    stale = {
        name: read[name] for name, used_since in _brokers().items() if (read[name] or used_since) < oldest
    }
    if stale:
        words = [f"{broker}: {_words(at)}" for broker, at in sorted(stale.items())]
        open_item(AttentionItem.Kind.INSTRUMENTS_STALE, detail="; ".join(words))
    else:
        settle_items(
            AttentionItem.Kind.INSTRUMENTS_STALE, user_id=None, resolution="The catalogues are fresh again."
        )
    return sorted(stale)


# --- inside ---


def _brokers() -> dict[str, dt.datetime]:
    """Return the brokers that somebody has a verified account at, and since when."""
    verified = BrokerAccount.objects.filter(verified_at__isnull=False).order_by()
    return dict(verified.values_list("broker").annotate(Min("verified_at")))


def _read_last() -> dict[str, dt.datetime | None]:
    """Return of each broker in use when its catalogue was read last; None: never."""
    read = dict(Instrument.objects.order_by().values_list("broker").annotate(Max("refreshed_at")))
    return {broker: read.get(broker) for broker in _brokers()}


def _words(at: dt.datetime | None) -> str:
    return "never read" if at is None else f"read last on {at:%Y-%m-%d %H:%M} UTC"


def _brokers_due() -> list[str]:
    oldest = timezone.now() - dt.timedelta(seconds=settings.INSTRUMENTS_REFRESH_SECONDS)
    return sorted(broker for broker, at in _read_last().items() if at is None or at < oldest)


def _ask(broker: str) -> None:
    """Write the errand for one account of this broker, unless one is under way."""
    errands = Errand.objects.filter(kind=Errand.Kind.INSTRUMENTS, account__broker=broker)
    if errands.filter(tries__lt=MOST_TRIES).exists():
        return
    tried = list(errands.values_list("account", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(CHOOSE_ACCOUNT, {"broker": broker, "tried": tried})
        chosen = cursor.fetchone()
    if chosen is None:
        return
    account_id, user_id = chosen
    errands.delete()
    write_errand(user_id=user_id, account_id=account_id, kind=Errand.Kind.INSTRUMENTS)


def _check_plausible(reports: Sequence[InstrumentReport], known: int) -> None:
    tradable = sum(report.tradable for report in reports)
    if known > FEW and tradable < known * LEAST_PART:
        raise OutcomeUnknown(f"the broker lists {tradable} tradable symbols where it had {known}")


def _write(broker: str, reports: Sequence[InstrumentReport], at: dt.datetime) -> None:
    # A symbol twice in one statement would be an error; the last word on it counts.
    rows = list({report.symbol: _row(report) for report in reports}.values())
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, {"broker": broker, "at": at, "rows": json.dumps(rows)})


def _row(report: InstrumentReport) -> dict[str, Any]:
    return {
        name: value if isinstance(value, bool) else _json(value) for name, value in asdict(report).items()
    }


def _json(value: Any) -> Any:
    """Write numbers as text: JSON's own would pass through floats."""
    if isinstance(value, tuple):
        return [[str(part) for part in pair] for pair in value]
    return None if value is None else str(value)
