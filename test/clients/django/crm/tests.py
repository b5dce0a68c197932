"""The CRM's own tests, as Django runs them: rules are changed and leads are
stored in transactions that are rolled back (TestCase), or tables are emptied
between tests (TransactionTestCase)."""
from django.db import connection
from django.test import TestCase, TransactionTestCase

from crm.models import Lead, User


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else None


def owner_of(**values):
    lead = Lead.objects.create(**values)
    lead.refresh_from_db()
    return lead.owner.name if lead.owner else None


class RulesInATestCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        # a transaction around all tests of the class; each test is a savepoint
        sql("INSERT INTO leadroute.team (name) VALUES ('dach')")
        sql("INSERT INTO leadroute.team_member (team, member) VALUES ('dach', 'chiara')")
        sql("INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('german', 1, %s, 'dach')", "country = 'DE'")

    def test_rule_of_the_class(self):
        self.assertEqual([owner_of(company="x", country="DE") for _ in range(3)], ["chiara"] * 3)
        self.assertEqual(owner_of(company="x", country="FR"), "anna")

    def test_again_turns_start_where_they_were(self):
        self.assertEqual([owner_of(company="x", country="FR") for _ in range(4)], ["anna", "bruno", "chiara", "anna"])

    def test_rule_of_the_test(self):
        sql("UPDATE leadroute.rule SET condition = %s WHERE name = 'german'", "country IN ('DE', 'AT')")
        self.assertEqual(owner_of(company="x", country="AT"), "chiara")
        sql("DELETE FROM leadroute.rule WHERE name = 'everyone'")
        self.assertIsNone(owner_of(company="x", country="FR"))

    def test_rule_of_another_test_is_gone(self):
        self.assertEqual(owner_of(company="x", country="AT"), "anna")

    def test_rule_that_is_refused(self):
        from django.db import ProgrammingError, transaction

        with self.assertRaises(ProgrammingError), transaction.atomic():
            sql("INSERT INTO leadroute.rule (name, condition) VALUES ('typo', 'contry IS NULL')")
        self.assertEqual(owner_of(company="x"), "anna")

    def test_capacity(self):
        sql("UPDATE leadroute.member SET capacity = 1")
        self.assertEqual([owner_of(company="x") for _ in range(4)], ["anna", "bruno", "chiara", None])
        Lead.objects.filter(owner__name="bruno").update(stage="won")
        self.assertEqual(owner_of(company="x"), "bruno")


class WithoutTheRulesOfTheClass(TestCase):
    def test_first_turn_is_the_first(self):
        self.assertEqual([owner_of(company="x", country="DE") for _ in range(2)], ["anna", "bruno"])

    def test_owner_goes(self):
        lead = Lead.objects.create(company="x")
        User.objects.get(name="anna").delete()
        lead.refresh_from_db()
        self.assertEqual(lead.owner.name, "bruno")


class CommittedAndEmptied(TransactionTestCase):
    """Django empties its tables after each test, by TRUNCATE: users as well."""

    def test_committed(self):
        for _ in range(2):
            Lead.objects.create(company="x", country="FR")
        self.assertEqual(sql("SELECT sum(load) FROM leadroute.member_status"), [(2,)])
        self.assertEqual(sql("SELECT * FROM leadroute.verify()"), [])
