# The first screen of README.md can be pasted as it stands into psql on an empty
# database and shows what is printed there; and the table of settings has each
# setting with its default.
#
# Fails when the README promises what the extension does not do.

use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $file = "$FindBin::Bin/../../README.md";
plan skip_all => 'README.md is not there' unless -r $file;

# Lines end where their text ends, in what psql prints and in what is shown.
sub trimmed
{
	my ($text) = @_;

	$text =~ s/[ \t]+$//mg;
	return $text;
}

my $readme = slurp_file($file);
my ($screen) = $readme =~ /^<!-- paste -->\n(.*?)^<!-- \/paste -->$/ms;
ok(defined $screen, 'the first screen is marked');
$screen //= '';
my @sql = $screen =~ /^```sql\n(.*?)^```$/msg;
my @shown = $screen =~ /^```text\n(.*?)^```$/msg;
cmp_ok(scalar(@sql), '>=', 1, 'it has statements');
cmp_ok(scalar(@shown), '>=', 1, 'and shows results');

my $node = new_node('main');
$node->safe_psql('postgres', 'CREATE DATABASE readme TEMPLATE template0');
my ($out, $err);
my $ran = IPC::Run::run(
	[
		'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-P', 'pager=off',
		'-d', $node->connstr('readme')
	],
	'<', \join("\n", @sql), '>', \$out, '2>', \$err);
ok($ran, 'psql runs all of them');
is($err, '', 'without a message');
for my $shown (@shown)
{
	my ($title) = $shown =~ /^\s*(.*?)\s*$/m;

	like(trimmed($out), qr/^\Q@{[trimmed($shown)]}\E/m, "the result is the one shown: $title");
}
verify_ok($node, 'readme', 'after the first screen');

# | `leadroute.name` | default | ...: durations with their unit, empty for ''.
my ($table) = $readme =~ /^### Settings\n(.*?)^#/ms;
my %documented = ($table // q()) =~ /^\| `(leadroute\.\w+)` \| ([^|]*?) \|/mg;
my %settings = map { split /\|/, $_, 2 } split /\n/, $node->safe_psql(
	'readme', q(
	SELECT name, CASE WHEN boot_val IS NULL OR boot_val = '' THEN 'empty' ELSE concat_ws(' ', boot_val, unit) END
	FROM pg_settings WHERE name LIKE 'leadroute.%'));
is_deeply(\%documented, \%settings, 'the table of settings has each one, with its default');

done_testing;
