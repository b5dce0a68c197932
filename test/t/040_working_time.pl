# Held leads are decided when somebody's absence or time off duty ends, not at the
# next retry; who is busy is passed over in every session at once, whatever the
# size of the team, until it says so or the server restarts, and no rollback
# matters; a member says so for itself.
#
# Retries are out of reach (an hour).  The clock of decisions stands still, so
# that the beginning of a shift can be had at will.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'leadroute.held_retry_interval = 3600', 'leadroute.check_picks = on', q(leadroute.test_clock = ''));

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub clock_is
{
	$node->adjust_conf('postgresql.conf', 'leadroute.test_clock', "'$_[0]'");
	$node->reload;
	poll_ok($node, 'postgres', "SELECT current_setting('leadroute.test_clock') = '$_[0]'", "the clock is at $_[0]");
	return;
}

sql(q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, owner text);
	SELECT leadroute.attach('lead', 'owner', router => 'r')));
sql(q(
	UPDATE leadroute.router SET timezone = 'Europe/Madrid';
	INSERT INTO leadroute.schedule (name, hours) VALUES ('early', 'Mon-Fri 06:00-14:00'), ('late', 'Mon-Fri 14:00-22:00');
	INSERT INTO leadroute.member (name, schedule) VALUES ('early', 'early'), ('late', 'late');
	INSERT INTO leadroute.rule (name) VALUES ('everyone')));

# A shift begins.  The worker is told a time by the real clock; when it comes, the
# clock of decisions has to have come there too.
clock_is('2030-06-03 03:59:58+00');
sql(q(INSERT INTO lead (kind) VALUES ('night'), ('night')));
is(sql('SELECT string_agg(DISTINCT kind, chr(32)) FROM leadroute.assignment WHERE is_current'), 'held', 'nobody is on duty');
is( sql(q(SELECT string_agg(p ->> 'member' || ' ' || (p ->> 'code') || ' ' || ((p ->> 'until')::timestamptz AT TIME ZONE 'Europe/Madrid')::text, ', ' ORDER BY p ->> 'member')
		FROM leadroute.assignment a, jsonb_array_elements(a.passed_over) p WHERE a.id = (SELECT min(id) FROM leadroute.assignment))),
	'early closed 2030-06-03 06:00:00, late closed 2030-06-03 14:00:00', 'until their shifts begin');
clock_is('2030-06-03 04:00:00+00');
poll_ok($node, 'postgres', q(SELECT bool_and(owner = 'early') FROM lead), 'when a shift begins, held leads are decided');

# An absence ends.
$node->adjust_conf('postgresql.conf', 'leadroute.test_clock', undef);
$node->reload;
poll_ok($node, 'postgres', q(SELECT current_setting('leadroute.test_clock') = ''), 'the clock is the real one');
sql(q(
	UPDATE leadroute.member SET schedule = NULL;
	INSERT INTO leadroute.absence (member, during) SELECT name, tstzrange(now() - interval '1 minute', now() + interval '2 seconds') FROM leadroute.member));
sql(q(INSERT INTO lead (kind) VALUES ('absence')));
poll_ok($node, 'postgres', q(SELECT owner IS NOT NULL FROM lead WHERE kind = 'absence'), 'when an absence ends, held leads are decided');

# Whole days, in the member's zone.
is( sql(q(
	UPDATE leadroute.member SET timezone = 'Asia/Tokyo' WHERE name = 'late';
	SELECT leadroute.away('late', '2030-03-30', '2030-03-31', 'Kyoto');
	SELECT leadroute.away('early', '2030-03-31'))),
	qq{["2030-03-29 15:00:00+00","2030-03-31 15:00:00+00")\n["2030-03-30 23:00:00+00","2030-03-31 22:00:00+00")}, 'away: whole days, both included');
is(sql('SELECT count(*) FROM leadroute.absence WHERE upper(during) > now() + interval $$1 year$$'), '2', 'are absences');
sql('DELETE FROM leadroute.absence');

# The view says who is off duty and until when, an absence at that time included.
sql(q(
	INSERT INTO leadroute.schedule (name, hours) VALUES ('other day', to_char(now() AT TIME ZONE 'Europe/Madrid' + interval '3 days', 'Dy') || ' 24 h');
	UPDATE leadroute.member SET schedule = 'other day', timezone = NULL;
	INSERT INTO leadroute.absence (member, during) VALUES ('late', tstzrange(now() - interval '1 hour', now() + interval '3 days 12 hours'))));
is( sql(q(
	WITH opens AS (SELECT (date_trunc('day', now() AT TIME ZONE 'Europe/Madrid') + interval '3 days') AT TIME ZONE 'Europe/Madrid' AS at)
	SELECT s.member, s.available, s.not_available_because,
		CASE s.member WHEN 'early' THEN s.until = o.at ELSE s.until IN (o.at + interval '7 days', (SELECT upper(during) FROM leadroute.absence)) END
		FROM leadroute.member_status s, opens o ORDER BY 1)),
	"early|f|closed|t\nlate|f|away|t", 'member_status: closed and away, until when');
sql(q(UPDATE leadroute.member SET schedule = NULL; DELETE FROM leadroute.absence));

# busy: at once and everywhere, in teams of every size.
sub owner_of
{
	my ($kind) = @_;

	return sql("INSERT INTO lead (kind) VALUES ('$kind') RETURNING owner");
}

sub passed_over
{
	return sql(q(SELECT string_agg(p ->> 'member' || ' ' || (p ->> 'code'), ', ' ORDER BY p ->> 'member')
		FROM leadroute.assignment a, jsonb_array_elements(a.passed_over) p WHERE a.id = (SELECT max(id) FROM leadroute.assignment)));
}

my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN');
$session->query_safe(q(SELECT leadroute.busy('early', true)));
is(join(' ', map { owner_of('busy') } 1 .. 3), 'late late late', 'who is busy gets no lead, before that session commits');
is(sql(q(SELECT available, not_available_because, until FROM leadroute.member_status WHERE member = 'early')), 'f|busy|', 'member_status says so');
like(sql(q(SELECT string_agg(l, chr(10)) FROM leadroute.explain_lead('lead', '{}') l)), qr/"early": busy/, 'explain says so');
$session->query_safe('ROLLBACK');
is(owner_of('busy'), 'late', 'no rollback takes it back');
is(sql(q(SELECT leadroute.busy('early', true))), 't', 'it says what it was');
sql(q(SELECT leadroute.busy('late', true)));
is(owner_of('all busy'), '', 'all are busy: held');
is(passed_over(), 'early busy, late busy', 'and are passed over so');
is(sql(q(SELECT leadroute.busy('early', false))), 't', 'free again');
poll_ok($node, 'postgres', q(SELECT owner = 'early' FROM lead WHERE kind = 'all busy'), 'who is free again gets what is held');
is(sql(q(SELECT leadroute.rebuild() IS NOT NULL; SELECT leadroute.busy('late', true))), "t\nt", 'counters loaded again know it');

# A rule that goes beyond limits disturbs nobody on a call.
sql(q(UPDATE leadroute.rule SET overflow = 'ignore_limits'));
is(owner_of('beyond'), 'early', 'beyond the limits: who is free');
sql(q(SELECT leadroute.busy('early', true)));
is(owner_of('nobody'), '', 'beyond the limits: nobody on a call');
sql(q(UPDATE leadroute.rule SET overflow = 'next_rule'; SELECT leadroute.busy('early', false)));
poll_ok($node, 'postgres', q(SELECT owner = 'early' FROM lead WHERE kind = 'nobody'), 'it is decided');

# On a board.
sql(q(INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(1, 200) g));
sql(q(INSERT INTO lead (kind) SELECT 'board' FROM generate_series(1, 600)));
is(sql('SELECT count(*) FROM leadroute.board()'), '1', 'a big team has a board');
sql(q(SELECT leadroute.busy('m' || g, true) FROM generate_series(1, 200) g WHERE g <> 7));
sql(q(SELECT leadroute.busy('early', true)));
sql(q(INSERT INTO lead (kind) SELECT 'one' FROM generate_series(1, 20)));
is(sql(q(SELECT string_agg(DISTINCT owner, ' ') FROM lead WHERE kind = 'one')), 'm7', 'all but one of a big team are busy');
sql(q(SELECT leadroute.busy('m9', false)));
sql(q(INSERT INTO lead (kind) SELECT 'two' FROM generate_series(1, 20)));
is(sql(q(SELECT string_agg(DISTINCT owner, ' ') FROM lead WHERE kind = 'two')), 'm7 m9', 'another one comes back');
verify_ok($node, 'postgres', 'after that');

# For itself.
sql(q(
	CREATE ROLE rep;
	CREATE ROLE other;
	CREATE ROLE boss;
	SELECT leadroute.grant_to('rep', 'rep'), leadroute.grant_to('other', 'rep'), leadroute.grant_to('boss', 'manager');
	UPDATE leadroute.member SET role_name = 'rep' WHERE name = 'm7'));
is(sql(q(SET ROLE rep; SELECT leadroute.busy('m7', true); SELECT leadroute.away('m7', current_date, current_date + 1) IS NOT NULL)), "f\nt", 'a member says so for itself');
is(sql(q(SET ROLE boss; SELECT leadroute.busy('m7', false))), 't', 'a manager for it');
for my $call (q(leadroute.busy('m9', true)), q(leadroute.away('m9', current_date)), q(leadroute.busy('nobody', true)))
{
	my ($rc, $out, $err) = $node->psql('postgres', "SET ROLE rep; SELECT $call");
	like($err, qr/permission denied/, "not for another: $call");
}
my ($rc, $out, $err) = $node->psql('postgres', q(SET ROLE other; SELECT leadroute.busy('m7', true)));
like($err, qr/permission denied/, 'nor another for it');
($rc, $out, $err) = $node->psql('postgres', q(SELECT leadroute.busy('nobody', true)));
like($err, qr/member "nobody" of router "r" does not exist/, 'an unknown member');
for my $call (q(leadroute.away('m9', '2020-01-01')), q(leadroute.away('m9', '2030-01-02', '2030-01-01')), q(leadroute.away('m9', NULL)))
{
	($rc, $out, $err) = $node->psql('postgres', "SELECT $call");
	like($err, qr/in the past|before the first|must not be null/, "refused: $call");
}

# A restart ends it.
$node->restart;
sql(q(DELETE FROM leadroute.absence));
is(sql(q(SELECT bool_or(leadroute.busy(name, false)) FROM leadroute.member)), 'f', 'after a restart nobody is busy');
$session->quit;
verify_ok($node, 'postgres', 'at the end');

$node->stop;
done_testing;
