"""``manage.py rebuild_check``: orders compared with what their events make of them, positions with their executions."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from orders.ledger.positions import position_differences
from orders.ledger.rebuild import rebuilt_differences
from orders.models import Order, Position


class Command(BaseCommand):
    help = "Build orders from their events and positions from their executions; exit 1 where a row says otherwise."

    def handle(self, *args: Any, **options: Any) -> None:
        count = Order.objects.count()
        findings = rebuilt_differences()
        for finding in findings:
            self.stdout.write(f"{finding.cl_ord_id} (order {finding.order_id}): {finding.why}")
        self.stdout.write(f"{count} orders, {len(findings)} differ from their events")
        differences = position_differences()
        for difference in differences:
            self.stdout.write(difference)
        self.stdout.write(
            f"{Position.objects.count()} positions, {len(differences)} differ from their executions"
        )
        if findings or differences:
            sys.exit(1)
