"""Resolving an order whose outcome is unknown: a permission, kinds of items, an adopted order's id."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0004_transitions"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="order",
            options={"permissions": [("resolve_order", "Can resolve an order whose outcome is unknown")]},
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
                    ("UNMATCHED_REPORT", "A broker's report of no order of ours"),
                ],
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="working_cl_ord_id",
            field=models.CharField(
                help_text="Under which the broker works it: of the last replace, or its own.", max_length=128
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("working_cl_ord_id", models.F("cl_ord_id")), _negated=True),
                fields=["account", "working_cl_ord_id"],
                name="order_by_working_id",
            ),
        ),
    ]
