# Many sessions ask one big team at once, for leads that fit different members:
# while some divide the parts of its board, others have chosen by the parts as
# they were and roll back, members change so that the board is put up again, and
# the server crashes.  Each member has caps, which some reach.
# leadroute.check_picks compares each choice with looking at
# each member; journal, credits and shared memory agree in the end.
#
# Fails when a hold gives back by parts that are no more, when a grade keeps what
# it has gained as it is divided, when a lead gives shares to parts that it does
# not fit, and when a session is not told that another has filled a cap.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 30', 'leadroute.board_members = 10', 'leadroute.check_picks = on', 'leadroute.checkpoint_rows = 2000');
my @method = qw(round_robin least_loaded longest_idle by_target top_producer waterfall random best_match);

$node->safe_psql('postgres', leads_sql('kind text', 'area integer'));
$node->safe_psql(
	'postgres', q(
	INSERT INTO leadroute.member (name, attributes, capacity)
		SELECT 'm' || g, jsonb_build_object('area', g % 10, 'level', g % 3), CASE WHEN g % 7 = 0 THEN 400 END FROM generate_series(1, 120) g;
	INSERT INTO leadroute.team (name) VALUES ('t');
	INSERT INTO leadroute.team_member (team, member, weight, target) SELECT 't', 'm' || g, 1 + g % 2, nullif(g % 5, 0) FROM generate_series(1, 120) g));
for my $method (@method)
{
	my $rank = $method eq 'best_match' ? q($$(member.attributes ->> 'level')::integer$$) : 'NULL';

	$node->safe_psql(
		'postgres', qq(
		INSERT INTO leadroute.rule (name, condition, team, method, member_rank, member_condition) VALUES
			('$method', 'kind = ''$method''', 't', '$method', $rank, '(member.attributes ->> ''area'')::integer <> lead.area')));
}
$node->safe_psql(
	'postgres', q(
	INSERT INTO leadroute.rule (name, condition, team, member_condition) VALUES
		('up', 'kind = ''up''', 't', '(member.attributes ->> ''area'')::integer >= lead.area'),
		('all', 'kind = ''all''', 't', NULL);
	INSERT INTO leadroute.cap (name, each_member, period, max_leads, condition) VALUES
		('daily', true, 'day', 300, 'area = 1'), ('hourly', true, 'hour', 120, NULL)));

# what others conflict with
$node->safe_psql('postgres', q(INSERT INTO lead (kind) VALUES ('all')));

my $kinds = "(ARRAY['round_robin', 'round_robin', 'up', 'all', '" . join("', '", @method) . "'])[1 + (random() * 11)::integer]";
my $leads = "INSERT INTO lead (kind, area) SELECT $kinds, (random() * 9)::integer FROM generate_series(1, %d);\n";
my @script = write_scripts(
	$node,
	'insert@6' => sprintf($leads, 20),
	'one@6' => sprintf($leads, 1),
	'back@3' => "BEGIN;\n" . sprintf($leads, 15) . sprintf($leads, 15) . "ROLLBACK;\n",
	'levels@3' => "BEGIN;\n" . sprintf($leads, 5) . "SAVEPOINT s;\n" . sprintf($leads, 15) . "ROLLBACK TO s;\n" . sprintf($leads, 15) . "SAVEPOINT s;\n" . sprintf($leads, 5) . "RELEASE s;\nCOMMIT;\n",
	'conflict@2' => "INSERT INTO lead (id, kind, area) OVERRIDING SYSTEM VALUE SELECT CASE g % 2 WHEN 0 THEN (SELECT min(id) FROM lead) ELSE nextval('lead_id_seq') END, $kinds, (random() * 9)::integer
		FROM generate_series(1, 10) g ON CONFLICT DO NOTHING;\n" =~ s/\n\t*/ /gr . "\n",
	'people@1' => "\\set m random(1, 120)\nUPDATE leadroute.member SET capacity = CASE WHEN capacity IS NULL THEN 500 END WHERE name = 'm' || :m;\n",
	'busy@1' => "\\set m random(1, 120)\nSELECT leadroute.busy('m' || :m, random() < 0.3);\n");

for my $round (1 .. 3)
{
	my $load = start_pgbench($node, 'postgres', '-c', 8, '-j', 2, '-T', 3, @script);
	my ($code, $said) = finish_pgbench($load);

	is($code, 0, "round $round: no pick differs");
	diag($said) if $code;
	verify_ok($node, 'postgres', "round $round");
	next if $round != 2;
	$node->stop('immediate');
	$node->start;
}
credits_ok($node, 'postgres', 'in the end');
# members have changed all the time, and leads are held: now each area comes some times
$node->safe_psql('postgres', $_) for 'DELETE FROM leadroute.cap', 'DELETE FROM lead';
$node->safe_psql('postgres', "INSERT INTO lead (kind, area) SELECT 'round_robin', g % 10 FROM generate_series(1, 300) g");
is($node->safe_psql('postgres', 'SELECT parts, picks > 100 FROM leadroute.board()'), '10|t', 'the board has a part for each area, and has chosen');

$node->stop;
done_testing;
