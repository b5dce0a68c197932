# decide_at = worker: leads are decided a moment after their commit, in the order
# in which they came, also when the server crashes in between.  decide_at = commit:
# each committed lead has its owner, whatever ends the server or the transaction.
#
# The worker's own retries are out of reach (an hour), so this fails when it is not
# told; when it decides what is not committed, or out of order; when a crash loses
# a lead that waits.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'leadroute.held_retry_interval = 3600', 'max_prepared_transactions = 5');

$node->safe_psql(
	'postgres', leads_sql('kind text') . q(
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
	INSERT INTO leadroute.rule (name, condition) VALUES ('a', $$kind = 'a'$$);
	UPDATE leadroute.routed_table SET decide_at = 'worker'));

my $undecided = 'SELECT count(*) = 0 FROM lead WHERE owner IS NULL';

sub all_decided_ok
{
	my ($what) = @_;

	poll_ok($node, 'postgres', $undecided, "all have their owner: $what");
	invariants_ok($node, 'postgres', 'lead', $what);
	return;
}

# Worker.
is( $node->safe_psql('postgres', q(INSERT INTO lead (kind) SELECT 'a' FROM generate_series(1, 20) RETURNING owner IS NULL)),
	join("\n", ('t') x 20), 'the INSERT returns no owner');
all_decided_ok('by the worker');
is( $node->safe_psql('postgres', q(SELECT string_agg(owner, ' ' ORDER BY id) FROM lead)),
	join(' ', ('anna', 'bruno') x 10), 'in the order in which they came');
is( $node->safe_psql('postgres', q(SELECT kind, reason, hop, is_current, count(*) FROM leadroute.assignment GROUP BY 1, 2, 3, 4 ORDER BY 1)),
	"assigned||0|t|20\nheld|decide_at|0|f|20", 'what the journal says of it');
is( $node->safe_psql('postgres', q(INSERT INTO lead (kind, owner) VALUES ('a', 'bruno') RETURNING owner;
	SELECT kind FROM leadroute.assignment ORDER BY id DESC LIMIT 1)),
	"bruno\ngiven", 'an owner that the app gives is journalled at once');

# Not before the commit; on the row that is committed.
my $session = $node->background_psql('postgres');
$session->query_safe(q(BEGIN; INSERT INTO lead (kind) VALUES ('b'), ('b')));
$node->safe_psql('postgres', q(INSERT INTO lead (kind) VALUES ('a')));
poll_ok($node, 'postgres', $undecided, 'a later lead does not wait for one that is not committed');
$session->query_safe(q(UPDATE lead SET kind = 'a' WHERE owner IS NULL; COMMIT));
all_decided_ok('after the commit');
$session->query_safe(q(BEGIN; INSERT INTO lead (kind) VALUES ('a'); ROLLBACK));
is($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.pool_entry'), '0', 'what is rolled back waits for nobody');

# Nobody can take it: it is held, and not lost.
$node->safe_psql('postgres', q(INSERT INTO lead (kind) VALUES ('c')));
poll_ok($node, 'postgres', q(SELECT count(*) = 0 FROM leadroute.pool_entry WHERE way IS NULL), 'the worker has tried it');
$node->safe_psql('postgres', q(INSERT INTO leadroute.rule (name, condition) VALUES ('c', $$kind = 'c'$$)));
all_decided_ok('when there is a rule for it');

# A crash while they wait: 500 leads are more than the worker decides meanwhile.
$node->safe_psql('postgres', q(INSERT INTO lead (kind) SELECT 'a' FROM generate_series(1, 500)));
$node->stop('immediate');
$session->{run}->finish;
$node->start;
cmp_ok($node->safe_psql('postgres', q(SELECT count(*) FROM leadroute.assignment WHERE reason = 'decide_at')), '>=', 500, 'what had been committed is there');
all_decided_ok('after a crash');

# Many sessions.
my ($code, $out) = finish_pgbench(
	start_pgbench($node, 'postgres', '-c', 6, '-j', 2, '-t', 50,
		write_scripts($node, 'worker' => q(INSERT INTO lead (kind) VALUES ('a');))));
is($code, 0, 'six sessions insert') or diag $out;
all_decided_ok('of six sessions');

# Commit: prepared over a restart, a crash in the middle, many sessions.
$node->safe_psql('postgres', q(UPDATE leadroute.routed_table SET decide_at = 'commit';
	BEGIN; INSERT INTO lead (kind) VALUES ('b'); UPDATE lead SET kind = 'a' WHERE owner IS NULL; PREPARE TRANSACTION 'p'));
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', q(COMMIT PREPARED 'p'));
is($node->safe_psql('postgres', 'SELECT owner IS NOT NULL FROM lead ORDER BY id DESC LIMIT 1'), 't', 'prepared with its owner');
$session = $node->background_psql('postgres');
$session->query_safe(q(BEGIN; INSERT INTO lead (kind) SELECT 'a' FROM generate_series(1, 100); SET CONSTRAINTS ALL IMMEDIATE));
$node->stop('immediate');
$session->{run}->finish;
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*) FROM lead WHERE owner IS NULL'), '0', 'what was not committed is gone');
($code, $out) = finish_pgbench(
	start_pgbench($node, 'postgres', '-c', 6, '-j', 2, '-t', 30,
		write_scripts($node, 'commit' => q(
			BEGIN;
			INSERT INTO lead (kind) VALUES ('b') RETURNING id \gset
			UPDATE lead SET kind = 'a' WHERE id = :id;
			COMMIT;))));
is($code, 0, 'six sessions insert and change') or diag $out;
is($node->safe_psql('postgres', 'SELECT count(*) FROM lead WHERE owner IS NULL'), '0', 'each committed lead has its owner');
invariants_ok($node, 'postgres', 'lead', 'at commit');
verify_ok($node, 'postgres', 'at the end');
credits_ok($node, 'postgres', 'at the end');
$node->stop;
done_testing;
