"""``manage.py resolve_order ORDER``: an operator's word on an order whose outcome is unknown."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from orders.models import Order
from orders.services.resolution import ResolutionRefused, adopt_order, declare_never_sent
from tasks.dispatch import hand_over


class Command(BaseCommand):
    help = (
        "Resolve an order whose outcome is unknown. Run it on the host whose worker sent the order: that the sending "
        "process is gone can be seen there only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", type=UUID, help="the order's id")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--adopt", metavar="ID", help="the broker's order of this id is ours")
        what.add_argument("--never-sent", action="store_true", help="nothing of it has reached the broker")
        parser.add_argument("--operator", required=True, metavar="USERNAME", help="who says so")
        parser.add_argument("--reason", required=True, help="why")
        parser.add_argument("--send-again", action="store_true", help="never sent: an exit is sent again")
        parser.add_argument(
            "--host-is-gone", action="store_true", help="never sent: the sender's host never runs again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        operator = get_user_model().objects.filter(username=options["operator"], is_active=True).first()
        if operator is None or not operator.has_perm("orders.resolve_order"):
            raise CommandError(f"{options['operator']} is no user who may resolve orders.")
        signed = {"operator": operator, "reason": options["reason"]}
        try:
            if options["adopt"] is not None:
                order = adopt_order(options["order"], broker_order_id=options["adopt"], **signed)
                said = "The trader's worker looks at the broker's order now."
            else:
                order = declare_never_sent(
                    options["order"],
                    send_again=options["send_again"],
                    host_is_gone=options["host_is_gone"],
                    **signed,
                )
                said = f"It is {order.ord_status}."
        except Order.DoesNotExist:
            raise CommandError("There is no such order.") from None
        except ResolutionRefused as refusal:
            raise CommandError(str(refusal)) from None
        hand_over(order.user_id)
        self.stdout.write(said)
