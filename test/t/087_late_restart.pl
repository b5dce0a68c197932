# A member leaves, or comes, while transactions of others are open; then the
# server dies before the worker has looked at their leads.  It looks after the
# start: a checkpoint that is beyond these leads remembers it, and so do prepared
# transactions.
#
# Fails when leads stay with who has left, or without who has come.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_prepared_transactions = 10', 'leadroute.checkpoint_interval = 3600',
	'leadroute.held_retry_interval = 1');

# While the gate is shut the worker cannot move a lead, and says so in the log.
$node->safe_psql(
	'postgres', leads_sql() . q(
	CREATE TABLE gate (shut boolean);
	CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM gate) THEN
			RAISE EXCEPTION 'the gate is shut';
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER gate BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION gate();
	INSERT INTO leadroute.member (name) VALUES ('ada'), ('bob');
	INSERT INTO leadroute.rule (name) VALUES ('everyone')));

my $s1 = $node->background_psql('postgres', on_error_stop => 1);
my $s2 = $node->background_psql('postgres', on_error_stop => 1);

sub crash
{
	$_->quit for $s1, $s2;
	$node->stop('immediate');
	$node->start;
	$s1 = $node->background_psql('postgres', on_error_stop => 1);
	$s2 = $node->background_psql('postgres', on_error_stop => 1);
	return;
}

# The worker looks by itself once counters have been loaded.
sub has_ok
{
	my ($member, $n, $what) = @_;

	poll_ok($node, 'postgres', qq(
		SELECT coalesce(sum(c.load), 0) = $n FROM leadroute.member_counter() c
		JOIN leadroute.member m ON m.id = c.member AND m.name = '$member'), $what);
	return;
}

sub load_of
{
	my ($member) = @_;

	return $node->safe_psql('postgres', qq(
		SELECT c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member AND m.name = '$member'));
}

# who leaves: the worker knows of it, but cannot move its leads
$node->safe_psql('postgres', 'INSERT INTO gate VALUES (true)');
$s1->query_safe('BEGIN; INSERT INTO lead SELECT FROM generate_series(1, 4)');
$node->safe_psql('postgres', q(SELECT leadroute.offboard('ada', 'bob')));
my $log = -s $node->logfile;
$s1->query_safe('COMMIT');
$node->wait_for_log(qr/the gate is shut/, $log);
$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now(); CHECKPOINT');
crash();
$node->safe_psql('postgres', 'DELETE FROM gate');
has_ok('ada', 0, 'who has left has nothing, after a crash');

# who leaves in a prepared transaction: leads of others, whose ids are smaller
$node->safe_psql('postgres', q(INSERT INTO leadroute.member (name) VALUES ('cid')));
$s1->query_safe('BEGIN; INSERT INTO lead SELECT FROM generate_series(1, 4)');
$s2->query_safe(q(BEGIN; SELECT leadroute.offboard('bob'); PREPARE TRANSACTION 's2'));
$s1->query_safe('COMMIT');
is(load_of('bob') > 0, 1, 'bob has leads');
$node->safe_psql('postgres', q(INSERT INTO lead SELECT FROM generate_series(1, 3); SELECT leadroute.checkpoint_now(); CHECKPOINT));
crash();
is(load_of('bob') > 0, 1, 'and keeps them while nothing is decided');
$node->safe_psql('postgres', q(COMMIT PREPARED 's2'));
has_ok('bob', 0, 'who has left in a prepared transaction has nothing');

# who comes in a prepared transaction, that has left nothing else
for my $snapshot ('READ COMMITTED', 'REPEATABLE READ')
{
	my $dora = 'dora' . lc(substr $snapshot, 0, 3);

	$s1->query_safe("BEGIN; INSERT INTO lead (owner) VALUES ('$dora')");
	$s2->query_safe(qq(
		BEGIN ISOLATION LEVEL $snapshot;
		SELECT count(*) FROM lead;
		INSERT INTO leadroute.member (name) VALUES ('$dora');
		PREPARE TRANSACTION 's2'));
	$s1->query_safe('COMMIT');
	$node->safe_psql('postgres', q(INSERT INTO lead SELECT FROM generate_series(1, 3); SELECT leadroute.checkpoint_now(); CHECKPOINT));
	crash();
	$node->safe_psql('postgres', q(INSERT INTO lead SELECT FROM generate_series(1, 3)));
	$node->safe_psql('postgres', q(COMMIT PREPARED 's2'));
	$node->safe_psql('postgres', q(INSERT INTO lead (owner) VALUES ('cid')));
	has_ok($dora, 1, "who has come in a prepared transaction has its lead ($snapshot)");
}
$_->quit for $s1, $s2;
verify_ok($node, 'postgres', 'at the end');

done_testing();
