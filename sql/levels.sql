-- Rows of the journal that wait at one level of a transaction while an inner one
-- looks at them: each is there once, whatever becomes of the inner one, and a
-- transaction of many levels keeps no memory of those that are over.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, n integer, note text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.rule (name, condition) VALUES ('positive', 'n > 0'), ('wrong', '1 / n = 1');
-- Done before a lead is stored, while those before it in the statement wait.
CREATE FUNCTION meanwhile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		UPDATE lead SET owner = 'bruno' WHERE id = NEW.id - 1;
		-- an event about the rule's error waits at this level, once a minute
		PERFORM set_config('leadroute.test_clock', (timestamptz '2100-01-01' + NEW.id * interval '1 hour')::text, false);
		PERFORM leadroute.route('lead', -1);
		IF NEW.note = 'undone' THEN
			RAISE EXCEPTION 'undone';
		END IF;
	EXCEPTION WHEN raise_exception THEN
	END;
	RETURN NEW;
END $$;
CREATE TRIGGER meanwhile BEFORE INSERT ON lead FOR EACH ROW WHEN (NEW.note IS NOT NULL) EXECUTE FUNCTION meanwhile();
CREATE VIEW state AS SELECT l.id, l.owner, string_agg(a.kind || coalesce(' ' || a.member, '') || CASE WHEN a.is_current THEN ' now' ELSE '' END, ', ' ORDER BY a.id)
	FROM lead l LEFT JOIN leadroute.assignment a ON a.lead_key = l.id::text GROUP BY l.id ORDER BY l.id;

INSERT INTO lead VALUES (-1, 0);
INSERT INTO lead VALUES (1, 1, NULL), (2, 1, NULL), (3, 1, 'done'), (4, 1, NULL), (5, 1, 'undone'), (6, 1, NULL), (7, 1, 'done'), (8, 1, 'done'), (9, 1, NULL);
SELECT * FROM state;
-- the worker may look at the lead that is held, too
SELECT kind, count(*) FROM leadroute.event WHERE at > '2100-01-01' GROUP BY kind ORDER BY kind COLLATE "C";
SELECT * FROM leadroute.verify();

-- The same within levels of which one is undone.
BEGIN;
SAVEPOINT a;
INSERT INTO lead VALUES (11, 1, NULL), (12, 1, 'done'), (13, 1, NULL);
SAVEPOINT b;
INSERT INTO lead VALUES (14, 1, 'undone'), (15, 1, 'done'), (16, 1, NULL);
ROLLBACK TO b;
INSERT INTO lead VALUES (17, 1, NULL), (18, 1, 'done');
RELEASE a;
COMMIT;
SELECT * FROM state WHERE id > 10;
SELECT * FROM leadroute.verify();

CREATE FUNCTION memory() RETURNS numeric LANGUAGE sql AS $$
	SELECT sum(used_bytes) FROM pg_backend_memory_contexts WHERE name IN ('TopTransactionContext', 'leadroute batch');
$$;
CREATE TABLE used (bytes numeric);
BEGIN;
INSERT INTO lead VALUES (100, 1, NULL), (101, 1, 'done');
INSERT INTO used SELECT memory();
DO $$
BEGIN
	FOR i IN 1 .. 2000 LOOP
		BEGIN
			INSERT INTO lead VALUES (1000 + i, 1);
		EXCEPTION WHEN raise_exception THEN
		END;
	END LOOP;
END $$;
SELECT memory() - bytes < 100000 AS little FROM used;
ROLLBACK;
BEGIN;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO used SELECT memory(); RETURN NEW; END$$;
CREATE TRIGGER note BEFORE INSERT ON lead FOR EACH ROW WHEN (NEW.id % 1000 = 0) EXECUTE FUNCTION note();
INSERT INTO lead SELECT i, 1, 'done' FROM generate_series(2000, 3000) i;
SELECT max(bytes) - min(bytes) < 100000 AS little FROM used;
ROLLBACK;

DROP VIEW state;
DROP TABLE lead, used;
DROP FUNCTION meanwhile, memory;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
