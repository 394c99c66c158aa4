"""Which market an account trades, where it is not the one that its broker usually trades."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0003_paper_c"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="brokeraccount",
            name="market",
            field=models.CharField(
                blank=True,
                choices=[
                    ("24/7", "Around the clock"),
                    ("XNYS", "New York Stock Exchange"),
                    ("XTAI", "Taiwan Stock Exchange"),
                ],
                help_text="Whose hours count. Empty: the broker's usual one.",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="brokeraccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("market__in", ["", "24/7", "XNYS", "XTAI"])),
                name="brokeraccount_market_known",
            ),
        ),
    ]
