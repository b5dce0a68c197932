# The worker measures members by itself while decisions use what is measured: who
# converts goes first by top_producer soon, also after a restart and a crash, and
# nobody is measured where no decision asks.
#
# Fails when the worker is not told, when it measures again and again, and when
# what it has measured is lost.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'leadroute.measured_delay = 0', 'leadroute.measured_interval = 3600',
	'leadroute.held_retry_interval = 1');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, stage text NOT NULL DEFAULT 'new', owner text);
	SELECT leadroute.attach('lead', 'owner', closed_when => $$stage <> 'new'$$, converted_when => $$stage = 'won'$$);
	INSERT INTO leadroute.member (name) SELECT 'm' || i FROM generate_series(1, 5) i;
	INSERT INTO leadroute.team (name) VALUES ('sales');
	INSERT INTO leadroute.team_member (team, member) SELECT 'sales', name FROM leadroute.member;
	INSERT INTO leadroute.rule (name, condition, team, method) VALUES
		('turns', $$kind = 'turns'$$, 'sales', 'round_robin'), ('top', $$kind = 'top'$$, 'sales', 'top_producer');
	INSERT INTO leadroute.rule (name, condition, team, member_condition) VALUES
		('named', $$kind = 'named'$$, 'sales', $$member.name <> lead.kind$$), ('open', $$kind = 'open'$$, 'sales', 'member.open_leads < 1000000');
	INSERT INTO lead (kind) SELECT 'turns' FROM generate_series(1, 1000);
	UPDATE lead SET stage = CASE WHEN id % (CASE owner WHEN 'm3' THEN 20 ELSE 100 END) < 10 THEN 'won' ELSE 'lost' END;
	INSERT INTO lead (kind, stage) VALUES ('named', 'lost'), ('open', 'lost')));

$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.measured'), '0', 'nobody asks, nobody is measured');

# Somebody else measures, and takes it back: the worker is not content with that.
# It decides held leads after it has measured.
my $other = $node->background_psql('postgres', on_error_stop => 1);
$node->safe_psql('postgres', q(
	UPDATE leadroute.member SET capacity = 0;
	INSERT INTO lead (kind) VALUES ('open')));
$other->query_safe('BEGIN; SELECT leadroute.measure()');
$node->safe_psql('postgres', q(
	BEGIN; INSERT INTO lead (kind) VALUES ('top'); UPDATE leadroute.member SET capacity = NULL; COMMIT));
poll_ok($node, 'postgres', q(SELECT count(*) = 0 FROM lead WHERE owner IS NULL), 'the worker has had its turn');
$other->query_safe('ROLLBACK');
$other->quit;
is($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.measured'), '0', 'nothing was measured');

my $asked = $node->safe_psql('postgres', q(SELECT clock_timestamp()));
poll_ok($node, 'postgres', q(
	WITH i AS (INSERT INTO lead (kind, stage) VALUES ('top', 'lost') RETURNING id)
	SELECT count(*) = 1 AND EXISTS (SELECT FROM leadroute.measured) FROM i), 'leads ask again');
poll_ok($node, 'postgres', q(SELECT tier = 1 FROM leadroute.performance WHERE team = 'sales' AND member = 'm3'), 'one lead asks, and the worker measures');
my $at = $node->safe_psql('postgres', 'SELECT max(measured_at) FROM leadroute.measured');
is($node->safe_psql('postgres', qq(SELECT '$at' >= timestamptz '$asked')), 't', 'members that are looked at otherwise ask for nothing');

sub top
{
	return $node->safe_psql('postgres', q(INSERT INTO lead (kind) SELECT 'top' FROM generate_series(1, 3) RETURNING owner), extra_params => ['-R', ' ']);
}

poll_ok($node, 'postgres', q(WITH i AS (INSERT INTO lead (kind) VALUES ('top') RETURNING owner) SELECT owner = 'm3' FROM i), 'the best goes first');
is(top(), 'm3 m3 m3', 'again and again');
$node->restart;
is(top(), 'm3 m3 m3', 'after a restart');
$node->stop('immediate');
$node->start;
is(top(), 'm3 m3 m3', 'after a crash');
is($node->safe_psql('postgres', 'SELECT max(measured_at) FROM leadroute.measured'), $at, 'they were not old yet');

# Old ones are made anew, when somebody asks.
$node->append_conf('postgresql.conf', 'leadroute.measured_interval = 1');
$node->reload;
poll_ok($node, q(postgres), qq(
	WITH i AS (INSERT INTO lead (kind) VALUES ('top') RETURNING owner)
	SELECT count(*) = 1 AND (SELECT max(measured_at) > '$at' FROM leadroute.measured) FROM i), 'old ones are made anew');
verify_ok($node, 'postgres', 'at the end');

$node->stop;
done_testing;
