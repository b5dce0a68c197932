# The rules that all sessions share: one image a version, which others map; a
# change is seen by the next statement of every session whatever image it has;
# old images are freed with their last reader, however it ends, and with their
# database or extension; without memory routing goes on, warned once; what is
# not committed is seen by nobody else; constants mean the same in every session.
#
# Fails when an image outlives its readers or its database, when somebody decides
# by an older version, or when a session's settings change what a rule means.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 60', 'max_prepared_transactions = 5');
my $setup = q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer, owner text, at timestamptz);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(0, 9) g;
	INSERT INTO leadroute.team (name) SELECT 't' || g FROM generate_series(0, 9) g;
	INSERT INTO leadroute.team_member (team, member) SELECT 't' || g, 'm' || g FROM generate_series(0, 9) g;
	INSERT INTO leadroute.rule (name, condition, team)
		SELECT 'r' || g, 'n = ' || g, 't' || g % 10 FROM generate_series(1, 3000) g);
$node->safe_psql('postgres', $setup);

sub images
{
	return $node->safe_psql('postgres',
		q(SELECT rules, readers, is_current FROM leadroute.rule_index() WHERE database = current_database() ORDER BY version));
}

sub lead { return "INSERT INTO lead (n) VALUES ($_[0]) RETURNING owner" }

my $one = $node->background_psql('postgres');
my $two = $node->background_psql('postgres');
my $late = $node->background_psql('postgres');

is(images(), '', 'nothing is shared before a lead comes');
is($one->query_safe(lead(17)), 'm7', 'the first one reads the rules');
is(images(), '3000|1|t', 'and shares them');
is($two->query_safe(lead(2999)), 'm9', 'the second one maps them');
is(images(), '3000|2|t', 'so there are two readers');

# A change of one rule: the same image, and what has changed beside it.
$one->query_safe(q(UPDATE leadroute.rule SET team = 't1' WHERE name = 'r17'));
is($two->query_safe(lead(17)), 'm1', 'a changed rule is seen by another session');
is($one->query_safe(lead(17)), 'm1', 'and by the one that changed it');
is($late->query_safe(lead(17)), 'm1', 'and by one that is new');
is(images(), '3000|3|t', 'over the same image');

# Not committed: private, over thousands of rules; then rolled back.
$one->query_safe(q(BEGIN; UPDATE leadroute.rule SET team = 't2' WHERE name = 'r17'));
is($one->query_safe(lead(17)), 'm2', 'a transaction sees its own change');
is($two->query_safe(lead(17)), 'm1', 'nobody else does');
$one->query_safe(q(SAVEPOINT s; UPDATE leadroute.rule SET team = 't3'));
is($one->query_safe(lead(500)), 'm3', 'it sees that of all rules');
$one->query_safe(q(ROLLBACK TO s));
is($one->query_safe(lead(500)), 'm0', 'until that is rolled back');
is($one->query_safe(lead(17)), 'm2', 'which leaves the first one');
$one->query_safe(q(DELETE FROM leadroute.rule WHERE name = 'r18'));
is($one->query_safe(lead(18)), '', 'a deleted rule is gone');
$one->query_safe(q(ROLLBACK));
is($one->query_safe(lead(17)), 'm1', 'all of it is gone after the rollback');
is($one->query_safe(lead(18)), 'm8', 'the deleted rule too');
is(images(), '3000|3|t', 'nothing of it was published');

# TRUNCATE says nothing of rules, and may be rolled back.
$one->query_safe(q(BEGIN; TRUNCATE leadroute.cap, leadroute.rule));
is($one->query_safe(lead(18)), '', 'no rule is left');
$one->query_safe(q(ROLLBACK));
is($one->query_safe(lead(18)), 'm8', 'and back');
is($two->query_safe(lead(18)), 'm8', 'for others as well');
is(images(), '3000|3|t', 'nothing of that was published either');

# Many changes: a new image; the old one goes with its last reader.
$one->query_safe(q(UPDATE leadroute.rule SET team = 't4' WHERE id <= 700));
is($one->query_safe(lead(17)), 'm4', 'many changed rules');
is(images(), "3000|2|f\n3000|1|t", 'a new image stands beside the old one');
is($two->query_safe(lead(17)), 'm4', 'the second session sees them');
is(images(), "3000|1|f\n3000|2|t", 'and has left the old image');
my $pid = $late->query_safe('SELECT pg_backend_pid()');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
poll_ok($node, 'postgres',
	q(SELECT count(*) = 1 AND bool_and(is_current AND readers = 2) FROM leadroute.rule_index() WHERE database = current_database()),
	'the old image is gone with its last reader');

# A router by another name.
$one->query_safe(q(DELETE FROM leadroute.rule WHERE name = 'r19'; UPDATE leadroute.router SET name = 'other'));
is($two->query_safe(lead(20)), 'm4', 'renamed');
is($two->query_safe(lead(19)), '', 'a rule deleted under the former name stays deleted');
$one->query_safe(q(DELETE FROM leadroute.rule WHERE name = 'r20'; UPDATE leadroute.router SET name = 'lead'));
is($two->query_safe(lead(19)), '', 'also under the first name');
is($two->query_safe(lead(20)), '', 'and so does one deleted between');

# Prepared: nobody sees it before it is committed, everybody then.
$one->query_safe(q(BEGIN; UPDATE leadroute.rule SET team = 't5' WHERE name = 'r21'; PREPARE TRANSACTION 'p'));
is($two->query_safe(lead(21)), 'm4', 'a prepared change is not seen');
$one->query_safe(q(COMMIT PREPARED 'p'));
is($two->query_safe(lead(21)), 'm5', 'a committed one is');
is($one->query_safe(lead(21)), 'm5', 'by the session that prepared it too');

# The same text in sessions with other settings.
$one->query_safe(q(SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'));
$one->query_safe(q(INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('at', 1, 'at < ''2026-03-01''', 't6')));
my $at = q(INSERT INTO lead (n, at) VALUES (22, '2026-02-28 23:30+00') RETURNING owner);
is($one->query_safe($at), 'm6', 'a time without zone is UTC');
is($two->query_safe($at), 'm6', 'in every session');
$two->query_safe(q(SET TimeZone = 'America/New_York'; UPDATE leadroute.rule SET priority = 2 WHERE name = 'at'));
is($two->query_safe(q(INSERT INTO lead (n, at) VALUES (22, '2026-03-01 00:30+00') RETURNING owner)), 'm4', 'whatever its zone');

# Sixteen sessions while rules change: each lead is decided by a version that
# was committed when its statement began, or before it ended.
$node->safe_psql('postgres', q(
	DELETE FROM leadroute.rule WHERE name = 'at';
	UPDATE leadroute.rule SET team = 't0';
	CREATE TABLE epoch (team integer);
	INSERT INTO epoch VALUES (0);
	CREATE TABLE late (n integer, owner text, before integer, after integer)));
my @scripts = write_scripts($node,
	'insert.sql' => q(
		\set n random(21, 3000)
		SELECT max(team) AS before FROM epoch \gset
		INSERT INTO lead (n) VALUES (:n) RETURNING substr(owner, 2)::integer AS owner \gset
		SELECT max(team) AS after FROM epoch \gset
		INSERT INTO late SELECT :n, :owner, :before, :after WHERE :owner NOT BETWEEN :before AND :after;
	));
my $load = start_pgbench($node, 'postgres', '-n', '-c', '16', '-t', '400', @scripts);
for my $team (1 .. 9)
{
	my $part = $team % 2 ? 'id % 50 = 0' : 'true';

	$node->safe_psql('postgres', "BEGIN; UPDATE leadroute.rule SET team = 't$team' WHERE $part;
		UPDATE leadroute.rule SET team = 't$team' WHERE team <> 't$team'; INSERT INTO epoch VALUES ($team); COMMIT");
}
my ($rc, $output) = finish_pgbench($load);
is($rc, 0, 'sixteen sessions and changing rules: no error') or diag($output);
is($node->safe_psql('postgres', 'SELECT * FROM late LIMIT 5'), '', 'no lead was decided by a version that was not there');
$one->query_safe(lead(1));
$two->query_safe(lead(1));
poll_ok($node, 'postgres',
	q(SELECT count(*) = 1 AND bool_and(is_current) FROM leadroute.rule_index() WHERE database = current_database()),
	'one image is left of all these');
verify_ok($node, 'postgres', 'after the load');

# Without memory.
$node->append_conf('postgresql.conf', 'leadroute.rule_memory = 1MB');
$node->reload;
$node->safe_psql('postgres', q(
	UPDATE leadroute.rule SET condition = condition || ' AND n <> -1 /* ' || repeat('x', 400) || ' */'));
my ($out, $err) = ('', '');
$node->psql('postgres', lead(27) . ';' . lead(37) . '; UPDATE leadroute.rule SET priority = 7;' . lead(27),
	stdout => \$out, stderr => \$err);
like($err, qr/WARNING:  leadroute's rules are not shared between sessions: they take 2 MB/, 'too many rules for the setting');
my @warnings = $err =~ /WARNING/g;
is(scalar(@warnings), 1, 'which is told once');
is($out, "m9\nm9\nm9", 'and routing goes on');
$node->append_conf('postgresql.conf', 'leadroute.rule_memory = 0');
$node->reload;
($out, $err) = ('', '');
$node->psql('postgres', lead(27), stdout => \$out, stderr => \$err);
is("$out$err", 'm9', 'without any sharing as well');
$node->append_conf('postgresql.conf', 'leadroute.rule_memory = 64MB');
$node->reload;

# What is gone leaves nothing.
$one->quit;
$two->quit;
$node->safe_psql('postgres', lead(27));
$node->safe_psql('postgres', 'CREATE DATABASE gone');
$node->safe_psql('gone', $setup . ';' . lead(27));
is($node->safe_psql('postgres', q(SELECT count(*) FROM leadroute.rule_index() WHERE database = 'gone')), '1', 'another database shares its own');
$node->safe_psql('postgres', 'DROP EXTENSION leadroute CASCADE; CREATE EXTENSION leadroute');
$node->safe_psql('postgres', q(
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) VALUES ('x');
	INSERT INTO leadroute.rule (name, condition) SELECT 'r' || g, 'n = ' || g FROM generate_series(1, 100) g;) . lead(7));
is(images(), '100|0|t', 'of the former installation nothing is left');
$node->safe_psql('postgres', 'DROP DATABASE gone');
poll_ok($node, 'postgres', q(SELECT count(*) = 1 FROM leadroute.rule_index()),
	'nor of a dropped database');

# A reader that is killed: the server starts again, with nothing shared.
$node->append_conf('postgresql.conf', 'restart_after_crash = on');
$node->reload;
my $reader = $node->background_psql('postgres', on_error_stop => 0);
$reader->query_safe(lead(7));
$pid = $reader->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $pid;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
is($node->safe_psql('postgres', lead(7)), 'x', 'leads are routed after a crash');
is(images(), '100|0|t', 'by a new image');
verify_ok($node, 'postgres', 'at the end');

done_testing();
