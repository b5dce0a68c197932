# Logical replication (design: promises 7 and 9): a subscriber keeps the owners
# that the publisher gave, routes nothing of what it applies, and can take over;
# configuration that arrives by replication is seen by its next statement.
# session_replication_role = replica routes nothing either.
#
# Fails when a trigger fires in the apply worker, when the publisher's next
# UPDATE resets an owner, or when a cache of configuration is not told what the
# apply worker has written.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->start;

my $tables = q(
	CREATE EXTENSION leadroute;
	CREATE TABLE lead (id bigint PRIMARY KEY, n integer, stage text NOT NULL DEFAULT 'new', owner text);
	CREATE TABLE local_lead (id bigint PRIMARY KEY, n integer, owner text););
my $attach = q(
	SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'closed'$$);
	SELECT leadroute.attach('local_lead', 'owner'););

# Both have the same router and tables; members and rules are made by the
# publisher alone.
for my $node ($publisher, $subscriber)
{
	$node->safe_psql('postgres', $tables . $attach);
}
$publisher->safe_psql(
	'postgres', q(
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('chiara');
	INSERT INTO leadroute.team (name) VALUES ('t');
	INSERT INTO leadroute.team_member (team, member) VALUES ('t', 'anna'), ('t', 'bruno');
	INSERT INTO leadroute.rule (name, team) VALUES ('everyone', 't');
	INSERT INTO lead (id, n) SELECT g, g FROM generate_series(1, 5) g;
	CREATE PUBLICATION p FOR TABLE lead, leadroute.member, leadroute.team, leadroute.team_member,
		leadroute.rule, leadroute.absence, leadroute.schedule, leadroute.holiday;));
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION s CONNECTION '@{[$publisher->connstr]} dbname=postgres' PUBLICATION p");
$subscriber->wait_for_subscription_sync($publisher, 's');

# UPDATE and DELETE of a published table need to know the row.
is( $publisher->safe_psql('postgres', q(
	SELECT c.relname FROM pg_class c
	WHERE c.relnamespace = 'leadroute'::regnamespace
	AND c.relname IN ('router', 'routed_table', 'member', 'team', 'team_member', 'rule', 'absence', 'schedule', 'holiday')
	AND c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
		AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END)
	ORDER BY 1)),
	'', 'every configuration table has a replica identity');
$publisher->safe_psql('postgres', 'ALTER TABLE leadroute.absence REPLICA IDENTITY FULL');

# A session that has routed before the configuration came.
my $session = $subscriber->background_psql('postgres');
is($session->query_safe('INSERT INTO local_lead (id, n) VALUES (1, 1) RETURNING owner'),
	'anna', 'the subscriber routes by the configuration it was given');

$publisher->safe_psql(
	'postgres', q(
	INSERT INTO lead (id, n) SELECT g, g FROM generate_series(6, 9) g;
	UPDATE lead SET stage = 'talking' WHERE id < 4;
	UPDATE lead SET owner = 'chiara' WHERE id = 5;
	UPDATE lead SET stage = 'closed' WHERE id = 6;
	DELETE FROM lead WHERE id = 7));
$publisher->wait_for_catchup('s');
my $owners = 'SELECT id, stage, owner FROM lead ORDER BY id';
is($subscriber->safe_psql('postgres', $owners), $publisher->safe_psql('postgres', $owners),
	'owners are those of the publisher');
is( $subscriber->safe_psql('postgres', q(
	SELECT kind, count(*) FROM leadroute.assignment WHERE routed_table = 'lead' AND kind <> 'adopted' GROUP BY 1)),
	'', 'nothing of it was routed again');

# Configuration that the apply worker writes.
my %change = (
	'1 an absence' => [ q(SELECT leadroute.pause('bruno')), 'anna anna' ],
	'2 its end' => [ q(SELECT leadroute.resume('bruno')), qr/^(anna bruno|bruno (anna|bruno))$/ ],
	'21 hours' => [
		q(INSERT INTO leadroute.schedule (name, hours) VALUES ('other day', to_char(now() AT TIME ZONE 'UTC' + interval '3 days', 'Dy') || ' 24 h');
		UPDATE leadroute.member SET schedule = 'other day' WHERE name = 'bruno'), 'anna anna' ],
	'22 other hours' => [ q(UPDATE leadroute.schedule SET hours = '24 h'), qr/^(anna bruno|bruno (anna|bruno))$/ ],
	'23 a holiday' => [
		q(INSERT INTO leadroute.holiday (schedule, day) SELECT 'other day', (now() AT TIME ZONE 'UTC')::date + g FROM generate_series(-1, 1) g), 'anna anna' ],
	'24 its end' => [ q(DELETE FROM leadroute.holiday), qr/^(anna bruno|bruno (anna|bruno))$/ ],
	'3 another team' => [
		q(INSERT INTO leadroute.team (name) VALUES ('u');
		INSERT INTO leadroute.team_member (team, member) VALUES ('u', 'chiara');
		UPDATE leadroute.rule SET team = 'u'), 'chiara chiara' ],
	'4 a condition' => [ q(UPDATE leadroute.rule SET condition = 'n = 0'), ' ' ],
	'5 a new rule' => [
		q(INSERT INTO leadroute.rule (name, condition, team) VALUES ('new', 'n = 1', 'u')), 'chiara chiara' ],
	'6 no rule' => [ q(DELETE FROM leadroute.rule), ' ' ]);
my $id = 10;
for my $what (sort keys %change)
{
	my ($sql, $expected) = @{ $change{$what} };
	my @got;

	$publisher->safe_psql('postgres', $sql);
	$publisher->wait_for_catchup('s');
	push @got, $session->query_safe("INSERT INTO local_lead (id, n) VALUES (@{[$id++]}, 1) RETURNING owner")
	  for 1 .. 2;
	like("@got", ref $expected ? $expected : qr/^$expected$/, "$what is seen by the next statement");
}
$session->quit;

# The subscriber takes over.  What it applied has no assignment yet; attaching
# again adopts it.
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');
$subscriber->safe_psql(
	'postgres', q(
	INSERT INTO leadroute.rule (name, condition, team) VALUES ('taken over', 'n = 1', 't');
	SELECT leadroute.attach('lead', 'owner')));
verify_ok($subscriber, 'postgres', 'the subscriber that has taken over');
is( $subscriber->safe_psql('postgres', q(
	SELECT m.name, c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member
	WHERE c.load <> (SELECT count(*) FROM (SELECT owner FROM lead WHERE stage <> 'closed'
		UNION ALL SELECT owner FROM local_lead) l WHERE l.owner = m.name))),
	'', 'loads are the open leads of both tables');
is( $subscriber->safe_psql('postgres', 'INSERT INTO lead (id, n) VALUES (1000, 1) RETURNING owner IS NOT NULL'),
	't', 'it routes');

# As a tool for loads does it.
is( $subscriber->safe_psql('postgres', q(
	SET session_replication_role = replica;
	INSERT INTO lead (id, n) VALUES (1001, 1) RETURNING owner;
	SET session_replication_role = origin;
	INSERT INTO lead (id, n) VALUES (1002, 1) RETURNING owner IS NOT NULL;
	SELECT count(*) FROM leadroute.journal WHERE lead_key = '1001')),
	"\nt\n0", 'session_replication_role = replica routes nothing');

$subscriber->stop;
$publisher->stop;
done_testing;
