# Needs: node
#
# Knex (design: "What real applications do"): test/clients/knex.
#
# Fails when merge() re-routes a stored lead, or copies over its owner the one
# that the row would have had that was not stored; when a batch does not get a
# key for each row, in its order.

use strict;
use warnings FATAL => 'all';

use ClientTest;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $crm = ClientTest->new($node, 'crm', directory => 'knex', program => [ $ENV{LR_NODE}, 'steps.js' ]);

app_database($node, 'crm');
is($crm->step('createTables'), 'made', 'the app makes its tables');
route_leads($node, 'crm');

is($crm->step('returning'), 'anna bruno chiara', 'insert().returning() has the owner');
is($crm->step('merge'), 'new:anna talking:anna talking:anna', 'onConflict().merge() keeps the owner');
is($crm->step('mergeGivenOwner'), 'chiara', '... unless the app has given one');
is($crm->step('ignore'), 'fresh', 'onConflict().ignore() returns what is stored');
is($crm->step('writeBack'), 'talking true', 'an update with all columns keeps the owner');
is($crm->step('rolledBack'), '0', 'transaction and savepoint that fail');
is( $node->safe_psql('crm', q(SELECT kind, count(*) FROM leadroute.assignment GROUP BY 1 ORDER BY 1)),
	"assigned|6\nmanual|1", 'a decision for each stored lead, and the move');
verify_ok($node, 'crm', 'after what the app has done');
credits_ok($node, 'crm', 'after what the app has done');

$crm->batch_ok($node, 'byPosition', 'batchInsert() returns the keys in the order of the rows');

$node->stop;
done_testing();
