# The same persons arrive again and again from 16 clients at once, in statements of
# one and of many rows, in transactions that are rolled back as a whole or in part:
# every person has exactly one owner, at each isolation level and without failures;
# so too after a crash, beside a transaction that is prepared over a restart, and in
# a database that is restored from a dump.
#
# Fails when a decision does not see those of open transactions, or when two that
# are made at the same moment do not see each other (without claims, see claim.h,
# dozens of persons have two owners).

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 40', 'max_prepared_transactions = 5');

$node->safe_psql(
	'postgres', leads_sql('email text', 'phone text') . q(
	INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(1, 7) g;
	INSERT INTO leadroute.rule (name) VALUES ('everyone');
	UPDATE leadroute.router SET sticky_key = ARRAY['leadroute.normalize_email(email)', 'phone']));

# Persons whose leads that are there have several owners.
sub one_owner_ok
{
	my ($dbname, $what) = @_;

	is( $node->safe_psql(
			$dbname, q(
		SELECT lower(email), array_agg(DISTINCT owner) FROM lead
		GROUP BY 1 HAVING count(DISTINCT owner) <> 1 OR bool_or(owner IS NULL) ORDER BY 1 LIMIT 10)),
		'', "each person has one owner: $what");
	return;
}

# All clients take the same persons at about the same time: the number of the
# person follows the clock.
my $person = q(:prefix || '-' || (extract(epoch FROM clock_timestamp()) * 100)::bigint % 1000000);
my @scripts = write_scripts(
	$node,
	'one@6' => qq(
		INSERT INTO lead (email) VALUES ($person || '\@example.com');
	),
	'many@2' => qq(
		INSERT INTO lead (email) SELECT $person || g || CASE g % 2 WHEN 0 THEN '\@example.com' ELSE '\@EXAMPLE.com ' END FROM generate_series(0, 5) g;
	),
	'back@2' => qq(
		BEGIN;
		INSERT INTO lead (email) VALUES ($person || '\@example.com'), ($person || '\@example.com');
		ROLLBACK;
	),
	'part@2' => qq(
		BEGIN;
		SAVEPOINT s;
		INSERT INTO lead (email) VALUES ($person || '\@example.com');
		ROLLBACK TO s;
		INSERT INTO lead (email) VALUES ($person || '\@example.com');
		COMMIT;
	));

for my $level ('read committed', 'repeatable read', 'serializable')
{
	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=' . $level =~ s/ /\\ /r;
	my ($prefix) = $level =~ /^(...)/;
	my $load = start_pgbench($node, 'postgres', '-c', 16, '-j', 2, '-t', 200,
		'-D', "prefix='$prefix'", @scripts);
	my ($rc, $out) = finish_pgbench($load);

	is($rc, 0, "the load runs: $level") or diag($out);
	like($out, qr/number of failed transactions: 0 /, "no transaction fails: $level");
	one_owner_ok('postgres', $level);
}
verify_ok($node, 'postgres', 'after the load');
invariants_ok($node, 'postgres', 'lead', 'after the load');
is($node->safe_psql('postgres', q(SELECT count(*) > 1000 FROM leadroute.assignment WHERE reason = 'sticky')),
	't', 'the clients met');

# A crash, and leads of the same persons afterwards.
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', q(INSERT INTO lead (email) SELECT DISTINCT email FROM lead));
one_owner_ok('postgres', 'after a crash');
verify_ok($node, 'postgres', 'after a crash');

# A prepared transaction is followed, over a restart too; whoever follows it is no
# duplicate, and keeps the owner.
$node->safe_psql('postgres', q(
	UPDATE leadroute.router SET duplicate_window = '1 day';
	BEGIN;
	INSERT INTO lead (email, phone) VALUES ('first@prepared', '1'), ('second@prepared', '2'), ('third@prepared', '3'), ('fourth@prepared', '4');
	PREPARE TRANSACTION 'p'));
$node->safe_psql('postgres', q(INSERT INTO lead (email, phone) VALUES ('first@prepared', NULL)));
$node->restart;
$node->safe_psql('postgres', q(INSERT INTO lead (email, phone) VALUES (NULL, '2'), ('first@prepared', NULL)));
$node->safe_psql('postgres', q(COMMIT PREPARED 'p'));
$node->safe_psql('postgres', q(INSERT INTO lead (email, phone) VALUES ('third@prepared', NULL)));
is( $node->safe_psql(
		'postgres', q(
	SELECT string_agg(a.kind || ' ' || (a.member = f.owner), ', ' ORDER BY a.id)
	FROM lead l JOIN leadroute.assignment a ON a.is_current AND a.lead_key = l.id::text
	JOIN lead f ON f.email IS NOT NULL AND f.phone IS NOT NULL AND (f.email = l.email OR f.phone = l.phone) AND f.id <> l.id)),
	'assigned true, assigned true, duplicate true, duplicate true', 'a prepared transaction is followed');
verify_ok($node, 'postgres', 'after a prepared transaction');

# Dump and restore.
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restore');
my $keys = 'SELECT count(*), sum(hashtext(s::text)) FROM leadroute.sticky_lead s';
is($node->safe_psql('restored', $keys), $node->safe_psql('postgres', $keys), 'the keys are restored');
$node->safe_psql('restored', q(
	UPDATE leadroute.router SET duplicate_window = NULL;
	INSERT INTO lead (email) SELECT DISTINCT email FROM lead WHERE email LIKE '%@example.com'));
one_owner_ok('restored', 'in a restored database');
verify_ok($node, 'restored', 'in a restored database');

$node->stop;
done_testing();
