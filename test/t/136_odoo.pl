# Needs: psycopg2
#
# Odoo (design: "What real applications do"), by the statements that its ORM
# sends: test/clients/odoo.
#
# Fails when leadroute gives a serialization failure to transactions whose
# snapshot is older than what it decides by; when a row of a batch is suppressed
# or changes its place; when an import that is taken back leaves a turn, a load or
# a row; when decide_at does not see what later UPDATEs have filled in; or when
# backup and restore are not as the README says.

use strict;
use warnings FATAL => 'all';

use ClientTest;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_connections = 40');
my $odoo = ClientTest->new($node, 'odoo', user => 'odoo', directory => 'odoo', program => [ '/usr/bin/python3', 'steps.py' ]);

$node->safe_psql('postgres', 'CREATE ROLE odoo LOGIN CREATEDB; CREATE DATABASE odoo OWNER odoo');
$node->safe_psql(
	'odoo', q(
	SET ROLE odoo;
	CREATE TABLE res_users (id serial PRIMARY KEY, login varchar NOT NULL UNIQUE);
	INSERT INTO res_users (login) VALUES ('admin'), ('anna'), ('bruno'), ('chiara');
	CREATE TABLE crm_lead (
		id serial PRIMARY KEY,
		name varchar NOT NULL,
		email_from varchar,
		email_normalized varchar,
		stage_id integer CHECK (stage_id > 0),
		user_id integer REFERENCES res_users ON DELETE SET NULL);
	RESET ROLE;
	CREATE EXTENSION leadroute;
	SELECT leadroute.attach('crm_lead', 'user_id', closed_when => 'stage_id = 4');
	INSERT INTO leadroute.member (name, owner_value) SELECT login, id FROM res_users WHERE login <> 'admin';
	INSERT INTO leadroute.team (name) VALUES ('big'), ('others');
	INSERT INTO leadroute.team_member (team, member) VALUES
		('big', 'chiara'), ('others', 'anna'), ('others', 'bruno');
	INSERT INTO leadroute.rule (name, priority, condition, team) VALUES
		('big', 1, $$email_normalized LIKE '%@big.example'$$, 'big'),
		('rest', 100, NULL, 'others')));

# agrees_ok(what): lead table, journal and counters, by the library and without.
sub agrees_ok
{
	my ($what) = @_;

	verify_ok($node, 'odoo', $what);
	credits_ok($node, 'odoo', $what);
	is( $node->safe_psql(
			'odoo', q(
		SELECT l.id, l.user_id, count(j.id) FROM crm_lead l
		LEFT JOIN leadroute.journal j ON j.lead_key = l.id::text AND NOT j.superseded
		LEFT JOIN leadroute.member m ON m.id = j.member
		GROUP BY l.id HAVING count(j.id) <> 1 OR min(m.owner_value) IS DISTINCT FROM l.user_id::text)),
		'', "each lead has one current decision, which names its owner: $what");
	return;
}

sub decide_at
{
	my ($when) = @_;

	$node->safe_psql('odoo', "UPDATE leadroute.routed_table SET decide_at = '$when'");
	return;
}

# Imports that are taken back.
my $counters = q(
	SELECT * FROM leadroute.seat_counter() WHERE abs(credit) > 1e-9 ORDER BY 1, 2, 3;
	SELECT member, load FROM leadroute.member_counter() WHERE load <> 0 ORDER BY 1;
	SELECT count(*) FROM leadroute.journal);
is($odoo->step('write_owner'), 'anna anna bruno', 'write() with user_id false among other fields keeps the owner');
my $before = $node->safe_psql('odoo', $counters);
is($odoo->step('dry_run'), '151', 'a dry run of an import sees its leads');
is($node->safe_psql('odoo', $counters), $before, '... and leaves nothing: no turn, no load, no row');
is($odoo->step('failing_import'), '1', 'an import of three, of which one is wrong');
is($node->safe_psql('odoo', $counters), $before, '... leaves nothing either');
is($odoo->step('corrected_import'), 'anna bruno anna', 'the corrected one goes on with the turns');
agrees_ok('after imports');

# Snapshots that are older than what is decided by: somebody changes rules and
# absences all the time.
my $changes = write_changes();
for my $when ('insert', 'commit', 'worker')
{
	decide_at($when);
	my $load = start_pgbench($node, 'odoo', '-c', 1, '-T', 60, @$changes);
	is($odoo->step('concurrent'), '0', "no serialization failure of six clients, decide_at = $when");
	$load->{run}->signal('TERM');
	$load->{run}->finish;
	poll_ok($node, 'odoo', 'SELECT count(*) = 0 FROM crm_lead WHERE user_id IS NULL', "all leads have an owner, decide_at = $when");
	$node->safe_psql('odoo', q(SELECT leadroute.resume(name) FROM leadroute.member));
}
is($node->safe_psql('odoo', q(SELECT count(*) FROM crm_lead WHERE name LIKE 'client%')), 3 * 6 * 25 * 3, 'they are all there');
agrees_ok('after concurrent requests');

# A script that changes what leads are decided by.
sub write_changes
{
	return [
		write_scripts(
			$node,
			'rule@1' => "\\set n random(1, 1000)\nUPDATE leadroute.rule SET condition = 'email_normalized LIKE ''%\@big.example'' AND id <> ' || -:n WHERE name = 'big';",
			'away@1' => "SELECT leadroute.pause('anna');\nSELECT leadroute.resume('anna');",
			'capacity@1' => "\\set n random(5000, 9000)\nUPDATE leadroute.member SET capacity = :n WHERE name = 'bruno';")
	];
}

# What the owner depends on comes later in the transaction.
my $other = qr/(?:anna|bruno)/;
my %seen = (
	insert => qr/^$other $other $other then $other $other $other$/,
	commit => qr/^- - - then chiara $other chiara$/,
	worker => qr/^- - - then /);
for my $when ('insert', 'commit', 'worker')
{
	decide_at($when);
	$node->safe_psql('odoo', q(DELETE FROM crm_lead WHERE name LIKE 'later%'));
	like($odoo->step('completed_later'), $seen{$when}, "fields filled later in the transaction, decide_at = $when");
}
poll_ok(
	$node, 'odoo', q(SELECT string_agg(login, ' ' ORDER BY l.id) ~ '^chiara (anna|bruno) chiara$' AND count(*) = 3
		FROM crm_lead l JOIN res_users u ON u.id = l.user_id WHERE name LIKE 'later%'), 'the worker has seen them, too');
agrees_ok('after leads that were filled later');

# More leads than go into one statement.
decide_at('insert');
$node->safe_psql(
	'odoo', q(
	UPDATE leadroute.router SET sticky_key = ARRAY['email_from'], duplicate_window = '1 day';
	INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('spam', 'quarantine', 'stage_id = 9')));
is($odoo->step('by_position'), '250 0', 'RETURNING id gives each row its key, by position');
is( $node->safe_psql(
		'odoo', q(SELECT kind FROM leadroute.assignment a JOIN crm_lead l ON l.id::text = a.lead_key
		WHERE is_current AND name ~ '^c[0-9]' GROUP BY 1 ORDER BY 1)),
	"assigned\nduplicate\nquarantined", '... also duplicates and what is in quarantine');
agrees_ok('after batches');

# Its backup is pg_dump as the role of the app.
my $dump = $node->basedir . '/dump';
my @pg_dump = ('pg_dump', '--no-owner', '-U', 'odoo', '-f', $dump, 'odoo');
$node->command_fails_like(\@pg_dump, qr/permission denied for .*leadroute/, 'a backup without the right to read');
$node->safe_psql('odoo', q(SELECT leadroute.grant_to('odoo', 'backup')));
$node->command_ok(\@pg_dump, "a backup after grant_to('odoo', 'backup')");

# Its restore goes on after errors: verify() and problem tell.
sub restore
{
	my ($dbname, $file, @user) = @_;
	my ($out, $err) = ('', '');

	$node->safe_psql('postgres', "CREATE DATABASE $dbname TEMPLATE template0 OWNER odoo") unless $dbname eq 'prepared';
	IPC::Run::run([ 'psql', '-Xq', '-h', $node->host, '-p', $node->port, @user, '-f', $file, $dbname ],
		'<', \undef, '>', \$out, '2>', \$err);
	return $err;
}

sub leads_of
{
	return $node->safe_psql($_[0], 'SELECT id, user_id FROM crm_lead ORDER BY id');
}

is(restore('whole', $dump), '', 'a restore without errors');
is(leads_of('whole'), leads_of('odoo'), '... has all owners');
verify_ok($node, 'whole', 'restored');
credits_ok($node, 'whole', 'restored');
is( $node->safe_psql('whole', q(INSERT INTO crm_lead (name) VALUES ('next') RETURNING user_id)),
	$node->safe_psql('odoo', q(INSERT INTO crm_lead (name) VALUES ('next') RETURNING user_id)),
	'... and the next turn is that of the original');

my $text = slurp_file($dump);
append_to_file("$dump.broken", $text =~ s/(COPY leadroute\.journal .*?;)\n/$1\nthis is no row\n/r);
like(restore('broken', "$dump.broken"), qr/ERROR:.*\n.*CONTEXT:.*COPY journal/s, 'a restore with an error that nobody looks at');
is(leads_of('broken'), leads_of('whole') =~ s/\n[^\n]*$//r, '... has its leads');
isnt($node->safe_psql('broken', 'SELECT count(*) FROM leadroute.verify()'), '0', '... and verify() tells what is missing');

like(restore('theirs', $dump, '-U', 'odoo'), qr/permission denied to create extension/, 'a restore by the role of the app');
is(leads_of('theirs'), leads_of('broken'), '... has its leads and their owners');
is($node->psql('theirs', 'SELECT leadroute.verify()'), 3, '... and no leadroute, which verify() tells by not being there');

# Where a DBA has made the extension before, rights on its tables are missing.
$node->safe_psql('postgres', 'CREATE DATABASE prepared TEMPLATE template0 OWNER odoo');
$node->safe_psql('prepared', q(CREATE EXTENSION leadroute; SELECT leadroute.grant_to('odoo', 'admin')));
like(restore('prepared', $dump, '-U', 'odoo'), qr/permission denied for table journal/, 'a restore by the role of the app, with a profile');
is($node->safe_psql('prepared', q(SELECT what, subject FROM leadroute.problem WHERE severity = 'error')),
	'not_attached|table "crm_lead"', '... is a problem');

$node->stop;
done_testing();
