# Needs: node
#
# TypeORM (design: "What real applications do"): test/clients/typeorm.
#
# Fails when save() of an object that shows no owner takes the owner away, when
# reading back is not as the README says, or when objects get the keys of other
# rows.

use strict;
use warnings FATAL => 'all';

use ClientTest;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $crm = ClientTest->new($node, 'crm', directory => 'typeorm', program => [ $ENV{LR_NODE}, 'steps.js' ]);

app_database($node, 'crm');
is($crm->step('createTables'), 'made', 'the app makes its tables');
route_leads($node, 'crm');

is($crm->step('saveAgain'), 'null anna', 'save() shows no owner, save() of the same object keeps it');
is($crm->step('saveUnchanged'), 'bruno chiara', '... but alone it is written as one that lets the lead go');
is($crm->step('readAgain'), 'bruno bruno', 'findOneBy() before save()');
is($crm->step('returned'), 'anna chiara bruno anna', 'a column with a default is read back by the INSERT');
is($crm->step('release'), 'anna chiara', 'update() of the owner alone releases');
is($crm->step('upsert'), 'new anna talking anna', 'upsert() with the owner null keeps the owner');
is($crm->step('rolledBack'), '0', 'transaction and savepoint that fail');
verify_ok($node, 'crm', 'after what the app has done');
credits_ok($node, 'crm', 'after what the app has done');

$crm->batch_ok($node, 'byPosition', 'each object of save() has the key of its row');

$node->stop;
done_testing();
