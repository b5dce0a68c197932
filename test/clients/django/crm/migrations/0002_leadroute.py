"""Leads are routed.  A migration may run twice: attach() is repeatable."""
from django.db import migrations


def add_users(apps, schema_editor):
    apps.get_model("crm", "User").objects.bulk_create(
        apps.get_model("crm", "User")(name=name) for name in ("anna", "bruno", "chiara")
    )


class Migration(migrations.Migration):
    dependencies = [("crm", "0001_initial")]
    operations = [
        migrations.RunPython(add_users),
        migrations.RunSQL(
            """
            SELECT leadroute.attach('crm_lead', 'owner_id', name => 'leads', closed_when => $$stage IN ('won', 'lost')$$);
            INSERT INTO leadroute.member (name, owner_value) SELECT name, id FROM crm_user;
            INSERT INTO leadroute.rule (name) VALUES ('everyone');
            """
        ),
    ]
