"""What every broker has to trade."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0004_market"),
    ]

    operations = [
        migrations.CreateModel(
            name="Instrument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "broker",
                    models.CharField(
                        choices=[
                            ("paper", "Paper venue"),
                            ("paper_c", "Paper venue that takes an id twice"),
                            ("alpaca", "Alpaca"),
                        ],
                        max_length=16,
                    ),
                ),
                ("symbol", models.CharField(max_length=32)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("exchange", models.CharField(blank=True, max_length=32)),
                ("currency", models.CharField(max_length=8)),
                (
                    "ticks",
                    models.JSONField(
                        help_text="Pairs of a price and the tick that counts from it on, lowest first."
                    ),
                ),
                ("lot_step", models.DecimalField(decimal_places=9, max_digits=21)),
                (
                    "short_step",
                    models.DecimalField(decimal_places=9, help_text="Of what is sold short.", max_digits=21),
                ),
                ("min_qty", models.DecimalField(decimal_places=9, max_digits=21)),
                ("min_notional", models.DecimalField(blank=True, decimal_places=9, max_digits=21, null=True)),
                ("multiplier", models.DecimalField(decimal_places=9, default=1, max_digits=21)),
                ("tradable", models.BooleanField()),
                ("shortable", models.BooleanField()),
                ("fractionable", models.BooleanField()),
                ("marginable", models.BooleanField()),
                ("refreshed_at", models.DateTimeField(help_text="When the broker said so last.")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["broker", "refreshed_at"], name="instrument_refreshed"),
                    models.Index(
                        fields=["symbol"], name="instrument_symbol", opclasses=["varchar_pattern_ops"]
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("broker", "symbol"), name="instrument_symbol_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("lot_step__gt", 0),
                            ("min_qty__gt", 0),
                            ("multiplier__gt", 0),
                            ("short_step__gt", 0),
                        ),
                        name="instrument_steps_positive",
                    ),
                ],
            },
        ),
    ]
