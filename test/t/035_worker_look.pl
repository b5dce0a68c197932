# What is held in a database is found out by a worker's first look: it is looked
# at again when the first worker has failed, and so is a copy of a database, which
# nobody has used.
#
# Fails when a worker that was started counts as one that has looked, or when the
# launcher learns of new databases from those who use them.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes 'usleep';

# Its own retries are out of reach: what is held is decided by a first look only.
my $node = new_node('main', 'leadroute.held_retry_interval = 3600');
my @names = ('one', 'two');
my $owned = q(SELECT count(*) = 1 FROM lead WHERE owner = 'anna');

for my $name (@names)
{
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql(
		$name, leads_sql() . q(
		INSERT INTO leadroute.member (name) VALUES ('anna');
		INSERT INTO leadroute.rule (name, valid) VALUES ('everyone', tstzrange(now() + interval '2 seconds', NULL));
		INSERT INTO lead (stage) VALUES ('new')));
	is($node->safe_psql($name, 'SELECT count(*) FROM lead WHERE owner IS NULL'), 1, "the lead in $name is held");
}
for my $name (@names)
{
	poll_ok($node, $name, q(SELECT lower(valid) < now() FROM leadroute.rule), "the rule of $name has come into force");
	is($node->safe_psql($name, $owned), 'f', 'and nobody has found out');
}
poll_ok($node, 'postgres', q(SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'leadroute worker'),
	'no worker is there');

$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE one');
poll_ok($node, 'copy', $owned, 'a worker looks into the copy of a database');
is($node->safe_psql('one', $owned), 'f', 'not into the one that was copied');
$node->safe_psql('postgres', 'DROP DATABASE copy');

# There is room for one database.
$node->append_conf('postgresql.conf', 'leadroute.max_databases = 1');
$node->restart;
my ($served, $other);
for (1 .. 200)
{
	($served) = grep { $node->safe_psql($_, $owned) eq 't' } @names;
	last if defined $served;
	usleep(100_000);
}
ok(defined $served, 'one database is served');
($other) = grep { $_ ne $served } @names;
$node->wait_for_log(qr/too many databases route leads/);
is($node->safe_psql($other, $owned), 'f', 'for the other there is no room');
$node->safe_psql('postgres', "DROP DATABASE $served");
poll_ok($node, $other, $owned, 'it is looked at again, and served');
verify_ok($node, $other, 'at the end');

$node->stop;
done_testing;
