# Whatever several sessions do at once to two routers that share a server, and
# however statements and transactions end (rollbacks, savepoints, cancelled
# statements, ended backends, prepared transactions that others end, crashes):
# then journal, lead tables and counters agree, and the worker comes to rest.  All
# teams have boards, one of them is big, and each pick is compared with one by
# looking.
#
# LR_SOAK=seconds makes it a long run, LR_SEED=n repeats the choices of a run.
#
# Fails when a path gives reservations back twice or never, when something raises
# an error that it should not, and when a worker does not find an end.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $soak = $ENV{LR_SOAK} // 0;
my $seed = $ENV{LR_SEED} // int(rand(1e9));
my $clients = 16;
my $steps = $soak ? 250 : 12;
my $end = time + $soak;

note("LR_SEED=$seed");

my $node = new_node('main', 'max_connections = 40', 'max_prepared_transactions = 40',
	'deadlock_timeout = 20ms', 'leadroute.checkpoint_interval = 1', 'leadroute.held_retry_interval = 1',
	'leadroute.checkpoint_rows = 200', 'leadroute.board_members = 2', 'leadroute.candidate_set_after = 30', 'leadroute.check_picks = on');

$node->safe_psql('postgres', $_) for (
	'CREATE EXTENSION leadroute',
	q(
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer CHECK (n < 99),
		stage text NOT NULL DEFAULT 'new', owner text);
	CREATE TABLE ticket (LIKE lead INCLUDING ALL);
	SELECT leadroute.attach('lead', 'owner', router => 'sales', closed_when => $$stage = 'closed'$$);
	SELECT leadroute.attach('ticket', 'owner', router => 'desk', closed_when => $$stage = 'closed'$$)),
	q(
	INSERT INTO leadroute.member (router, name, capacity)
		SELECT r, 'm' || g, CASE WHEN g > 3 THEN 8 * g END FROM unnest('{sales,desk}'::text[]) r, generate_series(1, 8) g;
	INSERT INTO leadroute.team (router, name) VALUES ('sales', 'a'), ('sales', 'b'), ('desk', 'a');
	INSERT INTO leadroute.team_member (router, team, member, weight)
		SELECT t.router, t.name, 'm' || g, g FROM leadroute.team t, generate_series(1, 8) g
		WHERE t.name = 'a' OR g > 3;
	INSERT INTO leadroute.member (router, name, capacity)
		SELECT 'sales', 'c' || g, CASE WHEN g % 4 = 0 THEN 10 END FROM generate_series(1, 80) g;
	INSERT INTO leadroute.team (router, name) VALUES ('sales', 'big');
	INSERT INTO leadroute.team_member (router, team, member, weight)
		SELECT 'sales', 'big', 'c' || g, 1 + g % 3 * 0.5 FROM generate_series(1, 80) g;
	INSERT INTO leadroute.rule (router, name, priority, condition, team, method) VALUES
		('sales', 'big turns', 5, 'n = 3', 'big', 'round_robin'), ('sales', 'big idle', 6, 'n = 4', 'big', 'longest_idle'),
		('sales', 'big loads', 7, 'n = 6', 'big', 'least_loaded'),
		('sales', 'weighted', 10, 'n < 5', 'a', 'round_robin'), ('sales', 'limited', 20, 'n < 9', 'b', 'least_loaded'),
		('sales', 'everyone', 90, NULL, NULL, 'longest_idle'), ('desk', 'weighted', 10, 'n < 7', 'a', 'round_robin')));

# ---------- what a session does ----------

sub any { return $_[ rand @_ ] }

sub statement
{
	my $table = any('lead', 'ticket');
	my $router = $table eq 'lead' ? 'sales' : 'desk';
	my $some = sprintf '(SELECT id FROM %s WHERE id >= %d ORDER BY id LIMIT %d)', $table, rand 2000, 1 + rand 4;
	my $member = 'm' . int(1 + rand 9);

	return any(
		("INSERT INTO $table (n) SELECT random() * 10 FROM generate_series(1, @{[1 + int rand 5]});") x 8,
		"INSERT INTO $table (n, owner) VALUES (1, '$member'), (2, 'x$member');",
		"INSERT INTO $table (n) VALUES (1), (2), (100);",
		("UPDATE $table SET stage = 'closed' WHERE id IN $some;") x 3,
		"UPDATE $table SET stage = 'new' WHERE id IN $some;",
		"UPDATE $table SET owner = '$member' WHERE id IN $some;",
		"UPDATE $table SET owner = NULL WHERE id IN $some;",
		"UPDATE $table SET n = n + 1 WHERE id IN $some;",
		("DELETE FROM $table WHERE id IN $some;") x 2);
}

sub change
{
	my $table = any('lead', 'ticket');
	my $router = $table eq 'lead' ? 'sales' : 'desk';
	my $m = int(1 + rand 9);

	return any(
		("UPDATE leadroute.member SET capacity = @{[any(5, 20, 50, 'NULL')]} WHERE router = '$router' AND name = 'm$m';") x 3,
		("UPDATE leadroute.member SET active = NOT active WHERE router = '$router' AND name = 'm$m' AND name > 'm2';") x 2,
		"UPDATE leadroute.team_member SET weight = @{[1 + int rand 9]} WHERE router = '$router' AND member = 'm$m';",
		"INSERT INTO leadroute.member (router, name) VALUES ('$router', '@{[any('', 'x')]}m$m') ON CONFLICT DO NOTHING;",
		"INSERT INTO leadroute.rule (router, name, condition) VALUES ('$router', 'r$m', 'n = $m') ON CONFLICT DO NOTHING;",
		"DELETE FROM leadroute.rule WHERE router = '$router' AND name = 'r$m';",
		"UPDATE leadroute.member SET capacity = @{[any(3, 20, 'NULL')]} WHERE router = 'sales' AND name = 'c$m$m';",
		("INSERT INTO leadroute.absence (router, member, during) VALUES ('sales', 'c$m', '[now,infinity)') ON CONFLICT DO NOTHING;") x 2,
		("DELETE FROM leadroute.absence WHERE router = 'sales' AND member = 'c$m';") x 2,
		"SELECT leadroute.checkpoint_now();",
		"SELECT count(*) FROM leadroute.verify();",
		"TRUNCATE $table;",
		"SELECT leadroute.detach('$table'); SELECT leadroute.attach('$table', 'owner', router => '$router', closed_when => \$\$stage = 'closed'\$\$);",
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' ORDER BY random() LIMIT 2;",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'leadroute worker';");
}

sub transaction
{
	my ($gid) = @_;
	my $sql = "BEGIN;\n";
	my @open;

	for (1 .. 2 + rand 8)
	{
		my $what = rand;

		if ($what < 0.2) { push @open, 's' . @open; $sql .= "SAVEPOINT $open[-1];\n" }
		elsif ($what < 0.3 && @open) { $sql .= "RELEASE " . pop(@open) . ";\n" }
		elsif ($what < 0.45 && @open) { $sql .= "ROLLBACK TO $open[-1];\n" }
		elsif ($what < 0.5) { $sql .= change() . "\n" }
		else { $sql .= statement() . "\n" }
	}
	return $sql . any(('COMMIT;') x 3, 'ROLLBACK;', ("PREPARE TRANSACTION '$gid';") x 2) . "\n";
}

sub script
{
	my ($client, $round) = @_;
	my $sql = '';

	for my $i (1 .. $steps)
	{
		my $what = rand;

		$sql .=
		    $what < 0.4 ? statement() . "\n"
		  : $what < 0.5 ? change() . "\n"
		  : $what < 0.75 ? transaction("g$client.$round.$i")
		  : $what < 0.85 ? "SET statement_timeout = '@{[1 + int rand 9]}ms';\n" . statement() . "\nRESET statement_timeout;\n"
		  : q(SELECT format('%s PREPARED %L', CASE WHEN random() < 0.6 THEN 'COMMIT' ELSE 'ROLLBACK' END, gid)
			FROM pg_prepared_xacts ORDER BY random() LIMIT 3 \gexec) . "\n";
	}
	return $sql;
}

# Errors that what they do may bring about.
my $expected = qr/deadlock\ detected|canceling\ statement\ due\ to|violates\ check\ constraint|
	current\ transaction\ is\ aborted|prepared\ transaction\ with\ identifier\ .*\ (is\ busy|does\ not\ exist)|
	no\ such\ savepoint|savepoint\ .*\ does\ not\ exist|is\ not\ attached|could\ not\ obtain\ lock|
	cannot\ PREPARE|tuple\ concurrently\ (updated|deleted)|violates\ (unique|foreign\ key)\ constraint/x;

sub finish_prepared
{
	for my $gid (split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts'))
	{
		$node->safe_psql('postgres', any('COMMIT', 'ROLLBACK') . " PREPARED '$gid'");
	}
	return;
}

my $round = 0;
do
{
	my @running;

	srand($seed + $round++);
	for my $client (1 .. $clients)
	{
		my %run = (in => "SET lock_timeout = '100ms';\n" . script($client, $round), out => '', err => '');

		$run{run} = IPC::Run::start(
			[ 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-d', 'postgres' ],
			'<', \$run{in}, '>', \$run{out}, '2>', \$run{err});
		push @running, \%run;
	}
	$_->{run}->finish for @running;
	my @odd = grep { /(ERROR|FATAL|PANIC):|connection/ && !/$expected/ } map { split /\n/, $_->{err} } @running;
	is(join("\n", @odd), '', "round $round: no other errors than expected");

	if ($round % 2 == 0)
	{
		$node->stop('immediate');
		$node->start;
	}
	finish_prepared();
	verify_ok($node, 'postgres', "round $round");
	credits_ok($node, 'postgres', "round $round");
	is( $node->safe_psql(
			'postgres', q(
		SELECT router, team FROM leadroute.seat_counter() GROUP BY 1, 2 HAVING abs(sum(credit)) > 1e-6)),
		'', "round $round: the credits of each team sum to 0");
} while (time < $end || $round < 2);

cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.journal'), '>', 200, 'leads were routed');
# nobody held, since those would be tried again
$node->safe_psql('postgres', "DELETE FROM $_ WHERE owner IS NULL") for 'lead', 'ticket';
poll_ok($node, 'postgres', q(
	SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'leadroute worker')
		AND (SELECT max(cut) FROM leadroute.checkpoint) >= (SELECT max(id) FROM leadroute.journal)),
	'the worker comes to rest');
verify_ok($node, 'postgres', 'at rest');
unlike(slurp_file($node->logfile), qr/PANIC:|TRAP:|terminated by signal/, 'nothing has crashed');
$node->stop;
done_testing;
