"""``manage.py rebuild_check``: every order's row compared with what its events make of it."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from orders.ledger.rebuild import rebuilt_differences
from orders.models import Order


class Command(BaseCommand):
    help = "Build every order anew from its events; exit 1 when a row says something else."

    def handle(self, *args: Any, **options: Any) -> None:
        count = Order.objects.count()
        findings = rebuilt_differences()
        for finding in findings:
            self.stdout.write(f"{finding.cl_ord_id} (order {finding.order_id}): {finding.why}")
        self.stdout.write(f"{count} orders, {len(findings)} differ from their events")
        if findings:
            sys.exit(1)
