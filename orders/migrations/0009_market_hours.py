"""When markets trade: the calendars' sessions, and operators' words over them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0008_positions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="eligible_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Not to be sent before. Of one that was denied because its market is closed: when that opens.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="MarketSession",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "market",
                    models.CharField(
                        choices=[("XNYS", "New York Stock Exchange"), ("XTAI", "Taiwan Stock Exchange")],
                        max_length=8,
                    ),
                ),
                ("day", models.DateField(help_text="By the exchange's own clock.")),
                ("opens_at", models.DateTimeField()),
                ("closes_at", models.DateTimeField()),
                (
                    "half_day",
                    models.BooleanField(
                        default=False, help_text="It opens later or closes earlier than usual."
                    ),
                ),
                ("refreshed_at", models.DateTimeField(help_text="When the calendar said so last.")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("market", "day"), name="marketsession_one_a_day"),
                    models.CheckConstraint(
                        condition=models.Q(("opens_at__lt", models.F("closes_at"))),
                        name="marketsession_opens_before_it_closes",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MarketOverride",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "market",
                    models.CharField(
                        choices=[("XNYS", "New York Stock Exchange"), ("XTAI", "Taiwan Stock Exchange")],
                        max_length=8,
                    ),
                ),
                ("day", models.DateField(help_text="By the exchange's own clock.")),
                (
                    "closed",
                    models.BooleanField(default=False, help_text="It does not open on that day at all."),
                ),
                ("opens", models.TimeField(blank=True, help_text="By the exchange's own clock.", null=True)),
                ("closes", models.TimeField(blank=True, help_text="By the exchange's own clock.", null=True)),
                ("reason", models.CharField(max_length=200)),
                ("set_at", models.DateTimeField(auto_now=True)),
                (
                    "set_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("market", "day"), name="marketoverride_one_a_day"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed", True), ("closes", None), ("opens", None)),
                            models.Q(
                                ("closed", False),
                                ("closes__isnull", False),
                                ("opens__isnull", False),
                                ("opens__lt", models.F("closes")),
                            ),
                            _connector="OR",
                        ),
                        name="marketoverride_closed_or_hours",
                        violation_error_message="Say that it is closed, or when it opens and, after that, closes.",
                    ),
                ],
            },
        ),
    ]
