# A server that does not preload the library says so; one that does keeps what
# it counted over restarts.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', q(shared_preload_libraries = ''));

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id serial PRIMARY KEY, owner text)));
my ($rc, $out, $err) =
  $node->psql('postgres', q(SELECT leadroute.attach('lead', 'owner')));
isnt($rc, 0, 'attach fails where the library is not preloaded');
like($err, qr/shared_preload_libraries/, 'and says what to do');

$node->append_conf('postgresql.conf',
	q(shared_preload_libraries = 'leadroute'));
$node->restart;

$node->safe_psql(
	'postgres', q(
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name, capacity) VALUES ('anna', 4), ('bruno', 4), ('chiara', 4);
	INSERT INTO leadroute.rule (name) VALUES ('everyone');
	INSERT INTO lead SELECT FROM generate_series(1, 5)));
verify_ok($node, 'postgres', 'after the first leads');

my $counters = $node->safe_psql('postgres',
	'SELECT * FROM leadroute.member_counter() ORDER BY member');
$node->restart;
is( $node->safe_psql('postgres',
		'SELECT * FROM leadroute.member_counter() ORDER BY member'),
	$counters,
	'a restart keeps the counters');

# 5 of 12 places are taken: the rotation goes on where it was, then all are full.
$node->safe_psql('postgres', 'INSERT INTO lead SELECT FROM generate_series(1, 9)');
is( $node->safe_psql('postgres',
		'SELECT owner, count(*) FROM lead GROUP BY owner ORDER BY owner'),
	"anna|4\nbruno|4\nchiara|4\n|2",
	'capacity holds over the restart');
verify_ok($node, 'postgres', 'after the restart');

$node->stop('immediate');
$node->start;
verify_ok($node, 'postgres', 'after a crash');

done_testing;
