# Very many rules: they are saved by one statement, found in any session, changed,
# and outlive a column that is dropped or retyped under them.  The rules that it
# concerns are broken then: each is told of, none costs the lead, the others go on,
# and so does a session at a bounded price in memory; with the column, they are back.
#
# LR_RULES=n makes it that many (make soak: 1,000,000); times and memory are noted.
#
# Fails when a lead is lost or gets another rule, when an image of all rules is not
# shared or not renewed, and when each broken rule keeps what its compilation took.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $rules = $ENV{LR_RULES} // 20000;
my $node = new_node('main', 'max_wal_size = 8GB', 'leadroute.rule_memory = 1GB');
my $kind = int($rules / 4);		# rules of each kind

# A statement may take minutes with a million of them.
$PostgreSQL::Test::Utils::timeout_default = 3600 if $rules > 100000;

sub session
{
	my $session = $node->background_psql('postgres');

	$session->query_safe('SET client_min_messages = error');
	return $session;
}

# timed(what, session, sql): its output; the time is noted.
sub timed
{
	my ($what, $session, $sql) = @_;
	my $began = time;
	my $out = $session->query_safe($sql);

	note(sprintf '%s: %.0f ms', $what, 1000 * (time - $began));
	return $out;
}

# Leads for the first and the last rule of each kind, and the rules that they got.
my @columns = qw(n t gone retyped);
my $id = 0;

sub lead_sql
{
	my ($g) = @_;
	my @value = ($g, "'k$g-x'", "'v$g'", 10 * $g + 5);
	my @sql;

	for my $i (0 .. $#columns)
	{
		my $value = $_[ $i + 1 ] // $value[$i];

		push @sql, "INSERT INTO lead (id, $columns[$i]) VALUES (" . ++$id . ", $value)" if $value ne 'none';
	}
	return join ';', @sql;
}

# leads(what, session, values instead of those of the table's columns...)
sub leads
{
	my ($what, $session, @value) = @_;
	my $first = $id + 1;

	timed("$what, first leads", $session, lead_sql(1, @value));
	timed("$what, next leads", $session, lead_sql($kind, @value));
	return $session->query_safe("SELECT string_agg(coalesce(rule, kind), ' ' ORDER BY lead_key::integer) FROM leadroute.assignment WHERE lead_key::integer >= $first AND is_current");
}

sub memory
{
	my ($session) = @_;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my ($peak) = -r "/proc/$pid/status" ? slurp_file("/proc/$pid/status") =~ /VmHWM:\s*(\d+)/ : ();

	return sprintf '%d MB of its own, %s MB at most', $session->query_safe('SELECT sum(total_bytes) / 1048576 FROM pg_backend_memory_contexts'), $peak ? int($peak / 1024) : '?';
}

sub image
{
	return $node->safe_psql('postgres', 'SELECT rules FROM leadroute.rule_index() WHERE is_current');
}

my $one = session();
$one->query_safe(q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, n integer, t text, gone text, retyped integer, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
	INSERT INTO leadroute.rule (name, priority) VALUES ('all', 1000)));
timed("$rules rules saved", $one, qq(
	INSERT INTO leadroute.rule (name, condition)
		SELECT c || g, CASE c WHEN 'n' THEN 'n = ' || g WHEN 't' THEN format('t LIKE %L', 'k' || g || '-%')
			WHEN 'gone' THEN format('gone = %L', 'v' || g) ELSE format('retyped BETWEEN %s AND %s', 10 * g, 10 * g + 9) END
		FROM generate_series(1, $kind) g, unnest('{n,t,gone,retyped}'::text[]) c));
my $found = "n1 t1 gone1 retyped1 n$kind t$kind gone$kind retyped$kind";
is(leads('built', $one), $found, 'the first and the last rule of each kind is found');
note(memory($one));
is(image(), 4 * $kind + 1, 'all rules are shared');
note($node->safe_psql('postgres', 'SELECT pg_size_pretty(bytes) FROM leadroute.rule_index() WHERE is_current'));

my $two = session();
is(leads('another session', $two), $found, 'by another session too');
note(memory($two));

$two->query_safe("UPDATE leadroute.rule SET condition = 'n = -1' WHERE name = 'n1'");
is(leads('a rule changed', $one), "all t1 gone1 retyped1 n$kind t$kind gone$kind retyped$kind", 'a changed rule is seen');
is($one->query_safe('INSERT INTO lead (id, n) VALUES (0, -1); SELECT rule FROM leadroute.assignment WHERE lead_key = \'0\''), 'n1', 'as it is now');
$two->query_safe("UPDATE leadroute.rule SET condition = 'n = 1' WHERE name = 'n1'");

# A column is dropped.
$two->query_safe('ALTER TABLE lead DROP gone');
my $broken = "n1 t1 retyped1 n$kind t$kind retyped$kind";
is(leads('a column dropped', $one, undef, undef, 'none'), $broken, 'a column dropped: the others are found');
is($node->safe_psql('postgres', q(SELECT count(DISTINCT payload->>'rule') FROM leadroute.event WHERE kind = 'rule_error')),
	$kind, 'each broken rule is told of');
like($node->safe_psql('postgres', "SELECT detail FROM leadroute.assignment WHERE lead_key = '$id'"),
	qr/column "gone" does not exist.*and \d+ more/, 'the lead says some of them');
note(memory($one));
cmp_ok($one->query_safe(q(SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'leadroute condition%')),
	'<', 1000 * $kind + 100000, 'of each broken rule little is kept');

# Another one has a type now that the conditions do not compare with.
$two->query_safe('ALTER TABLE lead ALTER retyped TYPE boolean USING true');
is(leads('a column retyped', $one, undef, undef, 'none', 'true'), "n1 t1 all n$kind t$kind all", 'a column retyped: the others are found');
is($node->safe_psql('postgres', q(SELECT count(DISTINCT payload->>'rule') FROM leadroute.event WHERE kind = 'rule_error')),
	2 * $kind, 'each broken rule is told of');
note(memory($one));

# Both come back.
$two->query_safe('ALTER TABLE lead DROP retyped, ADD gone text, ADD retyped bigint');
is(leads('the columns back', $one), $found, 'with the columns the rules are back');
is(leads('another session', $two), $found, 'for others too');
is(image(), 4 * $kind + 1, 'all rules are shared');

# Most of them go.
timed('rules deleted', $two, "DELETE FROM leadroute.rule WHERE name LIKE 'gone%' OR name LIKE 't%'");
is(leads('rules deleted', $one), "n1 all all retyped1 n$kind all all retyped$kind", 'deleted rules are gone');
is(image(), 2 * $kind + 1, 'from what is shared too');
verify_ok($node, 'postgres', 'at the end');

$node->stop;
done_testing();
