# route_all is watched from another session while it runs, and broken off: by
# cancel, by terminating its process, by kill -9.  What it has committed stays,
# leadroute.progress forgets it, and another call goes on with the rest: each
# lead is decided once.
#
# A trigger of the table lets it stand at a lead until the test has looked, so
# nothing depends on time.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

# so little memory that the keys go to a file
my $node = new_node('main', 'restart_after_crash = on', 'work_mem = 64kB');

$node->safe_psql(
	'postgres', leads_sql('stands boolean NOT NULL DEFAULT false') . q(
	SELECT leadroute.detach('lead');
	INSERT INTO lead (stands) SELECT g IN (2500, 5500, 8500) FROM generate_series(1, 10000) g;
	SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'closed'$$);
	INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(1, 5) g;
	INSERT INTO leadroute.rule (name) VALUES ('everyone');
	CREATE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN PERFORM pg_advisory_xact_lock_shared(NEW.id); RETURN NEW; END$$;
	CREATE TRIGGER stand BEFORE UPDATE ON lead FOR EACH ROW WHEN (NEW.stands) EXECUTE FUNCTION stand()));

sub owned
{
	return $node->safe_psql('postgres', 'SELECT count(*), max(id) FROM lead WHERE owner IS NOT NULL');
}

# A session in which route_all stands at a lead, and its process.
sub standing_at
{
	my ($lead) = @_;
	my $holder = $node->background_psql('postgres');
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$holder->query_safe("SELECT pg_advisory_lock($lead)");
	$session->query_until(qr/begun/, "\\echo begun\nCALL leadroute.route_all('lead');\n");
	poll_ok($node, 'postgres', "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND NOT granted)", "it stands at lead $lead");
	return ($session, $pid, $holder);
}

sub progress
{
	return $node->safe_psql(
		'postgres', q(
		SELECT what, subject, state, done, total, rate > 0, time_left > '0', since < clock_timestamp(),
			since > clock_timestamp() - interval '1 day', detail, pid, role_name = current_user FROM leadroute.progress));
}

# Cancelled.
my ($session, $pid, $holder) = standing_at(2500);
is(progress(), "route_all|lead|routing|2000|10000|t|t|t|t|2000 assigned, 0 without owner, 0 failed, 0 locked by others|$pid|t",
	'it can be watched');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '>', 0, 'its keys are in a file');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
poll_ok($node, 'postgres', 'SELECT NOT EXISTS (SELECT FROM leadroute.progress)', 'it is forgotten when it is cancelled');
is(owned(), '2000|2000', 'what was committed stays');
is($session->query('SELECT 1'), '1', 'the session goes on');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'its file is gone');
$_->quit for $session, $holder;
verify_ok($node, 'postgres', 'cancelled');

# Its process is terminated.
($session, $pid, $holder) = standing_at(5500);
is(progress(), "route_all|lead|routing|3000|8000|t|t|t|t|3000 assigned, 0 without owner, 0 failed, 0 locked by others|$pid|t",
	'the next call goes on with the rest');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
poll_ok($node, 'postgres', 'SELECT NOT EXISTS (SELECT FROM leadroute.progress)', 'it is forgotten when it is terminated');
is(owned(), '5000|5000', 'what was committed stays');
$session->{run}->finish;
$holder->quit;
verify_ok($node, 'postgres', 'terminated');

# Killed.
($session, $pid, $holder) = standing_at(8500);
PostgreSQL::Test::Utils::system_or_bail('kill', '-9', $pid);
$session->{run}->finish;
$holder->{run}->finish;
$node->poll_query_until('postgres', 'SELECT true') or BAIL_OUT('the server does not come back');
is($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.progress'), '0', 'it is forgotten when it is killed');
is(owned(), '8000|8000', 'what was committed stays');

# The rest.
my (undef, undef, $err) = $node->psql('postgres', q(CALL leadroute.route_all('lead')));
is($err, 'psql:<stdin>:1: NOTICE:  "lead": 2000 leads assigned, 0 decided without owner, 0 failed, 0 locked by others',
	'the last call does what is left');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT lead_key), count(*) FILTER (WHERE superseded) FROM leadroute.journal'),
	'10000|10000|0', 'each lead was decided once');
verify_ok($node, 'postgres', 'at the end');
credits_ok($node, 'postgres', 'at the end');
invariants_ok($node, 'postgres', 'lead', 'at the end');

$node->stop;
done_testing;
