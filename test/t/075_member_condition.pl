# Whom a lead fits is the same whether it is remembered, found by classes of
# members or asked of a join in plain SQL: random members, attributes of right and
# wrong shapes, conditions of rules and of memberships, and leads.
# leadroute.check_picks compares each lead with an evaluation for every member;
# the candidates in the journal are compared with
#	SELECT ... FROM lead, member_facts member WHERE condition
# And however the candidates differ from lead to lead, what a member has received
# stays within 2 of its exact share.
#
# LR_SEED=n repeats the choices of a run, LR_SECONDS is how long (default 20).
#
# Fails when an answer is remembered under a key that lacks something it depends
# on, when members are taken for the same who are not, and when somebody's credit
# moves whom a lead does not fit.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{LR_SEED} // int(rand(2**31));
my $seconds = $ENV{LR_SECONDS} // 20;

diag("LR_SEED=$seed");
srand($seed);

my $node = new_node('main', 'leadroute.check_picks = on', 'leadroute.board_members = 20', 'leadroute.held_retry_interval = 1d');

sub one_of { return $_[int(rand(@_))]; }

# An attribute of the shape that conditions expect, or of another one.
sub attributes
{
	my @language = grep { rand() < 0.4 } qw(de fr en es);
	my $languages = one_of(('[' . join(', ', map { qq("$_") } @language) . ']') x 8, '"de"', '{"fr": 1}', '7', 'null');
	my $level = one_of((map { int(rand(6)) } 1 .. 8), '"high"', '"3"', 'null', '[]');

	return qq({"languages": $languages, "level": $level}) if rand() < 0.9;
	return one_of('{}', qq({"level": $level}), qq({"languages": $languages}));
}

# Parts of conditions.  Those that raise errors stand alone: a join would fail.
my @member_part = (
	q(member.attributes -> 'languages' ? lead.lang),
	q(member.attributes -> 'languages' ? lower(coalesce(lead.lang, 'DE'))),
	q(coalesce(member.attributes ->> 'level', '') <= lead.n::text),
	q(member.attributes @> '{"level": 3}'),
	q(NOT member.attributes ? 'level'),
	q(length(member.name) > lead.n % 3 + 1),
	q(member.name <> lead.product),
	q(CASE lead.lang WHEN 'de' THEN member.capacity > lead.n WHEN 'fr' THEN member.name < 'm5' ELSE lead.n > 3 END),
	q(member.joined_at < now() - lead.n * interval '1 day'),
	q(lead.n = ANY (ARRAY[member.capacity, 2, 5])),
	q((lead.lang, member.name) IN (('de', 'm1'), ('fr', 'm2'), ('en', 'm3'))),
	q(coalesce(member.open_leads, 0) >= 0),
	q(lead.product IS NULL),
	q(lead.n > 4));
my @lead_part = (q(n > 5), q(lang = 'de'), q(lang IN ('fr', 'en')), q(product IS NULL), q(lower(product) LIKE 'm%'), q(n % 2 = 0),
	q(lead.n < extract(day FROM now())));

sub condition
{
	my @part = map { my $p = one_of(@_); rand() < 0.2 ? "NOT ($p)" : "($p)" } 1 .. 1 + int(rand(3));

	return join(one_of(' AND ', ' OR '), @part);
}

sub quoted { my ($s) = @_; $s =~ s/'/''/g; return "'$s'"; }

$node->safe_psql('postgres', 'CREATE EXTENSION leadroute');
$node->safe_psql(
	'postgres', q(
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lang text, product text, n integer, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.team (name) VALUES ('t');
	INSERT INTO leadroute.rule (name, team) VALUES ('r', 't')));

# The members who were candidates, by the journal; nobody else can be kept away.
my $wrong = q(
	WITH has AS (
		SELECT j.lead_key::bigint AS id, j.candidates, v.member
		FROM leadroute.journal j JOIN leadroute.team_version v ON v.id = j.team_version
		WHERE j.lead_key::bigint > %d AND j.member IS NOT NULL),
	found AS (
		SELECT h.id, m.name FROM has h CROSS JOIN LATERAL unnest(h.member) WITH ORDINALITY x (member, place)
		JOIN leadroute.member m ON m.id = x.member
		WHERE h.candidates IS NULL
		OR coalesce(get_bit(h.candidates || decode(repeat('00', 100), 'hex'), (x.place - 1)::integer), 0) = 1),
	wanted AS (
		SELECT lead.id, member.name FROM lead CROSS JOIN leadroute.member_facts member
		JOIN leadroute.team_member tm ON tm.team = 't' AND tm.member = member.name
		WHERE lead.id > %d AND (%s) AND (%s))
	SELECT count(*) FROM (
		(SELECT * FROM found EXCEPT SELECT * FROM wanted)
		UNION ALL (SELECT * FROM wanted EXCEPT SELECT * FROM found)) d);

my $rounds = 0;
my $leads = 0;
my $differing = 0;
my $until = time() + $seconds;
while (time() < $until)
{
	my $people = one_of(3, 10, 40, 90);
	my $rule = condition(@member_part);
	my @reach = map { rand() < 0.5 ? undef : condition(@lead_part) } 1 .. 3;
	my $last = $node->safe_psql('postgres', 'SELECT coalesce(max(id), 0) FROM lead');
	my $sql = "DELETE FROM leadroute.team_member;\n";

	foreach my $i (1 .. $people)
	{
		my $reach = $reach[ $i % 3 ];

		$sql .= sprintf(
			"INSERT INTO leadroute.member (name, attributes, capacity, joined_at) VALUES ('m%d', %s, 1000000 + %d, now() - %d * interval '1 day')"
			. " ON CONFLICT (router, name) DO UPDATE SET attributes = excluded.attributes, capacity = excluded.capacity;\n",
			$i, quoted(attributes()), $i, int(rand(9)));
		$sql .= sprintf("INSERT INTO leadroute.team_member (team, member, position, condition) VALUES ('t', 'm%d', %d, %s);\n",
			$i, $i, defined $reach ? quoted($reach) : 'NULL');
	}
	$sql .= sprintf("UPDATE leadroute.rule SET member_condition = %s, method = '%s';\n",
		quoted($rule), one_of('round_robin', 'round_robin', 'least_loaded', 'longest_idle', 'random'));
	$sql .= q(INSERT INTO lead (lang, product, n)
		SELECT (ARRAY['de', 'fr', 'en', 'DE', NULL])[1 + (random() * 4)::integer],
			CASE WHEN random() < 0.5 THEN 'm' || (1 + random() * 5)::integer END, (random() * 9)::integer
		FROM generate_series(1, 60));
	$node->safe_psql('postgres', $sql);

	my $reached = 'CASE (substring(member.name FROM 2))::integer % 3';
	$reached .= sprintf(" WHEN %d THEN %s", $_, defined $reach[$_] ? "($reach[$_])" : 'true') for 0 .. 2;
	my $n = $node->safe_psql('postgres', sprintf($wrong, $last, $last, $rule, "$reached END"));

	if ($n != 0)
	{
		diag("$n differ: $rule; " . join(' | ', map { $_ // '' } @reach));
		$differing++;
	}
	$rounds++;
	$leads += 60;
}
is($differing, 0, "candidates are those of a join ($rounds sets of members and conditions, $leads leads)");
is($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.verify()'), 0, 'what the journal says is in the counters');

# The bound, for candidates that differ from lead to lead.
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.team (name) VALUES ('u');
	INSERT INTO leadroute.team_member (team, member, weight) SELECT 'u', 'm' || i, 1 + i % 4 FROM generate_series(1, 12) i;
	UPDATE leadroute.member SET capacity = NULL;
	UPDATE leadroute.rule SET team = 'u', method = 'round_robin',
		member_condition = $$hashtext(member.name || lead.product) % 3 <> 0$$));
$node->safe_psql('postgres', q(INSERT INTO lead (product) SELECT 'p' || (random() * 40)::integer FROM generate_series(1, 4000)));
my ($worst, $all) = split /\|/, $node->safe_psql('postgres', q(
	SELECT max(abs(f.deviation)), sum(f.received) FROM leadroute.fairness(now() - interval '1 day', now() + interval '1 day') f WHERE f.team = 'u'));
cmp_ok($all, '>', 3000, 'leads were given');
cmp_ok($worst, '<=', 2, "within 2 of the exact shares (worst $worst)");

done_testing();
