"""Positions and the trade journal, and what a fill has cost."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import brokers.ids

REVOKE = """
REVOKE DELETE, TRUNCATE ON orders_position, orders_trade FROM "{runtime}";
"""
UNDO = """
GRANT DELETE ON orders_position, orders_trade TO "{runtime}";
"""


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0003_paper_c"),
        ("orders", "0007_long_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="execution",
            name="fee",
            field=models.DecimalField(
                decimal_places=9,
                default=0,
                help_text="The broker's commission for it; a rebate is negative.",
                max_digits=21,
            ),
        ),
        migrations.CreateModel(
            name="Trade",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=brokers.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("webhook", "Webhook"), ("dashboard", "Dashboard"), ("api", "API")],
                        max_length=16,
                    ),
                ),
                ("simulation", models.BooleanField()),
                ("symbol", models.CharField(max_length=32)),
                ("side", models.CharField(choices=[("LONG", "Long"), ("SHORT", "Short")], max_length=8)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("ORDERED", "Ordered"),
                            ("POSITION", "Position"),
                            ("CLOSED", "Closed"),
                            ("CANCELED", "Canceled"),
                        ],
                        default="ORDERED",
                        max_length=16,
                    ),
                ),
                ("entry_qty", models.DecimalField(decimal_places=9, default=0, max_digits=21)),
                ("entry_amount", models.DecimalField(decimal_places=18, default=0, max_digits=60)),
                ("exit_qty", models.DecimalField(decimal_places=9, default=0, max_digits=21)),
                ("exit_amount", models.DecimalField(decimal_places=18, default=0, max_digits=60)),
                ("realized_pnl", models.DecimalField(decimal_places=18, default=0, max_digits=60)),
                ("fees", models.DecimalField(decimal_places=18, default=0, max_digits=60)),
                (
                    "exit_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("SIGNAL", "Its strategy's exit"),
                            ("MANUAL_EXIT", "Closed by hand"),
                            ("REVERSED", "Reversed by an entry on the other side"),
                        ],
                        max_length=32,
                    ),
                ),
                (
                    "opened_by",
                    models.CharField(blank=True, help_text="The exec id of its first fill.", max_length=64),
                ),
                ("ordered_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trades",
                        to="brokers.brokeraccount",
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trades",
                        to="orders.strategy",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trades",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TradeOrder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("role", models.CharField(choices=[("ENTRY", "Entry"), ("EXIT", "Exit")], max_length=8)),
                ("qty", models.DecimalField(decimal_places=9, default=0, max_digits=21)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trade_legs",
                        to="orders.order",
                    ),
                ),
                (
                    "trade",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="legs", to="orders.trade"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="trade",
            name="orders",
            field=models.ManyToManyField(
                related_name="trades", through="orders.TradeOrder", to="orders.order"
            ),
        ),
        migrations.CreateModel(
            name="Position",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("symbol", models.CharField(max_length=32)),
                ("qty", models.DecimalField(decimal_places=9, default=0, max_digits=21)),
                (
                    "cost",
                    models.DecimalField(
                        decimal_places=18,
                        default=0,
                        help_text="What the open quantity was bought for.",
                        max_digits=60,
                    ),
                ),
                ("realized_pnl", models.DecimalField(decimal_places=18, default=0, max_digits=60)),
                ("fees", models.DecimalField(decimal_places=18, default=0, max_digits=60)),
                (
                    "cash",
                    models.DecimalField(
                        decimal_places=18,
                        default=0,
                        help_text="What its fills have brought in, less what they cost.",
                        max_digits=60,
                    ),
                ),
                (
                    "booked_at",
                    models.DateTimeField(
                        blank=True, help_text="The time of the newest fill in it.", null=True
                    ),
                ),
                ("booked_exec_id", models.CharField(blank=True, max_length=64)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="positions",
                        to="brokers.brokeraccount",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="positions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("qty", 0), _negated=True),
                        fields=["user", "symbol"],
                        name="position_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "symbol"), name="position_one_a_symbol"),
                    models.CheckConstraint(
                        condition=models.Q(models.Q(("qty", 0), _negated=True), ("cost", 0), _connector="OR"),
                        name="position_flat_costs_nothing",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="tradeorder",
            index=models.Index(fields=["order"], name="tradeorder_order"),
        ),
        migrations.AddConstraint(
            model_name="tradeorder",
            constraint=models.UniqueConstraint(fields=("trade", "order", "role"), name="tradeorder_once"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["user", "-id"], name="trade_user_recent"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["account", "symbol", "status"], name="trade_of_symbol"),
        ),
        migrations.AddConstraint(
            model_name="trade",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "POSITION")),
                fields=("account", "symbol"),
                name="trade_one_open",
            ),
        ),
        migrations.RunSQL(
            REVOKE.format(runtime=settings.RUNTIME_ROLE), UNDO.format(runtime=settings.RUNTIME_ROLE)
        ),
    ]
