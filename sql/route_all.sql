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
-- Leads that cannot be updated cost themselves alone, whatever it is that fails:
-- a constraint, one that is deferred, a trigger that raises, that suppresses the
-- update, that writes another owner.
SELECT leadroute.detach('lead');
UPDATE lead SET owner = NULL;
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
CREATE TABLE bad (id integer, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO bad VALUES (4);
ALTER TABLE lead ADD CHECK (id <> 2 OR owner IS NULL);
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE NEW.id WHEN 5 THEN RAISE EXCEPTION 'not this one';
		WHEN 6 THEN RETURN NULL;
		WHEN 7 THEN NEW.owner := 'somebody';
		WHEN 4 THEN INSERT INTO bad VALUES (4);
		ELSE NULL; END CASE;
	RETURN NEW;
END$$;
CREATE TRIGGER spoil BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION spoil();
CALL leadroute.route_all('lead', 'id <= 20', batch_size => 16);
SELECT lead_key, payload ->> 'error' AS error FROM leadroute.event WHERE kind = 'route_failed' ORDER BY lead_key::integer;
SELECT id, owner FROM lead WHERE id <= 20 AND owner IS NULL ORDER BY id;
SELECT lead_key FROM leadroute.journal WHERE lead_key IN ('2', '4', '5', '6', '7') AND NOT superseded;
SELECT * FROM disagreement();
-- all of them fail: it stops
TRUNCATE lead;
SET client_min_messages = warning;
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
INSERT INTO lead SELECT g FROM generate_series(1000, 4000) g;
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
SET client_min_messages = notice;
ALTER TABLE lead ADD CONSTRAINT nobody CHECK (owner IS NULL);
CALL leadroute.route_all('lead', batch_size => 600);
SELECT count(*) FROM leadroute.event WHERE kind = 'route_failed' AND lead_key::integer >= 1000;
ALTER TABLE lead DROP CONSTRAINT nobody;
DROP TRIGGER spoil ON lead;

-- A filter that raises for some leads leaves these out; one that is no condition
-- is refused.
UPDATE lead SET amount = id - 1001 WHERE id < 1004;
CALL leadroute.route_all('lead', '10 / amount > 4');
SELECT id FROM lead WHERE owner IS NOT NULL ORDER BY id;
CALL leadroute.route_all('lead', 'amuont > 4');
CALL leadroute.route_all('lead', 'amount');
CALL leadroute.route_all('lead', 'random() > 0.5');
CALL leadroute.route_all('lead', 'id IN (SELECT 1)');
CALL leadroute.route_all('nothing');
CALL leadroute.route_all(NULL);
CALL leadroute.route_all('lead', batch_size => 0);
SELECT * FROM leadroute.progress;

-- Rights: EXECUTE by profile; a filter sees what its caller may SELECT, and runs
-- as the caller.
CREATE ROLE route_all_manager;
CREATE ROLE route_all_app;
SELECT leadroute.grant_to('route_all_manager', 'manager'), leadroute.grant_to('route_all_app', 'app');
CREATE FUNCTION who() RETURNS text STABLE LANGUAGE plpgsql AS $$BEGIN RETURN current_user; END$$;
SET ROLE route_all_app;
CALL leadroute.route_all('lead');
SELECT * FROM leadroute.progress;
SET ROLE route_all_manager;
CALL leadroute.route_all('lead', 'id < 1010');
CALL leadroute.route_all('lead', 'lead IS NOT NULL');
CALL leadroute.route_all('lead', 'current_user = ''route_all_manager'' AND false');
RESET ROLE;
GRANT SELECT (id) ON lead TO route_all_manager;
SET ROLE route_all_manager;
CALL leadroute.route_all('lead', 'amount = 0');
CALL leadroute.route_all('lead', 'id < 1010 AND who() = ''route_all_manager''');
SELECT * FROM leadroute.progress;
RESET ROLE;
SELECT DISTINCT role_name FROM leadroute.assignment WHERE kind = 'assigned' AND lead_key::integer BETWEEN 1005 AND 1009;
SELECT * FROM disagreement();

DROP OWNED BY route_all_manager, route_all_app;
DROP ROLE route_all_manager, route_all_app;
DROP VIEW state;
DROP TABLE lead, bad;
DROP FUNCTION route_some, disagreement, spoil, who;
DROP PROCEDURE route_rest;
DROP EXTENSION leadroute;
