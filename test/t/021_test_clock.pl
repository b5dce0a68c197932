# A setting that is wrong costs that setting, never the server: a wrong
# leadroute.test_clock in postgresql.conf is told in the log, and the server
# starts, reloads and goes on with the value that it had.
#
# Fails when reading the setting raises an error: in the postmaster that ends the
# server.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
my $now = 'SELECT assigned_at FROM leadroute.assignment ORDER BY id DESC LIMIT 1';
my $n = 0;

sub decided_at
{
	$n++;
	$node->safe_psql('postgres', "INSERT INTO lead VALUES ($n)");
	return $node->safe_psql('postgres', "SET TimeZone = 'UTC'; $now");
}

$node->init;
$node->append_conf('postgresql.conf', "leadroute.test_clock = 'half past'\n");
ok($node->start(fail_ok => 1), 'the server starts with a wrong value');
like(slurp_file($node->logfile), qr/invalid value for parameter "leadroute.test_clock": "half past"/, 'and says what is wrong');
$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id integer PRIMARY KEY, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) VALUES ('anna');
	INSERT INTO leadroute.rule (name) VALUES ('everyone')));
unlike(decided_at(), qr/^2001-/, 'decisions take the real time');

$node->adjust_conf('postgresql.conf', 'leadroute.test_clock', "'2001-02-03 04:05:06 UTC'");
$node->reload;
poll_ok($node, 'postgres', q(SELECT current_setting('leadroute.test_clock') LIKE '2001-%'), 'a right value is read');
is(decided_at(), '2001-02-03 04:05:06+00', 'and taken');

my @wrong = ('2001-02-30', 'infinity and more', '2001-02-03 04:05:06 Nowhere/Nothing', "it''s", '999999999-01-01');
for my $value (@wrong)
{
	(my $wrong = $value) =~ s/''/'/;
	my $at = -s $node->logfile;

	$node->adjust_conf('postgresql.conf', 'leadroute.test_clock', "'$value'");
	$node->reload;
	ok($node->wait_for_log(qr/invalid value for parameter "leadroute.test_clock": "\Q$wrong\E"/, $at), "a wrong value is told: $wrong");
	is(decided_at(), '2001-02-03 04:05:06+00', 'and the one before stays');
}

# Sessions and roles: an ordinary error, an ordinary warning.
my ($rc, $out, $err) = $node->psql('postgres', "SET leadroute.test_clock = 'soon'; SELECT 1");
isnt($rc, 0, 'SET fails');
like($err, qr/^[^\n]*ERROR:  invalid value for parameter "leadroute.test_clock": "soon"/, 'with an ordinary error');
($rc, $out, $err) = $node->psql('postgres', "ALTER DATABASE postgres SET leadroute.test_clock = 'soon'");
isnt($rc, 0, 'ALTER DATABASE fails');
is(decided_at(), '2001-02-03 04:05:06+00', 'all goes on');

# Still wrong when it starts again, with everything in place.
$node->restart;
unlike(decided_at(), qr/^2001-/, 'it starts again with a wrong value');
verify_ok($node, 'postgres', 'at the end');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'nothing has crashed');
$node->stop;
done_testing;
