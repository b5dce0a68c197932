# DROP EXTENSION and CREATE EXTENSION, committed or not, in transactions with
# routed leads, beside the worker and beside prepared transactions; and DROP
# DATABASE: what others have reserved stays, what is gone leaves nothing in
# shared memory.
#
# Fails when slots in use are freed, when a rolled back DROP EXTENSION loses
# turns or load, or when entries of what was dropped stay.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node(
	'main', 'max_prepared_transactions = 5', 'log_min_messages = debug1',
	'leadroute.max_databases = 3', 'leadroute.max_prepared_counters = 100');

my $create = q(
	CREATE EXTENSION leadroute;
	SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'closed'$$);
	INSERT INTO leadroute.member (name, capacity) VALUES ('anna', 2), ('bruno', 2), ('chiara', NULL);
	INSERT INTO leadroute.rule (name) VALUES ('everyone'););
my $table = q(
	CREATE TABLE lead (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		stage text NOT NULL DEFAULT 'new',
		owner text););
my $drop = 'DROP EXTENSION leadroute CASCADE;';
my $insert = 'INSERT INTO lead (stage) VALUES ($$new$$) RETURNING owner;';

# owners(database, SQL): the owners that its INSERTs have returned.
sub owners
{
	my ($dbname, $sql) = @_;

	return join ' ', grep { /^(anna|bruno|chiara)$/ } split /\n/,
	  $node->safe_psql($dbname, "SET client_min_messages = error; $sql");
}

# Loads and turns are where they were.
sub unchanged_ok
{
	my ($what) = @_;

	verify_ok($node, 'postgres', $what);
	credits_ok($node, 'postgres', $what);
	invariants_ok($node, 'postgres', 'lead', $what);
	is(owners('postgres', "BEGIN; $insert $insert $insert $insert ROLLBACK"),
		'bruno chiara anna bruno', "the turn goes on: $what");
	return;
}

$node->safe_psql('postgres', $table . $create);
is(owners('postgres', $insert), 'anna', 'the first lead');
unchanged_ok('at first');

owners('postgres', "BEGIN; $drop ROLLBACK");
unchanged_ok('DROP EXTENSION is rolled back');
owners('postgres', "BEGIN; $insert $drop ROLLBACK");
unchanged_ok('a lead and DROP EXTENSION are rolled back');
is(owners('postgres', "BEGIN; $drop $create $insert $insert ROLLBACK"),
	'anna bruno', 'another extension in the same transaction begins anew');
unchanged_ok('DROP and CREATE EXTENSION are rolled back');
is( owners('postgres', "BEGIN; SAVEPOINT a; $drop $create $insert ROLLBACK TO a; $insert ROLLBACK"),
	'anna bruno', 'and in a subtransaction');
unchanged_ok('DROP and CREATE EXTENSION were rolled back in a subtransaction');

my ($rc, $out, $err) = $node->psql('postgres', "BEGIN; $insert $drop $create ROLLBACK");
like($err, qr/ERROR:  leadroute was dropped or created in a transaction that has routed leads\n.*HINT:  Run DROP EXTENSION/s,
	'adopting in another extension than the one that has routed');
unchanged_ok('after that error');

# The worker looks at a database whose extension it does not see, while the
# transaction that has created it has routed leads.
$node->safe_psql('postgres', 'CREATE DATABASE other');
my $session = $node->background_psql('other');
$session->query_safe("BEGIN; SET client_min_messages = error; $table $create INSERT INTO lead (stage) SELECT 'new' FROM generate_series(1, 3)");
my $log = -s $node->logfile;
$node->safe_psql('postgres',
	q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'leadroute launcher'));
# it is started again, and looks at both databases
$node->wait_for_log(qr/(background worker "leadroute worker" .*exited with exit code 0.*){2}/s, $log);
# what it had freed would be taken now
$node->safe_psql('postgres', 'CREATE DATABASE third');
is(owners('third', $table . $create . $insert), 'anna', 'a third database routes leads');
$session->query_safe(q(SAVEPOINT a; INSERT INTO lead (stage) SELECT 'new' FROM generate_series(1, 2); ROLLBACK TO a));
$session->query_safe(q(INSERT INTO lead (stage) SELECT 'new' FROM generate_series(1, 3); COMMIT));
$session->quit;
for my $dbname ('other', 'third')
{
	verify_ok($node, $dbname, "the worker looked before the commit: $dbname");
	credits_ok($node, $dbname, "the worker looked before the commit: $dbname");
	invariants_ok($node, $dbname, 'lead', "the worker looked before the commit: $dbname");
}
$node->safe_psql('postgres', 'DROP DATABASE third');

# Dropped before anybody has settled what a prepared transaction held.
for my $i (1 .. 12)
{
	($rc, $out, $err) = $node->psql(
		'other', qq(
		SET client_min_messages = error;
		BEGIN;
		INSERT INTO lead (stage) SELECT 'new' FROM generate_series(1, 9);
		PREPARE TRANSACTION 'p';
		COMMIT PREPARED 'p';
		$drop
		$create));
	last if $rc != 0;
}
is("$rc $err", '0 ', 'what a dropped extension had prepared is settled');
verify_ok($node, 'other', 'created again');

# Three slots; two are taken.
for my $i (1 .. 4)
{
	$node->safe_psql('postgres', "CREATE DATABASE d$i");
	is(owners("d$i", $table . $create . $insert), 'anna', "database d$i routes leads");
	$node->safe_psql('postgres', "DROP DATABASE d$i");
}
owners('postgres', "BEGIN; $insert $drop COMMIT; TRUNCATE lead; $create $insert");
unchanged_ok('created again, committed');

$node->stop;
done_testing;
