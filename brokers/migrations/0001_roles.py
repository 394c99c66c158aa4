"""What the runtime role and the auditor may do with every table that the owner will ever create."""

from django.conf import settings
from django.db import migrations

GRANTS = """
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['{runtime}', '{auditor}'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'The role % does not exist and % may not create it.', wanted, current_user
                    USING HINT = 'See docs/operations.md, Database roles.';
            END;
        END IF;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO "{runtime}", "{auditor}";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{runtime}";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{runtime}";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{auditor}";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "{runtime}";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO "{runtime}";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO "{auditor}";
"""

UNDO = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM "{runtime}", "{auditor}";
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM "{runtime}";
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{runtime}", "{auditor}";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "{runtime}";
REVOKE USAGE ON SCHEMA public FROM "{runtime}", "{auditor}";
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(
            GRANTS.format(runtime=settings.RUNTIME_ROLE, auditor=settings.AUDITOR_ROLE),
            UNDO.format(runtime=settings.RUNTIME_ROLE, auditor=settings.AUDITOR_ROLE),
        ),
    ]
