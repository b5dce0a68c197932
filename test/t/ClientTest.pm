# Tests with real clients (test/clients): an application with its own database
# library on a server with leadroute.
#
#	use ClientTest;
#	my $client = ClientTest->new($node, 'crm', directory => 'django', program => ['/usr/bin/python3', 'steps.py']);
#	is($client->step('save_again'), 'None talking anna', 'what the app has seen');
#
# The app connects as the role of its name, which is no superuser.

package ClientTest;

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;

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

	note("in $self->{directory}: @command") if defined &note;
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

1;
