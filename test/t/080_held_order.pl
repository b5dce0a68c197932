# Held leads keep their order, and later leads of their rule do not overtake them
# (scenario 33): 500 leads are held; then places become free one by one, by
# closing, by rollback, by transactions that insert a lead themselves, while
# others insert new leads of the same rule; the server is killed in between.
#
# Fails when a new lead gets a place that a held one could have, when the worker
# gives places out in another order, also after it was refused one, or when
# the order is lost with shared memory.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'leadroute.held_retry_interval = 3600', 'max_connections = 40', 'log_min_messages = warning');

# Two rules have the same leads, so they wait for the members of both; another
# one shares members with them; and one has leads that nobody can take.
$node->safe_psql(
	'postgres', leads_sql('kind text') . q(
	INSERT INTO leadroute.member (name, capacity) SELECT 'm' || i, 4 FROM generate_series(1, 5) i;
	INSERT INTO leadroute.team (name) VALUES ('one'), ('two');
	INSERT INTO leadroute.team_member (team, member) VALUES ('one', 'm1'), ('one', 'm2'), ('one', 'm3'), ('two', 'm4'), ('two', 'm5');
	INSERT INTO leadroute.rule (name, priority, condition, team) VALUES
		('other', 1, $$kind = 'other'$$, 'one'),
		('first', 2, $$kind = 'a'$$, 'one'), ('second', 3, $$kind = 'a'$$, 'two');
	INSERT INTO leadroute.member (name) VALUES ('away');
	INSERT INTO leadroute.absence (member) VALUES ('away');
	INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES ('stuck', 4, $$kind = 'stuck'$$, $$'away'$$);
	INSERT INTO lead (kind) SELECT 'a' FROM generate_series(1, 20)));
$node->safe_psql('postgres', q(INSERT INTO lead (kind) SELECT 'a' FROM generate_series(1, 100); INSERT INTO lead (kind) VALUES ('stuck'))) for 1 .. 5;
is($node->safe_psql('postgres', q(SELECT count(*) FROM leadroute.pool_entry)), 505, 'they are held');
my $last = $node->safe_psql('postgres', 'SELECT max(id) FROM lead');

my $close = q(UPDATE lead SET stage = 'closed' WHERE id = (SELECT id FROM lead
	WHERE owner IS NOT NULL AND stage <> 'closed' ORDER BY id LIMIT 1 OFFSET :n FOR UPDATE SKIP LOCKED););
my @scripts = write_scripts(
	$node,
	'close@6' => "\\set n random(0, 5)\n$close\n",
	'new@3' => "INSERT INTO lead (kind) VALUES ('a');\n",
	'in_place@2' => "\\set n random(0, 5)\nBEGIN;\n$close\nINSERT INTO lead (kind) VALUES ('a');\nCOMMIT;\n",
	'rollback@2' => "BEGIN;\nINSERT INTO lead (kind) VALUES ('other');\nROLLBACK;\n",
	'closing@1' => "\\set n random(0, 5)\nBEGIN;\n$close\nROLLBACK;\n");

sub run_load
{
	return start_pgbench($node, 'postgres', '-c', 6, '-j', 2, '-t', 250, @scripts);
}

# leads of the rule that were there first and have waited in vain so far
my $waiting = "FROM lead WHERE id <= $last AND kind = 'a' AND owner IS NULL";

my $load = run_load();
poll_ok($node, 'postgres', "SELECT count(*) < 350 $waiting", 'some are released');
$node->stop('immediate');
finish_pgbench($load);
$node->start;
for my $round (1 .. 10)
{
	my ($rc, $out) = finish_pgbench(run_load());

	is($rc, 0, "all clients went through, round $round") or diag($out);
	last if $node->safe_psql('postgres', "SELECT count(*) $waiting") == 0;
}
is($node->safe_psql('postgres', "SELECT count(*) $waiting"), 0, 'all that waited first are released');

# The order in which they got their first owner, of those that were held.
is( $node->safe_psql('postgres', qq(
	WITH held AS (SELECT lead_key, min(id) AS id FROM leadroute.journal WHERE kind = 'h' GROUP BY 1),
	decided AS (SELECT h.lead_key::bigint AS lead, h.id AS held, min(j.id) AS id
		FROM held h JOIN leadroute.journal j ON j.lead_key = h.lead_key AND j.member IS NOT NULL
		WHERE h.lead_key::bigint <= $last GROUP BY 1, 2)
	SELECT count(*), count(*) FILTER (WHERE id < before)
	FROM (SELECT id, max(id) OVER (ORDER BY held ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM decided) d)),
	'500|0', 'in the order in which they were held');
is( $node->safe_psql('postgres', qq(
	SELECT count(*) FROM leadroute.journal n JOIN lead l ON l.id = n.lead_key::bigint
	WHERE l.id > $last AND l.kind = 'a' AND n.member IS NOT NULL
	AND n.id < (SELECT max(f.id) FROM (SELECT min(j.id) AS id FROM leadroute.journal j
		JOIN lead o ON o.id = j.lead_key::bigint AND o.id <= $last AND o.kind = 'a' WHERE j.member IS NOT NULL GROUP BY j.lead_key) f))),
	0, 'no later lead of the rule before them');

verify_ok($node, 'postgres', 'at the end');
credits_ok($node, 'postgres', 'at the end');
invariants_ok($node, 'postgres', 'lead', 'at the end');
$node->stop;
done_testing;
