"""An order's row begins recorded, moves as the state machine moves, and never without history: by trigger.

The indexes of what is unfinished get conditions that no statement's parameter can hide.
"""

import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0003_paper_c"),
        ("orders", "0003_requests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="orderrequest",
            name="orderrequest_answered_at",
        ),
        migrations.RemoveIndex(
            model_name="order",
            name="order_undelivered",
        ),
        migrations.RemoveIndex(
            model_name="orderrequest",
            name="orderrequest_open",
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("next_check_at__isnull", False)),
                fields=["user", "next_check_at"],
                name="order_unfinished",
            ),
        ),
        migrations.AddIndex(
            model_name="orderrequest",
            index=models.Index(
                condition=models.Q(("answered_at__isnull", True)),
                fields=["user"],
                name="orderrequest_unanswered",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="order",
            trigger=pgtrigger.compiler.Trigger(
                name="recorded_first",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.\"ord_status\" IS DISTINCT FROM 'INITIALIZED')",
                    func="RAISE EXCEPTION 'an order begins INITIALIZED, not %', NEW.ord_status USING ERRCODE = 'check_violation', CONSTRAINT = 'order_recorded_first';",
                    hash="dcfc31ceb4cf311fd90a0ec1f4069db7ea022f7d",
                    operation="INSERT",
                    pgid="pgtrigger_recorded_first_94c9e",
                    table="orders_order",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="order",
            trigger=pgtrigger.compiler.Trigger(
                name="legal_move",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.ord_status IS DISTINCT FROM NEW.ord_status)",
                    func="\nIF NOT (CASE NEW.ord_status\n    WHEN 'INITIALIZED' THEN OLD.ord_status IN ('SUBMITTED', 'REJECTED')\n    WHEN 'DENIED' THEN OLD.ord_status IN ('INITIALIZED')\n    WHEN 'SUBMITTED' THEN OLD.ord_status IN ('INITIALIZED', 'REJECTED')\n    WHEN 'PENDING_NEW' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_CANCEL', 'PENDING_REPLACE', 'REJECTED')\n    WHEN 'NEW' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED')\n    WHEN 'PARTIALLY_FILLED' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED')\n    WHEN 'FILLED' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'CANCELED', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED', 'EXPIRED')\n    WHEN 'DONE_FOR_DAY' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'CANCELED', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED', 'EXPIRED')\n    WHEN 'CANCELED' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'CANCELED', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED')\n    WHEN 'PENDING_CANCEL' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED')\n    WHEN 'PENDING_REPLACE' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED')\n    WHEN 'STOPPED' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'CANCELED', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED', 'EXPIRED')\n    WHEN 'SUSPENDED' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'CANCELED', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED', 'EXPIRED')\n    WHEN 'REJECTED' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED')\n    WHEN 'EXPIRED' THEN OLD.ord_status IN ('INITIALIZED', 'DENIED', 'SUBMITTED', 'PENDING_NEW', 'NEW', 'PARTIALLY_FILLED', 'FILLED', 'DONE_FOR_DAY', 'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'REJECTED', 'EXPIRED')\n    ELSE false\nEND) THEN\n    RAISE EXCEPTION 'an order never goes from % to %', OLD.ord_status, NEW.ord_status\n        USING ERRCODE = 'check_violation', CONSTRAINT = 'order_legal_move';\nEND IF;\nRETURN NEW;\n",
                    hash="3ea66a531910d6d119f0643bb17aaabcf924ada5",
                    operation='UPDATE OF "ord_status"',
                    pgid="pgtrigger_legal_move_d5d94",
                    table="orders_order",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="order",
            trigger=pgtrigger.compiler.Trigger(
                name="history_first",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN ((OLD.ord_status, OLD.order_qty, OLD.cum_qty, OLD.leaves_qty, OLD.avg_px) IS DISTINCT FROM (NEW.ord_status, NEW.order_qty, NEW.cum_qty, NEW.leaves_qty, NEW.avg_px))",
                    func="\nIF NOT EXISTS (\n    SELECT FROM orders_order AS row JOIN orders_orderevent AS event ON event.order_id = row.id\n    WHERE row.id = NEW.id AND event.xmin = row.xmin AND event.ord_status = NEW.ord_status\n) THEN\n    RAISE EXCEPTION 'an order changed without an event that says so: %', NEW.cl_ord_id\n        USING ERRCODE = 'check_violation', CONSTRAINT = 'order_history_first';\nEND IF;\nRETURN NULL;\n",
                    hash="3c9fb7e35bc6c78533fe0849ab4f4c41e6af14b5",
                    operation='UPDATE OF "ord_status", "order_qty", "cum_qty", "leaves_qty", "avg_px"',
                    pgid="pgtrigger_history_first_b1b83",
                    table="orders_order",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="orderrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answered_at__isnull", True), ("status__in", ["RECORDED", "SENT", "PENDING"])),
                    models.Q(
                        models.Q(("status__in", ["RECORDED", "SENT", "PENDING"]), _negated=True),
                        ("answered_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="orderrequest_answered_at",
            ),
        ),
    ]
