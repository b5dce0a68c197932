# Durable over crashes (design: promise 7): a server that dies under load, by an
# immediate shutdown, by kill -9 of a backend and by kill -9 of the postmaster,
# comes back with owners, journal, loads, credits and the next turn in
# agreement; what was not committed has taken no turn, what was committed has.
#
# Fails when counters are kept anywhere but in what WAL brings back, or when a
# checkpoint of them contains a row that was rolled back, or lacks one that was
# not.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 40', 'restart_after_crash = on',
	'leadroute.checkpoint_interval = 1', 'leadroute.checkpoint_rows = 100');

$node->safe_psql(
	'postgres', leads_sql('n integer') . q(
	INSERT INTO leadroute.member (name, capacity)
		SELECT 'm' || i, CASE WHEN i = 3 THEN 50 END FROM generate_series(1, 5) i;
	INSERT INTO leadroute.team (name) VALUES ('few');
	INSERT INTO leadroute.team_member (team, member, weight) VALUES ('few', 'm1', 1), ('few', 'm2', 2.5), ('few', 'm3', 4);
	INSERT INTO leadroute.rule (name, condition, team, method) VALUES
		('few', 'n = 1', 'few', 'round_robin'), ('idle', 'n = 2', NULL, 'longest_idle'),
		('all', NULL, NULL, 'round_robin')));

my @scripts = write_scripts(
	$node,
	'single@4' => "\\set n random(1, 4)\nINSERT INTO lead (n) VALUES (:n);",
	'many@2' => 'INSERT INTO lead (n) SELECT g FROM generate_series(1, 20) g;',
	'rollback@2' => "BEGIN;\nINSERT INTO lead (n) SELECT 1 + g % 4 FROM generate_series(1, 9) g;\nROLLBACK;",
	'savepoint@1' => q(
BEGIN;
INSERT INTO lead (n) VALUES (1);
SAVEPOINT a;
INSERT INTO lead (n) VALUES (1), (2), (3);
ROLLBACK TO a;
INSERT INTO lead (n) VALUES (2);
COMMIT;),
	'close@1' => "\\set id random(1, 2000)\nUPDATE lead SET stage = 'closed' WHERE id = :id;",
	'delete@1' => "\\set id random(1, 2000)\nDELETE FROM lead WHERE id = :id;");

# The server cannot start before all who hold its shared memory are gone.
sub kill_postmaster
{
	my @pids = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity');
	push @pids, (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];

	$node->kill9;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last unless kill 0, @pids;
		select(undef, undef, undef, 0.1);
	}
	$node->start;
}

# A backend killed so takes the others with it; the postmaster starts anew.
sub kill_backend
{
	my ($pid) = @_;
	my $since = $node->safe_psql('postgres',
		"SELECT min(backend_start) FROM pg_stat_activity WHERE backend_type = 'checkpointer'");

	kill 'KILL', $pid;
	$node->poll_query_until('postgres',
		"SELECT min(backend_start) > '$since' FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
	  or BAIL_OUT('the server does not recover');
}

my %crash = (
	'1 immediate shutdown' => sub { $node->stop('immediate'); $node->start; },
	'2 kill -9 of a backend' => sub {
		kill_backend($node->safe_psql('postgres',
				"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"));
	},
	'3 kill -9 of the postmaster' => \&kill_postmaster);

for my $how (sort keys %crash)
{
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.journal');
	my $enough = $before + 200 + int(rand(600));
	my $load = start_pgbench($node, 'postgres', '-c', 8, '-j', 2, '-T', 600, @scripts);

	$node->poll_query_until('postgres', "SELECT count(*) > $enough FROM leadroute.journal")
	  or BAIL_OUT('no load');
	$crash{$how}->();
	finish_pgbench($load);
	verify_ok($node, 'postgres', "after $how");
	credits_ok($node, 'postgres', "after $how");
	invariants_ok($node, 'postgres', 'lead', "after $how");
}

# Just before and just after the commit.
my $insert = 'INSERT INTO lead (n) VALUES (1) RETURNING owner';
$node->safe_psql('postgres', 'INSERT INTO lead (n) SELECT 1 FROM generate_series(1, 15)');
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query_safe('SELECT pg_backend_pid()');
my $owner = $session->query_safe("BEGIN; $insert");
kill_backend($pid);
$session->{run}->finish;
is($node->safe_psql('postgres', $insert), $owner, 'killed before the commit: its turn is next');
verify_ok($node, 'postgres', 'killed before the commit');

my $expected = $node->safe_psql('postgres', "BEGIN; $insert; $insert; ROLLBACK");
is( join("\n", map { my $o = $node->safe_psql('postgres', $insert); $node->stop('immediate'); $node->start; $o } 1 .. 2),
	$expected, 'killed after the commit: the next turn is the next one');
verify_ok($node, 'postgres', 'killed after the commit');
credits_ok($node, 'postgres', 'at the end');

$node->stop;
done_testing;
