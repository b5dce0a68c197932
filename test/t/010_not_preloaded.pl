# A server that does not preload the library: CREATE EXTENSION works, each lead
# is stored without owner, with one WARNING a session, and what needs shared
# memory fails with one clear error and the hint; once it is preloaded again,
# all goes on.
#
# Fails when an INSERT fails or crashes there, when the warning is missing or
# comes with each row, or when a function fails otherwise.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		n integer UNIQUE,
		stage text NOT NULL DEFAULT 'new',
		owner text);
	SELECT leadroute.attach('lead', 'owner');
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
	INSERT INTO leadroute.rule (name, condition) VALUES ('everyone', 'n > 0');
	INSERT INTO lead (n) VALUES (1), (2), (3)));

$node->append_conf('postgresql.conf', q(shared_preload_libraries = ''));
$node->restart;

my ($rc, $out, $err) = $node->psql(
	'postgres', q(
	INSERT INTO lead (n) VALUES (4), (5) RETURNING n, owner;
	INSERT INTO lead (n) VALUES (5), (6) ON CONFLICT (n) DO NOTHING RETURNING n, owner;
	INSERT INTO lead (n) VALUES (6) ON CONFLICT (n) DO UPDATE SET stage = 'again' RETURNING n, owner;
	UPDATE lead SET stage = 'seen' WHERE n = 6;
	DELETE FROM lead WHERE n = 6;));
is("$rc $out", "0 4|\n5|\n6|\n6|", 'leads are stored without owner');
is(scalar(() = $err =~ /WARNING/g), 1, 'one WARNING a session');
like($err, qr/^[^\n]*WARNING:  leads are stored without owner.*HINT:.*shared_preload_libraries/s, 'it says what to do');
($rc, $out, $err) = $node->psql('postgres', "\\copy lead (n) FROM stdin\n7\n8\n\\.\n");
is($rc, 0, 'COPY works');
is(scalar(() = $err =~ /WARNING/g), 1, 'and warns, being another session');

my %call = (
	attach => q(leadroute.attach('lead', 'owner')),
	detach => q(leadroute.detach('lead')),
	route => q(leadroute.route('lead', 4)),
	assign => q(leadroute.assign('lead', 4, 'anna')),
	explain => q(leadroute.explain('lead', 4)),
	explain_lead => q(leadroute.explain_lead('lead', '{}')),
	is_open => q(leadroute.is_open(member => 'anna')),
	available_from => q(leadroute.available_from('anna')),
	busy => q(leadroute.busy('anna', true)),
	verify => q(leadroute.verify()),
	rebuild => q(leadroute.rebuild()));
for my $name (sort keys %call)
{
	($rc, $out, $err) = $node->psql('postgres', "SELECT $call{$name}");
	isnt($rc, 0, "$name fails");
	like($err, qr/^[^\n]*ERROR:  leadroute was not loaded when the server started\nHINT:[^\n]*shared_preload_libraries/,
		"$name says what to do");
}
is( $node->safe_psql('postgres', q(
	SELECT count(*) FROM leadroute.assignment WHERE is_current;
	SELECT (leadroute.version()).library IS NOT NULL)),
	"3\nt", 'the journal can be read');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'leadroute%')),
	0, 'no worker runs');

$node->safe_psql('postgres', 'CREATE DATABASE other');
is( $node->safe_psql('other', 'CREATE EXTENSION leadroute; SELECT extname FROM pg_extension ORDER BY 1'),
	"leadroute\nplpgsql", 'CREATE EXTENSION works');
$node->safe_psql('other', 'DROP EXTENSION leadroute');

$node->append_conf('postgresql.conf', q(shared_preload_libraries = 'leadroute'));
$node->restart;
is( $node->safe_psql('postgres', q(
	INSERT INTO lead (n) VALUES (9) RETURNING owner;
	SELECT leadroute.route('lead', id) FROM lead WHERE n = 4)),
	"bruno\nanna", 'preloaded again, the turns go on');
verify_ok($node, 'postgres', 'preloaded again');

$node->stop;
done_testing;
