#!/usr/bin/python3
"""What the CRM does to its leads, a function each.  steps.py NAME runs one and
prints what the app sees of it."""
import os
import sys

import django
from django.db import connection, transaction

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from crm.models import Lead, LeadShown, User  # noqa: E402


def save_again():
    """create(), then save() of the same object: writes every column back."""
    lead = Lead.objects.create(company="save again")
    before = lead.owner_id
    lead.stage = "talking"
    lead.save()
    lead.refresh_from_db()
    return before, lead.stage, lead.owner.name


def save_again_same_transaction():
    with transaction.atomic():
        lead = Lead.objects.create(company="save again")
        lead.stage = "talking"
        lead.save()
    lead.refresh_from_db()
    return lead.stage, lead.owner.name


def save_what_was_read():
    lead = Lead.objects.create(company="read")
    lead.refresh_from_db()
    owner = lead.owner.name
    lead.stage = "talking"
    lead.save()
    lead.refresh_from_db()
    return owner, lead.stage, lead.owner.name


def save_update_fields():
    lead = Lead.objects.create(company="update_fields")
    lead.stage = "talking"
    lead.save(update_fields=["stage"])
    lead.refresh_from_db()
    return lead.stage, lead.owner.name


def returned():
    """A field that Django reads back in the INSERT."""
    lead = LeadShown.objects.create(company="returned")
    many = LeadShown.objects.bulk_create(LeadShown(company="returned") for _ in range(2))
    return lead.owner.name, *(each.owner.name for each in many)


def release():
    lead = Lead.objects.create(company="release")
    lead.refresh_from_db()
    before = lead.owner.name
    lead.owner = None
    lead.save()
    lead.refresh_from_db()
    kept = lead.owner.name
    lead.owner = None
    lead.save(update_fields=["owner"])
    lead.refresh_from_db()
    return before, kept, lead.owner.name


def move():
    lead = Lead.objects.create(company="move")
    lead.owner = User.objects.get(name="chiara")
    lead.save()
    lead.refresh_from_db()
    return lead.owner.name


def by_position():
    """100 leads in one statement; Django gives them their keys by position."""
    leads = [Lead(company=f"c{n}", email=f"lead{n % 90}@example.com", stage="spam" if n % 7 == 0 else "new") for n in range(100)]
    Lead.objects.bulk_create(leads)
    wrong = [lead for lead in leads if Lead.objects.get(pk=lead.pk).company != lead.company]
    return len({lead.pk for lead in leads}), len(wrong)


def update_or_create():
    first, made = Lead.objects.update_or_create(company="upsert", defaults={"stage": "new"})
    first.refresh_from_db()
    again, made_again = Lead.objects.update_or_create(company="upsert", defaults={"stage": "talking"})
    return made, made_again, again.stage, again.owner == first.owner


def rolled_back():
    """Half of it in a savepoint, then all of it."""
    try:
        with transaction.atomic():
            Lead.objects.create(company="rolled back")
            try:
                with transaction.atomic():
                    Lead.objects.create(company="rolled back")
                    raise KeyError
            except KeyError:
                pass
            raise ValueError
    except ValueError:
        return Lead.objects.filter(company="rolled back").count()


def actor():
    """Who acts behind the application's role, for this transaction alone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('leadroute.actor', 'user 42', true)")
        lead = Lead.objects.create(company="actor")
    with connection.cursor() as cursor:
        cursor.execute("SELECT actor FROM leadroute.assignment WHERE lead_key = %s AND is_current", [str(lead.pk)])
        by_actor = cursor.fetchone()[0]
        cursor.execute("SELECT current_setting('leadroute.actor')")
        return by_actor, cursor.fetchone()[0]


seen = globals()[sys.argv[1]]()
print(*seen if isinstance(seen, tuple) else [seen])
