# A cap with a condition counts what came before it, and again what it may have
# missed: on a server where transactions overlap all the time this comes to an end,
# and where somebody keeps a lead table for himself it is tried now and then.
#
# Each look at the one lead of before is in the log.  Fails when these go on, when
# the lead is forgotten, and when problem does not tell of it.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 40', 'leadroute.held_retry_interval = 3600');

$node->safe_psql(
	'postgres', leads_sql('kind text') . q(
	CREATE FUNCTION look(kind text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
	BEGIN
		IF kind = 'before' THEN RAISE LOG 'looked at the one before'; END IF;
		RETURN true;
	END $$;
	CREATE TABLE deal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, owner text);
	SELECT leadroute.attach('deal', 'owner', router => 'lead');
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
	INSERT INTO leadroute.rule (name) VALUES ('all');
	CREATE TABLE offer (LIKE deal INCLUDING ALL);
	SELECT leadroute.attach('offer', 'owner', router => 'lead');
	INSERT INTO deal (kind) VALUES ('deal');
	INSERT INTO offer (kind) VALUES ('before')));

sub looks
{
	my @looks = slurp_file($node->logfile) =~ /looked at the one before/g;

	return scalar @looks;
}

# A transaction whose client has gone may not be rolled back yet.
sub used_ok
{
	my ($cap, $what) = @_;

	poll_ok($node, 'postgres', qq(
		SELECT used = (SELECT count(*) FROM leadroute.journal WHERE member IS NOT NULL)
		FROM leadroute.cap_status() WHERE cap = '$cap'), $what);
	return;
}

# Transactions that overlap: no moment without one that has a lead.
my @options = ('-c', 8, '-j', 2, write_scripts($node, 'overlap@1' => q(
BEGIN;
INSERT INTO lead (kind) VALUES ('after');
SELECT count(*) FROM pg_class;
INSERT INTO lead (kind) VALUES ('after');
COMMIT;)));
my $load = start_pgbench($node, 'postgres', '-T', 600, @options);
$node->poll_query_until('postgres', 'SELECT count(*) > 100 FROM lead') or die 'no leads come';
$node->safe_psql('postgres', q(
	INSERT INTO leadroute.cap (name, period, max_leads, condition) VALUES ('busy', 'month', 100000000, 'look(kind)')));
my $n = $node->safe_psql('postgres', 'SELECT count(*) FROM lead');
$node->poll_query_until('postgres', "SELECT count(*) > $n + 2000 FROM lead") or die 'no leads come';
my $looked = looks();
cmp_ok($looked, '>', 0, 'the one before is counted');
$n = $node->safe_psql('postgres', 'SELECT count(*) FROM lead');
$node->poll_query_until('postgres', "SELECT count(*) > $n + 2000 FROM lead") or die 'no leads come';
is(looks(), $looked, 'and then no more, while transactions overlap');
$load->{run}->signal('INT');
my ($rc, $out) = finish_pgbench($load);
unlike($out, qr/aborted|ERROR/, 'all went well');
used_ok('busy', 'the cap counts every lead');

sub save_cap
{
	my ($cap) = @_;

	$node->safe_psql('postgres', qq(
		DELETE FROM leadroute.cap;
		INSERT INTO leadroute.cap (name, period, max_leads, condition) VALUES ('$cap', 'month', 100000000, 'look(kind)')));
	return;
}

# The same step by step: there is always one open that was not when it was counted.
my @session = map { $node->background_psql('postgres', on_error_stop => 1) } 1, 2;
$session[0]->query_safe(q(BEGIN; INSERT INTO lead (kind) VALUES ('after')));
save_cap('steps');
$looked = looks();
$session[1]->query_safe(q(BEGIN; INSERT INTO lead (kind) VALUES ('after')));
for my $step (0 .. 11)
{
	$session[ $step % 2 ]->query_safe($_) for 'COMMIT', q(BEGIN; INSERT INTO lead (kind) VALUES ('after'));
}
is(looks(), $looked + 2, 'it is counted, and once more when who was open then has ended');
$_->query_safe('COMMIT') for @session;
$_->quit for @session;
used_ok('steps', 'the cap counts every lead');

my $problem = q(SELECT subject FROM leadroute.problem WHERE what = 'cap_uncounted');
# Somebody keeps a table with leads of before for himself.
my $other = $node->background_psql('postgres', on_error_stop => 1);
save_cap('locked');
$other->query_safe('BEGIN; LOCK TABLE deal IN ACCESS EXCLUSIVE MODE');
$looked = looks();
$node->safe_psql('postgres', q(INSERT INTO lead (kind) VALUES ('after'))) for 1 .. 20;
is(looks(), $looked + 1, 'nobody waits, and it is counted once');
$other->query_safe('COMMIT');
is($node->safe_psql('postgres', $problem), 'cap "locked" of router "lead"', 'problem tells');

# it is tried again
$node->append_conf('postgresql.conf', 'leadroute.held_retry_interval = 1');
$node->reload;
$node->poll_query_until('postgres', q(SELECT current_setting('leadroute.held_retry_interval') = '1s')) or die 'no reload';
save_cap('again');
$other->query_safe('BEGIN; LOCK TABLE deal IN ACCESS EXCLUSIVE MODE');
$node->safe_psql('postgres', q(INSERT INTO lead (kind) VALUES ('after')));
is($node->safe_psql('postgres', 'SELECT c.name FROM leadroute.cap_uncounted() u (id) JOIN leadroute.cap c USING (id)'), 'again', 'so it is of the new one');
$other->query_safe('COMMIT');
$other->quit;
poll_ok($node, 'postgres', qq(
	WITH i AS (INSERT INTO lead (kind) VALUES ('after') RETURNING id)
	SELECT count(*) = 1 AND NOT EXISTS ($problem) FROM i), 'all is counted when the lock is gone');
used_ok('again', 'the cap counts every lead');
verify_ok($node, 'postgres', 'at the end');

done_testing();
