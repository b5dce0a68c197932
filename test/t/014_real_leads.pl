# 9,240 leads that an education company has really had, in columns that nobody
# would have chosen: names with spaces and question marks, numbers as text,
# 'Select' and '' for nothing.  Rules as its sales manager could write them.
# Routed by INSERT ... SELECT and by COPY into the attached table itself.
#
# Fails when a lead is lost, owned twice or decided by a rule whose condition is
# not true for it (computed here again, in plain SQL), when a team's shares leave
# the bound, or when why() names another rule than the one that decided.

use strict;
use warnings FATAL => 'all';

use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = shared_data('x_education_leads.csv.gz');
plan skip_all => 'LR_SHARED_DATA has no x_education_leads.csv.gz' unless $data;

my $node = new_node('main');
my $csv = $node->basedir . '/leads.csv';
gunzip($data => $csv) or die $GunzipError;

open my $in, '<', $csv or die $!;
chomp(my $head = <$in>);
close $in;
$head =~ s/^\x{ef}\x{bb}\x{bf}|\r$//g;
my %type = (
	'Prospect ID' => 'uuid PRIMARY KEY',
	'Lead Number' => 'integer',
	'TotalVisits' => 'integer',
	'Total Time Spent on Website' => 'integer',
	'Page Views Per Visit' => 'numeric');
my @column = split /,/, $head;
my $columns = join ', ', map { qq("$_") } @column;
my $definition = join ', ', map { qq("$_" ) . ($type{$_} // 'text') } @column;
my $null = join ', ', map { qq("$_") } grep { $type{$_} } @column;
my $copy = "($columns) FROM '$csv' WITH (FORMAT csv, HEADER, FORCE_NULL ($null))";

$node->safe_psql(
	'postgres', qq(
	CREATE TABLE staging ($definition);
	COPY staging $copy;
	ANALYZE staging));
is($node->safe_psql('postgres', 'SELECT count(*) FROM staging'), 9240, 'all leads are there');

my %rule = (
	'1 referred' => [ q("Lead Source" IN ('Reference', 'Welingak Website') OR "Lead Origin" = 'Lead Add Form'), 'closers' ],
	'2 professionals' => [ q("What is your current occupation" IN ('Working Professional', 'Businessman') AND "Total Time Spent on Website" >= 300), 'closers' ],
	'3 finance' => [ q(lower("Specialization") LIKE '%finance%' OR "Specialization" ~ 'Banking'), 'finance' ],
	'4 abroad' => [ q("Country" NOT IN ('India', '', 'unknown', 'Select')), 'abroad' ],
	'5 engaged' => [ q("Total Time Spent on Website" > 900 AND "TotalVisits"::numeric / nullif("Page Views Per Visit", 0) >= 1), 'closers' ],
	'6 Maharashtra' => [ q(nullif(nullif("City", 'Select'), '') IN ('Mumbai', 'Thane & Outskirts', 'Other Cities of Maharashtra')), 'west' ],
	'7 chats' => [ q("Lead Source" ILIKE 'olark%' AND coalesce("Total Time Spent on Website", 0) = 0), 'west' ]);
my $rules = join ', ', map {
	my ($condition, $team) = @{ $rule{$_} };
	my $priority = substr $_, 0, 1;
	"('$_', $priority, \$\$$condition\$\$, '$team')"
} sort keys %rule;
my $which = join ' ', map { "WHEN $rule{$_}[0] THEN '$_'" } sort keys %rule;

for my $way ('INSERT', 'COPY')
{
	my $db = lc $way;

	$node->safe_psql('postgres', "CREATE DATABASE \"$db\" TEMPLATE template0");
	$node->safe_psql(
		$db, qq(
		CREATE TABLE staging ($definition);
		COPY staging $copy;
		CREATE TABLE "X Leads" ($definition, owner text);
		CREATE EXTENSION leadroute;
		SELECT leadroute.attach('"X Leads"', 'owner');
		INSERT INTO leadroute.member (name) SELECT initcap(n) FROM unnest(
			'{asha,bala,chitra,deepak,esha,farhan,gita,harish,indira,jatin}'::text[]) n;
		INSERT INTO leadroute.team (name) VALUES ('closers'), ('finance'), ('abroad'), ('west');
		INSERT INTO leadroute.team_member (team, member, weight) VALUES
			('closers', 'Asha', 3), ('closers', 'Bala', 2), ('closers', 'Chitra', 1),
			('finance', 'Deepak', 1), ('finance', 'Esha', 1.5),
			('abroad', 'Farhan', 1), ('abroad', 'Asha', 0.25), ('abroad', 'Gita', 1), ('abroad', 'Esha', 2),
			('west', 'Gita', 5), ('west', 'Harish', 4), ('west', 'Indira', 3), ('west', 'Jatin', 2), ('west', 'Bala', 1);
		INSERT INTO leadroute.rule (name, priority, condition, team) VALUES $rules;
		INSERT INTO leadroute.rule (name) VALUES ('8 catch-all')));
	$node->safe_psql(
		$db,
		$way eq 'COPY'
		? qq(COPY "X Leads" $copy)
		: qq(INSERT INTO "X Leads" ($columns) SELECT $columns FROM staging));

	is( $node->safe_psql(
			$db, q(
			SELECT count(*), count(owner), (SELECT count(*) FROM leadroute.assignment WHERE is_current AND kind = 'assigned'),
				(SELECT count(DISTINCT lead_key) FROM leadroute.journal)
			FROM "X Leads")),
		'9240|9240|9240|9240', "$way: every lead is owned once");
	is( $node->safe_psql(
			$db, qq(
			SELECT count(*) FROM "X Leads" l
			LEFT JOIN leadroute.assignment a ON a.lead_key = l."Prospect ID"::text AND a.is_current
			WHERE a.member IS DISTINCT FROM l.owner
			OR a.rule IS DISTINCT FROM CASE $which ELSE '8 catch-all' END)),
		0, "$way: each by the first rule that is true for it");

	# All other columns are as they came.
	is( $node->safe_psql($db, qq(SELECT count(*) FROM (SELECT $columns FROM staging EXCEPT SELECT $columns FROM "X Leads") d)),
		0, "$way: nothing else was changed");

	# Parts and whole.
	is( $node->safe_psql(
			$db, q(
			SELECT sum(n) = 9240, count(*), min(n) > 0 FROM (SELECT rule, count(*) AS n FROM leadroute.assignment GROUP BY rule) r)),
		't|8|t', "$way: all rules were used, their leads add up");

	# Shares, from the journal, after every decision.
	is( $node->safe_psql(
			$db, q(
			WITH turn AS (
				SELECT j.team, j.member, v.member AS members, v.weight,
					row_number() OVER (PARTITION BY j.team ORDER BY j.id) AS n
				FROM leadroute.journal j JOIN leadroute.team_version v ON v.id = j.team_version
				WHERE j.turn AND j.candidates IS NULL),
			received AS (
				SELECT t.team, t.n, cardinality(t.members) AS m,
					t.n * s.weight / (SELECT sum(w) FROM unnest(t.weight) w) AS share,
					sum((t.member = s.member)::integer) OVER (PARTITION BY t.team, s.member ORDER BY t.n) AS received
				FROM turn t CROSS JOIN LATERAL unnest(t.members, t.weight) s (member, weight))
			SELECT count(DISTINCT (team, n)), count(DISTINCT team),
				bool_and(abs(received - share) <= 1 - 1.0 / (2 * m - 2) + 1e-6)
			FROM received)),
		'9240|5|t', "$way: shares are within the bound in all five rotations");

	my @why = split /\n/, $node->safe_psql(
		$db, q(
		WITH last AS MATERIALIZED (
			SELECT DISTINCT ON (rule) rule, member, lead_key FROM leadroute.assignment ORDER BY rule, id DESC)
		SELECT rule || '|' || member || '|' || (SELECT string_agg(w::text, ' ') FROM leadroute.why('X Leads', lead_key) w)
		FROM last ORDER BY rule));
	is(scalar(@why), 8, "$way: why() answers");
	is( join(' ', grep { my ($rule, $member, $text) = split /\|/, $_, 3; $text !~ /\Q$rule\E/ || $text !~ /\Q$member\E/ } @why),
		'', "$way: why() names the rule and the member");
	verify_ok($node, $db, $way);
	credits_ok($node, $db, $way);
}

$node->stop;
done_testing;
