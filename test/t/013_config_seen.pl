# What a statement knows (design: promise 9): configuration that is committed is
# seen by the first lead of every session's next statement, also by one at
# REPEATABLE READ whose snapshot is older; one statement is decided by one state
# of it; that members are away or at capacity is looked at lead by lead; and a
# transaction sees its own changes, nobody else does before it commits.
#
# Fails when a session's cache is not told, is told too early, or changes in the
# middle of a statement.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

# gate(n) waits, when n is 11, for whoever holds the advisory lock 1.
$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('chiara'), ('dora');
	INSERT INTO leadroute.team (name) VALUES ('t'), ('u');
	INSERT INTO leadroute.team_member (team, member) VALUES
		('t', 'anna'), ('t', 'bruno'), ('u', 'chiara');
	INSERT INTO leadroute.rule (name, team) VALUES ('everyone', 't');
	CREATE FUNCTION gate(n integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
	BEGIN
		IF n = 11 THEN
			PERFORM pg_advisory_lock(1);
			PERFORM pg_advisory_unlock(1);
		END IF;
		RETURN n;
	END $$));

my $add = 'INSERT INTO lead (n) VALUES (1) RETURNING owner';
my $one = $node->background_psql('postgres');
my $two = $node->background_psql('postgres');
my $old = $node->background_psql('postgres');

$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lead');
is($one->query_safe($add), 'anna', 'a first lead, so that it is cached');
is($two->query_safe($add), 'bruno', 'here too');
is($old->query_safe($add), 'anna', 'and at REPEATABLE READ');

# Uncommitted, rolled back in part, committed.
$one->query_safe(q(BEGIN; UPDATE leadroute.rule SET team = 'u'));
is($one->query_safe($add), 'chiara', 'a transaction sees its own change');
is($two->query_safe($add), 'bruno', 'another does not');
$one->query_safe(q(UPDATE leadroute.rule SET team = 't'));
is($one->query_safe($add), 'anna', 'it sees the next one too');
$one->query_safe(q(UPDATE leadroute.rule SET team = 'u'));
is($one->query_safe($add), 'chiara', 'and the one after');
$one->query_safe(q(SAVEPOINT a; UPDATE leadroute.rule SET enabled = false));
is($one->query_safe($add), '', 'it sees that of a subtransaction');
$one->query_safe('ROLLBACK TO a');
is($one->query_safe($add), 'chiara', 'until that is rolled back');
$one->query_safe('COMMIT');
is($two->query_safe($add), 'chiara', 'committed, the other sees it');
is($old->query_safe($add), 'chiara', 'at REPEATABLE READ too');
$old->query_safe('COMMIT');
$one->query_safe(q(BEGIN; UPDATE leadroute.rule SET team = 't'));
is($one->query_safe($add), 'bruno', 'a change that will be rolled back');
$one->query_safe('ROLLBACK');
is($one->query_safe($add), 'chiara', 'is gone');
is($two->query_safe($add), 'chiara', 'for all');

# Every kind of change, from one session to the other.
my @change = (
	[ q(UPDATE leadroute.rule SET team = 't', condition = 'n = 2'), '' ],
	[ q(UPDATE leadroute.rule SET condition = NULL; SELECT leadroute.pause('anna')), 'bruno' ],
	[ q(UPDATE leadroute.member SET active = false WHERE name = 'bruno'), '' ],
	[ q(INSERT INTO leadroute.team_member (team, member) VALUES ('t', 'dora')), 'dora' ],
	[ q(UPDATE leadroute.member SET owner_value = 'Dora D.' WHERE name = 'dora'), 'Dora D.' ],
	[ q(UPDATE leadroute.member SET name = 'dorothea' WHERE name = 'dora'), 'Dora D.' ],
	[ q(DELETE FROM leadroute.team_member WHERE member = 'dorothea'), '' ],
	[ q(SELECT leadroute.resume('anna')), 'anna' ],
	[ q(UPDATE leadroute.team SET name = 'tt' WHERE name = 't'), 'anna' ],
	[ q(INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('first', 1, 'n = 1', 'u')), 'chiara' ],
	[ q(UPDATE leadroute.rule SET priority = 1000 WHERE name = 'first'), 'anna' ],
	[ q(UPDATE leadroute.rule SET enabled = false WHERE name = 'everyone'), 'chiara' ],
	[ q(UPDATE leadroute.router SET enabled = false), '' ],
	[ q(UPDATE leadroute.router SET enabled = true, name = 'renamed'), 'chiara' ],
	[ q(DELETE FROM leadroute.rule WHERE name = 'first'), '' ],
	[ q(UPDATE leadroute.rule SET enabled = true), 'anna' ]);
for my $change (@change)
{
	# leads that are held would go first
	$one->query_safe('DELETE FROM lead WHERE owner IS NULL');
	$one->query_safe($change->[0]);
	is($two->query_safe($add), $change->[1], "seen: $change->[0]");
}
is($node->safe_psql('postgres', $add), 'anna', 'a new session sees all of it');

# In the middle of a statement: the rule is the one that it began with, absences
# are those of the moment.
$node->safe_psql('postgres', q(
	UPDATE leadroute.member SET active = true WHERE name = 'bruno';
	UPDATE leadroute.team SET name = 't' WHERE name = 'tt';
	TRUNCATE lead));
$one->query_safe('SELECT pg_advisory_lock(1)');
$two->query_until(qr/started/,
	"\\echo started\nINSERT INTO lead (n) SELECT gate(g) FROM generate_series(1, 20) g;\n");
poll_ok($node, 'postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted),
	'a statement is in its eleventh row');
$one->query_safe(q(SELECT leadroute.pause('anna')));
$one->query_safe(q(UPDATE leadroute.rule SET team = 'u'));
is($one->query_safe($add), 'chiara', 'another statement knows the new rule');
$one->query_safe('SELECT pg_advisory_unlock(1)');
is($two->query_safe($add), 'chiara', 'so does the next one of the same session');
is( $node->safe_psql('postgres', q(
	SELECT n > 10, string_agg(DISTINCT owner, ' ' ORDER BY owner) FROM lead WHERE n > 1 GROUP BY 1 ORDER BY 1)),
	"f|anna bruno\nt|bruno", 'a long statement sees the absence at once, the rule not at all');

$_->quit for $one, $two, $old;
verify_ok($node, 'postgres', 'at the end');
credits_ok($node, 'postgres', 'at the end');
$node->stop;
done_testing;
