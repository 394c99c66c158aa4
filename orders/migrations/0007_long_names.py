"""Names that hold a host's in full, itself of up to 64 characters; one more kind of item on the attention list."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0006_request_keys"),
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
                    ("UNMATCHED_REPORT", "A broker's report of no order of ours"),
                    ("BROKER_COUNTS_LESS", "The broker counts fewer fills than the desk"),
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="heartbeat",
            name="name",
            field=models.CharField(
                help_text="The part, and its host where it has one.",
                max_length=255,
                primary_key=True,
                serialize=False,
            ),
        ),
        migrations.AlterField(
            model_name="orderevent",
            name="worker",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AlterField(
            model_name="workerlease",
            name="host",
            field=models.CharField(max_length=255),
        ),
        migrations.AlterField(
            model_name="workerlease",
            name="worker",
            field=models.CharField(max_length=255),
        ),
    ]
