# What members have received by_target is exact whatever sessions do at once, and
# over a crash: many clients, most of whose transactions roll back something, in
# a month that ends while they are at it, and with prepared transactions.
#
# A member never gets further ahead of another than one lead by its target while
# all can take leads and nothing rolls back; what was rolled back leaves nothing.
# Fails when a rollback keeps a count, or gives it back to another month, and when
# a count does not come back after a crash.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 40', 'max_prepared_transactions = 5', 'leadroute.checkpoint_rows = 1000');

$node->safe_psql(
	'postgres', leads_sql('kind text CHECK (kind <> $$bad$$)') . q(
	INSERT INTO leadroute.member (name) SELECT 'm' || i FROM generate_series(1, 6) i;
	INSERT INTO leadroute.team (name) VALUES ('sales');
	INSERT INTO leadroute.team_member (team, member, position, target)
		SELECT 'sales', 'm' || i, i, i * 5 FROM generate_series(1, 6) i;
	INSERT INTO leadroute.rule (name, team, method) VALUES ('all', 'sales', 'by_target');
	CREATE VIEW counted AS
		SELECT m.name, s.target_month AS month, s.received, s.received_before,
			(SELECT count(*) FROM leadroute.journal j WHERE j.member = s.member AND j.target_month = s.target_month) AS stored,
			(SELECT count(*) FROM leadroute.journal j WHERE j.member = s.member AND j.target_month = s.target_month - 1) AS stored_before,
			tm.target
		FROM leadroute.seat_counter() s JOIN leadroute.member m ON m.id = s.member
		JOIN leadroute.team_member tm ON tm.member = m.name));

sub counts_ok
{
	my ($what) = @_;

	is( $node->safe_psql('postgres', q(SELECT * FROM counted WHERE received <> stored OR received_before <> stored_before)),
		'', "counters are what the journal says: $what");
	verify_ok($node, 'postgres', $what);
	return;
}

sub clients_ok
{
	my ($clients, $transactions, $what, %script) = @_;
	my $load = start_pgbench($node, 'postgres', '-c', $clients, '-j', 2, '-t', $transactions, write_scripts($node, %script));
	my ($code, $out) = finish_pgbench($load);

	is($code, 0, "$what meet no error") or diag($out);
	return;
}

# One month in which nothing rolls back: nobody is ahead by more than one lead.
clients_ok(8, 100, 'eight clients', plain => "INSERT INTO lead (kind) SELECT 'a' FROM generate_series(1, 3);\n");
counts_ok('nothing rolled back');
is( $node->safe_psql('postgres', q(
	SELECT count(*) FROM counted a, counted b
		WHERE a.received - 1 > b.received * a.target::numeric / b.target + 0.0001)),
	'0', 'who is ahead of another has had one lead more at most');

# Rollbacks of all kinds, while the month changes from one statement to the next.
clients_ok(12, 60, 'twelve clients that roll back',
	map { (join(q(), @$_) => "BEGIN;\nSET LOCAL leadroute.test_clock = '2030-0$_->[1]-15 12:00+00';\n"
		. "INSERT INTO lead (kind) SELECT 'a' FROM generate_series(1, 4);\nSAVEPOINT s;\n"
		. "INSERT INTO lead (kind) SELECT 'b' FROM generate_series(1, 5);\nROLLBACK TO s;\n"
		. "INSERT INTO lead (id, kind) OVERRIDING SYSTEM VALUE SELECT CASE g WHEN 2 THEN (SELECT min(id) FROM lead) ELSE nextval('lead_id_seq') END, 'c' FROM generate_series(1, 3) g ON CONFLICT DO NOTHING;\n"
		. "$_->[0];\n") } ['ROLLBACK', 2], ['COMMIT', 3], ['ROLLBACK', 3], ['COMMIT', 4], ['ROLLBACK', 4]);
counts_ok('after rollbacks');

# Prepared transactions hold theirs, over a crash too.
$node->safe_psql('postgres', q(
	BEGIN; SET LOCAL leadroute.test_clock = '2030-04-20'; INSERT INTO lead (kind) SELECT 'p' FROM generate_series(1, 30); PREPARE TRANSACTION 'keep';
	BEGIN; SET LOCAL leadroute.test_clock = '2030-04-20'; INSERT INTO lead (kind) SELECT 'p' FROM generate_series(1, 20); PREPARE TRANSACTION 'drop';));
is($node->safe_psql('postgres', 'SELECT sum(received - stored) FROM counted'), '50', 'what is prepared is received');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT sum(received - stored) FROM counted'), '50', 'after a crash, too');
$node->safe_psql('postgres', $_) for ("COMMIT PREPARED 'keep'", "ROLLBACK PREPARED 'drop'");
is($node->safe_psql('postgres', 'SELECT sum(received - stored) FROM counted'), '0', 'one is kept, the other given back');
counts_ok('after a crash');
$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now()');
$node->stop('immediate');
$node->start;
counts_ok('loaded from a checkpoint');

# A lead that goes to somebody else is given back to its month; by a prepared
# transaction until that is rolled back, over a crash too.
$node->safe_psql('postgres', q(
	CREATE VIEW given_back AS SELECT coalesce(sum(received + received_before), 0) - (SELECT count(*) FROM leadroute.journal
			WHERE target_month >= (SELECT max(target_month) - 1 FROM leadroute.journal)) AS n FROM counted;
	BEGIN; SET LOCAL leadroute.test_clock = '2030-04-20';
	UPDATE lead SET owner = 'm1' WHERE id IN (SELECT j.lead_key::integer FROM leadroute.journal j JOIN leadroute.member m ON m.id = j.member
		WHERE m.name = 'm6' AND j.target_month = 2030 * 12 + 3 AND NOT j.superseded LIMIT 4);
	PREPARE TRANSACTION 'move';));
my $before = $node->safe_psql('postgres', 'SELECT n FROM given_back');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT n FROM given_back'), $before, 'what a prepared transaction gives back is given back after a crash');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'move'");
is($node->safe_psql('postgres', 'SELECT n FROM given_back') - $before, 4, 'and taken again when that is rolled back');
counts_ok('a move rolled back');
$node->safe_psql('postgres', "UPDATE lead SET owner = 'm1' WHERE owner = 'm6'");
$node->stop('immediate');
$node->start;
verify_ok($node, 'postgres', 'leads moved, and a crash');

$node->stop;
done_testing;
