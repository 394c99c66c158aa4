"""Errands for a trader's worker, and what an order is for."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0004_market"),
        ("orders", "0009_market_hours"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
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
                    ("OVERFILLED", "Taken back: closed beyond what was held"),
                ],
                help_text="Of an exit: why it closes.",
                max_length=32,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="leg",
            field=models.CharField(
                blank=True,
                choices=[("STOP_LOSS", "Stop loss"), ("TAKE_PROFIT", "Take profit")],
                help_text="Of a protective exit: which.",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                help_text="For whose sake the desk made it: a reversal's entry, or what a protective exit protects.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="children",
                to="orders.order",
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="protection",
            field=models.JSONField(
                blank=True,
                help_text="Of an entry: the protective exits that were asked for with it.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="source",
            field=models.CharField(
                choices=[
                    ("webhook", "Webhook"),
                    ("dashboard", "Dashboard"),
                    ("api", "API"),
                    ("desk", "The desk"),
                    ("external", "Outside the desk"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="orderrequest",
            name="source",
            field=models.CharField(
                choices=[
                    ("webhook", "Webhook"),
                    ("dashboard", "Dashboard"),
                    ("api", "API"),
                    ("desk", "The desk"),
                    ("external", "Outside the desk"),
                ],
                max_length=16,
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
                    ("OVERFILLED", "Taken back: closed beyond what was held"),
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="trade",
            name="source",
            field=models.CharField(
                choices=[
                    ("webhook", "Webhook"),
                    ("dashboard", "Dashboard"),
                    ("api", "API"),
                    ("desk", "The desk"),
                    ("external", "Outside the desk"),
                ],
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="Errand",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("TEND_POSITION", "Tend a position: closing orders, reversals, protective exits"),
                            ("QUOTES", "Fetch quotes"),
                            ("RECONCILE", "Compare with the broker"),
                            ("INSTRUMENTS", "Read the broker's instruments"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "symbol",
                    models.CharField(
                        blank=True, help_text="Blank: it is about the whole account.", max_length=32
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("tries", models.PositiveIntegerField(default=0, help_text="How often it was put off.")),
                ("why", models.CharField(blank=True, help_text="Why it was put off last.", max_length=200)),
                ("written_at", models.DateTimeField(auto_now_add=True)),
                (
                    "version",
                    models.PositiveBigIntegerField(
                        default=1, help_text="Grows each time it is asked for again."
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="errands",
                        to="brokers.brokeraccount",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="errands",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "due_at"], name="errand_of_user"),
                    models.Index(fields=["due_at"], name="errand_due"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "kind", "symbol"), name="errand_once")
                ],
            },
        ),
    ]
