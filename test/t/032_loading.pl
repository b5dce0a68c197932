# Who waits for the counters to be loaded waits where deadlocks are seen, and who
# has what the loader needs does not wait for it: it loads them itself.
#
# Fails, after a timeout, when a session waits for a loader that waits for it.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
	INSERT INTO leadroute.rule (name) VALUES ('everyone');
	INSERT INTO lead VALUES (1)));

sub waits_ok
{
	my ($pid, $what) = @_;

	poll_ok($node, 'postgres', "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND NOT granted)", $what);
	return;
}

my $id = 10;
for my $lock ('LOCK TABLE leadroute.event IN ACCESS EXCLUSIVE MODE',
	'LOCK TABLE leadroute.team_version IN ACCESS EXCLUSIVE MODE',
	'LOCK TABLE leadroute.journal IN ROW EXCLUSIVE MODE')
{
	my $holder = $node->background_psql('postgres', on_error_stop => 0);
	my $loader = $node->background_psql('postgres', on_error_stop => 0);

	$_->query_safe(q(SET statement_timeout = '20s')) for $holder, $loader;
	my $pid = $loader->query_safe('SELECT pg_backend_pid()');
	$holder->query_safe("BEGIN; $lock");

	# SQL has written the journal: the counters are to be loaded again
	$node->safe_psql('postgres', 'UPDATE leadroute.journal SET detail = detail WHERE id = 1');
	$loader->query_until(qr/begun/, "\\echo begun\nINSERT INTO lead VALUES (@{[$id++]}) RETURNING 'loader ' || owner;\n");
	waits_ok($pid, "the loader waits: $lock");
	like($holder->query("INSERT INTO lead VALUES (@{[$id++]}) RETURNING owner"), qr/^(anna|bruno)$/,
		"who has the lock routes: $lock");
	$holder->query_safe('COMMIT');
	like($loader->query(q(\echo)), qr/^loader (anna|bruno)$/m, "then the loader goes on: $lock");
	$_->quit for $holder, $loader;
	verify_ok($node, 'postgres', $lock);
	credits_ok($node, 'postgres', $lock);
}

$node->stop;
done_testing;
