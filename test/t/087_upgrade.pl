# pg_upgrade (scenario 25; design: promise 7): a cluster that it has made, here of the
# same major version, has the same owners, held leads, journal and configuration, the
# counters agree, and the next turns are those that the old one would have given.
# Fails when pg_upgrade's check or its restore stumbles over what the extension is made
# of, when anything is routed meanwhile, or when the library takes what stands in the
# new cluster's files for something else than its own.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = new_node('old');
$old->safe_psql('postgres', 'CREATE DATABASE app');
$old->safe_psql(
	'app', leads_sql('kind text', 'email text') . q(
	INSERT INTO leadroute.member (name, capacity) SELECT 'm' || i, CASE i WHEN 4 THEN 2 END FROM generate_series(1, 4) i;
	INSERT INTO leadroute.team (name) VALUES ('all'), ('small');
	INSERT INTO leadroute.team_member (team, member, weight) SELECT 'all', 'm' || i, i FROM generate_series(1, 3) i;
	INSERT INTO leadroute.team_member (team, member) VALUES ('small', 'm4');
	INSERT INTO leadroute.rule (name, priority, condition, team, overflow) VALUES ('small', 1, $$kind = 'small'$$, 'small', 'hold');
	INSERT INTO leadroute.rule (name, team) VALUES ('all', 'all');
	INSERT INTO leadroute.cap (name, member, period, max_leads) VALUES ('much', 'm1', 'total', 1000);
	UPDATE leadroute.router SET sticky_key = '{email}';
	INSERT INTO lead (kind, email) SELECT CASE WHEN g % 10 = 0 THEN 'small' END, 'p' || g || '@x.example' FROM generate_series(1, 50) g;
	UPDATE lead SET stage = 'closed' WHERE id = 3;
	UPDATE lead SET owner = 'm2' WHERE id = 5;));

# What must be the same; and what comes next, in a transaction that is rolled back.
my %same = (
	'owners' => 'SELECT id, owner FROM lead ORDER BY id',
	'journal' => 'SELECT * FROM leadroute.journal ORDER BY id',
	'events' => 'SELECT * FROM leadroute.event ORDER BY id',
	'held leads' => 'SELECT * FROM leadroute.pool_entry ORDER BY lead_key',
	'configuration' => 'SELECT leadroute.export_config()',
	'history' => 'SELECT h::text FROM leadroute.config_history h ORDER BY 1',
	'loads' => 'SELECT * FROM leadroute.member_counter() ORDER BY member',
	'credits' => 'SELECT router, team, member, credit FROM leadroute.seat_counter() WHERE credit <> 0 ORDER BY 1, 2, 3',
	'caps' => 'SELECT cap, used FROM leadroute.cap_status()',
	'next turns' => q(BEGIN; INSERT INTO lead (email) SELECT CASE g WHEN 3 THEN 'p7@x.example' END FROM generate_series(1, 12) g RETURNING owner; ROLLBACK));
my %before = map { $_ => $old->safe_psql('app', $same{$_}) } keys %same;
isnt($before{'held leads'}, '', 'leads are held');
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
my $bin = $old->config_data('--bindir');
chdir $PostgreSQL::Test::Utils::tmp_check or die;
command_ok(
	[ 'pg_upgrade', '--no-sync', '--retain', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin, '-s', $new->host, '-p', $old->port, '-P', $new->port ],
	'pg_upgrade')
  or diag(map { join('', grep { !/: creating / } split /^/, slurp_file($_)) } glob($new->data_dir . '/pg_upgrade_output.d/*/log/pg_upgrade_dump_*.log'));
my ($log) = map { slurp_file($_) } glob($new->data_dir . '/pg_upgrade_output.d/*/log/pg_upgrade_server.log');
unlike($log, qr/leadroute launcher|PANIC/, 'nobody routes in the servers that pg_upgrade starts');
$new->start;
for (sort keys %same)
{
	is($new->safe_psql('app', $same{$_}), $before{$_}, "the same: $_");
}
verify_ok($new, 'app', 'after the upgrade');
is($new->safe_psql('app', q(SELECT what, subject FROM leadroute.problem WHERE severity = 'error')), '', 'nothing is wrong');

# A place that becomes free is the held lead's.
$new->safe_psql('app', q(UPDATE lead SET stage = 'closed' WHERE id = 10));
poll_ok($new, 'app', q(SELECT owner = 'm4' FROM lead WHERE id = 30), 'held leads move up');
verify_ok($new, 'app', 'at the end');

done_testing();
