# A member that is deleted while it is on a call is on none any more; one that is
# there still is.
#
# Fails when the worker leaves the former, so that every decision looks at each
# member until the next restart, or takes the call of the latter away.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use Test::More;

my $node = new_node('main', 'leadroute.checkpoint_interval = 1');

$node->safe_psql(
	'postgres', leads_sql() . q(
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('chiara');
	INSERT INTO leadroute.rule (name) VALUES ('everyone');
	SELECT leadroute.busy('anna', true), leadroute.busy('chiara', true);
	DELETE FROM leadroute.member WHERE name = 'chiara'));
is($node->safe_psql('postgres', 'SELECT count(*) FROM leadroute.member_counter() WHERE busy'), '2', 'both are on a call');
$node->safe_psql('postgres', 'INSERT INTO lead DEFAULT VALUES');
poll_ok($node, 'postgres', 'SELECT count(*) = 1 FROM leadroute.member_counter() WHERE busy', 'who is deleted is not any more');
is($node->safe_psql('postgres', q(INSERT INTO lead DEFAULT VALUES RETURNING owner)), 'bruno', 'who is there still is');
is($node->safe_psql('postgres', q(SELECT leadroute.busy('anna', false))), 't', 'until it says so');
verify_ok($node, 'postgres', 'members were on a call');

$node->stop;
done_testing;
