"""How much to trade: a strategy's rule, an account's figures, an order that is sized before it is sent."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0005_instruments"),
        ("orders", "0016_reconciliation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AccountSnapshot",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="snapshot",
                        serialize=False,
                        to="brokers.brokeraccount",
                    ),
                ),
                ("currency", models.CharField(max_length=8)),
                ("cash", models.DecimalField(decimal_places=9, max_digits=24)),
                ("equity", models.DecimalField(decimal_places=9, max_digits=24)),
                ("buying_power", models.DecimalField(decimal_places=9, max_digits=24)),
                ("taken_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="order",
            name="order_qty_positive",
        ),
        migrations.AddField(
            model_name="order",
            name="sizing",
            field=models.JSONField(
                blank=True,
                help_text="Of an entry: the rule by which it is sized before it is sent, then what it was sized by.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="strategy",
            name="exit_percent",
            field=models.DecimalField(
                blank=True,
                decimal_places=6,
                help_text="How much of the position an exit closes whose alert names no quantity. Empty: all of it.",
                max_digits=9,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="strategy",
            name="max_notional",
            field=models.DecimalField(
                blank=True,
                decimal_places=9,
                help_text="Quantity times price, in money.",
                max_digits=21,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="strategy",
            name="max_quantity",
            field=models.DecimalField(
                blank=True,
                decimal_places=9,
                help_text="Of an entry. Empty: no bound.",
                max_digits=21,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="strategy",
            name="min_notional",
            field=models.DecimalField(
                blank=True,
                decimal_places=9,
                help_text="Quantity times price, in money.",
                max_digits=21,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="strategy",
            name="min_quantity",
            field=models.DecimalField(
                blank=True,
                decimal_places=9,
                help_text="Of an entry. Empty: what the broker asks for.",
                max_digits=21,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="strategy",
            name="sizing_method",
            field=models.CharField(
                choices=[
                    ("FIXED", "The default quantity"),
                    ("CASH", "An amount of money"),
                    (
                        "PERCENT_OF_EQUITY",
                        "Percent of the account's equity",
                    ),
                    (
                        "RISK_AMOUNT",
                        "Risk an amount of money, by the stop loss",
                    ),
                    (
                        "RISK_PERCENT",
                        "Risk percent of the equity, by the stop loss",
                    ),
                ],
                default="FIXED",
                help_text="How much an entry is to trade whose alert names no quantity.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="strategy",
            name="sizing_value",
            field=models.DecimalField(
                blank=True,
                decimal_places=9,
                help_text="The amount of money, or the percentage; nothing for a fixed quantity.",
                max_digits=21,
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="attentionitem",
            name="kind",
            field=models.CharField(
                choices=[
                    ("OUTCOME_UNKNOWN", "Outcome unknown"),
                    ("MARKET_ORDER_UNFILLED", "Market order not filled"),
                    ("OVERFILL", "Filled beyond its quantity"),
                    ("DUPLICATE_AT_BROKER", "The broker has it more than once"),
                    ("DENIED_BUT_SENT", "Denied, and the broker has it"),
                    ("NO_WORKER_FREE", "No worker free for a trader"),
                    ("WORKER_WEDGED", "A worker stopped making progress"),
                    ("CREDENTIALS_REFUSED", "The broker refused the credentials"),
                    ("REQUEST_UNANSWERED", "A cancel or replace is not answered"),
                    ("DEAD_LETTER", "A task failed again and again"),
                    ("ORPHAN", "Something without its counterpart"),
                    ("MARKET_HOURS_MISSING", "A market's hours are not known for long"),
                    ("UNMATCHED_REPORT", "A broker's report of no order of ours"),
                    ("BROKER_COUNTS_LESS", "The broker counts fewer fills than the desk"),
                    ("INSTRUMENTS_STALE", "A broker's instruments have not been read for days"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("order_qty__gt", 0),
                    models.Q(
                        (
                            "ord_status__in",
                            ["INITIALIZED", "DENIED"],
                        ),
                        ("order_qty", 0),
                        ("sizing__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="order_qty_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("sizing_method", "FIXED"),
                        ("sizing_value", None),
                    ),
                    models.Q(
                        ("sizing_value__gt", 0),
                        ("sizing_value__isnull", False),
                        models.Q(
                            (
                                "sizing_method__in",
                                [
                                    "CASH",
                                    "RISK_AMOUNT",
                                ],
                            ),
                            models.Q(
                                (
                                    "sizing_method",
                                    "PERCENT_OF_EQUITY",
                                ),
                                ("sizing_value__lte", 1000),
                            ),
                            models.Q(
                                ("sizing_method", "RISK_PERCENT"),
                                ("sizing_value__lte", 100),
                            ),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="strategy_sizing_value_fits",
                violation_error_message="Give the rule an amount above zero or a percentage (a risk of at most 100, of equity at most 1000), and a fixed quantity neither.",
            ),
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("exit_percent", None),
                    models.Q(("exit_percent__gt", 0), ("exit_percent__lte", 100)),
                    _connector="OR",
                ),
                name="strategy_exit_percent_fits",
                violation_error_message="An exit closes more than 0 and at most 100 percent of the position.",
            ),
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.CheckConstraint(
                condition=models.Q(("min_quantity", None), ("min_quantity__gt", 0), _connector="OR"),
                name="strategy_min_quantity_positive",
                violation_error_message="A limit is above zero.",
            ),
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_quantity", None), ("max_quantity__gt", 0), _connector="OR"),
                name="strategy_max_quantity_positive",
                violation_error_message="A limit is above zero.",
            ),
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.CheckConstraint(
                condition=models.Q(("min_notional", None), ("min_notional__gt", 0), _connector="OR"),
                name="strategy_min_notional_positive",
                violation_error_message="A limit is above zero.",
            ),
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_notional", None), ("max_notional__gt", 0), _connector="OR"),
                name="strategy_max_notional_positive",
                violation_error_message="A limit is above zero.",
            ),
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("min_quantity", None),
                        ("max_quantity", None),
                        ("min_quantity__lte", models.F("max_quantity")),
                        _connector="OR",
                    ),
                    models.Q(
                        ("min_notional", None),
                        ("max_notional", None),
                        ("min_notional__lte", models.F("max_notional")),
                        _connector="OR",
                    ),
                ),
                name="strategy_limits_in_order",
                violation_error_message="A minimum is not above its maximum.",
            ),
        ),
    ]
