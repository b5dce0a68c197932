# What the TAP tests have in common.
#
#	use LeadrouteTest;
#	my $node = new_node('main', 'max_connections = 20');
#	$node->safe_psql('postgres', 'CREATE EXTENSION leadroute');
#	...
#	verify_ok($node, 'postgres', 'after the crash');
#
# The settings that let a server use the extension under test come from the
# file TEMP_CONFIG, which PostgreSQL::Test::Cluster adds to every node by
# itself, so nodes made without new_node have them too.

package LeadrouteTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node leads_sql verify_ok credits_ok invariants_ok poll_ok
  write_scripts start_pgbench finish_pgbench shared_data);

# new_node(name, line of postgresql.conf...): a node that runs.
sub new_node
{
	my ($name, @conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', "$_\n") for @conf;
	$node->start;
	return $node;
}

# leads_sql(columns): makes the extension and the lead table that invariants_ok
# looks at, with these columns besides, and attaches it.
sub leads_sql
{
	my (@columns) = @_;
	my $columns = join ', ', 'id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY', @columns,
	  q(stage text NOT NULL DEFAULT 'new'), 'owner text';

	return qq(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead ($columns);
	SELECT leadroute.attach('lead', 'owner', closed_when => \$\$stage = 'closed'\$\$););
}

# verify_ok(node, database, what): one assertion, that lead tables, journal and
# shared memory agree.  The lock waits for transactions with routed leads to
# end, so that shared memory is compared; a NOTICE that it was not fails too.
# Not for moments with prepared transactions: the lock would wait for them.
sub verify_ok
{
	my ($node, $dbname, $what) = @_;
	my ($rc, $out, $err) = $node->psql(
		$dbname, q(
		SET lock_timeout = '60s';
		BEGIN;
		LOCK TABLE leadroute.journal IN SHARE MODE;
		SELECT * FROM leadroute.verify();
		COMMIT));

	is("$rc $out$err", '0 ', "verify() finds nothing: $what");
	return;
}

# credits_ok(node, database, what): one assertion, that the credits in shared
# memory are what plain SQL makes of the journal, without help of the library.
sub credits_ok
{
	my ($node, $dbname, $what) = @_;

	# waits for every transaction with reservations, and keeps new ones out: the
	# worker may be routing leads that were held
	is( $node->safe_psql(
			$dbname, q(
		SET lock_timeout = '60s';
		BEGIN;
		LOCK TABLE leadroute.journal IN SHARE MODE;
		WITH seat AS (
			SELECT j.id, j.router, j.team, j.member AS chosen, m.member, m.weight,
				k.candidates IS NULL OR (m.place < 8 * length(k.candidates)
					AND get_bit(k.candidates, m.place) = 1)
				OR (m.place < 8 * coalesce(length(k.accruing), 0)
					AND get_bit(k.accruing, m.place) = 1) AS fits
			FROM leadroute.journal j
			JOIN leadroute.team_version v ON v.id = j.team_version
			LEFT JOIN leadroute.candidate_set s ON s.id = j.candidate_set
			CROSS JOIN LATERAL (SELECT coalesce(j.candidates, s.candidates) AS candidates,
				coalesce(j.accruing, s.accruing) AS accruing) k
			CROSS JOIN LATERAL (SELECT member, weight, (ord - 1)::integer AS place
				FROM unnest(v.member, v.weight) WITH ORDINALITY u (member, weight, ord)) m
			WHERE j.turn
			-- a turn that was given back has been none
			AND NOT EXISTS (SELECT FROM leadroute.event e
				WHERE e.assignment = j.id AND e.team_version IS NOT NULL)),
		due AS (
			SELECT router, team, member, (member = chosen)::integer AS received,
				weight / sum(weight) OVER (PARTITION BY id) AS share
			FROM seat WHERE fits),
		expected AS (
			SELECT router, team, member, sum(share - received) AS credit
			FROM due GROUP BY router, team, member)
		SELECT router, team, member, e.credit, s.credit
		FROM expected e FULL JOIN leadroute.seat_counter() s USING (router, team, member)
		WHERE abs(coalesce(e.credit, 0) - coalesce(s.credit, 0)) > 1e-4
		ORDER BY 1, 2, 3;
		COMMIT)),
		'', "credits are those of the journal: $what");
	return;
}

# invariants_ok(node, database, table, what): three assertions about a table
# with the key id and the columns owner (of members' names) and stage ('closed'
# = closed), from plain SQL alone: each lead has exactly one current
# assignment, which names its owner; no member's load differs from its open
# leads; none has more of them than its capacity.
sub invariants_ok
{
	my ($node, $dbname, $table, $what) = @_;

	is( $node->safe_psql(
			$dbname, qq(
		SET enable_nestloop = off;	-- the tables may not be analyzed yet
		SELECT l.id, l.owner, j.n, m.name
		FROM $table l
		LEFT JOIN (SELECT lead_key, count(*) AS n, min(member) AS member
			FROM leadroute.journal WHERE NOT superseded GROUP BY lead_key) j
			ON j.lead_key = l.id::text
		LEFT JOIN leadroute.member m ON m.id = j.member
		WHERE j.n IS DISTINCT FROM 1 OR m.name IS DISTINCT FROM l.owner
		ORDER BY 1 LIMIT 10)),
		'', "each lead has one current assignment: $what");
	is( $node->safe_psql(
			$dbname, qq(
		SELECT m.name, count(l.id), c.load
		FROM leadroute.member m
		LEFT JOIN $table l ON l.owner = m.name AND l.stage <> 'closed'
		LEFT JOIN leadroute.member_counter() c ON c.member = m.id
		GROUP BY m.name, c.load
		HAVING count(l.id) <> coalesce(c.load, 0) ORDER BY 1)),
		'', "each load is the number of open leads: $what");
	is( $node->safe_psql(
			$dbname, qq(
		SELECT m.name, m.capacity, count(*)
		FROM leadroute.member m
		JOIN $table l ON l.owner = m.name AND l.stage <> 'closed'
		GROUP BY m.name, m.capacity HAVING count(*) > m.capacity ORDER BY 1)),
		'', "nobody is above capacity: $what");
	return;
}

# poll_ok(node, database, query, what): one assertion, that the query comes to
# give t; what it waits for takes much less than the time that it waits.
sub poll_ok
{
	my ($node, $dbname, $query, $what) = @_;
	local $PostgreSQL::Test::Utils::timeout_default = 20;

	ok($node->poll_query_until($dbname, $query), $what);
	return;
}

# write_scripts(node, file => text...): options of pgbench that run these
# scripts; NAME@9 has the weight 9.
sub write_scripts
{
	my ($node, %script) = @_;
	my @options;

	for my $name (sort keys %script)
	{
		my $path = $node->basedir . "/$name";
		(my $file = $path) =~ s/\@\d+$//;

		unlink $file;
		append_to_file($file, $script{$name});
		push @options, '-f', $path;
	}
	return @options;
}

# start_pgbench(node, database, option...): pgbench in the background.
sub start_pgbench
{
	my ($node, $dbname, @options) = @_;
	my %load = (out => '');
	my @command = (
		'pgbench', '-n', '-h', $node->host, '-p', $node->port, @options,
		$dbname);

	$load{run} =
	  IPC::Run::start(\@command, '<', \undef, '>', \$load{out}, '2>&1');
	return \%load;
}

# finish_pgbench(load): its exit code and all that it said.
sub finish_pgbench
{
	my ($load) = @_;

	$load->{run}->finish;
	return (scalar($load->{run}->result(0)), $load->{out});
}

# shared_data(file): path of a data set, or undef when it is not there; the
# test skips then what needs it.
sub shared_data
{
	my ($file) = @_;
	my $dir = $ENV{LR_SHARED_DATA};

	return (defined $dir && -r "$dir/$file") ? "$dir/$file" : undef;
}

1;
