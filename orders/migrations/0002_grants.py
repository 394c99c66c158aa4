"""History is added to and read, never changed: by grants here, by triggers in the models."""

from django.conf import settings
from django.db import migrations

REVOKE = """
REVOKE UPDATE, DELETE, TRUNCATE ON orders_orderevent, orders_execution FROM "{runtime}";
REVOKE DELETE, TRUNCATE ON orders_order, orders_signal, orders_workerlease FROM "{runtime}";
"""
UNDO = """
GRANT UPDATE, DELETE ON orders_orderevent, orders_execution TO "{runtime}";
GRANT DELETE ON orders_order, orders_signal, orders_workerlease TO "{runtime}";
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]
    operations = [
        migrations.RunSQL(
            REVOKE.format(runtime=settings.RUNTIME_ROLE), UNDO.format(runtime=settings.RUNTIME_ROLE)
        ),
    ]
