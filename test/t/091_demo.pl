# The tour of make demo: it runs to its end, its figures add up, and neither lint nor
# problem has anything to say of its rules.
#
# Fails when a statement of the tour fails, but for the one that is to be refused,
# and when lint raises a false alarm.

use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run;
use LeadrouteTest;
use Test::More;

my $file = "$FindBin::Bin/../demo/demo.sql";
plan skip_all => 'test/demo/demo.sql is not there' unless -r $file;

my $node = new_node('main');
$node->safe_psql('postgres', 'CREATE DATABASE demo TEMPLATE template0');
my ($out, $err);
my $ran = IPC::Run::run([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-P', 'pager=off', '-d', $node->connstr('demo') ],
	'<', $file, '>', \$out, '2>', \$err);
ok($ran, 'the tour runs to its end') or diag($err);
is(join("\n", $err =~ /ERROR:  .*/g) || join("\n", $out =~ /ERROR:  .*/g), 'ERROR:  column "budgte" does not exist',
	'one statement is refused, which is meant to be');
like($out, qr/^== 9\./m, 'all parts are there');

is($node->safe_psql('demo', "SELECT count(*) FROM leadroute.lint('leads')"), 0, 'lint finds nothing in its rules');
is($node->safe_psql('demo', 'SELECT count(*) FROM leadroute.problem'), 0, 'nor is there a problem');
is( $node->safe_psql('demo', q(
	SELECT count(*), count(owner_id), (SELECT count(*) FROM leadroute.assignment WHERE is_current AND kind = 'assigned') FROM leads)),
	'20006|20006|20006', 'each lead has its owner and its decision');
is( $node->safe_psql('demo', 'SELECT count(*), bool_and(abs(deviation) <= 1) FROM leadroute.fairness WHERE team <> \'enterprise\' OR team IS NULL'),
	'12|t', 'shares are exact');
verify_ok($node, 'demo', 'after the tour');
credits_ok($node, 'demo', 'after the tour');

$node->stop;
done_testing;
