"""Exit rules, the best mark of a trade, and what the operators are told of them."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0018_attention_kinds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="position",
            name="stale_since",
            field=models.DateTimeField(
                blank=True, help_text="Since when an exit rule has waited for a fresh quote.", null=True
            ),
        ),
        migrations.AddField(
            model_name="trade",
            name="best_mark_px",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="The best price that it was valued at since its first fill.",
                max_digits=24,
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
                    ("UNPROTECTED", "A position without its stop loss"),
                    ("OVERCLOSED", "More was closed than was held"),
                    ("REVERSAL_ABORTED", "A reversal was given up half-way"),
                    ("POSITION_DIFFERS", "The broker holds another position than the desk"),
                    ("DRIFT_HALT", "An account's books differ: its entries are halted"),
                    ("CASH_DIFFERS", "An account's cash is not what its fills explain"),
                    ("INSTRUMENTS_STALE", "A broker's instruments have not been read for days"),
                    ("STALE_QUOTE", "An exit rule waits for a fresh quote"),
                    ("EXIT_RULE_FAILED", "An exit by a rule was refused or canceled"),
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="exit_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("SIGNAL", "Its strategy's exit"),
                    ("MANUAL_EXIT", "Closed by hand"),
                    ("REVERSED", "Reversed by an entry on the other side"),
                    ("STOPPED_OUT", "Its stop loss"),
                    ("PROFIT_TAKEN", "Its profit target"),
                    ("FLATTENED", "Everything was closed"),
                    ("STOP_LOSS_RULE", "The rule for a loss"),
                    ("TRAILING_RULE", "The rule for a fall from its best price"),
                    ("PROFIT_TARGET", "The rule for a gain"),
                    ("EXPIRY_NEAR", "The rule for an expiry that is near"),
                    ("SESSION_END", "The rule for the end of the session"),
                    ("MAX_HOLD", "The rule for the longest hold"),
                    ("OVERFILLED", "Taken back: closed beyond what was held"),
                ],
                help_text="Of an exit: why it closes.",
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="trade",
            name="exit_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("SIGNAL", "Its strategy's exit"),
                    ("MANUAL_EXIT", "Closed by hand"),
                    ("REVERSED", "Reversed by an entry on the other side"),
                    ("STOPPED_OUT", "Its stop loss"),
                    ("PROFIT_TAKEN", "Its profit target"),
                    ("FLATTENED", "Everything was closed"),
                    ("STOP_LOSS_RULE", "The rule for a loss"),
                    ("TRAILING_RULE", "The rule for a fall from its best price"),
                    ("PROFIT_TARGET", "The rule for a gain"),
                    ("EXPIRY_NEAR", "The rule for an expiry that is near"),
                    ("SESSION_END", "The rule for the end of the session"),
                    ("MAX_HOLD", "The rule for the longest hold"),
                    ("OVERFILLED", "Taken back: closed beyond what was held"),
                ],
                max_length=32,
            ),
        ),
        migrations.CreateModel(
            name="ExitRules",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "stands_alone",
                    models.BooleanField(
                        default=False, help_text="The trader's defaults do not count for this strategy."
                    ),
                ),
                (
                    "profit_target_pct",
                    models.DecimalField(
                        blank=True,
                        decimal_places=4,
                        help_text="Closes at this gain from the average entry price.",
                        max_digits=7,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.0001"))],
                        verbose_name="profit target, %",
                    ),
                ),
                (
                    "stop_loss_pct",
                    models.DecimalField(
                        blank=True,
                        decimal_places=4,
                        help_text="Closes at this loss from the average entry price.",
                        max_digits=7,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.0001"))],
                        verbose_name="stop loss, %",
                    ),
                ),
                (
                    "trailing_pct",
                    models.DecimalField(
                        blank=True,
                        decimal_places=4,
                        help_text="Closes so far from the best price since the entry.",
                        max_digits=7,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.0001"))],
                        verbose_name="trailing stop, %",
                    ),
                ),
                (
                    "max_hold_minutes",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Closes so long after the first fill. A day has 1440.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(527040),
                        ],
                        verbose_name="longest hold, minutes",
                    ),
                ),
                (
                    "days_to_expiry",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Closes options so many days before they expire; 0: on the day itself.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(366)],
                        verbose_name="days to expiry",
                    ),
                ),
                (
                    "minutes_before_close",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Closes so long before the market does.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1440),
                        ],
                        verbose_name="minutes before the close",
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "strategy",
                    models.OneToOneField(
                        blank=True,
                        help_text="Empty: the trader's defaults, for every strategy and for orders by hand.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exit_rules",
                        to="orders.strategy",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exit_rules",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "exit rules",
                "verbose_name_plural": "exit rules",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("strategy__isnull", True)),
                        fields=("user",),
                        name="exitrules_one_default",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("profit_target_pct__isnull", True),
                                ("profit_target_pct__gt", 0),
                                _connector="OR",
                            ),
                            models.Q(
                                ("stop_loss_pct__isnull", True), ("stop_loss_pct__gt", 0), _connector="OR"
                            ),
                            models.Q(
                                ("trailing_pct__isnull", True), ("trailing_pct__gt", 0), _connector="OR"
                            ),
                        ),
                        name="exitrules_pct_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("max_hold_minutes__isnull", True),
                                ("max_hold_minutes__gt", 0),
                                _connector="OR",
                            ),
                            models.Q(
                                ("minutes_before_close__isnull", True),
                                ("minutes_before_close__gt", 0),
                                _connector="OR",
                            ),
                        ),
                        name="exitrules_minutes_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("strategy__isnull", False), ("stands_alone", False), _connector="OR"
                        ),
                        name="exitrules_default_stands_for_all",
                    ),
                ],
            },
        ),
    ]
