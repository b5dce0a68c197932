-- What happens seldom: a held lead changes its key or its owner by hand, a trigger
-- takes the decided owner away, an expression raises, the counters are rebuilt.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, n integer, note text, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => '1 / n < 0') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.rule (name, condition) VALUES ('positive', 'n > 0');
CREATE VIEW state AS SELECT a.lead_key, a.kind, a.member, a.closed, a.reason, a.detail, p.state AS pool
	FROM leadroute.assignment a LEFT JOIN leadroute.pool_entry p ON p.assignment = a.id WHERE a.is_current ORDER BY a.lead_key::integer;

-- A lead that is held keeps its place when its key changes, and leaves it when it
-- gets an owner or goes.
INSERT INTO lead VALUES (1), (2), (3), (4);
UPDATE lead SET id = 11 WHERE id = 1;
UPDATE lead SET id = 12, owner = 'anna' WHERE id = 2;
DELETE FROM lead WHERE id = 3;
SELECT * FROM state;
SELECT lead_key, state FROM leadroute.pool_entry ORDER BY 1;
UPDATE lead SET owner = NULL WHERE id = 12;
UPDATE lead SET id = id + 100 WHERE owner IS NULL;
SELECT * FROM state;
SELECT lead_key, state FROM leadroute.pool_entry ORDER BY 1;
SELECT * FROM leadroute.verify();
DELETE FROM lead;
SELECT count(*) FROM leadroute.pool_entry;

-- closed_when raises: the lead counts as open.
INSERT INTO lead VALUES (21, 0), (22, 1) RETURNING id, owner;
SELECT * FROM state;

-- A trigger that runs later takes the owner away, or gives another one: what is
-- stored counts, and the turn goes back.
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.owner := CASE NEW.note WHEN 'none' THEN NULL WHEN 'same' THEN NEW.owner ELSE NEW.note END;
	RETURN NEW;
END $$;
CREATE TRIGGER zzz BEFORE INSERT ON lead FOR EACH ROW WHEN (NEW.note IS NOT NULL) EXECUTE FUNCTION change();
SELECT what, severity FROM leadroute.problem WHERE what LIKE '%trigger%';
INSERT INTO lead VALUES (31, 1, 'none', NULL), (32, 1, 'bruno', NULL), (33, 1, 'nobody', NULL), (34, 1, 'same', NULL), (35, 1, 'none', 'anna'), (36, 1, NULL, NULL) RETURNING id, owner;
SELECT * FROM state WHERE lead_key::integer > 30;
SELECT * FROM leadroute.verify();
DROP TRIGGER zzz ON lead;

-- rebuild: the counters from the journal, the same as before; not in the middle of
-- anything.
CREATE VIEW counters AS SELECT 'load ' || m.name AS what, load::numeric AS value FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member
	UNION ALL SELECT 'credit ' || m.name, round(credit::numeric, 4) FROM leadroute.seat_counter() c JOIN leadroute.member m ON m.id = c.member;
CREATE TEMP TABLE former AS SELECT * FROM counters;
SELECT leadroute.rebuild() > 0 AS rebuilt;
SELECT * FROM counters FULL JOIN former USING (what) WHERE counters.value IS DISTINCT FROM former.value;
BEGIN;
INSERT INTO lead VALUES (41, 1);
SELECT leadroute.rebuild();
ROLLBACK;
BEGIN;
SELECT leadroute.rebuild() > 0 AS rebuilt;
INSERT INTO lead VALUES (42, 1) RETURNING owner IS NOT NULL AS owned;
COMMIT;
SELECT * FROM leadroute.verify();
-- nor with what a transaction has written into the journal that is rolled back
CREATE TEMP TABLE latter AS SELECT * FROM counters;
BEGIN;
DELETE FROM leadroute.journal;
SELECT leadroute.rebuild();
ROLLBACK;
SELECT * FROM counters FULL JOIN latter USING (what) WHERE counters.value IS DISTINCT FROM latter.value;
SELECT * FROM leadroute.verify();

-- explain says of each member why it cannot, and of a rule when it is in force.
DELETE FROM lead WHERE id = 21;
UPDATE leadroute.member SET active = false WHERE name = 'bruno';
UPDATE leadroute.rule SET valid = '[2001-01-01 UTC,2002-01-01 UTC)';
INSERT INTO leadroute.rule (name, priority) VALUES ('everyone', 1000);
SET TimeZone = 'UTC';
SELECT * FROM leadroute.explain('lead', 42);
UPDATE leadroute.rule SET valid = NULL;
SELECT * FROM leadroute.explain('lead', 42);

DROP VIEW state, counters;
DROP TABLE lead CASCADE;
DROP FUNCTION change;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
