"""What comparing with a broker finds: runs, findings, halts, and ids that others chose."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

REVOKE = """
REVOKE DELETE, TRUNCATE ON orders_reconciliationrun, orders_reconciliationfinding, orders_accounthalt,
    orders_outsideid FROM "{runtime}";
"""
UNDO = """
GRANT DELETE ON orders_reconciliationrun, orders_reconciliationfinding, orders_accounthalt, orders_outsideid
TO "{runtime}";
"""


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0004_market"),
        ("orders", "0014_quotes"),
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
                    ("UNPROTECTED", "A position without its stop loss"),
                    ("OVERCLOSED", "More was closed than was held"),
                    ("DRIFT_HALT", "An account's books differ: its entries are halted"),
                    ("CASH_DIFFERS", "An account's cash is not what its fills explain"),
                ],
                max_length=32,
            ),
        ),
        migrations.CreateModel(
            name="ReconciliationRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("worker", models.CharField(max_length=255)),
                ("epoch", models.BigIntegerField(help_text="Of the lease under which it was done.")),
                (
                    "since",
                    models.DateTimeField(help_text="From when on the broker was asked for orders and fills."),
                ),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "is_settled",
                    models.BooleanField(
                        default=False,
                        help_text="The broker's books stood still, so that positions and cash were compared.",
                    ),
                ),
                ("orders_seen", models.PositiveIntegerField(default=0)),
                ("executions_seen", models.PositiveIntegerField(default=0)),
                ("positions_seen", models.PositiveIntegerField(default=0)),
                ("broker_cash", models.DecimalField(blank=True, decimal_places=18, max_digits=60, null=True)),
                (
                    "booked_cash",
                    models.DecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="What the fills have brought in.",
                        max_digits=60,
                        null=True,
                    ),
                ),
                (
                    "is_cash_base",
                    models.BooleanField(
                        default=False,
                        help_text="From here on cash is compared: what came before explains nothing of it.",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliations",
                        to="brokers.brokeraccount",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReconciliationFinding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("runs_seen", models.PositiveIntegerField(default=1)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("MISSED_FILL", "Fills that the desk had missed"),
                            ("ORDER_CHANGED", "An order that had changed unnoticed"),
                            ("ORDER_MISSING", "A working order that the broker does not have"),
                            ("EXTERNAL_ORDER", "An order that the desk did not send"),
                            ("REPLACED_OUTSIDE", "An order replaced at the broker's own site"),
                            ("POSITION_DIFFERS", "A position that no execution explains"),
                            ("CORPORATE_ACTION", "A split, or another corporate action"),
                            ("CASH_DIFFERS", "Cash that no execution explains"),
                            ("EXIT_CANCELED", "An exit of a position that is closed already"),
                        ],
                        max_length=32,
                    ),
                ),
                ("symbol", models.CharField(blank=True, max_length=32)),
                ("broker_order_id", models.CharField(blank=True, max_length=64)),
                ("ours", models.CharField(blank=True, max_length=200)),
                ("theirs", models.CharField(blank=True, max_length=200)),
                ("our_qty", models.DecimalField(blank=True, decimal_places=9, max_digits=21, null=True)),
                (
                    "their_qty",
                    models.DecimalField(
                        blank=True,
                        decimal_places=9,
                        help_text="Of a position: signed.",
                        max_digits=21,
                        null=True,
                    ),
                ),
                ("done", models.CharField(help_text="What the desk did about it.", max_length=300)),
                ("found_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                ("resolution", models.CharField(blank=True, max_length=500)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliation_findings",
                        to="brokers.brokeraccount",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliation_findings",
                        to="orders.order",
                    ),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliation_findings",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "last_run",
                    models.ForeignKey(
                        help_text="That saw it last.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.reconciliationrun",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        help_text="That found it first.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="findings",
                        to="orders.reconciliationrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AccountHalt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("since", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lift_reason", models.CharField(blank=True, max_length=500)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="halts",
                        to="brokers.brokeraccount",
                    ),
                ),
                (
                    "lifted_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: lifted by itself, once everything was explained.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="account_halts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=("account",),
                        name="accounthalt_one_stands",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutsideId",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cl_ord_id", models.CharField(max_length=128)),
                ("broker_order_id", models.CharField(max_length=64)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="outside_ids",
                        to="brokers.brokeraccount",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="outside_ids",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["account", "cl_ord_id"], name="outsideid_by_cl_ord_id")],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "broker_order_id"), name="outsideid_once")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="reconciliationrun",
            index=models.Index(fields=["account", "-id"], name="reconciliationrun_recent"),
        ),
        migrations.AddIndex(
            model_name="reconciliationfinding",
            index=models.Index(fields=["account", "-id"], name="finding_recent"),
        ),
        migrations.AddIndex(
            model_name="reconciliationfinding",
            index=models.Index(fields=["order"], name="finding_order"),
        ),
        migrations.AddConstraint(
            model_name="reconciliationfinding",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resolved_at__isnull", True)),
                fields=("account", "kind", "symbol", "broker_order_id"),
                name="finding_one_open",
            ),
        ),
        migrations.RunSQL(
            REVOKE.format(runtime=settings.RUNTIME_ROLE), UNDO.format(runtime=settings.RUNTIME_ROLE)
        ),
    ]
