# Processes that are no backends end, with every array in shared memory in use.
#
# Fails when a callback takes them for backends: they have no place in the array
# of those, and what lies beside it are rotations or prepared counters.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_prepared_transactions = 5', 'leadroute.max_teams = 10');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, n integer, owner text);
	SELECT leadroute.attach('lead', 'owner');
	-- chiara is soon no candidate, so that rotations note who was: a large number
	INSERT INTO leadroute.member (name, capacity) VALUES ('anna', NULL), ('bruno', NULL), ('chiara', 1);
	INSERT INTO leadroute.team (name) SELECT 't' || g FROM generate_series(1, 9) g;
	INSERT INTO leadroute.team_member (team, member) SELECT t.name, m.name FROM leadroute.team t, leadroute.member m;
	INSERT INTO leadroute.rule (name, condition, team) SELECT 't' || g, 'n = ' || g, 't' || g FROM generate_series(1, 9) g;
	INSERT INTO leadroute.rule (name) VALUES ('everyone');
	INSERT INTO lead SELECT g, g % 10 FROM generate_series(1, 40) g;
	BEGIN;
	INSERT INTO lead VALUES (101, 1);
	PREPARE TRANSACTION 'p'));
$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal|was not properly shut down/, 'every process has ended well');
$node->start;
unlike(slurp_file($node->logfile), qr/terminated by signal|was not properly shut down/, 'and so with the start');
$node->safe_psql('postgres', q(COMMIT PREPARED 'p'));
verify_ok($node, 'postgres', 'after the restart');
$node->stop;
done_testing;
