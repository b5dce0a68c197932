# Tests with real clients (test/clients): an application with its own database
# library on a server with leadroute.
#
#	use ClientTest;
#	my $client = ClientTest->new($node, 'crm', directory => 'django', program => ['/usr/bin/python3', 'steps.py']);
#	is($client->step('save_again'), 'None talking anna', 'what the app has seen');
#
# The app connects as the role of its name, which is no superuser.
#
# What real applications do, and where it is tried:
#
#	a snapshot older than the INSERT		136_odoo, 005_isolation_levels
#	a hundred rows, RETURNING by position	130 to 133, 135, 136
#	columns filled later (decide_at)		136_odoo, 110_decide_at
#	owner NULL written back, merge()		130_django, 132_knex, 133_typeorm, 135_activerecord
#	the owner read back (README)			130 to 135
#	imports that are taken back				136_odoo, 130_django
#	a copy of a database					130_django, 008_dump
#	an empty search_path					sql/applications, 008_dump
#	apply workers							011_replication
#	cached plans of RETURNING *				sql/applications, 135_activerecord
#	pgbouncer in transaction mode			134_pgbouncer
#	RETURNING under row security			sql/applications
#	backup as the app's role, restore		136_odoo
#	tests that change rules and roll back	130_django

package ClientTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run;
use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(app_database route_leads);

# app_database(node, name): an empty database of the role crm.
sub app_database
{
	my ($node, $dbname) = @_;

	$node->safe_psql('postgres', "CREATE ROLE crm LOGIN; CREATE DATABASE $dbname OWNER crm");
	return;
}

# route_leads(node, database): leads go to all users in turns.  The app has made
# the tables users (id, name) and leads (id, company, email, stage, owner_id).
sub route_leads
{
	my ($node, $dbname) = @_;

	$node->safe_psql(
		$dbname, q(
		CREATE EXTENSION leadroute;
		SELECT leadroute.attach('leads', 'owner_id', closed_when => $$stage IN ('won', 'lost')$$);
		INSERT INTO leadroute.member (name, owner_value) SELECT name, id FROM users;
		INSERT INTO leadroute.rule (name) VALUES ('everyone')));
	return;
}

# new(node, database, directory => below test/clients, program => command):
# a client whose steps are words after the command.
sub new
{
	my ($class, $node, $dbname, %args) = @_;

	return bless {
		env => {
			PGHOST => $node->host,
			PGPORT => $node->port,
			PGDATABASE => $dbname,
			PGUSER => $args{user} // 'crm',
			PYTHONDONTWRITEBYTECODE => 1,
			PYTHONNOUSERSITE => 1,
		},
		directory => "$ENV{LR_CLIENTS}/$args{directory}",
		program => $args{program},
	}, $class;
}

# run(command...): exit code and what it has said, both streams, without the
# last newline.
sub run
{
	my ($self, @command) = @_;
	my $out = '';
	local %ENV = (%ENV, %{ $self->{env} });

	note("in $self->{directory}: @command");
	my $run = IPC::Run::start(\@command, '<', \undef, '>', \$out, '2>&1',
		init => sub { chdir $self->{directory} or die "no $self->{directory}: $!" });
	$run->finish;
	chomp $out;
	return (scalar($run->full_result(0)), $out);
}

# step(word...): what a step prints; what went wrong too, so that a comparison
# fails and shows it.
sub step
{
	my ($self, @words) = @_;
	my ($rc, $out) = $self->run(@{ $self->{program} }, @words);

	return $rc == 0 ? $out : "failed: $out";
}

# batch_ok(node, word, what, table): three assertions about a step that stores a
# hundred leads (companies c0, c1 and so on, 90 e-mail addresses, each seventh
# spam) and prints how many got a key, and how many a wrong one.  What is known
# by its address is a duplicate then, what is in the stage spam a matter for
# quarantine.  table: of the leads, if it is not leads.
sub batch_ok
{
	my ($self, $node, $word, $what, $table) = @_;
	my $dbname = $self->{env}{PGDATABASE};

	$table //= 'leads';
	$node->safe_psql(
		$dbname, q(
		UPDATE leadroute.router SET sticky_key = ARRAY['email'], duplicate_window = '1 day';
		INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('spam', 'quarantine', $$stage = 'spam'$$)));
	is($self->step($word), '100 0', $what);
	is( $node->safe_psql(
			$dbname, qq(
		SELECT kind, count(*) FROM leadroute.assignment a JOIN $table l ON l.id::text = a.lead_key
		WHERE is_current AND company ~ '^c[0-9]' GROUP BY 1 ORDER BY 1)),
		"assigned|79\nduplicate|6\nquarantined|15", 'none of them was suppressed, whatever it is');
	verify_ok($node, $dbname, "after $word");
	return;
}

1;
