# verify() beside sessions that decide: it compares at a moment when nobody does, or
# says that there was none.  It never takes what is under way for a fault.
#
# Fails when a decision between its reading of the journal and its look at the
# counters is reported.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'autovacuum = off');

$node->safe_psql('postgres', leads_sql() . q(
	INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(1, 200) g;
	INSERT INTO leadroute.rule (name) VALUES ('everyone')));
# now and then, so that verify() finds moments between them
my $bench = start_pgbench($node, 'postgres', '-c', 2, '-T', 6, '--rate', 120,
	write_scripts($node, one => "INSERT INTO lead DEFAULT VALUES;\n"));
my ($found, $compared) = ('', 0);

for (1 .. 150)
{
	my ($rc, $out, $err) = $node->psql('postgres', 'SELECT what, subject, expected, found FROM leadroute.verify() LIMIT 3');

	$compared++ if $err !~ /is not compared/;
	$found ||= "$out$err" if $rc != 0 || $out ne '';
}
my ($rc, $out) = finish_pgbench($bench);

is($rc, 0, 'leads come in') or diag($out);
is($found, '', 'what is under way is no fault');
cmp_ok($compared, '>', 0, 'it has compared');
note("compared $compared times");
verify_ok($node, 'postgres', 'at the end');

$node->stop;
done_testing;
