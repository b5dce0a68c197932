-- routed_table.protect_owner: nobody, written among other columns, is what an
-- object mapper still believes; the owner column alone is meant.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE users (id integer PRIMARY KEY, tenant integer NOT NULL DEFAULT 1, UNIQUE (tenant, id));
INSERT INTO users VALUES (1), (2), (3);
CREATE TABLE lead (
	id integer PRIMARY KEY,
	email text UNIQUE,
	note text,
	tenant integer DEFAULT 1,
	owner_id integer,
	shown text GENERATED ALWAYS AS (coalesce('#' || owner_id, '-')) STORED);
SELECT leadroute.attach('lead', 'owner_id', router => 'sales') IS NOT NULL AS attached;
SELECT protect_owner FROM leadroute.routed_table;
INSERT INTO leadroute.member (name, owner_value) SELECT 'm' || id, id FROM users;
INSERT INTO leadroute.rule (name) VALUES ('everyone');
CREATE VIEW history AS
	SELECT a.lead_key, a.kind, a.member, a.is_current FROM leadroute.assignment a ORDER BY a.id;
CREATE VIEW wrong AS SELECT count(*) AS wrong FROM leadroute.verify();

\echo == an object mapper writes back what it has
INSERT INTO lead (id, email, note, owner_id) VALUES (1, 'a@x', NULL, NULL), (2, 'b@x', NULL, NULL) RETURNING id, owner_id;
UPDATE lead SET email = 'a@y', note = 'called', owner_id = NULL WHERE id = 1 RETURNING owner_id, shown;
-- ... what it did not change, too
UPDATE lead SET email = email, note = note, owner_id = NULL WHERE id = 1 RETURNING owner_id;
SELECT * FROM history;
TABLE wrong;

\echo == the owner alone is meant; a column that is computed from it does not count
UPDATE lead SET owner_id = NULL WHERE id = 2 RETURNING owner_id IS DISTINCT FROM 2 AS let_go;
UPDATE lead SET owner_id = 2 WHERE id = 2;

\echo == a value is a move by hand, also among other columns
UPDATE lead SET note = 'moved', owner_id = 3 WHERE id = 1 RETURNING owner_id;
SELECT * FROM history WHERE lead_key = '1';

\echo == an upsert never re-routes a stored lead
INSERT INTO lead (id, email, note) VALUES (1, 'a@y', 'again'), (9, 'c@x', 'new')
	ON CONFLICT (id) DO UPDATE SET email = excluded.email, note = excluded.note, owner_id = excluded.owner_id
	RETURNING id, note, owner_id;
INSERT INTO lead (id, email) VALUES (1, 'a@y') ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id RETURNING id, owner_id;
-- ... by another key
INSERT INTO lead (id, email) VALUES (77, 'a@y') ON CONFLICT (email) DO UPDATE SET owner_id = excluded.owner_id RETURNING id, owner_id;
-- ... nor when nobody can take what is not stored: EXCLUDED has no owner
UPDATE leadroute.rule SET enabled = false;
INSERT INTO lead (id, email) VALUES (1, 'a@y') ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id RETURNING id, owner_id;
INSERT INTO lead (id, email, note) VALUES (1, 'a@y', 'held') ON CONFLICT (id) DO UPDATE SET note = excluded.note, owner_id = excluded.owner_id RETURNING id, owner_id;
UPDATE leadroute.rule SET enabled = true;
-- ... but from the user's data it does
INSERT INTO lead (id, email, owner_id) VALUES (1, 'a@y', 2) ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id RETURNING id, owner_id;
SELECT * FROM history;
TABLE wrong;

\echo == MERGE
MERGE INTO lead l USING (VALUES (1, 'merged'), (10, 'fresh')) AS s (id, note) ON l.id = s.id
	WHEN MATCHED THEN UPDATE SET note = s.note, owner_id = NULL
	WHEN NOT MATCHED THEN INSERT (id, note) VALUES (s.id, s.note);
SELECT id, note, owner_id IS NOT NULL AS owned FROM lead WHERE id IN (1, 10) ORDER BY id;

\echo == a foreign key that sets several columns is obeyed
ALTER TABLE lead ADD CONSTRAINT its_owner FOREIGN KEY (tenant, owner_id) REFERENCES users (tenant, id) ON DELETE SET NULL;
UPDATE lead SET owner_id = 3 WHERE id = 2;
DELETE FROM users WHERE id = 3;
SELECT id, tenant, owner_id FROM lead WHERE id = 2;
ALTER TABLE lead DROP CONSTRAINT its_owner;
UPDATE lead SET tenant = 1 WHERE id = 2;
TABLE wrong;

\echo == another word for nobody
UPDATE leadroute.routed_table SET nobody = '0';
UPDATE lead SET note = 'zero', owner_id = 0 WHERE id = 1 RETURNING owner_id;
UPDATE lead SET note = 'null', owner_id = NULL WHERE id = 1 RETURNING owner_id;
UPDATE leadroute.routed_table SET nobody = NULL;

\echo == a lead that is no longer routed; a trigger of the app
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.note := concat(NEW.note, ' touched');
	RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION touch();
UPDATE lead SET note = 'saved', owner_id = NULL WHERE id = 1 RETURNING note, owner_id;
DROP TRIGGER touch ON lead;
BEGIN;
SET LOCAL leadroute.routing = off;
UPDATE lead SET note = note, owner_id = NULL WHERE id = 10 RETURNING owner_id;
ROLLBACK;

\echo == turned off
SELECT leadroute.attach('lead', 'owner_id', protect_owner => false);
SELECT leadroute.attach('lead', 'owner_id');
UPDATE lead SET note = 'let go', owner_id = NULL WHERE id = 1 RETURNING owner_id IS DISTINCT FROM 2 AS let_go;
-- ... an upsert all the same
INSERT INTO lead (id, email) VALUES (2, 'b@x') ON CONFLICT (id) DO UPDATE SET note = 'upsert', owner_id = excluded.owner_id
	RETURNING owner_id IS NOT DISTINCT FROM (SELECT l.owner_id FROM lead l WHERE l.id = 2) AS kept;
\set VERBOSITY terse
UPDATE leadroute.routed_table SET protect_owner = NULL;
\set VERBOSITY default
SELECT (leadroute.export_config() #>> '{routed_table,0,protect_owner}') AS exported;
SELECT * FROM leadroute.import_config('{"routed_table": [{"name": "lead", "protect_owner": true}]}');
SELECT protect_owner FROM leadroute.routed_table;

\echo == a partitioned table whose partition has another layout
CREATE TABLE part (id integer, note text, region text, owner text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a (owner text, gone text, region text NOT NULL, note text, id integer NOT NULL);
ALTER TABLE part_a DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_a FOR VALUES IN ('a');
CREATE TABLE part_b PARTITION OF part FOR VALUES IN ('b');
SELECT leadroute.attach('part', 'owner', key_columns => '{id,region}', router => 'other') IS NOT NULL AS attached;
INSERT INTO leadroute.member (router, name) VALUES ('other', 'x'), ('other', 'y');
INSERT INTO leadroute.rule (router, name) VALUES ('other', 'everyone');
INSERT INTO part (id, region) VALUES (1, 'a'), (2, 'b') RETURNING id, owner;
UPDATE part SET note = 'saved', owner = NULL RETURNING id, owner;
-- ... that is left in the same statement
UPDATE part SET region = CASE region WHEN 'a' THEN 'b' ELSE 'a' END, owner = NULL RETURNING id, region, owner;
INSERT INTO part (id, region) VALUES (1, 'b') ON CONFLICT (id, region) DO UPDATE SET note = 'upsert', owner = excluded.owner RETURNING id, owner;
TABLE wrong;
DROP EXTENSION leadroute CASCADE;
DROP TABLE lead, users, part CASCADE;
DROP FUNCTION touch;
