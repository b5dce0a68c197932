-- CALL leadroute.route_all: leads that were there before.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, region text, amount integer, stage text DEFAULT 'new', owner text);
INSERT INTO lead SELECT g, (ARRAY['north', 'south', 'west'])[g % 3 + 1], g FROM generate_series(1, 30) g;
INSERT INTO lead VALUES (31, 'north', 0, 'new', 'anna');
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'lost'$$) IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.rule (name, condition) VALUES ('north and south', $$region <> 'west'$$);
CREATE VIEW state AS SELECT coalesce(l.owner, '-') AS owner, a.kind, count(*) AS leads, min(l.id) AS first, max(l.id) AS last
	FROM lead l LEFT JOIN leadroute.assignment a ON a.lead_key = l.id::text AND a.is_current GROUP BY 1, 2 ORDER BY 1, 2;
-- without the notice that the worker has a lead just now
CREATE FUNCTION disagreement() RETURNS TABLE (what text, subject text) LANGUAGE sql SET client_min_messages = warning AS
	'SELECT v.what, v.subject FROM leadroute.verify() v';
SET client_min_messages = notice;

-- A part by a filter; the rest in small batches; nothing is left, and nothing is decided twice.
CALL leadroute.route_all('lead', filter => 'amount <= 10');
SELECT * FROM state;
CALL leadroute.route_all('lead', batch_size => 4);
SELECT * FROM state;
CALL leadroute.route_all('lead');
SELECT * FROM disagreement();

-- In the order of the keys, each transaction has a batch of its own.
SELECT string_agg(lead_key, ' ' ORDER BY id) FROM leadroute.journal WHERE kind IN ('a', 'h');
SELECT count(DISTINCT j.xmin::text) AS transactions FROM leadroute.journal j WHERE j.kind IN ('a', 'h');

-- again: what was decided before and has no owner.  Of leads that are held in
-- one transaction, since the worker decides them, too.
INSERT INTO leadroute.member (name, capacity) VALUES ('chiara', 0);
INSERT INTO leadroute.team (name) VALUES ('east');
INSERT INTO leadroute.team_member (team, member) VALUES ('east', 'chiara');
INSERT INTO leadroute.rule (name, priority, condition, team, overflow) VALUES ('east', 1, $$region = 'east'$$, 'east', 'none');
INSERT INTO lead VALUES (32, 'east', 1), (33, 'east', 2), (34, 'east', 3);
UPDATE leadroute.member SET capacity = 9 WHERE name = 'chiara';
CALL leadroute.route_all('lead');
BEGIN;
INSERT INTO lead VALUES (35, 'west', 50), (36, 'west', 50);
INSERT INTO leadroute.rule (name) VALUES ('rest');
CALL leadroute.route_all('lead', filter => $$id <> 33 AND (region = 'east' OR amount = 50)$$, again => true);
SELECT lead_key, kind, member, rule, hop, is_current FROM leadroute.assignment WHERE lead_key::integer >= 32 ORDER BY lead_key::integer, id;
SELECT lead_key FROM leadroute.pool_entry WHERE lead_key IN ('35', '36');
COMMIT;
SELECT * FROM disagreement();

-- In a transaction block all is one transaction, and can be rolled back.
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('nobody', 1, 'false', NULL);
SELECT leadroute.detach('lead');
UPDATE lead SET owner = NULL;
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'lost'$$);
BEGIN;
CALL leadroute.route_all('lead', batch_size => 3);
SELECT count(*) FROM lead WHERE owner IS NULL;
ROLLBACK;
SELECT count(*) FROM lead WHERE owner IS NULL;
SELECT * FROM disagreement();

-- From PL/pgSQL: a block that may commit, and a function.
DO $$BEGIN CALL leadroute.route_all('lead', 'id < 5', batch_size => 1); END$$;
CREATE FUNCTION route_some() RETURNS void LANGUAGE plpgsql AS $$BEGIN CALL leadroute.route_all('lead', 'id < 10', batch_size => 1); END$$;
SELECT route_some();
CREATE PROCEDURE route_rest() LANGUAGE plpgsql AS $$BEGIN COMMIT; CALL leadroute.route_all('lead', 'id < 15'); COMMIT; END$$;
CALL route_rest();
SELECT count(*) FROM lead WHERE owner IS NOT NULL;
SELECT * FROM leadroute.progress;
SELECT * FROM disagreement();
DROP VIEW state;
DROP TABLE lead;
DROP FUNCTION route_some, disagreement;
DROP PROCEDURE route_rest;
DROP EXTENSION leadroute;
