# Prepared transactions hold their reservations, over a restart too (design:
# promise 7); others go on meanwhile; COMMIT PREPARED keeps them, ROLLBACK
# PREPARED gives them back, exactly, before and after restarts.
#
# Fails when a place is lost or given away twice, when intake waits, or when the
# next turn after it is another than without it.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_prepared_transactions = 10');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		kind text,
		stage text NOT NULL DEFAULT 'new',
		owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name, capacity) VALUES ('anna', 2), ('bruno', 2), ('u', NULL), ('v', NULL), ('w', NULL),
		('x', NULL), ('y', NULL), ('z', NULL);
	INSERT INTO leadroute.team (name) VALUES ('limited'), ('turns'), ('idle');
	INSERT INTO leadroute.team_member (team, member) VALUES ('limited', 'anna'), ('limited', 'bruno'),
		('turns', 'u'), ('turns', 'v'), ('turns', 'w'), ('idle', 'x'), ('idle', 'y'), ('idle', 'z');
	INSERT INTO leadroute.rule (name, condition, team, method, overflow) VALUES
		('limited', $$kind = 'limited'$$, 'limited', 'round_robin', 'none'),
		('turns', $$kind = 'turns'$$, 'turns', 'round_robin', 'none'),
		('idle', $$kind = 'idle'$$, 'idle', 'longest_idle', 'none')));

# Without a wait: what would wait for somebody fails.
sub add
{
	my ($kind, $n) = @_;

	return $node->safe_psql('postgres',
		"SET lock_timeout = '20s'; INSERT INTO lead (kind) SELECT '$kind' FROM generate_series(1, @{[$n // 1]}) RETURNING owner"
	);
}

sub load_of
{
	return $node->safe_psql('postgres',
		'SELECT m.name, c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member WHERE m.capacity > 0 ORDER BY 1');
}

my %restart = (
	'without a restart' => sub { },
	'over a restart' => sub { $node->restart; },
	'over a crash' => sub { $node->stop('immediate'); $node->start; },
	'over both' => sub { $node->stop('immediate'); $node->start; $node->restart; });

for my $how (sort keys %restart)
{
	for my $end ('COMMIT', 'ROLLBACK')
	{
		my $what = "$how, $end PREPARED";

		# who would be next without all this?
		$node->safe_psql('postgres', 'TRUNCATE lead');
		my $turns = $node->safe_psql('postgres',
			"BEGIN; INSERT INTO lead (kind) SELECT 'turns' FROM generate_series(1, 4) RETURNING owner; ROLLBACK");
		my @turn = split /\n/, $turns;
		my @idle = split /\n/, $node->safe_psql('postgres',
			"BEGIN; INSERT INTO lead (kind) SELECT 'idle' FROM generate_series(1, 3) RETURNING owner; ROLLBACK");
		$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now()');

		# p1 holds one place of each and three turns, p2 another place
		$node->safe_psql(
			'postgres', q(
			BEGIN;
			INSERT INTO lead (kind) VALUES ('limited');
			SAVEPOINT a;
			INSERT INTO lead (kind) VALUES ('limited'), ('turns');
			ROLLBACK TO a;
			SAVEPOINT b;
			INSERT INTO lead (kind) VALUES ('limited');
			SAVEPOINT c;
			INSERT INTO lead (kind) VALUES ('turns'), ('idle'), ('turns'), ('idle'), ('turns');
			RELEASE c;
			RELEASE b;
			PREPARE TRANSACTION 'p1';
			BEGIN;
			INSERT INTO lead (kind) VALUES ('limited');
			PREPARE TRANSACTION 'p2'));
		is($node->safe_psql('postgres', 'SELECT count(*) FROM lead'), 0, "nothing is visible: $what");
		$restart{$how}->();
		is( join(' ', sort { $a <=> $b } map { s/.*\|//r } split /\n/, load_of()),
			'1 2', "places are held: $what");
		my $last = add('limited');
		like($last, qr/^(anna|bruno)$/, "one place is left: $what");
		is(add('limited', 3), "\n\n", "no more than one: $what");
		is(add('turns'), $turn[3], "the turns are held: $what");

		# p2's place comes back
		$node->safe_psql('postgres', "ROLLBACK PREPARED 'p2'");
		like(add('limited'), qr/^(anna|bruno)$/, "a place came back: $what");
		is(add('limited'), '', "one place: $what");

		$node->safe_psql('postgres', "$end PREPARED 'p1'");
		if ($end eq 'COMMIT')
		{
			is(add('limited'), '', "its places stay taken: $what");
		}
		else
		{
			is( join(' ', sort { $a cmp $b } split /\n/, add('limited', 2)),
				'anna bruno', "its places came back: $what");
			is(add('limited'), '', "and no more: $what");
		}
		is(load_of(), "anna|2\nbruno|2", "both are exactly full: $what");

		# who has received nothing for longest; rollbacks leave that in doubt
		# until the next checkpoint
		verify_ok($node, 'postgres', $what);
		$node->safe_psql('postgres', 'SELECT leadroute.checkpoint_now()');
		is(add('idle'), $idle[ $end eq 'COMMIT' ? 2 : 0 ], "the longest idle one is next: $what");
		verify_ok($node, 'postgres', "$what, and another lead");
		credits_ok($node, 'postgres', $what);
		invariants_ok($node, 'postgres', 'lead', $what);
	}
}

$node->stop;
done_testing;
