# A worker that comes before the extension is committed ends, and one comes
# without delay when it is.
#
# Fails when the first counts as one that has failed: the next then waits for 5 s.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'time';

my $node = new_node('main', 'log_min_messages = debug1');
my $ended = qr/background worker "leadroute worker" .*exited with exit code 0/;

# what is there at the start has been looked at
$node->wait_for_log($ended);

my $session = $node->background_psql('postgres');
my $log = -s $node->logfile;
$session->query_safe(
	q(BEGIN;
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) VALUES ('anna');
	INSERT INTO lead VALUES (1);	-- held
	INSERT INTO leadroute.rule (name) VALUES ('everyone')));
# the launcher looks around: the counters have been loaded, so there is work
$node->reload;
$node->wait_for_log($ended, $log);
$session->query_safe('COMMIT');
my $start = time;
poll_ok($node, 'postgres', q(SELECT owner = 'anna' FROM lead), 'a worker decides the held lead');
cmp_ok(time - $start, '<', 4, 'it has come at once');
$session->quit;
$node->stop;
done_testing;
