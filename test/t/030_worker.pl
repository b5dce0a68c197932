# A worker runs in a database while it has something to do there, and no longer:
# databases can be dropped, renamed and copied without FORCE right after leads
# were routed, and while the worker is at work; more databases than there are
# processes are served in turn, those first seen at the server's start too; and
# with nothing to do nobody wakes up.
#
# Fails when a worker stays, when its job cannot be broken off, when a database
# for which there was no process is forgotten, or when the launcher polls.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

# The launcher, the launcher of logical replication, one worker.
my $node = new_node(
	'main', 'max_worker_processes = 3', 'leadroute.checkpoint_interval = 1',
	'leadroute.held_retry_interval = 1');

my $setup = leads_sql() . q(
	INSERT INTO leadroute.member (name, capacity) VALUES ('anna', 1);
	INSERT INTO leadroute.rule (name) VALUES ('everyone'););

# Two decided, one after the other, and one held.
my $leads = q(
	INSERT INTO lead (stage) SELECT 'new' FROM generate_series(1, 3);
	UPDATE lead SET stage = 'closed' WHERE owner = 'anna';);
my $no_worker =
  q(SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'leadroute worker');

sub statement_ok
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql);

	is("$rc $err", '0 ', "right after leads were routed: $sql");
	return;
}

# Nothing is left to do.
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('one', $setup . $leads);
poll_ok($node, 'one', q(SELECT count(*) = 2 FROM lead WHERE owner IS NOT NULL), 'a held lead is decided');
$node->safe_psql('one', q(UPDATE lead SET stage = 'closed'));
poll_ok($node, 'one', 'SELECT NOT EXISTS (SELECT FROM leadroute.pool_entry)', 'the last one too');
poll_ok($node, 'one', q(SELECT max(c.cut) >= max(j.id) FROM leadroute.checkpoint c, leadroute.journal j), 'a checkpoint holds all');
poll_ok($node, 'postgres', $no_worker, 'the worker has ended');

SKIP:
{
	my $pid = $node->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'leadroute launcher'));
	skip 'no /proc', 1 unless -r "/proc/$pid/status";

	# The one place where a test has to let time pass: nothing is to happen.
	my $switches = sub { slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m; return $1; };
	my $before = $switches->();
	$node->safe_psql('postgres', 'SELECT pg_sleep(3)');
	cmp_ok($switches->() - $before, '<=', 1, 'nobody wakes up while nothing is due');
}

# Each right after leads were routed.
for my $sql ('CREATE DATABASE two TEMPLATE one', 'ALTER DATABASE one RENAME TO three', 'DROP DATABASE three')
{
	$node->safe_psql($sql =~ /ALTER|CREATE/ ? 'one' : 'three', $leads);
	statement_ok($sql);
}
is($node->safe_psql('two', q(SELECT count(*) > 0 FROM lead WHERE owner = 'anna')), 't', 'the copy has its leads');
verify_ok($node, 'two', 'in the copy');
statement_ok('DROP DATABASE two');

# While the worker decides leads, which takes it a minute.
$node->safe_psql('postgres', 'CREATE DATABASE slow');
$node->safe_psql(
	'slow', $setup . q(
	INSERT INTO lead (stage) SELECT 'new' FROM generate_series(1, 600);
	CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END';
	CREATE TRIGGER slow BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION slow();
	UPDATE leadroute.member SET capacity = NULL));
poll_ok($node, 'slow', q(SELECT count(*) > 3 FROM lead WHERE owner IS NOT NULL), 'the worker is at work');
statement_ok('DROP DATABASE slow');

# Four databases, one process.
my @names = map { "d$_" } 1 .. 4;
for my $name (@names)
{
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, $setup . q(
		INSERT INTO lead (stage) SELECT 'new' FROM generate_series(1, 3)));
}
$node->safe_psql($_, q(UPDATE leadroute.member SET capacity = 2)) for @names;
poll_ok($node, $_, q(SELECT count(*) = 2 FROM lead WHERE owner IS NOT NULL), "$_ is served") for @names;

# An absence ends by itself: only the worker's retries find out.
$node->safe_psql(
	$_, q(
	INSERT INTO leadroute.absence (member, during) VALUES ('anna', tstzrange(now() - interval '1 minute', now() + interval '4 seconds'));
	UPDATE leadroute.member SET capacity = NULL;
	INSERT INTO lead (stage) VALUES ('new'))) for @names;
is($node->safe_psql($_, q(SELECT count(*) FROM lead WHERE owner IS NULL)), 2, "leads of $_ are held") for @names;
$node->restart;
poll_ok($node, $_, q(SELECT count(*) = 4 FROM lead WHERE owner IS NOT NULL), "$_ is served after a restart") for @names;
verify_ok($node, $_, "in $_") for @names;
poll_ok($node, 'postgres', $no_worker, 'the workers have ended');
statement_ok("DROP DATABASE $_") for @names;

$node->stop;
done_testing;
