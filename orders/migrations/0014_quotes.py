"""The latest quotes, and what a position is worth by them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0004_market"),
        ("orders", "0013_protection"),
    ]

    operations = [
        migrations.AddField(
            model_name="position",
            name="mark_px",
            field=models.DecimalField(
                blank=True,
                decimal_places=10,
                help_text="The middle of bid and ask.",
                max_digits=24,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="position",
            name="market_value",
            field=models.DecimalField(blank=True, decimal_places=18, max_digits=60, null=True),
        ),
        migrations.AddField(
            model_name="position",
            name="quote_time",
            field=models.DateTimeField(blank=True, help_text="Of the quote that it is valued at.", null=True),
        ),
        migrations.AddField(
            model_name="position",
            name="unrealized_pct",
            field=models.DecimalField(blank=True, decimal_places=4, max_digits=40, null=True),
        ),
        migrations.AddField(
            model_name="position",
            name="unrealized_pnl",
            field=models.DecimalField(blank=True, decimal_places=18, max_digits=60, null=True),
        ),
        migrations.AddField(
            model_name="position",
            name="valued_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="Quote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("symbol", models.CharField(max_length=32)),
                ("bid_px", models.DecimalField(blank=True, decimal_places=9, max_digits=21, null=True)),
                ("ask_px", models.DecimalField(blank=True, decimal_places=9, max_digits=21, null=True)),
                (
                    "quote_time",
                    models.DateTimeField(blank=True, help_text="By the broker's clock.", null=True),
                ),
                (
                    "fetched_at",
                    models.DateTimeField(blank=True, help_text="When the broker last answered.", null=True),
                ),
                (
                    "wanted_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When somebody asked for a newer one; empty once it has come.",
                        null=True,
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quotes",
                        to="brokers.brokeraccount",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "symbol"), name="quote_one_a_symbol"),
                    models.CheckConstraint(
                        condition=models.Q(("bid_px__isnull", True), ("bid_px__gt", 0), _connector="OR"),
                        name="quote_bid_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ask_px__isnull", True), ("ask_px__gt", 0), _connector="OR"),
                        name="quote_ask_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("bid_px__isnull", True),
                            ("ask_px__isnull", True),
                            ("bid_px__lte", models.F("ask_px")),
                            _connector="OR",
                        ),
                        name="quote_not_crossed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("fetched_at__isnull", False), ("quote_time__isnull", False)),
                            models.Q(("ask_px__isnull", True), ("bid_px__isnull", True)),
                            _connector="OR",
                        ),
                        name="quote_has_its_time",
                    ),
                ],
            },
        ),
    ]
