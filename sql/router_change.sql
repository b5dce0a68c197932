-- A lead without owner whose UPDATE makes it another router's: that one decides it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, tenant text, grade integer, ready boolean DEFAULT true, done boolean DEFAULT false, owner text);
INSERT INTO leadroute.router (name, timezone) VALUES ('a', 'UTC'), ('b', 'UTC'), ('c', 'UTC');
SELECT leadroute.attach('lead', 'owner', router_expr => 'tenant', closed_when => 'done', ready_when => 'ready') IS NOT NULL AS attached;
INSERT INTO leadroute.member (router, name, capacity) VALUES ('a', 'ann', NULL), ('b', 'bob', 2), ('b', 'bea', 0);
INSERT INTO leadroute.team (router, name) VALUES ('a', 'list'), ('b', 'all');
INSERT INTO leadroute.team_member (router, team, member) VALUES ('a', 'list', 'ann'), ('b', 'all', 'bob'), ('b', 'all', 'bea');
INSERT INTO leadroute.rule (router, name, condition, team, method) VALUES ('a', 'list', 'grade = 5', 'list', 'manual');
INSERT INTO leadroute.rule (router, name, team) VALUES ('b', 'all', 'all');
INSERT INTO leadroute.criterion (router, name, kind, condition) VALUES ('a', 'grade', 'disqualify', 'grade = 0'), ('b', 'grade', 'quarantine', 'grade = 1');
CREATE FUNCTION name_of(router integer) RETURNS text LANGUAGE sql AS 'SELECT name FROM leadroute.router WHERE id = $1';
CREATE VIEW history AS
	SELECT a.lead_key AS lead, a.router, a.kind, a.member, a.reason, a.detail, a.hop, a.is_current FROM leadroute.assignment a ORDER BY a.lead_key::integer, a.id;
CREATE VIEW pool AS SELECT lead_key AS lead, name_of(router) AS router, state, assignment = (SELECT id FROM leadroute.assignment a WHERE a.lead_key = p.lead_key AND a.routed_table = 'lead' AND a.is_current) AS current
	FROM leadroute.pool_entry p ORDER BY lead_key::integer;
CREATE VIEW loads AS
	SELECT string_agg(m.name || ' ' || coalesce(c.load, 0), ', ' ORDER BY m.name) AS loads, (SELECT count(*) FROM leadroute.verify()) AS wrong
	FROM leadroute.member m LEFT JOIN leadroute.member_counter() c ON c.member = m.id;

\echo == held, on a triage list, disqualified, waiting, of no router
INSERT INTO lead (id, tenant, grade, ready) VALUES (1, 'a', 2, true), (2, 'a', 5, true), (3, 'a', 0, true), (4, 'a', 2, false), (5, 'nobody''s', 2, true), (6, 'a', 2, true), (7, NULL, 2, false), (8, 'a', 2, true), (9, 'a', 1, true);
SELECT * FROM pool;
UPDATE lead SET tenant = 'c' WHERE id IN (1, 2, 3, 4, 5) RETURNING id, owner;
SELECT * FROM history WHERE is_current;
SELECT * FROM pool;
UPDATE lead SET tenant = 'b' WHERE id IN (1, 4, 7, 9) RETURNING id, owner;
SELECT * FROM history WHERE lead IN ('1', '4', '7', '9');
-- to none it is stored and not routed
UPDATE lead SET tenant = NULL WHERE id IN (2, 3) RETURNING id, owner;
SELECT * FROM history WHERE lead IN ('2', '3');
-- what else changes decides nothing
UPDATE lead SET grade = 3 WHERE id = 5 RETURNING id, owner;
SELECT * FROM pool;
TABLE loads;

\echo == behind those who wait there
UPDATE lead SET tenant = 'b', ready = true WHERE id = 4 RETURNING owner;
INSERT INTO lead (id, tenant) VALUES (20, 'b') RETURNING owner;
UPDATE lead SET tenant = 'b' WHERE id = 8 RETURNING owner;
-- it came before 20, but not here: a place that bob has again is not for it
BEGIN;
UPDATE lead SET done = true WHERE id = 1;
UPDATE lead SET tenant = 'b' WHERE id = 6 RETURNING owner;
SELECT lead, kind, reason, detail FROM history WHERE lead = '6' AND is_current;
ROLLBACK;
TABLE loads;

\echo == not stored after all
BEGIN;
UPDATE leadroute.member SET capacity = 9 WHERE name = 'bob';
SAVEPOINT s;
UPDATE lead SET tenant = 'b' WHERE id = 6 RETURNING owner;
ROLLBACK TO s;
SELECT * FROM history WHERE lead = '6';
TABLE loads;
ROLLBACK;

\echo == a trigger that corrects it; one with an owner
CREATE FUNCTION correct() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE lead SET tenant = 'b' WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER correct AFTER INSERT ON lead FOR EACH ROW WHEN (NEW.tenant = 'a') EXECUTE FUNCTION correct();
UPDATE leadroute.member SET capacity = NULL WHERE name = 'bob';
DELETE FROM lead WHERE id IN (8, 20);
INSERT INTO lead (id, tenant, grade) VALUES (30, 'a', 2);
DROP TRIGGER correct ON lead;
SELECT * FROM history WHERE lead = '30';
UPDATE lead SET tenant = 'a' WHERE id = 30 RETURNING owner;
SELECT * FROM history WHERE lead = '30';

\echo == a quarantine that was ended is so in that router only
UPDATE leadroute.criterion SET kind = 'quarantine', condition = 'grade = 1' WHERE router = 'a';
BEGIN;
INSERT INTO lead (id, tenant, grade) VALUES (31, 'b', 1);
UPDATE leadroute.member SET active = false WHERE name = 'bob';
SELECT leadroute.release('lead', 31, 'asked');
UPDATE lead SET tenant = 'a' WHERE id = 31;
UPDATE leadroute.member SET active = true WHERE name = 'bob';
UPDATE lead SET tenant = 'b' WHERE id = 31;
SELECT * FROM history WHERE lead = '31';
ROLLBACK;

\echo == closed, or to a router that is disabled: it waits until it can be decided
INSERT INTO lead (id, tenant, grade, done) VALUES (10, 'a', 2, true);
UPDATE lead SET tenant = 'b' WHERE id = 10 RETURNING owner;
SELECT * FROM history WHERE lead = '10';
SELECT * FROM pool WHERE lead = '10';
BEGIN;
UPDATE lead SET done = false WHERE id = 10;
SELECT * FROM pool WHERE lead = '10';
SELECT leadroute.route('lead', 10);
SELECT * FROM history WHERE lead = '10';
ROLLBACK;
BEGIN;
UPDATE leadroute.router SET enabled = false WHERE name = 'b';
UPDATE lead SET tenant = 'b', grade = 2 WHERE id = 5 RETURNING owner;
SELECT * FROM history WHERE lead = '5';
SELECT * FROM pool WHERE lead = '5';
UPDATE leadroute.router SET enabled = true WHERE name = 'b';
SELECT leadroute.route('lead', 5);
ROLLBACK;
TABLE loads;

\echo == an application that stores the tenant later, in the same transaction
SELECT leadroute.attach('lead', 'owner', decide_at => 'commit') IS NOT NULL AS attached;
BEGIN;
INSERT INTO lead (id, tenant) VALUES (40, NULL), (41, 'a');
UPDATE lead SET tenant = 'b' WHERE id IN (40, 41);
SELECT count(*) AS decided FROM history WHERE lead IN ('40', '41');
COMMIT;
SELECT * FROM history WHERE lead IN ('40', '41');
UPDATE leadroute.routed_table SET decide_at = 'insert';

\echo == to another partition
CREATE TABLE part (tenant text, id integer, note text, owner text, PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (id integer NOT NULL, note text, owner text, tenant text NOT NULL);
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
UPDATE leadroute.rule SET routed_table = 'lead';
DELETE FROM leadroute.criterion;
SELECT leadroute.attach('part', 'owner', router_expr => 'tenant') IS NOT NULL AS attached;
INSERT INTO part (tenant, id) VALUES ('a', 1), ('a', 2) RETURNING owner;
INSERT INTO leadroute.rule (router, name, routed_table, member_expr) VALUES ('b', 'part', 'part', $$'bob'$$);
UPDATE part SET tenant = 'b' WHERE id = 1 RETURNING *;
BEGIN;
UPDATE part SET tenant = 'b', id = 3, note = 'x' WHERE id = 2 RETURNING *;
ROLLBACK;
SELECT lead_key, router, kind, member, detail, is_current FROM leadroute.assignment WHERE routed_table = 'part' ORDER BY id;
SELECT lead_key, name_of(router) FROM leadroute.pool_entry WHERE routed_table = (SELECT id FROM leadroute.routed_table WHERE name = 'part');
TABLE loads;

DROP VIEW history, pool, loads;
DROP TABLE lead, part;
DROP FUNCTION correct, name_of;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
