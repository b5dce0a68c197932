# More members and memberships than leadroute.max_members and max_seats: those
# without counters get no leads, by whatever method, and are never due; leads go
# to the others in their shares.  Whoever has one of theirs by hand has it, and
# what the tables say is what shared memory says, also after a crash.
#
# Fails when a member without counters is chosen or is said to have been due, or
# when counters differ from the tables.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use Test::More;

my $node = new_node(
	'main', 'leadroute.max_members = 10', 'leadroute.max_seats = 18',
	'leadroute.max_teams = 10', 'max_prepared_transactions = 2');

$node->safe_psql('postgres', leads_sql('kind text') . q(
	INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(10, 21) g;
	INSERT INTO leadroute.team (name) VALUES ('some');
	INSERT INTO leadroute.team_member (team, member) SELECT 'some', 'm' || g FROM generate_series(10, 15) g;
	INSERT INTO leadroute.rule (name, condition, team) VALUES ('some', 'kind = $$some$$', 'some');
	INSERT INTO leadroute.rule (name, condition, method)
		SELECT m, format('kind = %L', m), m FROM unnest(ARRAY['round_robin', 'least_loaded', 'longest_idle', 'random']) m));

# owners(kind, n): how many owners n leads have got, least and most of each,
# and whether those with the last names are among them.
sub owners
{
	my ($kind, $n) = @_;

	return $node->safe_psql('postgres', qq(
		WITH l AS (INSERT INTO lead (kind) SELECT '$kind' FROM generate_series(1, $n) RETURNING owner)
		SELECT count(owner), min(n), max(n), bool_or(owner > 'm19')
		FROM (SELECT owner, count(*) AS n FROM l GROUP BY owner) o));
}

sub agree_ok
{
	my ($what) = @_;

	verify_ok($node, 'postgres', $what);
	credits_ok($node, 'postgres', $what);
	return;
}

# problems(): what is said about memory: severity, subject, detail, what to do.
sub problems
{
	return $node->safe_psql('postgres', q(
		SELECT severity, subject, detail, what_to_do || CASE WHEN since IS NULL THEN ' (never)' ELSE '' END
		FROM leadroute.problem WHERE what = 'memory_full' ORDER BY subject));
}

is(problems(), '', 'nothing is refused before somebody routes');
is(owners('least_loaded', 100), '10|10|10|f', 'least_loaded: those with counters');
is(owners('longest_idle', 100), '10|10|10|f', 'longest_idle');
is(owners('round_robin', 100), '10|10|10|f', 'round_robin');
like(owners('random', 300), qr/^10\|\d+\|\d+\|f$/, 'random');
is(owners('some', 60), '6|10|10|f', 'a team whose members have seats');
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.team (name) VALUES ('last');
	INSERT INTO leadroute.team_member (team, member) VALUES ('last', 'm10'), ('last', 'm11');
	INSERT INTO leadroute.rule (name, condition, team) VALUES ('last', 'kind = $$last$$', 'last')));
is(owners('last', 2), '0|2|2|', 'a team whose members have none');
agree_ok('leads by every method');
is( problems(),
	'error|leadroute.max_members|2 active members have no room for their counters in shared memory and receive no leads, among them member "m20" of router "lead".|It is 10, all used. Set it to 12 or more in postgresql.conf, and restart the server.'
	  . "\n"
	  . 'error|leadroute.max_seats|2 seats of members in teams have no room for their counters in shared memory and receive no leads, among them member "m10" in team "last" of router "lead".|It is 18, all used. Set it to 20 or more in postgresql.conf, and restart the server.',
	'problem says who gets none, and what to set');
is( $node->safe_psql('postgres', 'SELECT setting, used, most, refused_since < now() FROM leadroute.room() ORDER BY 1'),
	"leadroute.max_caps|0|20000|\nleadroute.max_members|10|10|t\nleadroute.max_seats|18|18|t\nleadroute.max_teams|3|10|",
	'what is used');

# The owner column holds no owner of some any more: who has no counters was not
# due before those who have.
$node->safe_psql('postgres', q(
	SET session_replication_role = replica;
	UPDATE leadroute.member SET owner_value = name || ' of old' WHERE name > 'm18';
	SET session_replication_role = origin;
	DELETE FROM lead;
	ALTER TABLE lead ALTER owner TYPE varchar(3)));
for my $method ('longest_idle', 'least_loaded')
{
	is( $node->safe_psql('postgres', qq(
			INSERT INTO lead (kind) VALUES ('$method');
			SELECT p->>'member' FROM leadroute.assignment, jsonb_array_elements(passed_over) p
				WHERE id = (SELECT max(id) FROM leadroute.journal) AND p->>'member' > 'm19')),
		'', "nobody without counters was due ($method)");
}
$node->safe_psql('postgres', q(
	ALTER TABLE lead ALTER owner TYPE text;
	UPDATE leadroute.member SET owner_value = name));

# By hand, and in a prepared transaction.
$node->safe_psql('postgres', q(
	INSERT INTO lead (id, owner) OVERRIDING SYSTEM VALUE VALUES (1, 'm21'), (2, 'm20'), (3, 'm10');
	SELECT leadroute.assign('lead', 1, 'm20');
	UPDATE lead SET owner = 'm21' WHERE id = 2;
	SELECT leadroute.assign('lead', 1, 'm21');
	DELETE FROM lead WHERE id = 2));
agree_ok('leads of members without counters');
$node->safe_psql('postgres', q(
	BEGIN;
	SELECT leadroute.assign('lead', 3, 'm20');
	INSERT INTO lead (kind) VALUES ('some'), ('last'), ('random');
	PREPARE TRANSACTION 'a'));
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', q(ROLLBACK PREPARED 'a'));
agree_ok('after a crash');

# Enough room.
$node->append_conf('postgresql.conf', "leadroute.max_members = 12\nleadroute.max_seats = 50");
$node->restart;
is(owners('last', 2), '2|1|1|f', 'with room for all, the team without seats has leads');
is(problems(), '', 'and there is no problem');

# More teams than leadroute.max_teams.
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.team (name) SELECT 't' || g FROM generate_series(1, 10) g;
	INSERT INTO leadroute.team_member (team, member) SELECT 't' || g, 'm10' FROM generate_series(1, 10) g;
	INSERT INTO leadroute.rule (name, condition, team) SELECT 't' || g, format('kind = %L', 't' || g), 't' || g FROM generate_series(1, 10) g;
	INSERT INTO lead (kind) SELECT 't' || g FROM generate_series(1, 10) g));
like(problems(), qr/^warning\|leadroute.max_teams\|.*It is 10, all used[^\n]*$/, 'rotations without room');
agree_ok('more teams than rotations');

done_testing();
