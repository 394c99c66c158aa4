"""Say of the exits that are there already why they close, as their source tells it."""

from django.db import migrations

TELL = """
UPDATE orders_order
SET exit_reason = CASE WHEN source = 'webhook' THEN 'SIGNAL' ELSE 'MANUAL_EXIT' END
WHERE position_effect = 'CLOSE' AND exit_reason = '';
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0010_errands")]

    operations = [migrations.RunSQL(TELL, migrations.RunSQL.noop)]
