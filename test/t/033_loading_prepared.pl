# A transaction that was prepared before a restart ends while the counters are
# being loaded: its leads are counted, once, whichever way it ends.
#
# Several that had turns of the same members, one after another, end in any order.
#
# Fails when what ends between reading the journal and looking for prepared
# transactions is in neither, and when a rollback goes back behind a turn of
# another one.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

# no process for a worker, which would load before us
my $node = new_node('main', 'max_prepared_transactions = 10', 'max_worker_processes = 1',
	'max_logical_replication_workers = 0');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, stage text NOT NULL DEFAULT 'new', owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('chiara');
	INSERT INTO leadroute.rule (name) VALUES ('everyone')));

my $id = 0;
for my $end ('COMMIT', 'ROLLBACK')
{
	$node->safe_psql(
		'postgres', qq(
		INSERT INTO lead VALUES (@{[++$id]});
		BEGIN;
		INSERT INTO lead VALUES (@{[++$id]});
		SAVEPOINT s;
		INSERT INTO lead VALUES (@{[++$id]});
		PREPARE TRANSACTION 'p'));
	$node->restart;

	# nobody can connect while pg_database is locked with the view
	my ($loader, $holder, $other) = map { $node->background_psql('postgres') } 1 .. 3;
	my $pid = $loader->query_safe('SELECT pg_backend_pid()');
	$_->query_safe(q(SET statement_timeout = '60s')) for $loader, $other;
	$holder->query_safe('BEGIN; LOCK TABLE pg_catalog.pg_prepared_xacts IN ACCESS EXCLUSIVE MODE');
	$loader->query_until(qr/begun/, "\\echo begun\nINSERT INTO lead VALUES (@{[++$id]});\n");
	$other->query_safe(
		qq(DO 'BEGIN
			WHILE NOT EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND NOT granted) LOOP
				PERFORM pg_sleep(0.01);
			END LOOP;
		END'));
	$other->query_safe("$end PREPARED 'p'");
	$holder->query_safe('COMMIT');
	$_->quit for $loader, $holder, $other;
	verify_ok($node, 'postgres', "$end PREPARED while loading");
	credits_ok($node, 'postgres', "$end PREPARED while loading");
}

# the last turn of each member is among those of each
my @p = map { "p$_" } 1 .. 8;
for my $p (@p)
{
	my $from = $id + 1;

	$id += 3;
	$node->safe_psql('postgres', "BEGIN; INSERT INTO lead SELECT generate_series($from, $id); PREPARE TRANSACTION '$p'");
}
$node->restart;
# one by one: who looks at the counters settles what has ended
$node->safe_psql('postgres', "ROLLBACK PREPARED '@{[pop @p]}'; SELECT FROM leadroute.member_counter()") for 1 .. 4;
$node->safe_psql('postgres', "COMMIT PREPARED '$_'") for @p;
verify_ok($node, 'postgres', 'the later ones are rolled back, after a restart');
credits_ok($node, 'postgres', 'the later ones are rolled back, after a restart');
$node->stop;
done_testing;
