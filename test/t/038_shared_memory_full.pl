# Dynamic shared memory that is used up: rules are read by each session for itself
# then, which says so once; no lead is lost or gets another rule, no other statement
# fails; where there is room again, the rules are shared again.  So it is for the
# limit leadroute.rule_memory and for images of which there are too many.
#
# The server's segments are files on a file system of 6 MB of its own, which is
# filled to the last byte (mounted in a namespace of the server; where the system
# does not allow that, the directory of the segments cannot be written instead).
#
# Fails when an INSERT raises an error for want of shared memory, warns again and
# again or never, or when the rules stay private although there is room.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "dynamic_shared_memory_type = mmap\nmax_connections = 20\nmax_worker_processes = 2\nautovacuum = off");
my $segments = $node->data_dir . '/pg_dynshmem';
my @namespace = qw(unshare --user --map-current-user --keep-caps --mount);
my $mounts = system(qq(@namespace sh -c 'mount -t tmpfs -o size=6m none "$segments"' >/dev/null 2>&1)) == 0;

# The server is started in the namespace; the rest of its life is as usual.
if ($mounts)
{
	my $log = $node->logfile;
	my $start = join ' ', 'exec', $node->installed_command('pg_ctl'), '-w', '-D', $node->data_dir, '-l', $log, '-o',
	  q("--cluster-name=main"), 'start';

	is(system(qq(@namespace sh -c 'mount -t tmpfs -o size=6m none "$segments" && $start' >/dev/null)), 0, 'the server has a small file system for its segments');
	$node->_update_pid(1);
}
else
{
	$node->start;
	pass('no small file system here: the segments will be forbidden');
}

# Statements of the server itself see its file system.
my $fill = qq(COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; dd if=/dev/zero of=$segments/full bs=64k 2>/dev/null; dd if=/dev/zero of=$segments/full2 bs=1 count=65536 2>/dev/null; true');
my $free = qq(COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; rm -f $segments/full $segments/full2');

sub exhaust
{
	return $mounts ? $node->safe_psql('postgres', $fill) : chmod(0500, $segments);
}

sub relieve
{
	return $mounts ? $node->safe_psql('postgres', $free) : chmod(0700, $segments);
}

$node->safe_psql('postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(0, 9) g;
	INSERT INTO leadroute.team (name) SELECT 't' || g FROM generate_series(0, 9) g;
	INSERT INTO leadroute.team_member (team, member) SELECT 't' || g, 'm' || g FROM generate_series(0, 9) g;
	INSERT INTO leadroute.rule (name, condition, team)
		SELECT 'r' || g, 'n = ' || g, 't' || g % 10 FROM generate_series(1, 4000) g));

# said(sql...): output and warnings of one session, and how many warnings.
sub said
{
	my ($out, $err) = ('', '');

	$node->psql('postgres', join(';', @_), stdout => \$out, stderr => \$err, on_error_stop => 0);
	my @warnings = $err =~ /WARNING/g;
	return ($out, $err, scalar @warnings);
}

sub lead { return "INSERT INTO lead (n) VALUES ($_[0]) RETURNING owner" }

# A change after which all rules are read again.
my $team = 0;

sub change
{
	$team = ($team + 1) % 10;
	return "UPDATE leadroute.rule SET team = 't' || (split_part(name, 'r', 2)::integer + $team) % 10";
}

sub owner { return 'm' . ($_[0] + $team) % 10 }

sub images
{
	return $node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE readers > 0) FROM leadroute.rule_index() WHERE is_current');
}

my $reader = $node->background_psql('postgres');
$reader->query_safe('SET client_min_messages = error');
is($reader->query_safe(lead(17)), 'm7', 'a lead');
is(images(), '1|1', 'the rules are shared');

# No room for a new image.
exhaust();
my $change = change();
my ($out, $err, $warnings) = said($change, lead(27), lead(3999), change() , lead(28), change(), lead(29));
is($out, join("\n", map { "m$_" } 8, 0, 0, 2), 'no room: leads get their rules');
like($err, qr/WARNING:  leadroute's rules are not shared between sessions: could not (resize|open) shared memory segment/, 'which are not shared');
like($err, qr/HINT:  Give the server more dynamic shared memory/, 'with a hint');
unlike($err, qr/ERROR/, 'and no error');
is($warnings, 1, 'told once a session');
is(images(), '1|1', 'the old ones are still there, for whom they are good');
($out, $err, $warnings) = said(lead(30), lead(31));
is("$out $warnings", owner(30) . "\n" . owner(31) . ' 1', 'another session reads them for itself');
is($reader->query_safe(lead(32)), owner(32), 'one that had mapped the old ones too');

# Many sessions at once, and rules that change: nobody fails.
$node->safe_psql('postgres', q(
	CREATE TABLE late (n integer, owner text);
	CREATE TABLE epoch (team integer);
	INSERT INTO epoch VALUES (0)));
my @scripts = write_scripts($node, 'insert.sql' => "\\set n random(1, 4000)\nINSERT INTO lead (n) VALUES (:n);\n");
my $load = start_pgbench($node, 'postgres', '-n', '-c', '8', '-C', '-t', '15', @scripts);
$node->safe_psql('postgres', 'SET client_min_messages = error; ' . change()) for 1 .. 3;
my ($rc, $output) = finish_pgbench($load);
is($rc, 0, 'many sessions: no error') or diag($output);
is($node->safe_psql('postgres', 'SELECT count(*) FROM lead WHERE owner IS NULL'), '0', 'each lead has an owner');

# Room again.
relieve();
($out, $err) = said(lead(33));
is("$out$err", owner(33), 'room again: nothing is said');
is(images(), '1|0', 'the rules are shared');
is($reader->query_safe(lead(34)), owner(34), 'a session that has its own rules goes on with them');
$reader->query_safe(change());
is($reader->query_safe(lead(35)), owner(35), 'and has new ones when they change');
is(images(), '1|1', 'which it shares');

# A mapping needs no room; nothing but sharing is touched.
exhaust();
($out, $err) = said(lead(36), 'UPDATE leadroute.rule SET priority = 7 WHERE name = \'r36\'', lead(36));
is("$out$err", owner(36) . "\n" . owner(36), 'no room: what is shared is found, and what has changed beside it');
relieve();

# The setting: another reason, told for itself.
$node->append_conf('postgresql.conf', 'leadroute.rule_memory = 1MB');
$node->reload;
$node->safe_psql('postgres', q(UPDATE leadroute.rule SET condition = condition || ' AND n <> -1 /* ' || repeat('x', 400) || ' */'));
($out, $err, $warnings) = said(lead(37), 'UPDATE leadroute.rule SET priority = 8', lead(37));
is($out, owner(37) . "\n" . owner(37), 'more rules than the setting lets in: leads get their rules');
like($err, qr/WARNING:  leadroute's rules are not shared between sessions: they take \d MB.*HINT:  Raise the setting leadroute\.rule_memory/s, 'which are not shared');
is($warnings, 1, 'told once a session');
my $large = 'SELECT count(*) FROM leadroute.rule_index() WHERE is_current AND bytes > 1048576';
is($node->safe_psql('postgres', $large), '0', 'nothing of that is shared');
$node->append_conf('postgresql.conf', 'leadroute.rule_memory = 64MB');
$node->reload;
($out, $err) = said(lead(38));
is("$out$err", owner(38), 'a larger setting: nothing is said');
is($node->safe_psql('postgres', $large), '1', 'the rules are shared');
verify_ok($node, 'postgres', 'at the end');

$reader->quit;
$node->stop;
done_testing();
