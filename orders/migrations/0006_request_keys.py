"""Further idempotency keys of cancels; what is there stays."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

REVOKE = 'REVOKE UPDATE, DELETE, TRUNCATE ON orders_orderrequestkey FROM "{runtime}";'


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_resolution"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="OrderRequestKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("idempotency_key", models.CharField(max_length=200)),
                ("request_digest", models.CharField(blank=True, max_length=64)),
                ("received_at", models.DateTimeField()),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="further_keys",
                        to="orders.orderrequest",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "idempotency_key"), name="orderrequestkey_unique")
                ],
            },
        ),
        migrations.RunSQL(REVOKE.format(runtime=settings.RUNTIME_ROLE), migrations.RunSQL.noop),
    ]
