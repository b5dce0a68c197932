# Needs: pgbouncer
#
# pgbouncer in transaction mode (design: "What real applications do"): each
# transaction of a client may be on another connection to the server, and each
# connection has many clients.
#
# Fails when leadroute keeps anything in a session that another client's
# transaction could see: a reservation, a configuration, a prepared statement, a
# temporary table, a lock, a setting.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 30');

$node->safe_psql(
	'postgres', leads_sql('kind text') . q(
	CREATE ROLE crm LOGIN;
	GRANT SELECT, INSERT, UPDATE, DELETE ON lead TO crm;
	INSERT INTO leadroute.member (name, capacity) SELECT 'm' || i, CASE WHEN i = 1 THEN 40 END FROM generate_series(1, 5) i;
	INSERT INTO leadroute.rule (name) VALUES ('everyone')));

# Three connections to the server for all clients; one where a test wants the
# next client to have the same.
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $port = 6432;
my $server = 'host=' . $node->host . ' port=' . $node->port . ' dbname=postgres';
append_to_file("$dir/users.txt", qq("crm" ""\n"postgres" ""\n));
append_to_file(
	"$dir/pgbouncer.ini", qq([databases]
three = $server pool_size=3
one = $server pool_size=1
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $dir
auth_type = trust
auth_file = $dir/users.txt
admin_users = postgres
pool_mode = transaction
max_client_conn = 100
pidfile = $dir/pid
));
my $pgbouncer_log = '';
my $pgbouncer = IPC::Run::start([ 'pgbouncer', "$dir/pgbouncer.ini" ], '<', \undef, '>', \$pgbouncer_log, '2>&1');
END
{
	my $rc = $?;
	$pgbouncer->kill_kill if $pgbouncer;
	$? = $rc;
}

# through(pool, statement...): what one client gets that sends these statements
# one after the other.
sub through
{
	my ($pool, @statements) = @_;
	my $out = '';

	IPC::Run::run([ 'psql', '-XAtq', '-h', $dir, '-p', $port, '-U', 'crm', '-d', $pool, map { ('-c', $_) } @statements ],
		'<', \undef, '>', \$out, '2>&1');
	chomp $out;
	return $out;
}

my $ready = '';
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	last if ($ready = through('three', 'SELECT 1')) eq '1';
	select undef, undef, undef, 0.1;
}
is($ready, '1', 'pgbouncer answers') or diag($pgbouncer_log);

# Twelve clients on three connections: commits, rollbacks, savepoints, both ways
# to send statements; leads beyond a capacity.
my $actor = q(
SELECT set_config('leadroute.actor', 'client ' || :client_id, true););
my @scripts = write_scripts(
	$node,
	'stored@5' => "BEGIN;$actor\nINSERT INTO lead (kind) VALUES ('client ' || :client_id);\nCOMMIT;",
	'alone@3' => "INSERT INTO lead (kind) VALUES ('alone'), ('alone');",
	'old_snapshot@2' => "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM lead;$actor\nINSERT INTO lead (kind) VALUES ('client ' || :client_id);\nCOMMIT;",
	'rolled_back@3' => "BEGIN;$actor\nINSERT INTO lead (kind) SELECT 'gone' FROM generate_series(1, 3);\nROLLBACK;",
	'savepoint@2' => "BEGIN;$actor\nSAVEPOINT s;\nINSERT INTO lead (kind) VALUES ('gone');\nROLLBACK TO s;\nINSERT INTO lead (kind) VALUES ('client ' || :client_id);\nCOMMIT;",
	'closed@2' => "UPDATE lead SET stage = 'closed' WHERE id = (SELECT min(id) FROM lead WHERE stage = 'new' AND owner = 'm1');");
my @load = map {
	my $out = '';
	my $mode = $_;
	{
		out => \$out,
		run => IPC::Run::start(
			[ 'pgbench', '-n', '-h', $dir, '-p', $port, '-U', 'crm', '-c', 6, '-t', 60, '-M', $mode, @scripts, 'three' ],
			'<', \undef, '>', \$out, '2>&1')
	};
} ('simple', 'extended');
for (@load)
{
	$_->{run}->finish;
	ok($_->{run}->result(0) == 0 && ${ $_->{out} } =~ m{processed: 360/360}, 'transactions of six clients') or diag(${ $_->{out} });
}
invariants_ok($node, 'postgres', 'lead', 'three connections for twelve clients');
verify_ok($node, 'postgres', 'three connections for twelve clients');
credits_ok($node, 'postgres', 'three connections for twelve clients');
is( $node->safe_psql(
		'postgres', q(
	SELECT count(*) FROM leadroute.assignment a JOIN lead l ON l.id::text = a.lead_key
	WHERE a.kind IN ('assigned', 'held') AND a.actor IS DISTINCT FROM nullif(l.kind, 'alone'))),
	'0', 'SET LOCAL leadroute.actor is for its transaction alone');
is($node->safe_psql('postgres', q(SELECT count(*) FROM lead WHERE kind = 'gone')), '0', 'and what was rolled back is gone');

# What the next client finds on the connection.
is(through('one', q(INSERT INTO lead (kind) VALUES ('a') RETURNING owner IS NOT NULL)), 't', 'a client routes a lead');
is( through(
		'one', q(
	SELECT (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()),
		(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND (locktype = 'advisory' OR relation::regclass::text ~ 'lead')),
		pg_my_temp_schema(), (SELECT count(*) FROM pg_settings WHERE source = 'session' AND name !~ '^(client_encoding|application_name|DateStyle|TimeZone|standard_conforming_strings|extra_float_digits)$'))),
	'0|0|0|0|0', '... and leaves nothing on its connection');
my $pid = through('one', 'SELECT pg_backend_pid()');
$node->safe_psql('postgres', q(INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES ('b', 1, $$kind = 'b'$$, $$'m2'$$)));
is(through('one', q(INSERT INTO lead (kind) VALUES ('b') RETURNING owner)), 'm2', 'the next one sees a rule that somebody has saved meanwhile');
is(through('one', 'SELECT pg_backend_pid()'), $pid, '... on the same connection');

# A plain SET stays with the connection, whoever comes next: that is pgbouncer's
# way, and why the README says SET LOCAL.
through('one', q(SET leadroute.actor = 'leaked'));
my $who = q(SELECT actor FROM leadroute.assignment WHERE kind = 'assigned' ORDER BY id DESC LIMIT 1);
through('one', q(INSERT INTO lead (kind) VALUES ('b')));
is($node->safe_psql('postgres', $who), 'leaked', 'SET without LOCAL leaks to the next client');
through('one', q(BEGIN; SET LOCAL leadroute.actor = 'local'; INSERT INTO lead (kind) VALUES ('b'); COMMIT));
is($node->safe_psql('postgres', $who), 'local', '... SET LOCAL has its way all the same');
through('one', q(RESET leadroute.actor));

# A client goes away in the middle of a transaction.
my ($in, $out) = ("BEGIN; INSERT INTO lead (kind) VALUES ('b') RETURNING 'inserted';\n", '');
my $gone = IPC::Run::start([ 'psql', '-XAtq', '-h', $dir, '-p', $port, '-U', 'crm', '-d', 'one' ],
	'<', \$in, '>', \$out, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$gone->pump until $out =~ /inserted/;
$gone->kill_kill;
is(through('one', q(INSERT INTO lead (kind) VALUES ('b') RETURNING owner)), 'm2', 'the next client of one that went away');
poll_ok($node, 'postgres', q(SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'crm' AND state = 'idle in transaction'), 'its transaction ends');
invariants_ok($node, 'postgres', 'lead', 'after a client that went away');
verify_ok($node, 'postgres', 'after a client that went away');

$pgbouncer->signal('INT');
$pgbouncer->finish;
undef $pgbouncer;
$node->stop;
done_testing();
