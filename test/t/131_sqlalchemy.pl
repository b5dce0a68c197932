# Needs: sqlalchemy
#
# SQLAlchemy (design: "What real applications do"): test/clients/sqlalchemy.
#
# Fails when reading back is not as the README says, when objects of one flush
# get the keys of other rows, or when an upsert or an object that shows no owner
# moves a stored lead.

use strict;
use warnings FATAL => 'all';

use ClientTest;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $crm = ClientTest->new($node, 'crm', directory => 'sqlalchemy', program => [ '/usr/bin/python3', 'steps.py' ]);

app_database($node, 'crm');
is($crm->step('create_tables'), 'None', 'the app makes its tables');
route_leads($node, 'crm');

is($crm->step('flush_and_refresh'), 'None anna', 'session.refresh() after flush() shows the owner');
is($crm->step('commit_reads_again'), 'bruno', 'so does commit() by itself');
is($crm->step('eager_defaults'), 'chiara anna bruno', 'FetchedValue with eager_defaults: the INSERT reads it');
is($crm->step('eager_defaults_none'), 'chiara', '... also where the app has set None');
is($crm->step('change_unread'), 'talking anna', 'a change of an object that shows no owner');
is($crm->step('release'), 'bruno bruno chiara', 'owner_id = None with other changes keeps the owner, alone it releases');
is($crm->step('upsert'), 'True True', 'ON CONFLICT DO UPDATE SET owner_id = EXCLUDED.owner_id');
verify_ok($node, 'crm', 'after what the app has done');
credits_ok($node, 'crm', 'after what the app has done');

$crm->batch_ok($node, 'by_position', 'each object of a flush has the key of its row');

$node->stop;
done_testing();
