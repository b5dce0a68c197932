# Very many leads in one transaction (scenario 7), by INSERT ... SELECT and by COPY: at
# every prefix of the decisions each member has its share by weight to within the
# bound, a cap lets exactly its number through, a team that is full passes the rest
# on to the next rule and that to the pool, each lead has its one row in the journal,
# and the memory of the session is bounded.
#
# LR_ROWS=n makes it that many (1,000,000 takes a minute); times are noted.
# Fails when shares are made up for later only, when a batch of the journal is lost or
# written twice, when a cap or a capacity is looked at once a statement, or when the
# session keeps something of each lead.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'time';

my $rows = $ENV{LR_ROWS} || 60_000;
my $node = new_node('main');

# Of each ten leads one is of the capped team, three of the one that fills, six of
# the weighed one.
my $capped = int($rows / 50);
my $capacity = int($rows / 20);
$node->safe_psql(
	'postgres', qq(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, kind text NOT NULL, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name, capacity)
		SELECT 'w' || i, NULL::integer FROM generate_series(1, 7) i
		UNION ALL SELECT 'c' || i, NULL FROM generate_series(1, 2) i
		UNION ALL SELECT 'f' || i, $capacity FROM generate_series(1, 3) i
		UNION ALL SELECT 'n1', $capacity;
	INSERT INTO leadroute.team (name) VALUES ('weighed'), ('capped'), ('filling'), ('next');
	INSERT INTO leadroute.team_member (team, member, weight)
		SELECT CASE left(name, 1) WHEN 'w' THEN 'weighed' WHEN 'c' THEN 'capped' WHEN 'f' THEN 'filling' ELSE 'next' END,
			name, CASE left(name, 1) WHEN 'w' THEN right(name, 1)::integer ELSE 1 END FROM leadroute.member;
	INSERT INTO leadroute.cap (name, team, period, max_leads) VALUES ('capped', 'capped', 'total', $capped);
	INSERT INTO leadroute.rule (name, priority, condition, team, overflow) VALUES
		('weighed', 1, \$\$kind = 'weighed'\$\$, 'weighed', 'next_rule'), ('capped', 2, \$\$kind = 'capped'\$\$, 'capped', 'none'),
		('filling', 3, \$\$kind = 'filling'\$\$, 'filling', 'next_rule'), ('next', 4, \$\$kind = 'filling'\$\$, 'next', 'next_rule');
	CREATE FUNCTION kind_of(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
		RETURN CASE WHEN n % 10 = 0 THEN 'capped' WHEN n % 10 < 4 THEN 'filling' ELSE 'weighed' END;
	CREATE VIEW memory AS SELECT sum(total_bytes) AS bytes FROM pg_backend_memory_contexts;
	-- how far from its share anybody was, after any lead
	CREATE VIEW farthest AS
		WITH w AS (SELECT tm.member, tm.weight / 28.0 AS share FROM leadroute.team_member tm WHERE tm.team = 'weighed'),
			d AS (SELECT row_number() OVER (ORDER BY id) AS n, member FROM leadroute.assignment WHERE rule = 'weighed'),
			own AS (SELECT member, n, row_number() OVER (PARTITION BY member ORDER BY n) AS received FROM d),
			-- as he receives one he is ahead, right before he is behind, and so at the end
			at AS (SELECT member, n, received FROM own
				UNION ALL SELECT member, n - 1, received - 1 FROM own
				UNION ALL SELECT member, (SELECT count(*) FROM d), count(*) FROM d GROUP BY 1)
		SELECT max(abs(a.received - a.n * w.share)) AS leads FROM at a JOIN w USING (member);
	CREATE TABLE source AS SELECT n AS id, kind_of(n) AS kind FROM generate_series(1, $rows) n;));

# load(what, SQL): in one transaction, then what has become of the leads.
sub load
{
	my ($what, $sql) = @_;
	my $begun = time;
	my $seen = $node->safe_psql(
		'postgres', qq(
		SELECT count(*) FROM leadroute.rotation;
		INSERT INTO lead VALUES (0, 'weighed');
		DELETE FROM lead WHERE id = 0;
		BEGIN;
		SELECT bytes AS before FROM memory \\gset
		$sql
		SELECT bytes - :before FROM memory;
		COMMIT;));
	my ($grown) = $seen =~ /(-?\d+)\s*\z/;

	note sprintf('%s: %d leads in %.1f s, %d bytes of memory', $what, $rows, time - $begun, $grown);
	cmp_ok($grown, '<=', 16 * $rows + 8 * 1024 * 1024, "$what: memory is bounded");
	is( $node->safe_psql('postgres', q(SELECT count(*) FROM lead l FULL JOIN (SELECT * FROM leadroute.assignment WHERE is_current) a ON a.lead_key = l.id::text
				WHERE l.id IS NULL OR a.lead_key IS NULL OR a.member IS DISTINCT FROM l.owner)),
		'0', "$what: each lead has its row of the journal");
	is( $node->safe_psql('postgres', q(SELECT count(*), count(DISTINCT lead_key) FROM leadroute.assignment WHERE lead_key <> '0')),
		"$rows|$rows", "$what: and no other");
	is( $node->safe_psql('postgres', 'SELECT leads <= 1 - 1.0 / 12 + 1e-6 FROM farthest'),
		't', "$what: shares are exact after each lead");
	is( $node->safe_psql(
			'postgres', q(SELECT r.name, count(*) FILTER (WHERE a.member IS NOT NULL), string_agg(DISTINCT a.kind, ' ' ORDER BY a.kind)
				FROM leadroute.rule r JOIN leadroute.assignment a ON a.rule = r.name GROUP BY 1 ORDER BY 1)),
		join("\n", "capped|$capped|assigned none", 'filling|' . 3 * $capacity . '|assigned held',
			"next|$capacity|assigned", 'weighed|' . (6 * $rows / 10 + 1) . '|assigned'),
		"$what: the cap, the capacities and the rules in their order");
	is( $node->safe_psql('postgres', q(SELECT string_agg(n::text, ' ' ORDER BY n) FROM (SELECT member, count(*) AS n
				FROM leadroute.assignment WHERE rule IN ('filling', 'capped') AND member IS NOT NULL GROUP BY 1) c)),
		join(' ', sort { $a <=> $b } ($capped / 2) x 2, ($capacity) x 3), "$what: equal shares of what there is");
	verify_ok($node, 'postgres', "$what: all agrees");
}

load('INSERT ... SELECT', 'INSERT INTO lead SELECT * FROM source ORDER BY id;');

# The same again, as though nothing had been.
$node->safe_psql(
	'postgres', q(
	TRUNCATE lead;
	TRUNCATE leadroute.journal, leadroute.event, leadroute.pool_entry;
	SELECT leadroute.rebuild();));
my $file = $node->basedir . '/source.csv';
$node->safe_psql('postgres', "COPY (SELECT * FROM source ORDER BY id) TO '$file'");
load('COPY', "COPY lead (id, kind) FROM '$file';");

# Taken back, it leaves nothing.
my $before = $node->safe_psql('postgres', 'SELECT member, load FROM leadroute.member_counter() ORDER BY 1');
$node->safe_psql('postgres', 'BEGIN; INSERT INTO lead SELECT id + 10000000, kind FROM source; ROLLBACK;');
is($node->safe_psql('postgres', 'SELECT member, load FROM leadroute.member_counter() ORDER BY 1'),
	$before, 'rolled back: no load');
verify_ok($node, 'postgres', 'rolled back: all agrees');

done_testing();
