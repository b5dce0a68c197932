# Needs: django
#
# Django (design: "What real applications do"): an app with migrations, models
# and tests of its own, test/clients/django.
#
# Fails when save() of an object that shows no owner takes the owner away; when
# objects of bulk_create() get the keys of other rows; when reading back is not
# as the README says; or when anything of a test that Django has rolled back is
# left in rules, turns, loads or journal.

use strict;
use warnings FATAL => 'all';

use ClientTest;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

# What a DBA does once; the app does the rest by its migrations.
$node->safe_psql('postgres', 'CREATE ROLE crm LOGIN CREATEDB');
$node->safe_psql('postgres', 'CREATE DATABASE with_leadroute IS_TEMPLATE true OWNER crm');
$node->safe_psql('with_leadroute', q(CREATE EXTENSION leadroute; SELECT leadroute.grant_to('crm', 'admin'); SELECT leadroute.grant_to('crm', 'analyst')));
$node->safe_psql('postgres', 'CREATE DATABASE crm TEMPLATE with_leadroute OWNER crm');

my $crm = ClientTest->new($node, 'crm', directory => 'django', program => [ '/usr/bin/python3', 'steps.py' ]);
my ($rc, $out) = $crm->run('/usr/bin/python3', 'manage.py', 'migrate', '--verbosity=0');
is("$rc $out", '0 ', 'the migrations attach the table');

is($crm->step('save_again'), 'None talking anna', 'create() shows no owner, save() of the same object keeps it');
is($crm->step('save_again_same_transaction'), 'talking bruno', 'in one transaction too');
is($crm->step('save_what_was_read'), 'chiara talking chiara', 'refresh_from_db() before save()');
is($crm->step('save_update_fields'), 'talking anna', 'save(update_fields=[...])');
is($crm->step('returned'), 'bruno chiara anna', 'a field with db_returning has the owner at once');
is($crm->step('release'), 'bruno bruno chiara', 'save() with owner None keeps the owner, update_fields=["owner"] alone releases');
is($crm->step('move'), 'chiara', 'save() with another owner is a move');
is($crm->step('update_or_create'), 'True False talking True', 'update_or_create()');
is($crm->step('rolled_back'), '0', 'atomic() that fails');
is($crm->step('actor'), 'user 42 ', 'leadroute.actor of one transaction, and of no other');
verify_ok($node, 'crm', 'after what the app has done');
credits_ok($node, 'crm', 'after what the app has done');

# Duplicates and leads in quarantine are rows like others.
$crm->batch_ok($node, 'by_position', 'each object of bulk_create() has the key of its row', 'crm_lead');

# Its test suite, in a copy of the template that is kept to be looked at.
my $counters = 'SELECT * FROM leadroute.seat_counter() ORDER BY 1, 2, 3; SELECT * FROM leadroute.member_counter() ORDER BY 1, 2';
my $before = $node->safe_psql('crm', $counters);
($rc, $out) = $crm->run('/usr/bin/python3', 'manage.py', 'test', '--noinput', '--keepdb', '-v', '2');
like($out, qr/^OK$/m, "Django's TestCase and TransactionTestCase") or diag($out);
like($out, qr/^Ran 9 tests/m, 'all of them');
is( $node->safe_psql('crm_test', q(
	SELECT (SELECT count(*) FROM crm_lead), (SELECT count(*) FROM leadroute.rule), (SELECT sum(load) FROM leadroute.member_status),
		count(*), count(*) FILTER (WHERE is_current) FROM leadroute.assignment)),
	'0|1|0|2|0', 'what is left of them: two decisions of leads that are gone');
verify_ok($node, 'crm_test', 'after the test suite');
credits_ok($node, 'crm_test', 'after the test suite');
is($node->safe_psql('crm', $counters), $before, 'turns and loads of the app beside it are where they were');

$node->stop;
done_testing();
