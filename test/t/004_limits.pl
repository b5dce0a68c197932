# Capacity is a hard limit (design: promise 3): 16 clients insert and roll back
# while six members have room for seven leads each.
#
# Fails when a count without protection lets an eighth through at any moment,
# when a rollback loses a place (then not all members are full at the end), or
# when a place counts as free while the lead that had it may still come back.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 40', 'max_prepared_transactions = 5');

$node->safe_psql(
	'postgres', leads_sql() . q(
	INSERT INTO leadroute.member (name, capacity) SELECT 'm' || i, 7 FROM generate_series(1, 6) i;
	INSERT INTO leadroute.rule (name, overflow) VALUES ('everyone', 'none');
	CREATE TABLE above_capacity (owner text, n bigint);
	CREATE PROCEDURE look() LANGUAGE sql AS $$
		INSERT INTO above_capacity
			SELECT owner, count(*) FROM lead WHERE owner IS NOT NULL GROUP BY owner HAVING count(*) > 7
			UNION ALL
			SELECT member::text, load FROM leadroute.member_counter() WHERE load > 7 $$));

my @scripts = write_scripts(
	$node,
	'commit@1' => "BEGIN;\nINSERT INTO lead DEFAULT VALUES;\nCALL look();\nCOMMIT;",
	'rollback@3' => "BEGIN;\nINSERT INTO lead SELECT FROM generate_series(1, 5);\nCALL look();\nROLLBACK;",
	'savepoint@2' => q(
BEGIN;
SAVEPOINT a;
INSERT INTO lead SELECT FROM generate_series(1, 3);
ROLLBACK TO a;
INSERT INTO lead DEFAULT VALUES;
COMMIT;),
	'look@1' => 'CALL look();');
my ($rc, $out) = finish_pgbench(
	start_pgbench($node, 'postgres', '-c', 16, '-j', 2, '-t', 60, @scripts));

is($rc, 0, 'all clients went through') or diag($out);
is( $node->safe_psql('postgres', 'SELECT DISTINCT owner, n FROM above_capacity ORDER BY 1, 2'),
	'', 'nobody was seen above capacity');

# Whatever was refused because of those who rolled back later is room now.
$node->safe_psql('postgres', 'INSERT INTO lead SELECT FROM generate_series(1, 42)');
is( $node->safe_psql(
		'postgres', 'SELECT owner, count(*) FROM lead WHERE owner IS NOT NULL GROUP BY 1 ORDER BY 1'),
	join("\n", map { "m$_|7" } 1 .. 6), 'all members are exactly full');
verify_ok($node, 'postgres', 'all members full');

# Places of leads that are leaving are free when that is committed, not before.
my $other = $node->background_psql('postgres');
my %leaving = (
	'deleted' => "DELETE FROM lead WHERE owner = 'm3'",
	'closed' => "UPDATE lead SET stage = 'closed' WHERE owner = 'm3'",
	'moved by hand' => "UPDATE lead SET owner = 'somebody else' WHERE owner = 'm3'",
	'released' => "UPDATE lead SET owner = NULL WHERE owner = 'm3'");
for my $what (sort keys %leaving)
{
	$other->query_safe("BEGIN; $leaving{$what}");
	is( $node->safe_psql('postgres', 'INSERT INTO lead DEFAULT VALUES RETURNING owner'),
		'', "a lead being $what keeps its place until the commit");
	$other->query_safe('ROLLBACK');
	is( $node->safe_psql('postgres', "SELECT count(*) FROM lead WHERE owner = 'm3' AND stage <> 'closed'"),
		7, "and after the rollback ($what) m3 is no more than full");
	verify_ok($node, 'postgres', "after the rollback ($what)");
}

# In its own transaction the place is free at once, and only there.
$other->query_safe(q(BEGIN; DELETE FROM lead WHERE id = (SELECT min(id) FROM lead WHERE owner = 'm3')));
is($other->query_safe('INSERT INTO lead DEFAULT VALUES RETURNING owner'),
	'm3', 'who deletes a lead may give its place away');
is( $node->safe_psql('postgres', 'INSERT INTO lead DEFAULT VALUES RETURNING owner'),
	'', 'nobody else can');
$other->query_safe('ROLLBACK');
verify_ok($node, 'postgres', 'after the exchange was rolled back');

$other->query_safe(q(BEGIN; DELETE FROM lead WHERE owner = 'm3'; PREPARE TRANSACTION 'leaving'));
is( $node->safe_psql('postgres', 'INSERT INTO lead DEFAULT VALUES RETURNING owner'),
	'', 'a prepared DELETE frees nothing');
$other->query_safe(q(COMMIT PREPARED 'leaving'));
is( $node->safe_psql('postgres', 'INSERT INTO lead DEFAULT VALUES RETURNING owner'),
	'm3', 'a committed one does');
verify_ok($node, 'postgres', 'after the prepared DELETE');
$other->quit;

invariants_ok($node, 'postgres', 'lead', 'at the end');
$node->stop;
done_testing;
