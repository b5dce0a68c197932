# Who of a team could take a lead is told once for many leads (candidate_set),
# while sessions come and go, roll back, crash and are prepared: what a row of the
# journal refers to is there and says whom the lead fitted; credits, shares and the
# counters after a crash are those of the journal; a standby and a restored
# database read the same.
#
# Fails when a row refers to a set of a transaction that is rolled back or lost, to
# one of other members, when loading does not read sets, also of prepared
# transactions, or a dump leaves them out.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "$_\n")
  for ('max_connections = 40', 'max_prepared_transactions = 10', 'leadroute.candidate_set_after = 100', 'leadroute.checkpoint_rows = 300',
	'leadroute.checkpoint_interval = 1', 'synchronous_commit = off');
$node->start;

# Member i speaks language l unless i % 5 = l % 5, and 'seldom' if i < 100.
my $people = 300;
$node->safe_psql('postgres', $_) for (
	'CREATE EXTENSION leadroute',
	q(
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lang text NOT NULL, owner text);
	SELECT leadroute.attach('lead', 'owner')),
	qq(
	INSERT INTO leadroute.member (name, attributes)
		SELECT 'm' || i, jsonb_build_object('languages', (SELECT jsonb_agg(l::text) FROM generate_series(0, 9) l WHERE l % 5 <> i % 5)
			|| CASE WHEN i < 100 THEN '["seldom"]' ELSE '[]' END::jsonb)
		FROM generate_series(1, $people) i;
	INSERT INTO leadroute.team (name) VALUES ('equal'), ('weighted');
	INSERT INTO leadroute.team_member (team, member, position, weight)
		SELECT t, 'm' || i, i, CASE t WHEN 'equal' THEN 1 ELSE 1 + i % 4 END
		FROM generate_series(1, $people) i, unnest('{equal,weighted}'::text[]) t;
	INSERT INTO leadroute.rule (name, priority, condition, team, member_condition) VALUES
		('equal', 1, \$\$lang <> '7'\$\$, 'equal', \$\$member.attributes -> 'languages' ? lead.lang\$\$),
		('weighted', 2, NULL, 'weighted', \$\$member.attributes -> 'languages' ? lead.lang\$\$)));

# Rows refer to nothing, to the wrong members, or the view says something else.
sub rows_ok
{
	my ($server, $dbname, $what) = @_;

	is( $server->safe_psql(
			$dbname, q(
		WITH said AS (
			SELECT j.id, j.lead_key, j.candidate_set, s.id AS found, coalesce(j.candidates, s.candidates) AS bits, v.member AS members, a.candidates
			FROM leadroute.journal j JOIN leadroute.team_version v ON v.id = j.team_version JOIN leadroute.assignment a ON a.id = j.id
			LEFT JOIN leadroute.candidate_set s ON s.id = j.candidate_set AND s.team_version = j.team_version),
		could AS (
			SELECT DISTINCT l.lang, coalesce(s.bits::text, 'all') AS bits, s.candidates, (SELECT array_agg(m.name ORDER BY m.name) FROM unnest(s.members) WITH ORDINALITY u (id, place)
					JOIN leadroute.member m ON m.id = u.id
					WHERE s.bits IS NULL OR (u.place - 1 < 8 * length(s.bits) AND get_bit(s.bits, (u.place - 1)::integer) = 1)) AS names
			FROM (SELECT DISTINCT ON (l.lang, s.bits, s.members, s.candidates) s.*, l.lang
				FROM said s JOIN lead l ON l.id::text = s.lead_key) s JOIN lead l ON l.lang = s.lang)
		SELECT (SELECT count(*) FROM said WHERE candidate_set IS NOT NULL AND found IS NULL),
			(SELECT count(*) FROM could c WHERE names IS DISTINCT FROM (SELECT array_agg(m.name ORDER BY m.name)
				FROM leadroute.member m WHERE m.attributes -> 'languages' ? c.lang)),
			(SELECT count(*) FROM could c WHERE c.candidates <> cardinality(c.names)))),
		'0|0|0', "rows say who could take the lead: $what");
	return;
}

sub agrees
{
	my ($dbname, $what) = @_;

	rows_ok($node, $dbname, $what);
	verify_ok($node, $dbname, $what);
	credits_ok($node, $dbname, $what);
	return;
}

# ---------- many sessions, at once ----------

my @scripts = write_scripts(
	$node,
	'keep@5' => q(
\set l random(0, 9)
INSERT INTO lead (lang) SELECT :l FROM generate_series(1, 3);),
	'mixed@3' => q(
\set l random(0, 9)
BEGIN;
INSERT INTO lead (lang) VALUES (:l), ((:l + 1) % 10), (:l);
SAVEPOINT a;
INSERT INTO lead (lang) SELECT (:l + 2) % 10 FROM generate_series(1, 6);
ROLLBACK TO a;
INSERT INTO lead (lang) SELECT (:l + g) % 10 FROM generate_series(1, 5) g;
COMMIT;),
	'lost@3' => q(
\set l random(0, 9)
BEGIN;
INSERT INTO lead (lang) SELECT :l FROM generate_series(1, 9);
ROLLBACK;),
	'moved@2' => q(
\set m random(1, 300)
UPDATE lead SET owner = 'm' || :m WHERE id = (SELECT max(id) - 20 FROM lead);));

# some sessions are new for each script: they know no set
my @loads = map { start_pgbench($node, 'postgres', '-c', 5, '-t', $_->[0], @{$_->[1]}, @scripts) }
  ([60, []], [12, ['-C']]);
for my $load (@loads)
{
	my ($rc, $out) = finish_pgbench($load);

	is($rc, 0, 'all clients went through') or diag($out);
}
is( $node->safe_psql(
		'postgres', q(
	SELECT (SELECT count(*) FROM leadroute.journal WHERE candidate_set IS NOT NULL) > 200,
		(SELECT count(*) FROM leadroute.journal WHERE candidates IS NOT NULL) > 10,
		(SELECT count(*) FROM leadroute.event WHERE candidate_set IS NOT NULL) > 5,
		(SELECT count(*) BETWEEN 6 AND 60 FROM leadroute.candidate_set))),
	't|t|t|t', 'sets are used, by events too; not more than sessions have of each');
agrees('postgres', 'after the load');

# ---------- a crash ----------

$node->stop('immediate');
$node->start;
agrees('postgres', 'after a crash');
$node->safe_psql('postgres', 'SELECT leadroute.rebuild()');
agrees('postgres', 'counted anew');

# The set, and rows that refer to it, of transactions that a crash ends; another
# session had the same.
my $lost = $node->background_psql('postgres');
$lost->query_safe(q(BEGIN; INSERT INTO lead (lang) SELECT 'seldom' FROM generate_series(1, 8)));
$node->safe_psql('postgres', q(INSERT INTO lead (lang) SELECT 'seldom' FROM generate_series(1, 8)));
$node->stop('immediate');
eval { $lost->quit };
$node->start;
agrees('postgres', 'a session was lost in a crash');
$node->safe_psql('postgres', q(INSERT INTO lead (lang) SELECT 'seldom' FROM generate_series(1, 8)));
agrees('postgres', 'and another one had the same');

# ---------- prepared ----------

for my $end ('COMMIT', 'ROLLBACK')
{
	# sets that nobody has: the composition is another
	$node->safe_psql(
		'postgres', qq(
		DELETE FROM leadroute.team_member WHERE member = CASE '$end' WHEN 'COMMIT' THEN 'm7' ELSE 'm8' END;
		UPDATE leadroute.member SET attributes = '{"languages": []}' WHERE name IN ('m7', 'm8')
			AND NOT EXISTS (SELECT FROM leadroute.team_member tm WHERE tm.member = member.name);
		TRUNCATE lead;
		BEGIN;
		INSERT INTO lead (lang) SELECT l FROM unnest('{1,7}'::text[]) l, generate_series(1, 20);
		PREPARE TRANSACTION 'p';
		INSERT INTO lead (lang) SELECT l FROM unnest('{1,7}'::text[]) l, generate_series(1, 20)));
	my $credits = q(SELECT router, team, member, credit FROM leadroute.seat_counter() WHERE credit <> 0 ORDER BY 1, 2, 3);
	my $before = $node->safe_psql('postgres', $credits);

	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', $credits), $before, "credits of what is prepared, too, after a crash: $end");
	$node->safe_psql('postgres', "$end PREPARED 'p'");
	agrees('postgres', "$end PREPARED");
	$node->safe_psql('postgres', q(INSERT INTO lead (lang) SELECT l FROM unnest('{1,7}'::text[]) l, generate_series(1, 8)));
	agrees('postgres', "$end PREPARED, and more leads");
}

# ---------- elsewhere ----------

my $fairness = q(SELECT team, member, weight, received, round(exact_share::numeric, 9) FROM leadroute.fairness() ORDER BY 1, 2);
my $assignment = q(SELECT id, member, candidates, team_size, passed_over FROM leadroute.assignment ORDER BY id);

$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', q(INSERT INTO lead (lang) SELECT g % 10 FROM generate_series(1, 100) g));
$node->wait_for_catchup($standby);
rows_ok($standby, 'postgres', 'standby');
is($standby->safe_psql('postgres', $_), $node->safe_psql('postgres', $_), 'a standby says the same') for $fairness, $assignment;
$standby->stop;

my $dump = $node->basedir . '/dump';
$node->command_ok(['pg_dump', '-Fc', '-f', $dump, 'postgres'], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
$node->command_ok(['pg_restore', '-e', '-d', 'copy', $dump], 'restore');
is($node->safe_psql('copy', $_), $node->safe_psql('postgres', $_), 'what is restored says the same') for $fairness, $assignment;
agrees('copy', 'restored');
my $sets = $node->safe_psql('copy', 'SELECT count(*) FROM leadroute.candidate_set');
$node->safe_psql('copy', q(INSERT INTO lead (lang) SELECT l FROM unnest('{1,7}'::text[]) l, generate_series(1, 20)));
is($node->safe_psql('copy', 'SELECT count(*) FROM leadroute.candidate_set'), $sets, 'sets that are there are found');
agrees('copy', 'restored, and more leads');

$node->stop;
done_testing;
