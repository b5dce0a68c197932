-- What a lead tells of itself: accepted_when, captured_at, source, value; the
-- times that are reckoned from its capture.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET IntervalStyle = 'postgres';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, owner text, came timestamptz, utm text, price numeric, n integer DEFAULT 1, taken boolean, called timestamptz, done boolean NOT NULL DEFAULT false);
INSERT INTO lead (id, owner, came, utm, price) VALUES (1, 'ada', '2019-12-31 12:00+00', 'fair', 100), (2, 'ada', NULL, NULL, NULL);
SELECT leadroute.attach('lead', 'owner', closed_when => 'done', accepted_when => 'taken', responded_when => 'called',
	captured_at => 'came', source => 'lower(utm)', value => 'price * n');
INSERT INTO leadroute.member (name) VALUES ('ada'), ('bob');
INSERT INTO leadroute.rule (name) VALUES ('all');
CREATE VIEW seen AS SELECT lead_key AS lead, member, kind, is_current AS now, captured_at AT TIME ZONE 'UTC' AS captured, source, value, outcome, accepted,
	time_to_assign > '1 hour' AS slow, speed_to_lead FROM leadroute.assignment ORDER BY id;

-- adopted: what is not told is not known
SELECT * FROM seen;
-- decided, with and without
INSERT INTO lead (id, came, utm, price) VALUES (3, '2020-01-01 10:00+00', 'WEB', 12.50), (4, NULL, '', 'NaN');
SELECT lead, member, kind, captured > '2020-02-01' AS just_now, source, value, slow FROM seen WHERE lead IN ('3', '4');
-- given, held
INSERT INTO lead (id, owner, utm) VALUES (5, 'bob', 'call');
UPDATE leadroute.rule SET enabled = false;
INSERT INTO lead (id, utm) VALUES (6, 'late');
UPDATE leadroute.rule SET enabled = true;
SELECT leadroute.route('lead', 6) IS NOT NULL AS routed;
-- the same capture before and after it was held; no time to assign without owner
SELECT a.kind, a.source, a.captured_at = (SELECT min(b.assigned_at) FROM leadroute.assignment b WHERE b.lead_key = '6') AS since_first, a.time_to_assign IS NULL AS none
	FROM leadroute.assignment a WHERE lead_key IN ('5', '6') ORDER BY id;

-- An UPDATE tells something else; to NULL; the same again changes nothing.
UPDATE lead SET price = 20, utm = NULL, came = '2020-01-01 09:00+00' WHERE id = 3;
UPDATE lead SET price = 20.00, called = '2020-01-01 11:30+00', taken = true WHERE id = 3;
SELECT * FROM seen WHERE lead = '3';
-- a capture that is not told any more stays what it was
UPDATE lead SET came = NULL WHERE id = 3;
SELECT captured FROM seen WHERE lead = '3';
-- not accepted after all
UPDATE lead SET taken = false WHERE id = 3;
SELECT accepted FROM seen WHERE lead = '3';
-- moved: what he accepted and answered stays his; the rest goes along
UPDATE lead SET owner = CASE owner WHEN 'ada' THEN 'bob' ELSE 'ada' END, utm = 'again', taken = true WHERE id = 3;
UPDATE lead SET done = true WHERE id = 3;
SELECT lead, kind, now, captured, source, value, outcome, accepted, slow, speed_to_lead FROM seen WHERE lead = '3';
UPDATE lead SET done = false WHERE id = 3;
SELECT outcome FROM seen WHERE lead = '3' AND now;
SELECT leadroute.assign('lead', 3, 'ada') IS NOT NULL AS assigned;
SELECT captured, source, value FROM seen WHERE lead = '3' AND now;
-- rolled back
BEGIN;
UPDATE lead SET price = 99 WHERE id = 3;
ROLLBACK;
SELECT value FROM seen WHERE lead = '3' AND now;

-- Errors: the lead is stored, and says so.
UPDATE leadroute.routed_table SET value = 'price / n';
INSERT INTO lead (id, price, n) VALUES (7, 1, 0);
SELECT value, detail FROM leadroute.assignment WHERE lead_key = '7';
UPDATE lead SET n = 4 WHERE id = 7;
SELECT trim_scale(value) AS value FROM leadroute.assignment WHERE lead_key = '7';
UPDATE leadroute.routed_table SET captured_at = 'came::timestamp';
UPDATE leadroute.routed_table SET captured_at = 'n';
UPDATE leadroute.routed_table SET value = 'utm';
UPDATE leadroute.routed_table SET source = 'nobody';
UPDATE leadroute.routed_table SET accepted_when = 'n';
SELECT leadroute.expression_error('lead', column_name) IS NULL AS valid FROM unnest('{captured_at,source,value,accepted_when}'::text[]) column_name;
ALTER TABLE lead DROP COLUMN utm;
INSERT INTO lead (id) VALUES (8);
SELECT source, detail FROM leadroute.assignment WHERE lead_key = '8';
SELECT subject, detail, what_to_do FROM leadroute.problem WHERE what = 'expression_invalid';
UPDATE leadroute.routed_table SET source = NULL;

-- Leads that were there before: those captured before sticky_window are not followed.
CREATE TABLE other (id integer PRIMARY KEY, owner text, came timestamptz, email text, done boolean NOT NULL DEFAULT false);
INSERT INTO other VALUES (1, 'ada', now() - interval '40 days', 'old@x', false), (2, 'bob', now() - interval '2 days', 'new@x', false),
	(3, 'bob', now() - interval '40 days', 'gone@x', true), (4, 'bob', now() - interval '2 days', 'lately@x', true);
INSERT INTO leadroute.router (name) VALUES ('s');
SELECT leadroute.attach('other', 'owner', router => 's', closed_when => 'done', captured_at => 'came') IS NOT NULL AS attached;
UPDATE leadroute.router SET sticky_key = '{email}', sticky_window = '30 days' WHERE name = 's';
INSERT INTO leadroute.member (router, name) VALUES ('s', 'ada'), ('s', 'bob'), ('s', 'cid');
INSERT INTO leadroute.rule (router, name, member_expr) VALUES ('s', 'cid', $$'cid'$$);
SELECT lead_key, kind FROM leadroute.assignment WHERE router = 's' ORDER BY 1;
INSERT INTO other (id, email) VALUES (11, 'old@x'), (12, 'new@x'), (13, 'gone@x'), (14, 'lately@x') RETURNING id, owner;

-- Partitions: an UPDATE that moves the row tells, too.
CREATE TABLE part (id integer, region text, price integer, owner text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b PARTITION OF part FOR VALUES IN ('b');
SELECT leadroute.attach('part', 'owner', router => 'lead', value => 'price', source => 'region') IS NOT NULL AS attached;
INSERT INTO part VALUES (1, 'a', 1);
UPDATE part SET region = 'b', price = 2;
SELECT lead_key, source, value FROM leadroute.assignment WHERE routed_table = 'part' AND is_current;
SELECT leadroute.export_config('lead') #> '{routed_table,1}' ->> 'value' AS exported;
SELECT * FROM leadroute.verify();
DROP VIEW seen;
DROP TABLE lead, other, part;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
