-- responded_when, converted_when, closed_when as a time: what becomes of a lead,
-- and to whose credit it is.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, stage text NOT NULL DEFAULT 'new', called_at timestamptz, closed_at timestamptz, n integer, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'closed_at', responded_when => 'called_at', converted_when => $$stage = 'won'$$);
INSERT INTO leadroute.member (name) VALUES ('ada'), ('bob');
INSERT INTO leadroute.rule (name) VALUES ('all');
CREATE VIEW seen AS SELECT lead_key, member, kind, is_current AS current, closed, closed_at, responded, responded_at, converted,
	converted_at IS NOT DISTINCT FROM assigned_at AS at_once FROM leadroute.assignment ORDER BY id;
SET TimeZone = 'UTC';

-- one after the other; a time is the app's own
INSERT INTO lead (id) VALUES (1), (2);
SELECT * FROM seen;
UPDATE lead SET called_at = '2030-01-01 10:00+00' WHERE id = 1;
UPDATE lead SET stage = 'won', closed_at = '2030-01-02 11:00+00' WHERE id = 1;
SELECT * FROM seen;
SELECT member, load FROM leadroute.member_status ORDER BY member;
-- another time; not after all
UPDATE lead SET called_at = '2030-01-01 09:00+00', closed_at = '2030-01-02 12:00+00' WHERE id = 1;
UPDATE lead SET stage = 'lost' WHERE id = 1;
SELECT * FROM seen WHERE lead_key = '1';
-- infinity is not yet
UPDATE lead SET closed_at = 'infinity' WHERE id = 1;
SELECT * FROM seen WHERE lead_key = '1';
UPDATE lead SET closed_at = NULL WHERE id = 1;
SELECT kind, load FROM leadroute.event ORDER BY id;
SELECT * FROM leadroute.verify();

-- Moved by hand: what happened before stays with who had it; what happens in the
-- same UPDATE or later is the new owner's.
UPDATE lead SET owner = 'bob' WHERE id = 1;
UPDATE lead SET stage = 'won' WHERE id = 1;
UPDATE lead SET owner = 'ada', called_at = now() WHERE id = 2;
SELECT lead_key, member, current, responded, converted FROM seen;
-- A lead that is rolled back to has not converted.
BEGIN;
SAVEPOINT s;
UPDATE lead SET stage = 'won' WHERE id = 2;
ROLLBACK TO s;
COMMIT;
SELECT converted FROM seen WHERE lead_key = '2' AND current;
-- Two things in one statement over many leads, and a key that changes with them.
UPDATE lead SET stage = 'won', id = id + 10 WHERE id = 2;
SELECT lead_key, member, current, responded, converted FROM seen WHERE lead_key = '12';

-- So it arrives already: by the app's own owner, by a rule.
INSERT INTO lead (id, stage, called_at, owner) VALUES (20, 'won', '2030-01-01 00:00+00', 'bob'), (21, 'won', '2030-01-01 00:00+00', NULL);
SELECT lead_key, member, kind, responded_at, converted, at_once FROM seen WHERE lead_key IN ('20', '21');
-- held, then routed: under the held row
UPDATE leadroute.rule SET enabled = false;
INSERT INTO lead (id, stage) VALUES (30, 'won');
UPDATE leadroute.rule SET enabled = true;
SELECT leadroute.route('lead', 30) IS NOT NULL AS routed;
SELECT kind, converted FROM seen WHERE lead_key = '30';
-- deleted
DELETE FROM lead WHERE id = 20;

-- Errors of an expression: not yet, and the lead is stored.
UPDATE leadroute.routed_table SET converted_when = '1 / n > 0';
INSERT INTO lead (id, n) VALUES (40, 0);
SELECT converted, detail FROM leadroute.assignment WHERE lead_key = '40';
UPDATE lead SET n = 1 WHERE id = 40;
SELECT converted FROM leadroute.assignment WHERE lead_key = '40';
-- the assignments have not ended because of another expression
SELECT count(*) FILTER (WHERE kind = 'adopted') AS adopted, count(*) FILTER (WHERE is_current) AS current FROM leadroute.assignment;
-- refused
UPDATE leadroute.routed_table SET responded_when = 'called_at::timestamp';
UPDATE leadroute.routed_table SET responded_when = 'id';
UPDATE leadroute.routed_table SET responded_when = 'nobody';
UPDATE leadroute.routed_table SET responded_when = 'random() < 0.5';
SELECT leadroute.expression_error('lead', 'responded_when') IS NULL AS valid, leadroute.expression_error('lead', 'closed_when') IS NULL AS valid;
SELECT leadroute.expression_error('lead', 'nobody');
-- broken since
ALTER TABLE lead DROP COLUMN n;
INSERT INTO lead (id) VALUES (41);
SELECT converted, detail FROM leadroute.assignment WHERE lead_key = '41';
SELECT what, subject, detail, what_to_do FROM leadroute.problem;
UPDATE leadroute.routed_table SET converted_when = NULL;
-- attach again leaves them
SELECT leadroute.attach('lead', 'owner');
SELECT leadroute.attach('lead', 'owner', converted_when => $$stage = 'won'$$);
SELECT closed_when, responded_when, converted_when FROM leadroute.routed_table;
-- a document has them
SELECT leadroute.export_config() #> '{routed_table,0}' ->> 'responded_when' AS exported;

-- Partitions: an UPDATE that moves the row.
CREATE TABLE part (id integer, region text, stage text NOT NULL DEFAULT 'new', owner text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b PARTITION OF part FOR VALUES IN ('b');
SELECT leadroute.attach('part', 'owner', converted_when => $$stage = 'won'$$) IS NOT NULL AS attached;
INSERT INTO part (id, region) VALUES (1, 'a');
UPDATE part SET region = 'b', stage = 'won';
SELECT lead_key, is_current, converted FROM leadroute.assignment WHERE routed_table = 'part' ORDER BY id;
SELECT * FROM leadroute.verify();
DROP VIEW seen;
DROP TABLE lead, part;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
