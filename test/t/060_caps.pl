# Caps are hard limits (design: promise 3): 16 clients insert, roll back and load
# in bulk under caps of every kind at once, some with conditions, one within
# another; the server dies under it and starts again; what was counted is the
# same from shared memory, from a checkpoint, from the journal and after a dump.
#
# Fails when a lead gets through that a cap forbids, at any moment; when a
# rollback, a crash or a restore loses or adds a place; or when a lead is kept
# back while there is one.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

# One clock for all, the worker included: no window ends meanwhile.
my $node = new_node(
	'main', 'max_connections = 40', 'max_prepared_transactions = 5',
	"leadroute.test_clock = '2026-03-04 10:00+00'", 'leadroute.checkpoint_interval = 1',
	'leadroute.checkpoint_rows = 100');

# n = 0 is for the rule few, 1 is rare, 2 is big.
$node->safe_psql(
	'postgres', leads_sql('n integer') . q(
	INSERT INTO leadroute.member (name) SELECT 'm' || i FROM generate_series(1, 8) i;
	INSERT INTO leadroute.team (name) VALUES ('few');
	INSERT INTO leadroute.team_member (team, member) VALUES ('few', 'm1'), ('few', 'm2'), ('few', 'm3');
	INSERT INTO leadroute.rule (name, condition, team, priority, overflow) VALUES ('few', 'n = 0', 'few', 1, 'none'), ('all', NULL, NULL, 2, 'none');
	INSERT INTO leadroute.cap (name, member, team, rule, each_member, period, condition, max_leads) VALUES
		('m1', 'm1', NULL, NULL, false, 'day', NULL, 25),
		('each', NULL, NULL, NULL, true, 'day', NULL, 40),
		('each few', NULL, NULL, 'few', true, 'month', NULL, 30),
		('few', NULL, 'few', NULL, false, 'total', NULL, 60),
		('all', NULL, NULL, 'all', false, 'month', NULL, 150),
		('rare', NULL, NULL, NULL, false, 'week', 'n = 1', 20),
		('big', NULL, NULL, NULL, true, 'hour', 'n = 2', 3),
		('router', NULL, NULL, NULL, false, 'week', NULL, 500);
	CREATE VIEW received AS
		SELECT 'm1' AS cap, NULL AS member, count(*) AS n, 25 AS most FROM lead WHERE owner = 'm1'
		UNION ALL SELECT 'each', owner, count(*), 40 FROM lead WHERE owner IS NOT NULL GROUP BY owner
		UNION ALL SELECT 'each few', owner, count(*), 30 FROM lead WHERE owner IS NOT NULL AND n = 0 GROUP BY owner
		UNION ALL SELECT 'few', NULL, count(*), 60 FROM lead WHERE owner IS NOT NULL AND n = 0
		UNION ALL SELECT 'all', NULL, count(*), (SELECT max_leads FROM leadroute.cap WHERE name = 'all') FROM lead WHERE owner IS NOT NULL AND n <> 0
		UNION ALL SELECT 'rare', NULL, count(*), 20 FROM lead WHERE owner IS NOT NULL AND n = 1
		UNION ALL SELECT 'big', owner, count(*), 3 FROM lead WHERE owner IS NOT NULL AND n = 2 GROUP BY owner;
	CREATE TABLE above (cap text, member text, n bigint);
	CREATE PROCEDURE look() LANGUAGE sql AS $$
		INSERT INTO above SELECT cap, member, n FROM received WHERE n > most
			UNION ALL SELECT cap, member, used FROM leadroute.cap_status() WHERE used > max_leads $$));

my @scripts = write_scripts(
	$node,
	'single@4' => "\\set n random(0, 5)\nINSERT INTO lead (n) VALUES (:n);",
	'bulk@1' => "BEGIN;\nINSERT INTO lead (n) SELECT g % 6 FROM generate_series(1, 12) g;\nCALL look();\nCOMMIT;",
	'rollback@3' => "BEGIN;\nINSERT INTO lead (n) SELECT g % 6 FROM generate_series(1, 30) g;\nCALL look();\nROLLBACK;",
	'savepoint@2' => q(
BEGIN;
INSERT INTO lead (n) VALUES (3);
SAVEPOINT a;
INSERT INTO lead (n) VALUES (0), (1), (2), (3);
ROLLBACK TO a;
INSERT INTO lead (n) VALUES (0), (1);
COMMIT;),
	'delete@1' => "\\set id random(1, 400)\nDELETE FROM lead WHERE id = :id AND owner IS NULL;",
	'look@1' => 'CALL look();');

sub counted
{
	my ($dbname) = @_;

	return $node->safe_psql($dbname // 'postgres',
		'SELECT cap, member, used FROM leadroute.cap_status() ORDER BY cap, member');
}

# What is counted is what was received: nothing was deleted or given.
sub caps_ok
{
	my ($dbname, $what) = @_;

	is( $node->safe_psql(
			$dbname, q(
		SELECT s.cap, s.member, s.used, r.n
		FROM leadroute.cap_status() s
		LEFT JOIN received r ON r.cap = s.cap AND (r.member IS NULL OR r.member = s.member)
		WHERE s.cap <> 'router' AND s.used <> coalesce(r.n, 0)
		ORDER BY 1, 2)),
		'', "each cap has counted what was received: $what");
	is( $node->safe_psql($dbname, 'SELECT cap, member, n FROM received WHERE n > most ORDER BY 1, 2'),
		'', "nobody is above a cap: $what");
	verify_ok($node, $dbname, $what);
	return;
}

my ($rc, $out) = finish_pgbench(
	start_pgbench($node, 'postgres', '-c', 16, '-j', 2, '-t', 15, @scripts));
is($rc, 0, 'all clients went through') or diag($out);
caps_ok('postgres', 'after the load');

# The server dies while they go on.
my $load = start_pgbench($node, 'postgres', '-c', 8, '-j', 2, '-T', 600, @scripts);
my $enough = 100 + $node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.journal');
$node->poll_query_until('postgres', "SELECT count(*) > $enough FROM leadroute.journal")
  or BAIL_OUT('no load');
$node->stop('immediate');
finish_pgbench($load);
$node->start;
caps_ok('postgres', 'after a crash');
is($node->safe_psql('postgres', 'SELECT DISTINCT cap, member FROM above ORDER BY 1, 2'),
	'', 'nobody was seen above a cap at any moment');

# Whatever was kept back because of those who rolled back later is room now.
$node->safe_psql('postgres', 'INSERT INTO lead (n) SELECT g % 6 FROM generate_series(1, 1800) g');
caps_ok('postgres', 'full');
is( $node->safe_psql(
		'postgres', q(
		SELECT cap, used FROM leadroute.cap_status() WHERE cap IN ('all', 'rare') ORDER BY 1)),
	"all|150\nrare|20", 'the caps that bind are reached exactly');
is( $node->safe_psql(
		'postgres', q(
		SELECT m.name FROM (VALUES ('m1'), ('m2'), ('m3')) m (name)
		WHERE NOT EXISTS (SELECT FROM leadroute.cap_status() s WHERE s.remaining = 0
			AND (s.member = m.name AND s.cap IN ('m1', 'each', 'each few') OR s.cap = 'few')) ORDER BY 1)),
	'', 'nobody of the team few is kept back without a cap');

# The same numbers from a checkpoint, from the whole journal, after a dump.
my $full = counted();
$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now()');
$node->stop('immediate');
$node->start;
is(counted(), $full, 'from a checkpoint');
$node->safe_psql('postgres', 'SELECT leadroute.rebuild()');
is(counted(), $full, 'from the journal');
$node->safe_psql('postgres', 'INSERT INTO lead (n) SELECT g % 6 FROM generate_series(1, 60) g');
is(counted(), $full, 'nothing more gets through');
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'postgres' ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'psql', '-X', '-q', '-o', '/dev/null', '-h', $node->host, '-p', $node->port, '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'restored' ], 'restored');
is(counted('restored'), $full, 'after the restore');
$node->safe_psql('restored', 'INSERT INTO lead (n) SELECT g % 6 FROM generate_series(1, 60) g');
is(counted('restored'), $full, 'nothing more gets through there');
caps_ok('restored', 'after the restore');

# A prepared transaction holds its places over a restart.
$node->safe_psql('postgres', q(UPDATE leadroute.cap SET max_leads = 151 WHERE name = 'all'));
for my $end ('ROLLBACK', 'COMMIT')
{
	is( $node->safe_psql('postgres', "BEGIN; INSERT INTO lead (n) VALUES (3) RETURNING owner IS NOT NULL; PREPARE TRANSACTION 'p'"),
		't', 'one more');
	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', q(SELECT used FROM leadroute.cap_status() WHERE cap = 'all')), 151, 'is counted while it is prepared');
	is($node->safe_psql('postgres', 'INSERT INTO lead (n) VALUES (3) RETURNING owner'), '', 'and nobody else gets its place');
	$node->safe_psql('postgres', "$end PREPARED 'p'");
	is( $node->safe_psql('postgres', q(SELECT used FROM leadroute.cap_status() WHERE cap = 'all')),
		$end eq 'COMMIT' ? 151 : 150, "$end PREPARED");
}
caps_ok('postgres', 'at the end');

$node->stop;
done_testing;
