# What COMMIT PREPARED leaves to be done: the worker looks at what the transaction
# can have touched, and at nothing else; and whoever is told that it has committed
# can know what it has changed.
#
# Fails when a transaction that has nothing to do with leads that wait makes the
# worker look at all of them; when it is not told of what one has left; and when
# leads that come while COMMIT PREPARED is at work stay without a new member.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'leadroute.held_retry_interval = 3600', 'leadroute.checkpoint_interval = 1',
	'max_prepared_transactions = 5', 'max_locks_per_transaction = 256');

# Leads of lead wait as long as an hour, those of short a moment; each look at the
# former is in the log.
$node->safe_psql(
	'postgres', leads_sql('company text') . q(
	CREATE FUNCTION look(company text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'looked at %', company;
		RETURN company = 'ready';
	END $$;
	CREATE TABLE short (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text);
	SELECT leadroute.attach('short', 'owner', ready_when => 'false', ready_within => '50 ms');
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
	INSERT INTO leadroute.rule (name) VALUES ('all');
	UPDATE leadroute.routed_table SET ready_when = 'look(company)', ready_within = '1 hour' WHERE name = 'lead';
	INSERT INTO lead (company) VALUES ('waiting')));

# The worker has done all that it was told before.
sub decided_ok
{
	my ($what) = @_;

	poll_ok($node, 'postgres', 'SELECT count(*) = 0 FROM short WHERE owner IS NULL', $what);
	return;
}

sub looks
{
	my ($from) = @_;
	my @looks = substr(slurp_file($node->logfile), $from) =~ /looked at waiting/g;

	return scalar @looks;
}

# what was told when the settings changed, too
sub quiet
{
	for (1 .. 2)
	{
		$node->safe_psql('postgres', 'INSERT INTO short DEFAULT VALUES');
		decided_ok('the worker has nothing left to do');
	}
	return;
}

quiet();
my $from = -s $node->logfile;
$node->safe_psql('postgres', q(
	BEGIN; INSERT INTO lead (company) VALUES ('ready'); PREPARE TRANSACTION 'a';
	BEGIN; INSERT INTO lead (company) VALUES ('ready'); PREPARE TRANSACTION 'b'));
$node->safe_psql('postgres', q(COMMIT PREPARED 'a'));
$node->safe_psql('postgres', q(ROLLBACK PREPARED 'b'));
verify_ok($node, 'postgres', 'both are settled');
quiet();
is(looks($from), 0, 'leads that wait are of no concern to them');

# whoever waits in one is decided in time
$node->safe_psql('postgres', q(BEGIN; INSERT INTO short DEFAULT VALUES; PREPARE TRANSACTION 'a'));
$node->safe_psql('postgres', q(COMMIT PREPARED 'a'));
decided_ok('a lead that waits in a prepared transaction');
is(looks($from), 0, 'and no other is looked at');

# what leads wait for is changed by one
$node->safe_psql('postgres', q(
	BEGIN; UPDATE leadroute.routed_table SET ready_when = 'look(company) OR company = $$waiting$$' WHERE name = 'lead';
	PREPARE TRANSACTION 'a'));
$node->safe_psql('postgres', q(COMMIT PREPARED 'a'));
poll_ok($node, 'postgres', 'SELECT count(*) = 0 FROM lead WHERE owner IS NULL', 'they are looked at when that has changed');

# a member that leads are held for is made by one
$node->safe_psql('postgres', q(UPDATE leadroute.member SET capacity = 0));
$node->safe_psql('postgres', q(INSERT INTO lead (company) VALUES ('ready')));
is($node->safe_psql('postgres', 'SELECT count(*) FROM lead WHERE owner IS NULL'), 1, 'a lead is held');
$node->safe_psql('postgres', q(BEGIN; UPDATE leadroute.member SET capacity = NULL; PREPARE TRANSACTION 'a'));
$node->safe_psql('postgres', q(COMMIT PREPARED 'a'));
poll_ok($node, 'postgres', 'SELECT count(*) = 0 FROM lead WHERE owner IS NULL', 'and given when somebody can take it');

# Dropping files takes COMMIT PREPARED a while: it is visible by then, and its
# messages are not out.
$node->safe_psql('postgres', q(
	DO $$ BEGIN FOR i IN 1 .. 3000 LOOP EXECUTE format('CREATE TABLE many_%s ()', i); END LOOP; END $$));
$node->safe_psql('postgres', q(
	BEGIN;
	DO $$ BEGIN FOR i IN 1 .. 3000 LOOP EXECUTE format('DROP TABLE many_%s', i); END LOOP; END $$;
	INSERT INTO leadroute.member (name) VALUES ('dora');
	PREPARE TRANSACTION 'a'));
my $load = start_pgbench($node, 'postgres', '-c', 2, '-T', 3, '-R', 300,
	write_scripts($node, 'dora@1' => "INSERT INTO lead (company, owner) VALUES ('ready', 'dora');"));
$node->poll_query_until('postgres', q(SELECT count(*) > 20 FROM lead WHERE owner = 'dora')) or die 'no leads come';
$node->safe_psql('postgres', q(COMMIT PREPARED 'a'));
my ($rc, $out) = finish_pgbench($load);
is($rc, 0, 'leads come while it is committed') or diag($out);
poll_ok($node, 'postgres', q(
	SELECT count(*) = 0 FROM leadroute.journal WHERE NOT superseded AND member IS NULL), 'all of them are the new member\'s');
verify_ok($node, 'postgres', 'at the end');

# Who drops the extension leaves nothing to be done, whatever it has changed before.
$node->safe_psql('postgres', q(
	BEGIN;
	UPDATE leadroute.rule SET name = 'other';
	DROP EXTENSION leadroute CASCADE;
	PREPARE TRANSACTION 'dropped'));
$node->safe_psql('postgres', q(COMMIT PREPARED 'dropped'));
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_extension WHERE extname = 'leadroute'"),
	'0', 'the extension is dropped by a prepared transaction that has changed its configuration');

done_testing();
