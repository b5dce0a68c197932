# Needs: activerecord
#
# ActiveRecord (design: "What real applications do"): test/clients/activerecord.
#
# Fails when reading back or letting go is not as the README says, when an upsert
# re-routes a stored lead, or when statements that are prepared already do not
# follow attach() and detach().

use strict;
use warnings FATAL => 'all';

use ClientTest;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $crm = ClientTest->new($node, 'crm', directory => 'activerecord', program => [ '/usr/bin/ruby', 'steps.rb' ]);

app_database($node, 'crm');
is($crm->step('create_tables'), 'made', 'the app makes its tables');
route_leads($node, 'crm');

is($crm->step('reload'), 'nil anna', 'create! shows no owner, reload does');
is($crm->step('save_again'), 'nil bruno', 'save! and update! of an object that shows no owner');
is($crm->step('update_with_owner'), 'chiara chiara', 'update!(owner_id: nil) sets updated_at, too, and keeps the owner');
is($crm->step('update_column'), 'anna bruno', 'update_column(:owner_id, nil) releases');
is($crm->step('move'), 'anna', 'update! with another owner is a move');
is($crm->step('returning'), 'r1:chiara r2:anna', 'insert_all with returning has the owners');
is($crm->step('upsert'), 'new:chiara talking:chiara', 'upsert_all keeps the owner');
is($crm->step('rolled_back'), '0', 'transaction and savepoint that are rolled back');
verify_ok($node, 'crm', 'after what the app has done');
credits_ok($node, 'crm', 'after what the app has done');
$node->safe_psql('crm', q(SELECT leadroute.grant_to('crm', 'admin'); SELECT leadroute.grant_to('crm', 'manager')));
is($crm->step('prepared'), '"bruno" nil nil "anna"', 'prepared statements over detach() and attach()');
verify_ok($node, 'crm', 'after detach() and attach()');

$crm->batch_ok($node, 'by_position', 'insert_all returns the keys in the order of the rows');

$node->stop;
done_testing();
