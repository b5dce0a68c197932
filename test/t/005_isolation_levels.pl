# No serialization failures of ours (design: promise 4, P9): 16 clients at
# REPEATABLE READ and SERIALIZABLE, whose snapshots are older than their
# INSERTs, while another session changes rules, capacities, absences and caps all
# the time; what came before a cap is counted from the journal and from the leads.  What they do gives no failure on a table without leadroute, which is
# run beside it.
#
# Fails when a decision reads or updates a row that somebody else updates (a
# cursor row, a counter, a configuration row) with the transaction's snapshot, or
# leaves predicate locks.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 40', 'deadlock_timeout = 100ms', 'leadroute.max_caps = 20000');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, n integer, stage text NOT NULL DEFAULT 'new', owner text);
	CREATE TABLE bare (LIKE lead INCLUDING ALL);
	CREATE SEQUENCE lead_id;
	SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'closed'$$);
	INSERT INTO leadroute.member (name, capacity) SELECT 'm' || i, 100000 FROM generate_series(1, 6) i;
	INSERT INTO leadroute.team (name) VALUES ('a'), ('b');
	INSERT INTO leadroute.team_member (team, member)
		SELECT CASE WHEN i < 4 THEN 'a' ELSE 'b' END, 'm' || i FROM generate_series(1, 6) i;
	INSERT INTO leadroute.rule (name, condition, team) VALUES ('odd', 'n % 2 = 1', 'a'), ('even', NULL, 'b')));

my @changes = write_scripts(
	$node,
	'cap@1' => q(
DELETE FROM leadroute.cap;
INSERT INTO leadroute.cap (name, period, max_leads, condition) VALUES ('all', 'month', 1000000, NULL), ('odd', 'month', 1000000, 'n % 2 = 1');),
	'away@20' => q(
\set m random(1, 6)
SELECT leadroute.pause('m' || :m);
SELECT leadroute.resume('m' || :m);),
	'member@10' => "\\set m random(1, 6)\nUPDATE leadroute.member SET capacity = capacity + 1 WHERE name = 'm' || :m;",
	'rule@10' => q(
\set t random(2, 5)
UPDATE leadroute.rule SET condition = 'n % ' || :t || ' = 1' WHERE name = 'odd';));

# Each client works on leads of its own; the sequence gives their keys.
sub scripts
{
	my ($table, $updates) = @_;
	my %script = (
		"${table}_single\@4" => "INSERT INTO $table (id, n) VALUES (nextval('lead_id'), 1);",
		"${table}_old_snapshot\@4" => qq(
BEGIN;
SELECT 1;
SELECT count(*) FROM pg_am;
INSERT INTO $table (id, n) VALUES (nextval('lead_id'), 2);
INSERT INTO $table (id, n) SELECT nextval('lead_id'), g FROM generate_series(1, 5) g;
COMMIT;),
		"${table}_savepoint\@2" => qq(
BEGIN;
INSERT INTO $table (id, n) VALUES (nextval('lead_id'), 2);
SAVEPOINT a;
INSERT INTO $table (id, n) VALUES (nextval('lead_id'), 3);
ROLLBACK TO a;
INSERT INTO $table (id, n) VALUES (nextval('lead_id'), 4);
COMMIT;));

	$script{"${table}_update\@2"} = qq(
\\set id random(1, 1000000000)
BEGIN;
INSERT INTO $table (id, n) VALUES (-:id::bigint * 16 - :client_id, 2);
UPDATE $table SET stage = 'closed' WHERE id = -:id::bigint * 16 - :client_id;
UPDATE $table SET owner = 'm1', stage = 'new' WHERE id = -:id::bigint * 16 - :client_id;
COMMIT;) if $updates;
	return write_scripts($node, %script);
}

for my $level ('repeatable read', 'serializable')
{
	my %failed;

	# SSI locks pages for an UPDATE by index: neighbours collide on any table.
	for my $table ('bare', 'lead')
	{
		my @scripts = scripts($table, $level eq 'repeatable read');
		my $editor = start_pgbench($node, 'postgres', '-c', 1, '-T', 600, @changes);
		local $ENV{PGOPTIONS} = "-c default_transaction_isolation=" . $level =~ s/ /\\ /r;
		my ($rc, $out) = finish_pgbench(
			start_pgbench($node, 'postgres', '-c', 16, '-j', 2, '-t', 60, @scripts));

		is($rc, 0, "$table at $level: all clients went through") or diag($out);
		($failed{$table}) = $out =~ /number of failed transactions: (\d+)/;
		$editor->{run}->signal('INT');
		my $said;
		($rc, $said) = finish_pgbench($editor);
		unlike($said, qr/aborted|ERROR/, 'the editor was not stopped');
	}
	is($failed{bare}, 0, "bare at $level: no failure");
	is($failed{lead}, 0, "lead at $level: no failure");
	verify_ok($node, 'postgres', "after the load at $level");
}
credits_ok($node, 'postgres', 'at the end');
invariants_ok($node, 'postgres', 'lead', 'at the end');
cmp_ok($node->safe_psql('postgres', 'SELECT max(rule_version) FROM leadroute.journal'),
	'>', 3, 'rules changed meanwhile');

$node->stop;
done_testing;
