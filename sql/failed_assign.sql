-- The UPDATE of a lead by assign or route fails, because of a trigger or a
-- constraint of the lead table: what somebody writes into the owner column
-- afterwards, at the same depth, is a move by hand all the same.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, owner text CHECK (owner <> 'bruno' OR id <> 2));
CREATE TABLE part_lead (id integer, region text, owner text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_lead_a PARTITION OF part_lead FOR VALUES IN ('a');
CREATE TABLE part_lead_b PARTITION OF part_lead FOR VALUES IN ('b');
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
SELECT leadroute.attach('part_lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('chiara');
INSERT INTO leadroute.rule (name, condition) VALUES ('nobody', 'false');
INSERT INTO lead VALUES (1, 'anna'), (2, 'anna'), (3, NULL), (4, 'anna');
INSERT INTO part_lead VALUES (1, 'a', 'anna'), (2, 'a', 'anna');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not %', NEW.owner; END$$;
CREATE TRIGGER refuse BEFORE UPDATE ON lead FOR EACH ROW WHEN (NEW.id = 3 OR NEW.id = 2 AND NEW.owner = 'chiara') EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse BEFORE UPDATE ON part_lead FOR EACH ROW WHEN (NEW.owner = 'chiara' AND NEW.id = 2) EXECUTE FUNCTION refuse();
CREATE FUNCTION state() RETURNS TABLE (lead text, owner text, journal text) LANGUAGE sql AS $$
	SELECT l.key, l.owner, string_agg(a.kind || coalesce(' ' || a.member, '') || CASE WHEN a.is_current THEN ' now' ELSE '' END, ', ' ORDER BY a.id)
	FROM (SELECT 'lead' AS t, id::text AS key, owner FROM lead UNION ALL
		SELECT 'part_lead', format('(%s,%s)', id, region), owner FROM part_lead) l
	LEFT JOIN leadroute.assignment a ON a.routed_table = l.t AND a.lead_key = l.key
	GROUP BY l.t, l.key, l.owner ORDER BY l.t, l.key;
$$;

-- Each a transaction of its own, the next one in the same place.
SELECT leadroute.assign('lead', 2, 'chiara');
UPDATE lead SET owner = 'bruno' WHERE id = 1;
SELECT leadroute.assign('lead', 2, 'bruno');
DELETE FROM lead WHERE id = 4;
SELECT * FROM state();
SELECT * FROM leadroute.verify();

-- In blocks that go on after the error.
DO $$
BEGIN
	BEGIN
		PERFORM leadroute.assign('lead', 2, 'chiara');
	EXCEPTION WHEN OTHERS THEN
		RAISE WARNING 'caught: %', SQLERRM;
		UPDATE lead SET owner = 'chiara' WHERE id = 1;
	END;
	UPDATE lead SET owner = 'anna' WHERE id = 1;
	BEGIN
		UPDATE lead SET owner = 'bruno' WHERE id = 1;
	EXCEPTION WHEN OTHERS THEN
		RAISE WARNING 'never: %', SQLERRM;
	END;
END $$;
SELECT * FROM state();
SELECT * FROM leadroute.verify();

-- A savepoint of the next transaction is in the same place too.
BEGIN;
SAVEPOINT a;
SELECT leadroute.assign('lead', 2, 'chiara');
ROLLBACK TO a;
UPDATE lead SET owner = 'anna' WHERE id = 1;
ROLLBACK;
BEGIN;
SAVEPOINT a;
UPDATE lead SET owner = 'chiara' WHERE id = 1;
RELEASE a;
COMMIT;
DO $$BEGIN PERFORM leadroute.assign('lead', 2, 'chiara'); EXCEPTION WHEN OTHERS THEN RAISE WARNING 'caught: %', SQLERRM; END$$;
DO $$BEGIN UPDATE lead SET owner = 'bruno' WHERE id = 1; EXCEPTION WHEN OTHERS THEN RAISE WARNING 'never: %', SQLERRM; END$$;
SELECT * FROM state();
SELECT * FROM leadroute.verify();

-- route: the rule decides, the UPDATE fails.
UPDATE leadroute.rule SET condition = 'id = 3';
SELECT leadroute.route('lead', 3);
UPDATE lead SET owner = 'chiara' WHERE id = 1;

-- Rows that move to another partition while their owner changes.
SELECT leadroute.assign('part_lead', ROW(2, 'a'), 'chiara');
UPDATE part_lead SET owner = 'bruno', region = 'b' WHERE id = 1;
DO $$
BEGIN
	BEGIN
		PERFORM leadroute.assign('part_lead', ROW(2, 'a'), 'chiara');
	EXCEPTION WHEN OTHERS THEN
		RAISE WARNING 'caught: %', SQLERRM;
	END;
	UPDATE part_lead SET owner = 'chiara', region = 'a' WHERE id = 1;
END $$;
SELECT * FROM state();
SELECT * FROM leadroute.verify();

-- What failed keeps nothing of a configuration that has changed since.
DO $$
BEGIN
	FOR i IN 1 .. 20 LOOP
		UPDATE leadroute.member SET name = 'chiara ' || i WHERE name LIKE 'chiara%';
		BEGIN
			PERFORM leadroute.assign('lead', 1, 'nobody');
		EXCEPTION WHEN undefined_object THEN
		END;
	END LOOP;
END $$;
SELECT count(*) <= 2 AS few FROM pg_backend_memory_contexts WHERE name = 'leadroute router';

DROP TABLE lead, part_lead CASCADE;
DROP FUNCTION state, refuse;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
