# A stranger's walk through README.md: every statement that it shows, in the order in
# which it shows them, on the database of the first screen.
#
# Fails when a statement fails that the README does not say fails, and when what is
# printed beneath statements is not what they print (but for times, durations and
# numbers of versions).

use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $file = "$FindBin::Bin/../../README.md";
plan skip_all => 'README.md is not there' unless -r $file;

my $node = new_node('main');
$node->safe_psql('postgres', 'CREATE DATABASE readme TEMPLATE template0');

# What may differ from run to run, and what psql says beside results.
sub comparable
{
	my ($text) = @_;

	$text =~ s/^psql:<stdin>:\d+: //mg;
	$text =~ s/^\(\d+ rows?\)\n//mg;
	$text =~ s/^[ \t]*[-+]{3,}[ \t]*$/---/mg;
	$text =~ s/\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d)?)?/TIME/g;
	$text =~ s/\b\d+(\.\d+)? (us|ms)\b/DURATION/g;
	$text =~ s/\b(version) \d+/$1 N/g;
	$text =~ s/[ \t]+/ /g;
	$text =~ s/ $//mg;
	$text =~ s/^\n//mg;
	return $text;
}

# What the README shows of a table that is not there begins so.
my $not_here = q{SELECT leadroute.respond('deals'};
my @block = slurp_file($file) =~ /^```sql\n(.*?)^```\n((?:```text\n.*?^```\n)?)/msg;
my $ran = 0;
while (my ($sql, $shown) = splice @block, 0, 2)
{
	my ($first) = $sql =~ /^(.*)$/m;
	my ($out, $err);

	next if index($sql, $not_here) == 0;
	$ran++;
	IPC::Run::run([ 'psql', '-Xq', '-P', 'pager=off', '-P', 'footer=off', '-d', $node->connstr('readme') ],
		'<', \$sql, '>', \$out, '2>', \$err);
	if ($shown =~ /^ERROR:/m)
	{
		$out .= $err;
		$err = '';
	}
	$shown =~ s/^```(text)?\n//mg;
	unlike($err, qr/ERROR|FATAL/, "no error: $first");
	# Mostly without the heading of a single column.  Who has how many leads by then is
	# a matter of the worker's pace.
	like(comparable($out), qr/^\Q@{[comparable($shown)]}\E/m, "shown: $first")
	  if $shown ne '' && $shown !~ /\bWARNING:|\| load \||capacity 5 of 5|\d open of/;
	# what the worker does a moment later
	poll_ok($node, 'readme', q(SELECT owner_id = 3 FROM leads WHERE id = 19), 'held leads move up') if $sql =~ /won' WHERE id = 16/;
}
cmp_ok($ran, '>=', 40, 'statements were found');
is($node->safe_psql('readme', q(SELECT what, subject, detail FROM leadroute.problem WHERE severity = 'error')), '', 'nothing is wrong then');
verify_ok($node, 'readme', 'after all of it');

done_testing();
