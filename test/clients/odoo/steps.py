#!/usr/bin/python3
"""The statements that Odoo's ORM sends when it creates and imports leads: its
isolation level, batches, savepoints and later UPDATEs, by the driver that it
uses.  steps.py NAME [NUMBER] runs a function and prints what Odoo would see.
The server is the one of PGHOST and so on, as libpq has it."""
import sys
import threading
import uuid
from contextlib import contextmanager

import psycopg2
import psycopg2.extensions

BATCH = 100


@contextmanager
def cursor():
    """A request: one transaction at REPEATABLE READ, whose snapshot the lookup
    of the user's session takes before anything is stored."""
    connection = psycopg2.connect("")
    connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ)
    try:
        with connection.cursor() as cr:
            cr.execute('SELECT "id" FROM "res_users" WHERE "login" = %s', ("admin",))
            yield cr
        connection.commit()
    finally:
        connection.close()


@contextmanager
def savepoint(cr):
    name = uuid.uuid1().hex
    cr.execute(f'SAVEPOINT "{name}"')
    try:
        yield
    except Exception:
        cr.execute(f'ROLLBACK TO SAVEPOINT "{name}"')
        raise
    finally:
        cr.execute(f'RELEASE SAVEPOINT "{name}"')


def create(cr, records):
    """Up to a hundred rows a statement; the ids are given out by position."""
    ids = []
    for start in range(0, len(records), BATCH):
        rows = [(r["name"], r.get("email_from"), r.get("stage_id"), r.get("user_id")) for r in records[start : start + BATCH]]
        cr.execute(
            'INSERT INTO "crm_lead" ("name", "email_from", "stage_id", "user_id") VALUES '
            + ", ".join(["%s"] * len(rows)) + ' RETURNING "id"',
            rows,
        )
        ids += [row[0] for row in cr.fetchall()]
    return ids


def flush(cr, ids, records):
    """Computed fields are written later in the same transaction."""
    cr.execute(
        'UPDATE "crm_lead" SET "email_normalized" = "__tmp"."email_normalized"::VARCHAR, "stage_id" = "__tmp"."stage_id"::int4 FROM (VALUES '
        + ", ".join(["%s"] * len(ids))
        + ') AS "__tmp"("id", "email_normalized", "stage_id") WHERE "crm_lead"."id" = "__tmp"."id"',
        [(id, (r.get("email_from") or "").lower() or None, r.get("stage_id") or 1) for id, r in zip(ids, records)],
    )


def load(cr, records):
    """An import: all at once, else one by one to find what is wrong, and nothing
    of it if anything is."""
    errors = 0
    try:
        with savepoint(cr):
            try:
                with savepoint(cr):
                    ids = create(cr, records)
                    flush(cr, ids, records)
                    return ids
            except psycopg2.IntegrityError:
                pass
            for record in records:
                try:
                    with savepoint(cr):
                        flush(cr, create(cr, [record]), [record])
                except psycopg2.IntegrityError:
                    errors += 1
            raise ValueError
    except ValueError:
        return errors


def owners(cr, ids):
    cr.execute(
        "SELECT coalesce(u.login, '-') FROM unnest(%s) WITH ORDINALITY i (id, place) JOIN crm_lead l USING (id)"
        " LEFT JOIN res_users u ON u.id = l.user_id ORDER BY place",
        (ids,),
    )
    return tuple(row[0] for row in cr.fetchall())


def leads(prefix, count):
    return [{"name": f"{prefix}{n}", "email_from": f"{prefix}{n}@Example.com"} for n in range(count)]


def concurrent(clients=6, requests=25):
    """Serialization failures, each of which Odoo answers by doing the whole
    request again after a pause."""
    failures = []

    def client(number):
        for request in range(requests):
            records = leads(f"client {number} request {request} lead ", 3)
            try:
                with cursor() as cr:
                    flush(cr, create(cr, records), records)
            except psycopg2.Error as error:
                failures.append(error.pgcode)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (len(failures), *sorted(set(failures)))


def by_position():
    records = [{"name": f"c{n}", "email_from": f"lead{n % 90}@example.com", "stage_id": 9 if n % 7 == 0 else 1} for n in range(250)]
    with cursor() as cr:
        ids = create(cr, records)
        cr.execute("SELECT id, name FROM crm_lead WHERE id = ANY (%s)", (ids,))
        names = dict(cr.fetchall())
    return len(set(ids)), sum(names[id] != r["name"] for id, r in zip(ids, records))


def completed_later():
    """What the owner depends on comes with a later UPDATE."""
    records = [{"name": f"later {n}", "email_from": f"Later{n}@{domain}"} for n, domain in enumerate(("Big.example", "other.example", "BIG.example"))]
    with cursor() as cr:
        ids = create(cr, records)
        flush(cr, ids, records)
        before = owners(cr, ids)
    with cursor() as cr:
        return (*before, "then", *owners(cr, ids))


def dry_run():
    """The import's test button: everything is stored and taken back."""
    with cursor() as cr:
        try:
            with savepoint(cr):
                ids = load(cr, leads("dry ", 151))
                seen = len(owners(cr, ids))
                raise KeyError
        except KeyError:
            return seen


def failing_import():
    """The second row of three is wrong: five rows are tried, none is left."""
    records = leads("import ", 3)
    records[1]["stage_id"] = -1
    with cursor() as cr:
        return load(cr, records)


def corrected_import():
    with cursor() as cr:
        return owners(cr, load(cr, leads("import ", 3)))


def write_owner():
    """write() of other fields, and of the owner among them."""
    with cursor() as cr:
        (id,) = create(cr, leads("write ", 1))
        first = owners(cr, [id])
        cr.execute('UPDATE "crm_lead" SET "stage_id" = %s, "user_id" = %s WHERE "id" IN %s', (2, None, (id,)))
        kept = owners(cr, [id])
        cr.execute('UPDATE "crm_lead" SET "stage_id" = %s, "user_id" = %s WHERE "id" IN %s', (2, 3, (id,)))
        return (*first, *kept, *owners(cr, [id]))


seen = globals()[sys.argv[1]](*map(int, sys.argv[2:]))
print(*seen if isinstance(seen, tuple) else [seen])
