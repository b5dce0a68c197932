# Standby and promotion (design: promise 7): a hot standby answers who owns a
# lead and why, runs no worker, and after the promotion routes on with the turn
# that the primary would have given next; a worker does what is due.
#
# Fails when counters live in what is not replicated, when those loaded on the
# standby are used after it has replayed more or was promoted, when reading needs
# a write, or when the launcher runs in recovery.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "max_prepared_transactions = 5\nleadroute.checkpoint_interval = 1");
$primary->start;
$primary->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, n integer, stage text NOT NULL DEFAULT 'new', owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name, capacity) VALUES ('anna', NULL), ('bruno', NULL), ('chiara', 9), ('dora', NULL);
	INSERT INTO leadroute.team (name) VALUES ('t');
	INSERT INTO leadroute.team_member (team, member, weight) VALUES ('t', 'anna', 1), ('t', 'bruno', 2), ('t', 'chiara', 3);
	INSERT INTO leadroute.rule (name, condition, team, method) VALUES
		('weighted', 'n = 1', 't', 'round_robin'), ('idle', 'n = 2', NULL, 'longest_idle'),
		('everyone', NULL, NULL, 'round_robin');
	INSERT INTO leadroute.schedule (name, hours) VALUES ('day', '9-18');
	INSERT INTO lead (id, n) SELECT g, 1 FROM generate_series(1, 10) g));

$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->start;

# It has been there before the last leads.  One transaction stays prepared.
$primary->safe_psql(
	'postgres', q(
	INSERT INTO lead (id, n) SELECT g, g % 4 FROM generate_series(11, 37) g;
	BEGIN;
	INSERT INTO lead (id, n) VALUES (101, 1), (102, 0), (103, 0);
	PREPARE TRANSACTION 'p'));
$primary->wait_for_catchup($standby);
# the counters are loaded there, which must not be those of later
my $counted = q(SELECT (SELECT sum(load) FROM leadroute.member_counter()) = (SELECT count(*) FROM lead WHERE owner IS NOT NULL));
is($standby->safe_psql('postgres', $counted), 't', 'loads on the standby');
$primary->safe_psql('postgres', 'INSERT INTO lead (id, n) SELECT g, g % 4 FROM generate_series(111, 120) g');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $counted), 't', 'and when it has replayed more');

my %query = (
	'owners' => 'SELECT id, owner FROM lead ORDER BY id',
	'assignment' => 'SELECT id, lead_key, member, team, rule, kind, is_current FROM leadroute.assignment ORDER BY id',
	'why' => q(SELECT leadroute.why('lead', 20)),
	# the figures are without what is prepared
	'working time' => q(SELECT leadroute.is_open('day', '2030-06-03 08:00+00'), leadroute.next_opening('day', '2030-06-03 20:00+00'), leadroute.available_from('anna', at => '2030-06-03 20:00+00')),
	'explain' => q(SELECT e FROM leadroute.explain('lead', 20) e WHERE e !~ 'credit|Result'),
	'explain_lead' => q(SELECT e FROM leadroute.explain_lead('lead', '{"id": 5000, "n": 2}') e WHERE e !~ 'since|Result'),
	'fairness' => 'SELECT f FROM leadroute.fairness f ORDER BY f::text');
for my $what (sort keys %query)
{
	my $expected = $primary->safe_psql('postgres', $query{$what});
	isnt($expected, '', "$what: the primary answers");
	is($standby->safe_psql('postgres', $query{$what}), $expected, "$what: the standby answers the same");
}
my ($rc, $out, $err) = $standby->psql('postgres', q(SELECT leadroute.busy('anna', true)));
like($err, qr/cannot execute leadroute.busy\(\) during recovery/, 'nobody is busy on a standby');
is( $standby->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'leadroute%')),
	0, 'nothing of leadroute runs on the standby');

$standby->promote;
my $next = 'INSERT INTO lead (id, n) SELECT g, g % 4 FROM generate_series(201, 230) g RETURNING id, owner';
my $expected = $primary->safe_psql('postgres', $next);
is($standby->safe_psql('postgres', $next), $expected, 'the turns go on, what is prepared is held');
$standby->safe_psql('postgres', q(ROLLBACK PREPARED 'p'));
verify_ok($standby, 'postgres', 'after the promotion');
credits_ok($standby, 'postgres', 'after the promotion');
invariants_ok($standby, 'postgres', 'lead', 'after the promotion');

poll_ok($standby, 'postgres', 'SELECT max(c.cut) >= max(j.id) FROM leadroute.checkpoint c, leadroute.journal j',
	'a worker has written a checkpoint after the promotion');
is( $standby->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'leadroute launcher')),
	1, 'one launcher runs');
is(scalar(() = slurp_file($standby->logfile) =~ /leadroute launcher started/g), 1, 'it has started once');

$standby->stop;
$primary->stop;
done_testing;
