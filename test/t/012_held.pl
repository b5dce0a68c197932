# Held leads are decided, oldest first, as soon as somebody can take them: a
# place becomes free, a member comes back, an absence ends by itself, a rule or a
# member is added, a capacity is raised, a transaction that held the place is
# rolled back.
#
# The worker's own retries are out of reach (an hour), so this fails when it is
# not told; and when it takes them in another order, or decides a lead twice.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'leadroute.held_retry_interval = 3600', 'max_prepared_transactions = 5');

$node->safe_psql(
	'postgres', leads_sql('kind text') . q(
	INSERT INTO leadroute.member (name, capacity) VALUES ('anna', 2);
	INSERT INTO leadroute.member (name, active) VALUES ('gone', false);
	INSERT INTO leadroute.rule (name, condition) VALUES ('a', $$kind = 'a'$$);
	INSERT INTO lead (kind) SELECT 'a' FROM generate_series(1, 12);
	INSERT INTO lead (kind) SELECT 'b' FROM generate_series(1, 3)));

sub owned
{
	return $node->safe_psql('postgres', q(SELECT string_agg(id::text, ' ' ORDER BY id) FROM lead WHERE owner IS NOT NULL));
}

# leads that a test below deletes
my %deleted;

sub decided_ok
{
	my ($sql, $last, $what) = @_;

	$node->safe_psql('postgres', $sql) if $sql;
	poll_ok($node, 'postgres', "SELECT owner IS NOT NULL FROM lead WHERE id = $last", $what);
	is(owned(), join(' ', grep { !$deleted{$_} } 1 .. $last), "oldest first: $what");
	return;
}

is(owned(), '1 2', 'the others are held');
is( $node->safe_psql('postgres', 'SELECT kind, reason, count(*) FROM leadroute.assignment WHERE is_current GROUP BY 1, 2 ORDER BY 1, 2'),
	"assigned||2\nheld|no_rule|3\nheld|nobody_available|10", 'with their reasons');
decided_ok(q(UPDATE lead SET stage = 'closed' WHERE id = 1), 3, 'a lead is closed');
decided_ok(q(UPDATE leadroute.member SET capacity = 3 WHERE name = 'anna'), 4, 'the capacity is raised');
decided_ok(q(UPDATE lead SET owner = 'gone' WHERE id = 2), 5, 'a lead is moved by hand');
decided_ok(q(INSERT INTO leadroute.member (name, capacity) VALUES ('bruno', 1)), 6, 'a member is added');

# Away for good, then back.
$node->safe_psql('postgres', q(
	SELECT leadroute.pause('anna');
	UPDATE lead SET stage = 'closed' WHERE id = 3));
is(owned(), '1 2 3 4 5 6', 'who is away gets none');
decided_ok(q(SELECT leadroute.resume('anna')), 7, 'a member comes back');
$deleted{4} = 1;
decided_ok(q(DELETE FROM lead WHERE id = 4), 8, 'a lead is deleted');
decided_ok(q(UPDATE leadroute.member SET capacity = 4 WHERE name = 'anna'), 9, 'the capacity is raised, once more');

# No transaction tells that an absence is over.
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.absence (member, during) VALUES ('anna', tstzrange(now() - interval '1 minute', now() + interval '1.5 seconds'));
	UPDATE lead SET stage = 'closed' WHERE id = 5));
decided_ok('', 10, 'an absence ends by itself');

# What is only reserved comes back too.
$node->safe_psql('postgres', q(DELETE FROM lead WHERE id = 12));
my $session = $node->background_psql('postgres');
$session->query_safe(q(BEGIN; DELETE FROM lead WHERE id = 7; INSERT INTO lead (kind) VALUES ('a')));
$session->query_safe('ROLLBACK');
is($node->safe_psql('postgres', 'SELECT owner FROM lead WHERE id = 11'), '', 'a rollback gives no place away');
$session->quit;
$node->safe_psql('postgres', q(
	BEGIN;
	DELETE FROM lead WHERE owner = 'bruno';
	PREPARE TRANSACTION 'p';
	COMMIT PREPARED 'p'));
poll_ok($node, 'postgres', 'SELECT owner IS NOT NULL FROM lead WHERE id = 11', 'a prepared DELETE is committed');

# Leads for which there was no rule.
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.member (name) VALUES ('chiara');
	INSERT INTO leadroute.rule (name, condition) VALUES ('b', $$kind = 'b'$$)));
poll_ok($node, 'postgres', q(SELECT count(*) = 3 FROM lead WHERE kind = 'b' AND owner IS NOT NULL), 'a rule is added');

is($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.pool_entry'), 0, 'nothing is held any more');

# Whom the first one does not fit, is for the second; who comes later, does not
# overtake the one whom it fits.
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.member (name, capacity, attributes) VALUES ('fr', 1, '{"speaks": "fr"}'), ('it', 1, '{"speaks": "it"}');
	INSERT INTO leadroute.rule (name, priority, condition, member_condition) VALUES ('language', 1, $$kind IN ('fr', 'it')$$, $$member.attributes ->> 'speaks' = lead.kind$$);
	INSERT INTO lead (kind) VALUES ('fr'), ('it');
	INSERT INTO lead (kind) VALUES ('fr');
	INSERT INTO lead (kind) VALUES ('it')));
is($node->safe_psql('postgres', q(SELECT string_agg(kind, ' ' ORDER BY id) FROM lead WHERE kind IN ('fr', 'it') AND owner IS NULL)), 'fr it', 'one of each is held');
$node->safe_psql('postgres', q(UPDATE lead SET stage = 'closed' WHERE owner = 'it'));
poll_ok($node, 'postgres', q(SELECT count(*) = 2 FROM lead WHERE owner = 'it'), 'a place for the second');
$node->safe_psql('postgres', q(UPDATE lead SET stage = 'closed' WHERE owner = 'it'));
$node->safe_psql('postgres', q(INSERT INTO lead (kind) VALUES ('it')));
poll_ok($node, 'postgres', q(SELECT count(*) = 3 FROM lead WHERE owner = 'it'), 'the one who waits for somebody else keeps nobody waiting');
$node->safe_psql('postgres', q(UPDATE lead SET stage = 'closed' WHERE owner = 'fr'));
poll_ok($node, 'postgres', q(SELECT count(*) = 2 FROM lead WHERE owner = 'fr'), 'a place for the first');
is($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.pool_entry'), 0, 'nothing is held, once more');

# A cap of some leads only keeps the others not waiting.
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.member (name, capacity) VALUES ('capped', 1);
	INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES ('capped', 1, $$kind IN ('x', 'y')$$, $$'capped'$$);
	INSERT INTO leadroute.cap (name, rule, period, max_leads, condition) VALUES ('one x', 'capped', 'total', 1, $$kind = 'x'$$);
	INSERT INTO lead (kind) VALUES ('x');
	INSERT INTO lead (kind) VALUES ('x');
	INSERT INTO lead (kind) VALUES ('y')));
$node->safe_psql('postgres', q(UPDATE lead SET stage = 'closed' WHERE owner = 'capped'));
poll_ok($node, 'postgres', q(SELECT owner = 'capped' FROM lead WHERE kind = 'y'), 'the one that the cap does not count has the place');
$node->safe_psql('postgres', q(
	UPDATE leadroute.cap SET max_leads = 2;
	UPDATE lead SET stage = 'closed' WHERE owner = 'capped'));
poll_ok($node, 'postgres', q(SELECT count(*) = 2 FROM lead WHERE kind = 'x' AND owner = 'capped'), 'then the other, when the cap is raised');
is( $node->safe_psql('postgres', q(SELECT lead_key FROM leadroute.journal WHERE kind = 'a' GROUP BY 1 HAVING count(*) > 1)),
	'', 'none was decided twice');
verify_ok($node, 'postgres', 'at the end');
credits_ok($node, 'postgres', 'at the end');
invariants_ok($node, 'postgres', 'lead', 'at the end');

$node->stop;
done_testing;
