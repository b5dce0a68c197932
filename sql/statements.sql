-- What runs inside or beside a statement that inserts leads, and must not be taken for it.
\pset format unaligned
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, kind text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) SELECT 'm' || i FROM generate_series(1, 2) i;
INSERT INTO leadroute.rule (name) VALUES ('everyone');
CREATE VIEW state AS
	SELECT l.id, l.kind, l.owner, a.kind AS journal, a.member FROM lead l
	LEFT JOIN leadroute.assignment a ON a.routed_table = 'lead' AND a.lead_key = l.id::text AND a.is_current ORDER BY l.id;

-- Two triggers take part in an INSERT, none of them a statement's.
SELECT tgname FROM pg_trigger WHERE tgrelid = 'lead'::regclass ORDER BY 1;

-- An AFTER trigger changes the new lead in a block that catches errors: it
-- finds the decision, and what it does to it goes or stays with its block.
CREATE FUNCTION after_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.kind LIKE 'hand%' THEN
		BEGIN
			UPDATE lead SET owner = translate(owner, '12', '21') WHERE id = NEW.id;
			IF NEW.kind = 'hand, undone' THEN
				RAISE 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
	ELSIF NEW.kind = 'gone' THEN
		BEGIN
			DELETE FROM lead WHERE id = NEW.id;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER after_insert AFTER INSERT ON lead FOR EACH ROW EXECUTE FUNCTION after_insert();
INSERT INTO lead VALUES (1, 'hand'), (2, 'hand, undone'), (3, 'hand'), (4, 'gone'), (5, 'x');
SELECT * FROM state;
COPY lead (id, kind) FROM stdin;
11	hand
12	hand, undone
13	hand
14	gone
15	x
\.
SELECT * FROM state WHERE id > 10;
SELECT * FROM leadroute.verify();
DROP TRIGGER after_insert ON lead;
TRUNCATE lead;

-- A query that runs between decision and row is not the end of the statement.
CREATE FUNCTION looks(text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	SELECT count(*) INTO n FROM lead;
	RETURN n >= 0;
END $$;
CREATE TABLE part (LIKE lead INCLUDING ALL, CHECK (looks(kind))) PARTITION BY LIST (id);
CREATE TABLE part_all PARTITION OF part DEFAULT;
SELECT leadroute.attach('part', 'owner') IS NOT NULL AS attached;
INSERT INTO part_all SELECT i, 'x' FROM generate_series(1, 4) i RETURNING id, owner;
INSERT INTO part SELECT i, 'x' FROM generate_series(5, 8) i RETURNING id, owner;
SELECT * FROM leadroute.verify();

-- Each row's default inserts a lead of its own before it.
CREATE FUNCTION sub_lead(i integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO lead VALUES (i + 100, 'sub');
	RETURN 'main';
END $$;
INSERT INTO lead SELECT i, sub_lead(i) FROM generate_series(21, 23) i ON CONFLICT DO NOTHING RETURNING id, owner;
SELECT * FROM state;
SELECT * FROM leadroute.verify();

-- An UPDATE beside an INSERT of the same statement, to the owner that a row
-- which was not stored would have had, is meant; that of ON CONFLICT is not.
TRUNCATE lead;
INSERT INTO lead VALUES (1, 'a'), (2, 'b'), (3, 'c') RETURNING id, owner;
SELECT owner AS due FROM (SELECT min(owner) AS owner FROM (VALUES ('m1'), ('m2')) v (owner)
	WHERE owner <> (SELECT owner FROM lead WHERE id = 3)) d \gset
WITH i AS (INSERT INTO lead VALUES (1, 'again') ON CONFLICT DO NOTHING),
	u AS (UPDATE lead SET owner = :'due' WHERE id = 3 RETURNING id)
	SELECT * FROM u;
SELECT id, owner = :'due' AS moved, journal FROM state WHERE id = 3;
SELECT id, owner AS before FROM lead ORDER BY id;
INSERT INTO lead VALUES (1, 'A'), (2, 'B'), (3, 'C') ON CONFLICT (id) DO UPDATE SET kind = EXCLUDED.kind, owner = EXCLUDED.owner;
SELECT id, kind, owner AS after FROM lead ORDER BY id;
SELECT * FROM leadroute.verify();

-- Later triggers that change the key or the owner are followed.
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.id := CASE WHEN NEW.kind = 'key' THEN NEW.id + 1000 ELSE NEW.id END;
	NEW.owner := CASE WHEN NEW.kind = 'owner' THEN translate(NEW.owner, '12', '21') ELSE NEW.owner END;
	RETURN NEW;
END $$;
CREATE TRIGGER zzz_late BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION late();
INSERT INTO lead VALUES (31, 'key'), (32, 'owner'), (33, 'key'), (34, 'owner'), (35, 'x') RETURNING id;
SELECT id, journal, owner = member AS agree FROM state WHERE id > 30;
SELECT * FROM leadroute.verify();
DROP TRIGGER zzz_late ON lead;

-- A condition that stores leads is an error of the rule, not of the lead.
CREATE FUNCTION stores() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO lead VALUES (nextval('ids'), 'from a condition');
	RETURN true;
END $$;
CREATE SEQUENCE ids START 5000;
CREATE FUNCTION hidden(text) RETURNS boolean STABLE LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT stores()); END $$;
INSERT INTO leadroute.rule (name, priority, condition) VALUES ('stores', 1, 'kind = ''y'' AND hidden(kind)');
INSERT INTO lead VALUES (41, 'y'), (42, 'x') RETURNING id, owner IS NOT NULL AS owned;
SELECT a.rule, a.detail FROM leadroute.assignment a WHERE a.lead_key = '41';
SELECT count(*) FROM lead WHERE kind = 'from a condition';
SELECT * FROM leadroute.verify();

DELETE FROM leadroute.rule WHERE name = 'stores';

-- A row that an UPDATE moves, one that it does not, and MERGE's two ways.
CREATE TABLE region (id integer, area text, owner text, PRIMARY KEY (id, area)) PARTITION BY LIST (area);
CREATE TABLE region_n PARTITION OF region FOR VALUES IN ('n');
CREATE TABLE region_s PARTITION OF region FOR VALUES IN ('s');
SELECT leadroute.attach('region', 'owner') IS NOT NULL AS attached;
INSERT INTO region SELECT i, 'n' FROM generate_series(1, 4) i RETURNING id, owner;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN CASE WHEN NEW.id = 2 THEN NULL ELSE NEW END; END $$;
CREATE TRIGGER zzz_refuse BEFORE UPDATE ON region_n FOR EACH ROW EXECUTE FUNCTION refuse();
UPDATE region SET area = 's' WHERE id <= 2;
INSERT INTO region VALUES (5, 's') RETURNING id, owner IS NOT NULL AS owned;
MERGE INTO region r USING (VALUES (3), (6)) v (id) ON r.id = v.id
	WHEN MATCHED THEN UPDATE SET area = 's' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'n', NULL);
-- ... while the table is looked at anew, as another session's DDL would have it
CREATE FUNCTION look_anew() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN ANALYZE region; RETURN NEW; END $$;
CREATE TRIGGER aaa_look_anew BEFORE UPDATE ON region FOR EACH ROW EXECUTE FUNCTION look_anew();
UPDATE region SET area = CASE area WHEN 'n' THEN 's' ELSE 'n' END WHERE id > 3;
SELECT r.tableoid::regclass, r.id, a.kind, a.hop, a.member = r.owner AS agree FROM region r
	LEFT JOIN leadroute.assignment a ON a.routed_table = 'region' AND a.lead_key = row(r.id, r.area)::text AND a.is_current ORDER BY r.id;
SELECT * FROM leadroute.verify();
-- A COPY within the same COPY of one function.
CREATE FUNCTION copies() RETURNS void LANGUAGE plpgsql AS $$BEGIN COPY lead (kind) FROM PROGRAM 'echo copied'; END $$;
CREATE FUNCTION copy_again() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM copies(); RETURN NEW; END $$;
CREATE TRIGGER zzz_copy BEFORE INSERT ON lead FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION copy_again();
ALTER TABLE lead ALTER id SET DEFAULT nextval('ids');
SELECT copies();
SELECT journal, member = owner AS agree FROM state WHERE kind = 'copied';
SELECT * FROM leadroute.verify();
DROP TABLE lead, part, region CASCADE;
DROP FUNCTION after_insert, looks, sub_lead, late, stores, hidden, refuse, look_anew, copies, copy_again;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
