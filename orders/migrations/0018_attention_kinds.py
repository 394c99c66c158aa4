"""Every kind of item that an operator may find on the attention list."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0017_sizing"),
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
                    ("UNPROTECTED", "A position without its stop loss"),
                    ("OVERCLOSED", "More was closed than was held"),
                    ("REVERSAL_ABORTED", "A reversal was given up half-way"),
                    ("POSITION_DIFFERS", "The broker holds another position than the desk"),
                    ("DRIFT_HALT", "An account's books differ: its entries are halted"),
                    ("CASH_DIFFERS", "An account's cash is not what its fills explain"),
                    ("INSTRUMENTS_STALE", "A broker's instruments have not been read for days"),
                ],
                max_length=32,
            ),
        ),
    ]
