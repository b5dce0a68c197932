-- A stored lead is decided anew in the UPDATE that changes it: the owner is taken
-- away, or a column has changed that routed_table.reroute_on names.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (
	id integer PRIMARY KEY,
	region text,
	product text,
	note text,
	closed boolean NOT NULL DEFAULT false,
	size text GENERATED ALWAYS AS (coalesce(product, 'none') || '!') STORED,
	owner text);
SELECT leadroute.attach('lead', 'owner', router => 'sales', closed_when => 'closed', reroute_on => '{region,product}') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('carla'), ('dora');
INSERT INTO leadroute.team (name) VALUES ('north'), ('south');
INSERT INTO leadroute.team_member (team, member) VALUES ('north', 'anna'), ('north', 'bruno'), ('south', 'carla'), ('south', 'dora');
INSERT INTO leadroute.rule (name, condition, team) VALUES
	('north', $$region = 'north'$$, 'north'), ('south', $$region = 'south'$$, 'south');
CREATE VIEW history AS
	SELECT a.lead_key, a.kind, a.member, a.rule, a.hop, a.reason, a.detail, a.is_current FROM leadroute.assignment a ORDER BY a.id;
CREATE VIEW loads AS
	SELECT string_agg(m.name || ' ' || coalesce(c.load, 0), ', ' ORDER BY m.name) AS loads, (SELECT count(*) FROM leadroute.verify()) AS wrong
	FROM leadroute.member m LEFT JOIN leadroute.member_counter() c ON c.member = m.id;

\echo == a column of reroute_on changes
INSERT INTO lead (id, region) VALUES (1, 'north'), (2, 'north'), (3, 'north') RETURNING id, owner;
UPDATE lead SET region = 'south' WHERE id = 1 RETURNING id, owner;
SELECT * FROM history WHERE lead_key = '1';
TABLE loads;
-- ... its turn went back: the next of the north is hers
INSERT INTO lead (id, region) VALUES (4, 'north') RETURNING id, owner;
-- ... another column, the same value, a key
UPDATE lead SET note = 'called', region = region WHERE id = 1 RETURNING owner;
UPDATE lead SET id = 11 WHERE id = 1 RETURNING owner;
-- ... with the key
UPDATE lead SET id = 1, region = 'north' WHERE id = 11 RETURNING id, owner;
SELECT * FROM history WHERE lead_key IN ('1', '11');
TABLE loads;

\echo == many rows, of which some are not stored after all
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE WHEN NEW.id <> 3 THEN NEW END;
END $$;
CREATE TRIGGER zzz_refuse BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION refuse();
UPDATE lead SET region = 'south' RETURNING id, owner;
DROP TRIGGER zzz_refuse ON lead;
SELECT * FROM history WHERE is_current;
TABLE loads;
BEGIN;
UPDATE lead SET region = 'north';
ROLLBACK;
BEGIN;
SAVEPOINT a;
UPDATE lead SET region = 'north';
ROLLBACK TO a;
UPDATE lead SET product = 'x' WHERE id = 1;
COMMIT;
TABLE loads;

\echo == nobody matches: held, and taken when somebody can
UPDATE lead SET region = 'west' WHERE id = 2 RETURNING owner;
SELECT kind, member, hop, reason, detail FROM history WHERE lead_key = '2' AND is_current;
UPDATE lead SET region = 'east' WHERE id = 2 RETURNING owner;
SELECT count(*) AS decisions, count(*) FILTER (WHERE is_current) AS current FROM history WHERE lead_key = '2';
UPDATE lead SET region = 'south' WHERE id = 2 RETURNING owner IN ('carla', 'dora') AS taken;
SELECT state FROM leadroute.pool_entry;
TABLE loads;

\echo == who writes the owner says whose it is; closed leads keep theirs
UPDATE lead SET region = 'north', owner = 'dora' WHERE id = 2 RETURNING owner;
SELECT kind, member FROM history WHERE lead_key = '2' AND is_current;
UPDATE lead SET region = 'south', closed = true WHERE id = 4 RETURNING owner;
UPDATE lead SET region = 'north' WHERE id = 4 RETURNING owner;
-- an object mapper writes nobody among other columns: it is not released
UPDATE lead SET region = 'north', note = 'saved', owner = NULL WHERE id = 1 RETURNING owner;
SELECT kind, member, rule, detail FROM history WHERE lead_key = '1' AND is_current;
TABLE loads;

\echo == the place that it has itself is free for it
UPDATE leadroute.member SET capacity = 1 WHERE name IN ('anna', 'bruno');
DELETE FROM lead;
INSERT INTO lead (id, region) VALUES (1, 'north'), (2, 'north') RETURNING id, owner;
UPDATE lead SET product = 'y' RETURNING id, owner;
SELECT count(*) FILTER (WHERE is_current) AS current FROM history;
-- ... so is that of a row that was given to him and is not stored
BEGIN;
DELETE FROM lead WHERE owner = 'bruno';
INSERT INTO lead (id, region, owner) SELECT id, region, 'bruno' FROM lead ON CONFLICT (id) DO UPDATE SET owner = NULL RETURNING owner;
ROLLBACK;
UPDATE leadroute.member SET capacity = NULL;
TABLE loads;

\echo == released: anybody but who had it
UPDATE lead SET owner = NULL WHERE id = 1 RETURNING owner;
SELECT kind, member, hop, is_current FROM history WHERE lead_key = '1';
SELECT a.passed_over_count, x.elem ->> 'member' AS member, x.elem ->> 'code' AS code, x.elem ->> 'detail' AS detail
	FROM leadroute.assignment a LEFT JOIN LATERAL jsonb_array_elements(a.passed_over) x (elem) ON true WHERE a.lead_key = '1' AND a.is_current;
TABLE loads;
-- ... where there is nobody else it is held, and stays so
DELETE FROM leadroute.team_member WHERE member = 'anna';
UPDATE lead SET owner = NULL WHERE id = 1 RETURNING owner;
SELECT kind, member, hop, reason FROM history WHERE lead_key = '1' AND is_current;
SELECT leadroute.route('lead', 1);
SELECT e.line FROM leadroute.explain('lead', 1) e (line) WHERE e.line ~ 'Result|parted';
INSERT INTO leadroute.team_member (team, member) VALUES ('north', 'anna');
SELECT leadroute.route('lead', 1);
SELECT kind, member, hop FROM history WHERE lead_key = '1' AND is_current;
TABLE loads;
-- ... a closed lead, one of a router that is disabled, one of no router: nobody decides
UPDATE lead SET closed = true WHERE id = 2;
UPDATE lead SET owner = NULL WHERE id = 2 RETURNING owner;
UPDATE leadroute.router SET enabled = false;
UPDATE lead SET owner = NULL WHERE id = 1 RETURNING owner;
UPDATE lead SET region = 'south' WHERE id = 1 RETURNING owner;
UPDATE leadroute.router SET enabled = true;
SELECT DISTINCT ON (lead_key) lead_key, kind, member FROM history WHERE is_current ORDER BY lead_key;
TABLE loads;

\echo == triggers of the app that change the lead: decided once
DELETE FROM lead;
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE lead SET region = CASE region WHEN 'north' THEN 'south' ELSE 'north' END WHERE id = NEW.id AND note = 'loop';
	RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT OR UPDATE OF owner, note ON lead FOR EACH ROW EXECUTE FUNCTION follow();
INSERT INTO lead (id, region, note) VALUES (5, 'north', 'loop') RETURNING id, owner;
SELECT kind, member FROM history WHERE lead_key = '5';
SELECT region, owner FROM lead;
-- ... by the app itself as often as it changes
UPDATE lead SET note = 'calm' WHERE id = 5;
UPDATE lead SET region = 'north' WHERE id = 5 RETURNING owner;
UPDATE lead SET note = 'loop', region = 'south' WHERE id = 5 RETURNING owner;
SELECT kind, member, is_current FROM history WHERE lead_key = '5';
SELECT region, owner FROM lead;
DROP TRIGGER follow ON lead;
-- ... one that takes each owner away
CREATE FUNCTION take_away() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE lead SET owner = NULL WHERE id = NEW.id AND owner IS NOT NULL;
	RETURN NULL;
END $$;
CREATE TRIGGER take_away AFTER INSERT OR UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION take_away();
INSERT INTO lead (id, region) VALUES (6, 'north') RETURNING id, owner;
SELECT kind, member, is_current FROM history WHERE lead_key = '6';
SELECT owner FROM lead WHERE id = 6;
DROP TRIGGER take_away ON lead;
TABLE loads;

\echo == a WITH query that nobody reads: its AFTER triggers run before it ends
INSERT INTO lead (id, region) VALUES (8, 'north'), (9, 'north') RETURNING id, owner;
WITH quiet AS (UPDATE lead SET region = 'south' WHERE id IN (8, 9) RETURNING owner) SELECT;
SELECT lead_key, kind, member, is_current FROM history WHERE lead_key IN ('8', '9');
WITH quiet AS (UPDATE lead SET owner = NULL WHERE id = 8 RETURNING owner) SELECT;
SELECT kind, member, hop, is_current FROM history WHERE lead_key = '8';
TABLE loads;

\echo == a trigger that comes later has the last word
CREATE FUNCTION overrule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.owner := CASE NEW.note WHEN 'stays' THEN OLD.owner WHEN 'dora' THEN 'dora' ELSE NEW.owner END;
	NEW.id := CASE NEW.note WHEN 'key' THEN 80 ELSE NEW.id END;
	RETURN NEW;
END $$;
CREATE TRIGGER zzz_overrule BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION overrule();
UPDATE lead SET region = 'north', note = 'stays' WHERE id = 8 RETURNING owner IN ('carla', 'dora') AS kept;
UPDATE lead SET owner = NULL WHERE id = 8 RETURNING owner IN ('carla', 'dora') AS kept;
SELECT kind, member, is_current FROM history WHERE lead_key = '8';
TABLE loads;
UPDATE lead SET region = 'west', note = 'dora' WHERE id = 9 RETURNING owner;
UPDATE lead SET region = 'north', note = 'key' WHERE id = 8 RETURNING id, owner;
UPDATE lead SET region = 'north', note = 'as decided' WHERE id = 9 RETURNING owner;
SELECT lead_key, kind, member FROM history WHERE is_current AND lead_key IN ('8', '9', '80');
TABLE loads;
DROP TRIGGER zzz_overrule ON lead;

\echo == a column that cannot be empty
ALTER TABLE lead ADD COLUMN must text NOT NULL DEFAULT 'anna';
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
DELETE FROM lead;
SELECT leadroute.attach('lead', 'must', router => 'sales', reroute_on => '{region}') IS NOT NULL AS attached;
INSERT INTO lead (id, region, must) VALUES (7, 'north', 'anna');
UPDATE lead SET region = 'nowhere' WHERE id = 7 RETURNING must;
ALTER TABLE lead ALTER must DROP NOT NULL;
BEGIN;
UPDATE lead SET region = 'nothing' WHERE id = 7 RETURNING must;
ROLLBACK;
UPDATE lead SET region = 'south' WHERE id = 7 RETURNING must IN ('carla', 'dora') AS taken;
TABLE loads;

\echo == what it may name
UPDATE leadroute.routed_table SET reroute_on = '{region,nothing}';
UPDATE leadroute.routed_table SET reroute_on = '{NULL}';
UPDATE leadroute.routed_table SET reroute_on = '{must}';
UPDATE leadroute.routed_table SET reroute_on = '{size}';
UPDATE leadroute.routed_table SET reroute_on = '{}';
UPDATE lead SET region = 'north' WHERE id = 7 RETURNING must IN ('carla', 'dora') AS kept;
SELECT leadroute.attach('lead', 'must', reroute_on => '{note,region}');
SELECT leadroute.export_config() #>> '{routed_table,0,reroute_on}' AS exported;
-- a column that goes
ALTER TABLE lead DROP COLUMN region CASCADE;
UPDATE leadroute.rule SET condition = NULL;
UPDATE lead SET note = 'changed' WHERE id = 7 RETURNING must IN ('anna', 'bruno') AS taken;
TABLE loads;

\echo == moved to another partition; upserts; MERGE
CREATE TABLE part (id integer, region text, note text, owner text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_n PARTITION OF part FOR VALUES IN ('north');
CREATE TABLE part_s (owner text, region text NOT NULL, note text, id integer NOT NULL);
ALTER TABLE part ATTACH PARTITION part_s FOR VALUES IN ('south');
SELECT leadroute.attach('part', 'owner', router => 'other', reroute_on => '{region,note}') IS NOT NULL AS attached;
INSERT INTO leadroute.member (router, name) VALUES ('other', 'nora'), ('other', 'sam');
INSERT INTO leadroute.team (router, name) VALUES ('other', 'n'), ('other', 's');
INSERT INTO leadroute.team_member (router, team, member) VALUES ('other', 'n', 'nora'), ('other', 's', 'sam');
INSERT INTO leadroute.rule (router, name, routed_table, condition, team) VALUES
	('other', 'n', 'part', $$region = 'north'$$, 'n'), ('other', 's', 'part', $$region = 'south'$$, 's');
INSERT INTO part (id, region) VALUES (1, 'north'), (2, 'south') RETURNING id, owner;
UPDATE part SET region = CASE region WHEN 'north' THEN 'south' ELSE 'north' END RETURNING id, region, owner;
SELECT lead_key, kind, member, is_current FROM history WHERE lead_key LIKE '(%';
INSERT INTO part (id, region, note) VALUES (1, 'south', 'x') ON CONFLICT (id, region) DO UPDATE SET note = excluded.note, owner = excluded.owner RETURNING owner;
MERGE INTO part p USING (VALUES (1, 'south'), (3, 'north')) s (id, region) ON p.id = s.id AND p.region = s.region
	WHEN MATCHED THEN UPDATE SET note = 'merged', region = 'north'
	WHEN NOT MATCHED THEN INSERT (id, region) VALUES (s.id, s.region);
SELECT id, region, owner FROM part ORDER BY id;
SELECT count(*) AS wrong FROM leadroute.verify();
DROP EXTENSION leadroute CASCADE;
DROP TABLE lead, part CASCADE;
DROP FUNCTION refuse, follow, take_away, overrule;
