# Prepared transactions hold their reservations, over a restart too (design:
# promise 7); others go on meanwhile; COMMIT PREPARED keeps them, ROLLBACK
# PREPARED gives them back, exactly, before and after restarts.
#
# Fails when a place is lost or given away twice, when intake waits, or when the
# next turn after it is another than without it.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_prepared_transactions = 10');

$node->safe_psql(
	'postgres', leads_sql('kind text') . q(
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

# What a prepared transaction does to leads that were there before (it closes,
# moves, deletes and reopens) is a new version of their rows in the journal, not
# another lead; all of it is read again after the restart.
$node->append_conf('postgresql.conf', 'leadroute.checkpoint_interval = 3600');
for my $end ('COMMIT', 'ROLLBACK')
{
	my $deal = lc($end) . '_deal';
	my $deals = qq(SELECT m.name, c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member
		WHERE m.router = '$deal' ORDER BY 1);

	$node->safe_psql(
		'postgres', qq(
		CREATE TABLE $deal (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			stage text NOT NULL DEFAULT 'new',
			owner text);
		SELECT leadroute.attach('$deal', 'owner', router => '$deal', closed_when => \$\$stage = 'closed'\$\$);
		INSERT INTO leadroute.member (router, name) VALUES ('$deal', 'eva'), ('$deal', 'fred');
		INSERT INTO leadroute.rule (router, name) VALUES ('$deal', 'everyone')));
	$node->restart;
	$node->safe_psql(
		'postgres', qq(
		SELECT leadroute.checkpoint_now();
		INSERT INTO $deal (stage) SELECT CASE g WHEN 10 THEN 'closed' ELSE 'new' END FROM generate_series(1, 10) g));
	is($node->safe_psql('postgres', $deals), "eva|5\nfred|4", "loads before it: $end PREPARED");
	$node->safe_psql(
		'postgres', qq(
		BEGIN;
		UPDATE $deal SET stage = 'closed' WHERE id = 1;
		UPDATE $deal SET owner = 'fred' WHERE id = 3;
		DELETE FROM $deal WHERE id = 5;
		UPDATE $deal SET stage = 'new' WHERE id = 10;
		INSERT INTO $deal DEFAULT VALUES;
		PREPARE TRANSACTION 'deals'));
	my $held = $node->safe_psql('postgres', $deals);
	is($held, "eva|6\nfred|6", "what it takes is held, what it gives back too: $end PREPARED");
	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', $deals), $held, "the same right after a crash: $end PREPARED");
	$node->safe_psql('postgres', "$end PREPARED 'deals'");
	is( $node->safe_psql('postgres', $deals),
		$end eq 'COMMIT' ? "eva|3\nfred|6" : "eva|5\nfred|4", "loads after $end PREPARED");
	verify_ok($node, 'postgres', "deals, $end PREPARED");
	credits_ok($node, 'postgres', "deals, $end PREPARED");
}

# PREPARE TRANSACTION that fails gives back once what it has reserved, though
# others settle meanwhile what has ended.
$node->safe_psql('postgres', q(
	BEGIN;
	CREATE TABLE other (i integer);
	PREPARE TRANSACTION 'taken'));
my $fail = "BEGIN; INSERT INTO commit_deal (stage) SELECT 'new' FROM generate_series(1, 3); PREPARE TRANSACTION 'taken';\n";
my ($rc, $out, $err) = $node->psql('postgres', $fail);
like($err, qr/transaction identifier "taken" is already in use/, 'PREPARE TRANSACTION fails');
verify_ok($node, 'postgres', 'PREPARE TRANSACTION has failed');
my $load = start_pgbench($node, 'postgres', '-c', 6, '-j', 2, '-T', 6,
	write_scripts($node, 'plain' => 'INSERT INTO commit_deal DEFAULT VALUES;'));
my @failing = map {
	my $ignored = '';
	IPC::Run::start([ 'psql', '-XqAt', '-h', $node->host, '-p', $node->port, 'postgres' ],
		'<', \($fail x 300), '>', \$ignored, '2>&1')
} 1 .. 6;
$_->finish for @failing;
finish_pgbench($load);
verify_ok($node, 'postgres', 'PREPARE TRANSACTION has failed many times');
credits_ok($node, 'postgres', 'PREPARE TRANSACTION has failed many times');
$node->safe_psql('postgres', q(ROLLBACK PREPARED 'taken'));

# The first lead of a new composition, rolled back when its session has had more.
$node->safe_psql(
	'postgres', q(
	UPDATE leadroute.team_member SET weight = 7 WHERE team = 'turns' AND member = 'u';
	BEGIN;
	INSERT INTO lead (kind) VALUES ('turns');
	PREPARE TRANSACTION 'first';
	INSERT INTO lead (kind) VALUES ('turns');
	ROLLBACK PREPARED 'first'));
verify_ok($node, 'postgres', 'who has written down the composition is rolled back');
credits_ok($node, 'postgres', 'who has written down the composition is rolled back');

$node->stop;
done_testing;
