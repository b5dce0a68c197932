# The worker forgets keys of leads that are too old to be followed, of each router
# by its own windows, a piece of the table at a time, and no others.
#
# Fails when nothing is forgotten, when a key goes that a lead may still follow or
# that is for ever, and when the end of the table is never reached.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use Test::More;

my $node = new_node('main', 'leadroute.checkpoint_interval = 1');

$node->safe_psql(
	'postgres', q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL, email text, owner text);
	INSERT INTO leadroute.router (name, sticky_key, sticky_window, duplicate_window) VALUES
		('short', ARRAY['email'], '10 days', NULL),
		('duplicates', ARRAY['email'], '1 day', '20 days'),
		('ever', ARRAY['email'], NULL, '1 day');
	SELECT leadroute.attach('lead', 'owner', router_expr => 'tenant');
	INSERT INTO leadroute.member (router, name) SELECT r.name, m FROM leadroute.router r, unnest('{anna,bruno}'::text[]) m;
	INSERT INTO leadroute.rule (router, name) SELECT name, 'all' FROM leadroute.router;
	CREATE VIEW kept AS SELECT r.name AS tenant, date_trunc('day', now() + interval '1 hour')::date - s.at::date AS days
		FROM leadroute.sticky_lead s JOIN leadroute.router r ON r.id = s.router));

# Many pages of old ones (the test clock is for decisions alone), then some of each age.
$node->safe_psql(
	'postgres', qq(
	SET leadroute.test_clock = '@{[$node->safe_psql('postgres', q(SELECT now() - interval '15 days'))]}';
	INSERT INTO lead (tenant, email) SELECT 'short', 'p' || g || '\@example.com' FROM generate_series(1, 60000) g;
	INSERT INTO lead (tenant, email) SELECT t, 'old\@' || t FROM unnest('{short,duplicates,ever}'::text[]) t;
	SET leadroute.test_clock = '@{[$node->safe_psql('postgres', q(SELECT now() - interval '25 days'))]}';
	INSERT INTO lead (tenant, email) SELECT t, 'older\@' || t FROM unnest('{short,duplicates,ever}'::text[]) t;
	SET leadroute.test_clock = '@{[$node->safe_psql('postgres', q(SELECT now() - interval '9 days 23 hours'))]}';
	INSERT INTO lead (tenant, email) SELECT t, 'young\@' || t FROM unnest('{short,duplicates,ever}'::text[]) t));
cmp_ok($node->safe_psql('postgres', q(SELECT pg_relation_size('leadroute.sticky_lead') / 8192)), '>', 2 * 256, 'the table is longer than two pieces');

# A worker that has looked already looks again later only.
$node->restart;
$node->safe_psql('postgres', q(INSERT INTO lead (tenant, email) VALUES ('ever', 'now@ever')));
poll_ok($node, 'postgres', q(SELECT count(*) < 100 FROM kept), 'what is too old is forgotten');
poll_ok($node, 'postgres', q(SELECT NOT EXISTS (SELECT FROM kept WHERE tenant = 'duplicates' AND days > 21)), 'to the end of the table');
is( $node->safe_psql('postgres', q(SELECT split_part(l.email, '@', 1), string_agg(l.tenant, ' ' ORDER BY l.tenant)
		FROM leadroute.sticky_lead s JOIN lead l ON l.id::text = s.lead_key GROUP BY 1 ORDER BY 1)),
	"now|ever\nold|duplicates ever\nolder|ever\nyoung|duplicates ever short", 'and nothing else');
is( $node->safe_psql('postgres', q(
		INSERT INTO lead (tenant, email) VALUES ('short', 'young@short'), ('short', 'old@short'), ('ever', 'older@ever'), ('duplicates', 'old@duplicates');
		SELECT email, reason FROM leadroute.assignment a JOIN lead l ON l.id::text = a.lead_key WHERE l.id > (SELECT max(id) - 4 FROM lead) ORDER BY 1)),
	"old\@duplicates|duplicate\nold\@short|\nolder\@ever|sticky\nyoung\@short|sticky", 'who is kept is known');
verify_ok($node, 'postgres', 'keys were forgotten');

$node->stop;
done_testing;
