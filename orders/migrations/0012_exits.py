"""What an exit closes at its turn, and what the operators are told of reversals."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0011_exit_reasons"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="closes_whole",
            field=models.BooleanField(
                default=False,
                help_text="Of an exit: it closes what there is at its turn, more or less than recorded.",
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="exit_order",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Of an entry: the order by which the desk closes it first.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="orders.order",
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
                    ("REVERSAL_ABORTED", "A reversal was given up half-way"),
                    ("POSITION_DIFFERS", "The broker holds another position than the desk"),
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="auto_exit",
            field=models.BooleanField(
                default=False,
                help_text="Of an entry: it reverses. Of an exit: it makes room for one that does.",
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="exit_quantity",
            field=models.DecimalField(
                blank=True,
                decimal_places=9,
                help_text="Of the opposite position that is closed first.",
                max_digits=21,
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="position_before",
            field=models.DecimalField(
                blank=True, decimal_places=9, help_text="Signed: short is negative.", max_digits=21, null=True
            ),
        ),
    ]
