"""``manage.py create_traders --count N``: ready traders, one JSON object a line."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from brokers.errors import BrokerError
from brokers.hours.markets import MARKETS
from brokers.types import IdempotencyClass
from brokers.vault.record import VaultError
from orders.intake.fields import BadValue, to_ticker
from orders.services.provisioning import CASH, PAPER_BROKERS, TraderOptions, create_traders

MAX_LIMIT = 2_147_483_647
MAX_CASH = Decimal(10) ** 12


def _whole(low: int, high: int) -> Any:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
            raise ArgumentTypeError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _cash(text: str) -> Decimal:
    try:
        cash = Decimal(text)
    except InvalidOperation:
        cash = Decimal("NaN")
    if not (cash.is_finite() and 0 <= cash < MAX_CASH):
        raise ArgumentTypeError(f"must be an amount of US dollars below {MAX_CASH}")
    return cash


def _symbols(text: str) -> list[str]:
    try:
        return [to_ticker(part.strip()).symbol for part in text.split(",") if part.strip()]
    except BadValue as error:
        raise ArgumentTypeError(f"a symbol {error.message}") from None


class Command(BaseCommand):
    help = "Create ready traders and print their keys, one JSON object a line; they are shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=_whole(1, 10_000), required=True, help="how many")
        parser.add_argument(
            "--symbols", type=_symbols, default=[], help="A,B: allowed symbols (default: all)"
        )
        parser.add_argument("--daily-order-limit", type=_whole(0, MAX_LIMIT), help="instead of the plan's")
        parser.add_argument("--orders-per-minute", type=_whole(0, MAX_LIMIT), help="instead of the plan's")
        parser.add_argument("--no-tos", action="store_true", help="the terms are not accepted")
        parser.add_argument("--unverified", action="store_true", help="the paper account is not verified")
        parser.add_argument(
            "--cash", type=_cash, default=CASH, help="US dollars in the account (default: %(default)s)"
        )
        parser.add_argument(
            "--idempotency-class",
            choices=[str(name) for name in PAPER_BROKERS],
            default=str(IdempotencyClass.A),
            help="what the paper account does with a client order id that it has seen: A takes it once, "
            "C again and again (default: %(default)s)",
        )

        parser.add_argument(
            "--market",
            choices=sorted(MARKETS),
            default="",
            help="whose hours count for the paper account (default: it trades around the clock)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = TraderOptions(
            symbols=options["symbols"],
            daily_order_limit=options["daily_order_limit"],
            orders_per_minute=options["orders_per_minute"],
            terms_accepted=not options["no_tos"],
            verified=not options["unverified"],
            cash=options["cash"],
            idempotency_class=IdempotencyClass(options["idempotency_class"]),
            market=options["market"],
        )
        try:
            traders = create_traders(count=options["count"], options=wanted)
        except (BrokerError, VaultError) as error:
            raise CommandError(f"No trader was created: {error}.") from None
        except DatabaseError as error:
            reason = str(error).splitlines()[0]
            raise CommandError(f"No trader was created; the database says: {reason}") from None
        for trader in traders:
            self.stdout.write(json.dumps(asdict(trader)))
