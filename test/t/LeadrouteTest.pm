# What the TAP tests have in common.
#
#	use LeadrouteTest;
#	my $node = new_node('main', 'max_connections = 20');
#	$node->safe_psql('postgres', 'CREATE EXTENSION leadroute');
#	...
#	verify_ok($node, 'postgres', 'after the crash');
#
# The settings that let a server use the extension under test come from the
# file TEMP_CONFIG, which PostgreSQL::Test::Cluster adds to every node by
# itself, so nodes made without new_node have them too.

package LeadrouteTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node verify_ok shared_data);

# new_node(name, line of postgresql.conf...): a node that runs.
sub new_node
{
	my ($name, @conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', "$_\n") for @conf;
	$node->start;
	return $node;
}

# verify_ok(node, database, what): one assertion, that lead tables, journal and
# shared memory agree.
sub verify_ok
{
	my ($node, $dbname, $what) = @_;

	is($node->safe_psql($dbname, 'SELECT * FROM leadroute.verify()'),
		'', "verify() finds nothing: $what");
	return;
}

# shared_data(file): path of a data set, or undef when it is not there; the
# test skips then what needs it.
sub shared_data
{
	my ($file) = @_;
	my $dir = $ENV{LR_SHARED_DATA};

	return (defined $dir && -r "$dir/$file") ? "$dir/$file" : undef;
}

1;
