# Counters of caps that are deleted are given back while the server runs, to
# caps of this database and of others; not before every transaction has ended
# that holds anything of them, a prepared one too.  A session that goes on with
# the deleted cap counts for nobody else.
#
# Fails when a counter is not given back, is given back too early, or two caps
# count in one.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use Test::More;

my $node = new_node('main', 'leadroute.max_caps = 10', 'max_prepared_transactions = 2');
my $other = 'other';

$node->safe_psql('postgres', "CREATE DATABASE $other");
for my $db ('postgres', $other)
{
	$node->safe_psql($db, leads_sql('kind text') . q(
		INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(1, 5) g;
		INSERT INTO leadroute.rule (name, overflow) VALUES ('everyone', 'none')));
}

# used(n, what): so many counters of caps are in use, once checkpoints were written.
sub used_ok
{
	my ($n, $what) = @_;
	my $used;

	for (1 .. 300)
	{
		# no other word for it: what has ended since is looked at by a checkpoint
		$node->safe_psql($_, 'SELECT leadroute.checkpoint_now()') for 'postgres', $other;
		$used = $node->safe_psql('postgres',
			q(SELECT used FROM leadroute.room() WHERE setting = 'leadroute.max_caps'));
		last if $used == $n;
		select undef, undef, undef, 0.1;
	}
	is($used, $n, $what);
	return;
}

# leads(db, n): how many of n leads have got an owner.
sub leads
{
	my ($db, $n) = @_;

	return $node->safe_psql($db, qq(
		WITH l AS (INSERT INTO lead (kind) SELECT 'x' FROM generate_series(1, $n) RETURNING owner) SELECT count(owner) FROM l));
}

sub refused
{
	return $node->safe_psql('postgres', q(SELECT count(*) FROM leadroute.problem WHERE what = 'memory_full'));
}

my $session = $node->background_psql('postgres', on_error_stop => 1);

# 5 each by two caps; then no counter is left for a third.
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.cap (name, each_member, period, max_leads) VALUES ('a', true, 'month', 100), ('b', true, 'month', 2)));
is(leads('postgres', 12), 10, 'two caps for each of 5 members');
$node->safe_psql('postgres', q(INSERT INTO leadroute.cap (name, period, max_leads) VALUES ('c', 'month', 1000)));
is(leads('postgres', 1), 0, 'a cap without a counter keeps everything back');
like($session->query_safe(q(INSERT INTO lead (kind) VALUES ('x') RETURNING coalesce(owner, 'nobody'))),
	qr/nobody/, 'so it does in another session');
is(refused(), 1, 'and problem tells');
$node->safe_psql('postgres', q(DELETE FROM leadroute.cap WHERE name = 'b'));
is(leads('postgres', 1), 0, 'it is not there at once');
used_ok(5, 'the counters of the deleted cap are given back');
like($session->query_safe(q(INSERT INTO lead (kind) VALUES ('x') RETURNING coalesce(owner, 'nobody'))),
	qr/m\d/, 'the session that had none has one now');
is(refused(), 0, 'and there is no problem');
is(leads('postgres', 20), 20, 'the other cap goes on');
is( $node->safe_psql('postgres', q(SELECT cap, sum(used) FROM leadroute.cap_status() GROUP BY 1 ORDER BY 1)),
	"a|31\nc|31", 'and counts what is its own');
used_ok(6, 'the one that had none is among them');

# The other database gets the counters that this one has given back.
$node->safe_psql('postgres', q(DELETE FROM leadroute.cap));
used_ok(0, 'nothing is left');
$node->safe_psql($other, q(INSERT INTO leadroute.cap (name, each_member, period, max_leads) VALUES ('d', true, 'month', 2))) ;
is(leads($other, 12), 10, 'a cap of another database');

# What open and prepared transactions hold.
$node->safe_psql('postgres', q(INSERT INTO leadroute.cap (name, period, max_leads) VALUES ('e', 'month', 100)));
is(leads('postgres', 3), 3, 'a cap');
used_ok(6, 'it has a counter');
$session->query_safe(q(BEGIN; INSERT INTO lead (kind) VALUES ('x'), ('x')));
$node->safe_psql('postgres', q(
	BEGIN; INSERT INTO lead (kind) VALUES ('x'); UPDATE lead SET owner = NULL WHERE id = 1; PREPARE TRANSACTION 'p'));
$node->safe_psql('postgres', q(DELETE FROM leadroute.cap));
$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now()') for 1 .. 3;
used_ok(6, 'it is kept for a transaction that is open');
$session->query_safe('ROLLBACK');
used_ok(6, 'and for one that is prepared');
$node->safe_psql('postgres', q(COMMIT PREPARED 'p'));
used_ok(5, 'and then no more');

# A statement that has read the configuration goes on with the deleted cap, while
# a new one has its counter.
$node->safe_psql('postgres', q(
	CREATE FUNCTION look(kind text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
	BEGIN
		IF kind = 'slow' THEN PERFORM pg_advisory_xact_lock(4711); END IF;
		RETURN true;
	END $$;
	UPDATE leadroute.rule SET condition = 'look(kind)';
	INSERT INTO leadroute.cap (name, period, max_leads) VALUES ('f', 'month', 1000)));
is(leads('postgres', 4), 4, 'a cap');
$session->query_safe(q(INSERT INTO lead (kind) VALUES ('fast')));
my $gate = $node->background_psql('postgres', on_error_stop => 1);
$gate->query_safe('SELECT pg_advisory_lock(4711)');
$session->query_until(qr/started/, q(
	\echo started
	INSERT INTO lead (kind) VALUES ('slow'), ('fast'), ('fast');
));
$node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted))
  or die 'the slow lead does not wait';
$node->safe_psql('postgres', q(DELETE FROM leadroute.cap));
used_ok(5, 'the counter is given back though a statement goes on with its cap');
$node->safe_psql('postgres', q(INSERT INTO leadroute.cap (name, period, max_leads, condition) VALUES ('g', 'month', 3, $$kind = 'new'$$)));
is($node->safe_psql('postgres', q(INSERT INTO lead (kind) VALUES ('new') RETURNING owner IS NOT NULL)), 't', 'a new cap has it');
$gate->query_safe('SELECT pg_advisory_unlock(4711)');
$session->query_safe('SELECT 1');
is( $node->safe_psql('postgres', q(SELECT cap, used FROM leadroute.cap_status())),
	'g|1', 'leads under the deleted cap do not count under the new one');
is( $node->safe_psql('postgres', q(
		SELECT count(*) FROM leadroute.journal WHERE id > (SELECT max(id) - 3 FROM leadroute.journal) AND member IS NOT NULL)),
	'3', 'and are given all the same');

# Who gives back under a cap that is gone, while its counter is not free yet: it is
# another cap's when he commits.
$node->safe_psql('postgres', q(
	DELETE FROM leadroute.cap;
	INSERT INTO leadroute.cap (name, each_member, period, max_leads) VALUES ('h', true, 'month', 1000)));
used_ok(5, 'the other database has the rest');
is(leads('postgres', 10), 10, 'a cap for each member');
used_ok(10, 'all are used');
$session->query_safe(q(BEGIN; INSERT INTO lead (kind) VALUES ('fast')));
$node->safe_psql('postgres', q(DELETE FROM leadroute.cap));
$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now()') for 1 .. 2;
used_ok(10, 'none is free while one who had some is there');
$gate->query_safe(q(
	BEGIN; UPDATE lead SET owner = 'm2' WHERE id IN (SELECT max(id) FROM lead WHERE owner = 'm1')));
$session->query_safe('COMMIT');
used_ok(5, 'then all are');
$node->safe_psql('postgres', q(INSERT INTO leadroute.cap (name, each_member, period, max_leads) VALUES ('i', true, 'month', 1000)));
is(leads('postgres', 10), 10, 'a new cap has them');
$gate->query_safe('COMMIT');
verify_ok($node, 'postgres', 'what was given back is not taken from the new cap');

# A lead that the new cap has missed is not forgotten by a checkpoint.
$node->safe_psql('postgres', 'DELETE FROM leadroute.cap');
used_ok(5, 'no cap is left');
$gate->query_safe('SELECT pg_advisory_lock(4711)');
$session->query_until(qr/started/, q(
	\echo started
	INSERT INTO lead (kind) VALUES ('slow');
));
$node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted))
  or die 'the slow lead does not wait';
$node->safe_psql('postgres', q(INSERT INTO leadroute.cap (name, period, max_leads) VALUES ('k', 'month', 1000)));
is(leads('postgres', 1), 1, 'a cap has counted what came before');
$gate->query_safe('SELECT pg_advisory_unlock(4711)');
$session->query_safe('SELECT 1');
$session->quit;
$gate->quit;
$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now(); CHECKPOINT');
$node->stop('immediate');
$node->start;
is( $node->safe_psql('postgres', q(
		SELECT used - (SELECT count(*) FROM leadroute.journal WHERE member IS NOT NULL AND NOT superseded)
		FROM leadroute.cap_status())), 0, 'after a crash the cap counts the lead that it had missed');
$node->safe_psql('postgres', q(
	DELETE FROM leadroute.cap;
	INSERT INTO leadroute.cap (name, period, max_leads, condition) VALUES ('g', 'month', 3, $$kind = 'new'$$)));
verify_ok($node, $_, "tables and shared memory agree ($_)") for 'postgres', $other;

# The same after a crash: the counters of caps that are gone are not made again.
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q(INSERT INTO lead (kind) VALUES ('new') RETURNING owner IS NOT NULL)), 't', 'after a crash');
is($node->safe_psql('postgres', q(SELECT cap, used FROM leadroute.cap_status())), 'g|2', 'the cap counts');
is($node->safe_psql('postgres', q(UPDATE lead SET owner = 'm1' WHERE owner IS NOT NULL AND id = 2 RETURNING owner)), 'm1', 'a lead is taken from its owner');
used_ok(6, 'which makes no counter of a cap that is gone');
verify_ok($node, 'postgres', 'tables and shared memory agree after a crash');

done_testing();
