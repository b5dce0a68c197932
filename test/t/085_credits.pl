# The bounds of the shares, for random teams and weights (design: promise 2), and
# what credits owe: at every prefix of the decisions
#	one set of candidates	|received - share| <= 1 - 1/(2m - 2)
#	candidates by absence	<= 2
#	k leads rolled back 	<= 1 - 1/(2m - 2) + k, and without k after some turns
#	catch_up				no credit beyond credit_limit but by giving back
# and, whatever happens, the credits of a team add up to 0 and are what journal
# and event say: also after turns were given back by transactions that are
# rolled back, prepared over a restart, or cut off by a crash.
#
# LR_SEED=n repeats a run, LR_ROUNDS is how many teams (default 8).

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{LR_SEED} // int(rand(2**31));
my $rounds = $ENV{LR_ROUNDS} // 8;

diag("LR_SEED=$seed");
srand($seed);

my $node = new_node('main', 'max_prepared_transactions = 10');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team text NOT NULL, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) SELECT 'm' || i FROM generate_series(1, 12) i;
	INSERT INTO leadroute.rule (name, team_expr) VALUES ('its team', 'team');
	-- what each had received and was due after each decision of a team
	CREATE FUNCTION prefix(team text) RETURNS TABLE (n bigint, member integer, deviation double precision)
	LANGUAGE sql AS $$
		WITH turn AS (
			SELECT j.*, v.member AS members, v.weight, row_number() OVER (ORDER BY j.id) AS n
			FROM leadroute.journal j JOIN leadroute.team_version v ON v.id = j.team_version
			JOIN leadroute.team t ON t.id = j.team
			WHERE j.turn AND t.name = prefix.team),
		seat AS (
			SELECT t.n, m.member, (t.member = m.member)::integer AS received,
				CASE WHEN t.candidates IS NULL OR leadroute.share_of(t.candidates, m.i::integer, t.weight) > 0
					THEN m.weight ELSE 0 END AS weight
			FROM turn t CROSS JOIN LATERAL unnest(t.members, t.weight) WITH ORDINALITY m (member, weight, i)),
		due AS (SELECT *, weight / sum(weight) OVER (PARTITION BY n) AS share FROM seat)
		SELECT n, member, sum(received - share) OVER (PARTITION BY member ORDER BY n) FROM due
	$$;
	CREATE FUNCTION worst(team text, first bigint DEFAULT 1) RETURNS double precision LANGUAGE sql AS
		'SELECT max(abs(deviation)) FROM prefix($1) WHERE n >= $2'));

# a team of m members with random weights
sub make_team
{
	my ($name, %more) = @_;
	my $m = 2 + int(rand(9));
	my @weight = map { 1 + int(rand(20)) / (1 + int(rand(3))) } 1 .. $m;

	$node->safe_psql(
		'postgres', join ';',
		sprintf(q(INSERT INTO leadroute.team (name, catch_up, credit_limit) VALUES ('%s', %s, %s)),
			$name, $more{catch_up} // 'false', $more{limit} // 'NULL'),
		map { "INSERT INTO leadroute.team_member (team, member, weight) VALUES ('$name', 'm$_', $weight[$_ - 1])" } 1 .. $m);
	return $m;
}

sub leads
{
	my ($team, $n) = @_;
	return "INSERT INTO lead (team) SELECT '$team' FROM generate_series(1, $n)";
}

# absences of this team begin and end, between leads; somebody is always there
sub comings_and_goings
{
	my ($team, $m, $steps) = @_;
	my %away;
	my @sql;

	for (1 .. $steps)
	{
		my $who = 1 + int(rand($m));

		if ($away{$who})
		{
			push @sql, "SELECT leadroute.resume('m$who', '$team')";
			delete $away{$who};
		}
		elsif (keys(%away) < $m - 1)
		{
			push @sql, "SELECT leadroute.pause('m$who', 'infinity', NULL, '$team')";
			$away{$who} = 1;
		}
		push @sql, leads($team, 1 + int(rand(3)));
	}
	return join(";\n", @sql);
}

sub worst
{
	my ($team, $first) = @_;
	return $node->safe_psql('postgres', "SELECT worst('$team', " . ($first // 1) . ')');
}

for my $round (1 .. $rounds)
{
	my $m = make_team("fixed $round");
	my $bound = $m > 1 ? 1 - 1 / (2 * $m - 2) : 0;

	# one set
	$node->safe_psql('postgres', leads("fixed $round", 50)) for 1 .. 4;
	my $worst = worst("fixed $round");
	cmp_ok($worst, '<=', $bound + 1e-6, "team $round of $m, one set of candidates");

	# k leads of a transaction that others overtake, and that is rolled back
	my $k = 1 + int(rand(6));
	my $other = $node->background_psql('postgres');
	$other->query_safe('BEGIN; ' . leads("fixed $round", $k));
	$node->safe_psql('postgres', leads("fixed $round", 10 + int(rand(30))));
	$other->query_safe('ROLLBACK');
	$other->quit;
	cmp_ok(worst("fixed $round"), '<=', $bound + $k + 1e-6, "team $round, $k leads rolled back");
	my $heavy = $node->safe_psql('postgres', qq(
		SELECT ceil(sum(weight) / min(weight)) FROM leadroute.team_member WHERE team = 'fixed $round'));
	$node->safe_psql('postgres', leads("fixed $round", $heavy * ($k + 1)));
	my $n = $node->safe_psql('postgres', "SELECT max(n) FROM prefix('fixed $round')");
	$node->safe_psql('postgres', leads("fixed $round", 100));
	cmp_ok(worst("fixed $round", $n), '<=', $bound + 1e-6, "team $round, and it is gone after some turns");

	# other candidates for each lead
	$m = make_team("mixed $round");
	$node->safe_psql('postgres', comings_and_goings("mixed $round", $m, 80));
	cmp_ok(worst("mixed $round"), '<=', 2, "team $round of $m, absences");

	# owed, up to a limit
	my $limit = 1 + int(rand(40)) / 10;
	$m = make_team("owed $round", catch_up => 'true', limit => $limit);
	$node->safe_psql('postgres', comings_and_goings("owed $round", $m, 80));
	my $away = $node->safe_psql('postgres', qq(
		SELECT coalesce(string_agg(a.member, ' '), '') FROM leadroute.absence a
		WHERE a.team = 'owed $round' AND a.during @> clock_timestamp()));
	$node->safe_psql('postgres', leads("owed $round", 300));
	cmp_ok($node->safe_psql('postgres', qq(
			SELECT coalesce(max(s.credit), 0) FROM leadroute.seat_counter() s JOIN leadroute.team t ON t.id = s.team
			JOIN leadroute.member m ON m.id = s.member
			WHERE t.name = 'owed $round' AND m.name = ANY (string_to_array('$away', ' ')))),
		'<=', $limit + 1e-6, "team $round of $m, credit limit $limit");
}
verify_ok($node, 'postgres', 'after the shares');
credits_ok($node, 'postgres', 'after the shares');

# turns given back, whatever becomes of the transaction
my $m = make_team('back', catch_up => 'true');
$node->safe_psql('postgres', leads('back', 40));
for my $try (1 .. 30)
{
	my $take = "UPDATE lead SET owner = 'm" . (1 + int(rand($m))) . "' WHERE id IN"
	  . " (SELECT id FROM lead WHERE team IN ('back', 'owed 1') ORDER BY random() LIMIT " . (1 + int(rand(4))) . ')';
	my $end = ('COMMIT', 'ROLLBACK')[int(rand(2))];

	$node->safe_psql('postgres', join ";\n",
		"INSERT INTO leadroute.team_member (team, member, weight) VALUES ('back', 'm" . (1 + int(rand(12))) . "', " . (1 + int(rand(5)))
		  . ') ON CONFLICT (router, team, member) DO UPDATE SET weight = EXCLUDED.weight',
		'BEGIN', leads('back', 1 + int(rand(5))), $take, 'SAVEPOINT s', $take, leads('back', 2),
		(rand() < 0.5 ? 'ROLLBACK TO s' : 'RELEASE s'), $end);
}
verify_ok($node, 'postgres', 'after turns were given back');
credits_ok($node, 'postgres', 'after turns were given back');

for my $end ('COMMIT', 'ROLLBACK')
{
	$node->safe_psql('postgres', join ";\n",
		leads('back', 7), 'BEGIN', leads('back', 3),
		q(UPDATE lead SET owner = 'm1' WHERE id IN (SELECT id FROM lead WHERE team = 'back' AND owner <> 'm1' ORDER BY id DESC LIMIT 6)),
		q(PREPARE TRANSACTION 'p'));
	my $credits = 'SELECT team, member, round(credit::numeric, 6) FROM leadroute.seat_counter() WHERE credit <> 0 ORDER BY 1, 2';
	my $before = $node->safe_psql('postgres', $credits);
	my $open = $node->background_psql('postgres');
	$open->query_safe("BEGIN; UPDATE lead SET owner = 'm2' WHERE team = 'mixed 1'");
	$node->stop('immediate');
	$open->{run}->finish;
	$node->start;
	is($node->safe_psql('postgres', $credits), $before, "a prepared transaction that gives turns back holds them over a crash ($end)");
	$node->safe_psql('postgres', "$end PREPARED 'p'");
	verify_ok($node, 'postgres', "after $end PREPARED");
	credits_ok($node, 'postgres', "after $end PREPARED");
}

$node->stop;
done_testing;
