# Exact shares at any concurrency (design: promise 2): 16 clients that insert
# and never abort; in the order of the decisions, after every single one, every
# member has received its share, weight by sum of weights, to within
# 1 - 1/(2m - 2) leads.
#
# Fails when two sessions take one turn, when a turn is lost, or when the
# rotation is worse than the bound.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 40');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind integer, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) SELECT 'm' || i FROM generate_series(1, 9) i;
	INSERT INTO leadroute.team (name) VALUES ('two'), ('five');
	INSERT INTO leadroute.team_member (team, member, weight) VALUES
		('two', 'm1', 1), ('two', 'm2', 2.5),
		('five', 'm1', 1), ('five', 'm2', 3), ('five', 'm3', 7), ('five', 'm4', 0.4), ('five', 'm5', 3);
	INSERT INTO leadroute.rule (name, condition, team) VALUES
		('two', 'kind = 1', 'two'), ('five', 'kind IN (2, 3)', 'five'), ('all', NULL, NULL)));

my @scripts = write_scripts(
	$node,
	'single@6' => "\\set k random(1, 4)\nINSERT INTO lead (kind) VALUES (:k);",
	'many@2' => 'INSERT INTO lead (kind) SELECT 1 + g % 4 FROM generate_series(1, 9) g;',
	'open@2' => q(
\set k random(1, 4)
BEGIN;
INSERT INTO lead (kind) VALUES (:k);
SELECT count(*) FROM pg_class;
INSERT INTO lead (kind) VALUES (:k);
COMMIT;));
my ($rc, $out) = finish_pgbench(
	start_pgbench($node, 'postgres', '-c', 16, '-j', 2, '-t', 150, @scripts));

is($rc, 0, 'all clients went through') or diag($out);
verify_ok($node, 'postgres', 'after the load');
credits_ok($node, 'postgres', 'after the load');
is( $node->safe_psql(
		'postgres', q(
	WITH turn AS (
		SELECT j.team, j.id, j.member, j.team_version, v.member AS members, v.weight,
			row_number() OVER (PARTITION BY j.team ORDER BY j.id) AS n
		FROM leadroute.journal j JOIN leadroute.team_version v ON v.id = j.team_version),
	received AS (
		SELECT t.team, t.n, s.member, cardinality(t.members) AS m,
			t.n * s.weight / (SELECT sum(w) FROM unnest(t.weight) w) AS share,
			sum((t.member = s.member)::integer) OVER (PARTITION BY t.team, s.member ORDER BY t.n) AS received
		FROM turn t CROSS JOIN LATERAL unnest(t.members, t.weight) s (member, weight))
	SELECT team, m, max(n) > 500 AS enough,
		max(abs(received - share)) <= 1 - 1.0 / (2 * m - 2) + 1e-6 AS within
	FROM received GROUP BY team, m ORDER BY m)),
	"1|2|t|t\n2|5|t|t\n0|9|t|t", 'shares are within the bound after every decision');

$node->stop;
done_testing;
