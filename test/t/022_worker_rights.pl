# The worker is a superuser.  What it runs of an application, deciding held
# leads, runs as the owner of the lead table up to the commit and leaves nothing
# behind for the next lead; its own SQL is not misled by the database's
# search_path.
#
# Each of these has worked as an attack: a deferred trigger that runs at commit
# as the superuser, settings and temporary tables for the next owner's triggers,
# an operator in the path that a database comes with.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'leadroute.held_retry_interval = 3600');

$node->safe_psql(
	'postgres', q(
	CREATE ROLE first LOGIN;
	CREATE ROLE second LOGIN;
	CREATE DATABASE app OWNER first));
$node->safe_psql(
	'app', q(
	CREATE EXTENSION leadroute;
	SELECT leadroute.grant_to('first', 'admin'), leadroute.grant_to('second', 'admin');
	CREATE SCHEMA first AUTHORIZATION first;
	CREATE SCHEMA second AUTHORIZATION second;
	GRANT USAGE ON SCHEMA first, second TO PUBLIC;
	CREATE TABLE public.ran (id bigint GENERATED ALWAYS AS IDENTITY, what text, as_role text, path text, temporary bigint, prepared bigint);
	GRANT INSERT, SELECT ON public.ran TO PUBLIC;
	CREATE FUNCTION public.who(what text) RETURNS void LANGUAGE sql AS $$
		INSERT INTO public.ran (what, as_role, path, temporary, prepared) SELECT what, current_user, current_setting('search_path'),
			(SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema()),
			(SELECT count(*) FROM pg_catalog.pg_prepared_statements) $$));

# The first owner's triggers do to the session what they can.
for my $owner ('first', 'second')
{
	$node->safe_psql(
		'app', qq(
		SET ROLE $owner;
		SET search_path = $owner, public;
		CREATE TABLE lead_$owner (id integer PRIMARY KEY, owner text);
		CREATE TABLE log (id integer);
		SELECT leadroute.attach('lead_$owner', 'owner', router => '$owner');
		SET leadroute.router = '$owner';
		INSERT INTO leadroute.member (name, capacity) VALUES ('$owner', 0);
		INSERT INTO leadroute.rule (name) VALUES ('everyone');
		INSERT INTO lead_$owner VALUES (1), (2)));
}
$node->safe_psql(
	'app', q(
	SET ROLE first;
	SET search_path = first, public;
	CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM who('deferred');
		SET search_path = first, pg_catalog, public;
		SET leadroute.routing = off;
		RETURN NULL;
	END$$;
	CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON lead_first DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION at_commit();
	CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM public.who('trap'); RETURN NEW; END$$;
	CREATE FUNCTION at_once() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		SET CONSTRAINTS ALL DEFERRED;
		PERFORM who('trigger');
		INSERT INTO log VALUES (NEW.id);
		CREATE TEMP TABLE log (id integer);
		CREATE TRIGGER trap BEFORE INSERT ON pg_temp.log FOR EACH ROW EXECUTE FUNCTION first.trap();
		GRANT INSERT ON pg_temp.log TO PUBLIC;
		EXECUTE 'PREPARE left_behind AS SELECT 1';
		EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT public.who(''cursor'')';
		PERFORM pg_advisory_lock(4711);
		SET default_transaction_read_only = on;
		RETURN NULL;
	END$$;
	CREATE TRIGGER at_once AFTER UPDATE ON lead_first FOR EACH ROW EXECUTE FUNCTION at_once()));
$node->safe_psql(
	'app', q(
	SET ROLE second;
	SET search_path = second, public;
	CREATE FUNCTION at_once() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM who('trigger');
		INSERT INTO log VALUES (NEW.id);
		RETURN NULL;
	END$$;
	CREATE TRIGGER at_once AFTER UPDATE ON lead_second FOR EACH ROW EXECUTE FUNCTION at_once()));

sub decided_ok
{
	my ($owner, $what) = @_;

	$node->safe_psql('app', "UPDATE leadroute.member SET capacity = 10 WHERE name = '$owner'");
	poll_ok($node, 'app', "SELECT count(*) = 2 FROM $owner.lead_$owner WHERE owner = '$owner'", $what);
	return;
}

decided_ok('first', 'held leads of the first owner are decided');
decided_ok('second', 'and those of the second, by the same worker');

is( $node->safe_psql('app', q(SELECT as_role, what, count(*) FROM ran GROUP BY 1, 2 ORDER BY 1, 2)),
	join("\n", 'first|cursor|2', 'first|deferred|2', 'first|trigger|2', 'second|trigger|2'),
	'what they have runs as the owners, at commit too');
is( $node->safe_psql('app', q(SELECT DISTINCT what, path FROM ran WHERE what <> 'cursor' ORDER BY 1, 2)),
	join("\n", 'deferred|first, public, pg_temp', 'trigger|first, public, pg_temp', 'trigger|second, public, pg_temp'),
	'each under the path of who attached the table');
is($node->safe_psql('app', q(SELECT sum(temporary), sum(prepared) FROM ran WHERE what = 'trigger')), '0|0', 'nothing is left behind for the next one');
is($node->safe_psql('app', 'SELECT count(*) FROM first.log'), 2, 'no temporary table is in the way');
is($node->safe_psql('app', 'SELECT count(*) FROM second.log'), 2, 'nor in that of another');
is($node->safe_psql('app', 'SELECT pg_try_advisory_lock(4711)'), 't', 'nor a lock');
is( $node->safe_psql('app', q(SELECT DISTINCT role_name = pg_get_userbyid(10) FROM leadroute.journal WHERE kind = 'a')),
	't', 'the journal says that the worker did it');

# A database may come with any search_path.
$node->safe_psql(
	'app', q(
	TRUNCATE ran;
	SET ROLE first;
	CREATE FUNCTION first.eq(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM public.who('operator'); RETURN pg_catalog.int4eq($1, $2); END$$;
	CREATE OPERATOR first.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = first.eq);
	ALTER DATABASE app SET search_path = first, pg_catalog, public;
	UPDATE leadroute.member SET capacity = 0 WHERE name OPERATOR(pg_catalog.=) 'second';
	RESET ROLE;
	INSERT INTO second.lead_second VALUES (3)));
$node->restart;
$node->safe_psql('app', q(UPDATE leadroute.member SET capacity = 10 WHERE name OPERATOR(pg_catalog.=) 'second'));
poll_ok($node, 'app', q(SELECT owner OPERATOR(pg_catalog.=) 'second' FROM second.lead_second WHERE id OPERATOR(pg_catalog.=) 3), 'decided under a path of the database');
is( $node->safe_psql('app', q(SELECT what, as_role FROM ran WHERE as_role OPERATOR(pg_catalog.<>) 'second')),
	'', 'with no code of its owner');
verify_ok($node, 'app', 'at the end');

$node->stop;
done_testing;
