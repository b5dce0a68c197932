# The worker lists the leads that are held, and decides one after the other: what
# has become of a lead since it was listed counts.  The first one keeps the worker
# until the second has been closed.
#
# Fails when a lead that is closed by then is given to somebody.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id integer PRIMARY KEY, owner text, closed_at timestamptz);
	CREATE FUNCTION gate(id integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
	BEGIN
		WHILE id = 1 AND NOT pg_try_advisory_lock_shared(42) LOOP
			PERFORM pg_sleep(0.01);
		END LOOP;
		IF id = 1 THEN PERFORM pg_advisory_unlock_shared(42); END IF;
		RETURN true;
	END $$;
	SELECT leadroute.attach('lead', 'owner', closed_when => 'closed_at');
	INSERT INTO leadroute.rule (name, condition) VALUES ('all', 'public.gate(id)');
	INSERT INTO lead (id) VALUES (1), (2), (3)));
is($node->safe_psql('postgres', "SELECT string_agg(lead_key, ' ' ORDER BY assignment) FROM leadroute.pool_entry WHERE state = 'held'"),
	'1 2 3', 'three leads are held');

my $gate = $node->background_psql('postgres', on_error_stop => 1);
$gate->query_safe('SELECT pg_advisory_lock(42)');
$node->safe_psql('postgres', "INSERT INTO leadroute.member (name) VALUES ('anna')");
poll_ok($node, 'postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
	'the worker is at the first');
$node->safe_psql('postgres', 'UPDATE lead SET closed_at = now() WHERE id = 2');
$gate->query_safe('SELECT pg_advisory_unlock(42)');
$gate->quit;
poll_ok($node, 'postgres', "SELECT owner = 'anna' FROM lead WHERE id = 3", 'the worker is past the last');
is($node->safe_psql('postgres', "SELECT string_agg(id || ' ' || coalesce(owner, '-'), ', ' ORDER BY id) FROM lead"),
	'1 anna, 2 -, 3 anna', 'the one that was closed meanwhile has no owner');
is($node->safe_psql('postgres', "SELECT count(*) FROM leadroute.assignment WHERE lead_key = '2' AND member IS NOT NULL"),
	'0', 'nor had it one');
$node->safe_psql('postgres', 'UPDATE lead SET closed_at = NULL WHERE id = 2');
poll_ok($node, 'postgres', "SELECT owner = 'anna' FROM lead WHERE id = 2", 'open again, it is decided');
verify_ok($node, 'postgres', 'everything adds up');

$node->stop;
done_testing();
