# ready_when, ready_within: what the worker does with leads that wait to be ready.
#
# The worker's own retries are out of reach (an hour), so this fails when it is not
# told: when a lead has waited long enough, when what leads wait for has changed,
# after a crash.  And when it decides one that is to wait, or out of order.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'leadroute.held_retry_interval = 3600', 'max_prepared_transactions = 5');

$node->safe_psql(
	'postgres', leads_sql('company text') . q(
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
	INSERT INTO leadroute.rule (name) VALUES ('all');
	UPDATE leadroute.routed_table SET ready_when = 'company IS NOT NULL'));

sub table_set
{
	$node->safe_psql('postgres', "UPDATE leadroute.routed_table SET $_[0]");
	return;
}

sub owners
{
	return $node->safe_psql('postgres', q(SELECT string_agg(coalesce(owner, '-'), ' ' ORDER BY id) FROM lead));
}

sub waiting_ok
{
	my ($n, $what) = @_;

	is($node->safe_psql('postgres', q(SELECT count(*) FROM leadroute.pool_entry WHERE state = 'waiting')), $n, $what);
	return;
}

sub decided_ok
{
	my ($what) = @_;

	poll_ok($node, 'postgres', 'SELECT count(*) = 0 FROM lead WHERE owner IS NULL', $what);
	return;
}

# A lead that the worker has looked at and left: its pool entry says until when.
sub looked_ok
{
	my ($condition, $what) = @_;

	poll_ok($node, 'postgres', "SELECT count(*) > 0 AND bool_and($condition) FROM leadroute.pool_entry", $what);
	return;
}

# Without end; a lead that comes later and is ready does not wait behind it.
$node->safe_psql('postgres', q(INSERT INTO lead (company) VALUES (NULL), (NULL), ('acme'), (NULL)));
is(owners(), '- - anna -', 'those wait that are not ready');
looked_ok(q(available_from = 'infinity'), 'without end');

# ready_within holds for those that wait already.
table_set(q(ready_within = '1 hour'));
looked_ok(q(available_from < 'infinity'), 'the worker has looked how long they wait now');
is(owners(), '- - anna -', 'they are left to wait');
table_set(q(ready_within = '1 millisecond'));
decided_ok('they have waited long enough');
is(owners(), 'bruno anna anna bruno', 'in the order in which they came');
is( $node->safe_psql('postgres', q(SELECT kind, reason, detail, count(*) FROM leadroute.assignment WHERE is_current AND detail IS NOT NULL GROUP BY 1, 2, 3)),
	'assigned||was not ready within 00:00:00.001|3', 'the journal tells why');

# By the clock, of its own accord.
table_set(q(ready_within = '1 second'));
$node->safe_psql('postgres', q(INSERT INTO lead (company) VALUES (NULL)));
decided_ok('after a second');
is( $node->safe_psql('postgres', q(
	SELECT b.assigned_at - a.assigned_at >= '1 second' FROM leadroute.assignment a JOIN leadroute.assignment b ON b.previous_id = a.id ORDER BY b.id DESC LIMIT 1)),
	't', 'and not before');

# Another ready_when, or none: who waits is not stuck.
table_set(q(ready_within = NULL));
$node->safe_psql('postgres', q(INSERT INTO lead (company, stage) VALUES (NULL, 'known'), (NULL, 'new')));
table_set(q(ready_when = $$company IS NOT NULL OR stage = 'known'$$));
poll_ok($node, 'postgres', q(SELECT count(*) = 1 FROM lead WHERE owner IS NULL), 'one is ready by another ready_when');
is($node->safe_psql('postgres', q(SELECT stage FROM lead WHERE owner IS NULL)), 'new', 'the other one waits on');
table_set(q(ready_when = NULL));
decided_ok('without ready_when');

# A crash, a restart; a prepared transaction over it.
table_set(q(ready_when = 'company IS NOT NULL', ready_within = '2 seconds'));
$node->safe_psql('postgres', q(
	INSERT INTO lead (company) VALUES (NULL), (NULL);
	BEGIN; INSERT INTO lead (company) VALUES (NULL); PREPARE TRANSACTION 'p'));
$node->stop('immediate');
$node->start;
decided_ok('after a crash');
$node->safe_psql('postgres', q(COMMIT PREPARED 'p'));
decided_ok('of a prepared transaction');
waiting_ok(0, 'nobody waits');

# A row that somebody has locked when its time is over is decided later; a router
# that is disabled decides nothing.  The worker comes again with other work.
table_set(q(ready_within = '1 hour'));
$node->safe_psql('postgres', q(INSERT INTO lead (company) VALUES (NULL), (NULL)));
my $session = $node->background_psql('postgres');
$session->query_safe(q(BEGIN; SELECT FROM lead WHERE id = (SELECT max(id) FROM lead) FOR UPDATE));
table_set(q(ready_within = '1 millisecond'));
poll_ok($node, 'postgres', q(SELECT count(*) = 1 FROM lead WHERE owner IS NULL), 'one is locked');
$session->query_safe('COMMIT');
table_set(q(ready_within = '2 milliseconds'));
decided_ok('it is not locked any more');
$node->safe_psql('postgres', q(INSERT INTO lead (company) VALUES (NULL)));
decided_ok('the worker has come to rest');
table_set(q(ready_within = '1 hour'));
$node->safe_psql('postgres', q(INSERT INTO lead (company) VALUES (NULL);
	UPDATE leadroute.router SET enabled = false;
	UPDATE leadroute.routed_table SET ready_within = '1 millisecond'));
is($node->safe_psql('postgres', q(SELECT count(*) FROM leadroute.problem WHERE what = 'waits_too_long')), '0', 'no problem yet');
$node->safe_psql('postgres', q(UPDATE leadroute.router SET enabled = true;
	UPDATE leadroute.routed_table SET ready_within = '2 milliseconds'));
decided_ok('the router is enabled again');

# decide_at = worker: what is ready is left to the worker, the others wait.
table_set(q(decide_at = 'worker', ready_within = NULL));
$node->safe_psql('postgres', q(INSERT INTO lead (company) VALUES (NULL), ('acme')));
poll_ok($node, 'postgres', q(SELECT owner IS NOT NULL FROM lead ORDER BY id DESC LIMIT 1), 'the worker decides the one that is ready');
is($node->safe_psql('postgres', q(UPDATE lead SET company = 'acme' WHERE owner IS NULL RETURNING owner IS NOT NULL)), 't', 'the UPDATE decides the other one');
table_set(q(decide_at = 'insert'));

# Sessions that make leads ready while their time is over.
table_set(q(ready_within = '20 milliseconds'));
my ($code, $out) = finish_pgbench(
	start_pgbench($node, 'postgres', '-c', 6, '-j', 2, '-t', 40,
		write_scripts($node, 'ready' => q(
			INSERT INTO lead (company) VALUES (NULL) RETURNING id \gset
			\sleep 10 ms
			UPDATE lead SET company = 'acme' WHERE id = :id;))));
is($code, 0, 'six sessions insert and complete') or diag $out;
decided_ok('of six sessions');
is( $node->safe_psql('postgres', q(SELECT count(*) FROM (SELECT lead_key FROM leadroute.assignment WHERE member IS NOT NULL GROUP BY 1 HAVING count(*) <> 1) x)),
	'0', 'each is decided once');
waiting_ok(0, 'nobody waits at the end');
invariants_ok($node, 'postgres', 'lead', 'at the end');
verify_ok($node, 'postgres', 'at the end');
credits_ok($node, 'postgres', 'at the end');

# Dump and restore: they wait there, and are decided when it is routed.
table_set(q(ready_within = '1 second'));
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql('postgres', q(INSERT INTO lead (company) VALUES (NULL)));
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dump');
decided_ok('here');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $dump ], 'restore');
is($node->safe_psql('copy', q(SELECT state FROM leadroute.pool_entry)), 'waiting', 'it waits after the restore');
$node->safe_psql('copy', q(INSERT INTO lead (company) VALUES ('acme')));
poll_ok($node, 'copy', 'SELECT count(*) = 0 FROM lead WHERE owner IS NULL', 'decided when leads are routed again');
verify_ok($node, 'copy', 'of the restored one');
$node->stop;
done_testing;
