-- Leads that an UPDATE moves to another partition, beside triggers of the
-- application that have a say there: what is stored counts, a row that is not
-- stored leaves neither assignment nor turn.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer, region text, note text, owner text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE lead_n PARTITION OF lead FOR VALUES IN ('north');
CREATE TABLE lead_s (owner text, region text NOT NULL, note text, id integer NOT NULL);
ALTER TABLE lead ATTACH PARTITION lead_s FOR VALUES IN ('south');
SELECT leadroute.attach('lead', 'owner', reroute_on => '{region}') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('nora'), ('nick'), ('sam'), ('sue'), ('anna');
INSERT INTO leadroute.team (name) VALUES ('n'), ('s');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('n', 'nora', 1), ('n', 'nick', 2), ('s', 'sam', 1), ('s', 'sue', 2);
INSERT INTO leadroute.rule (name, condition, team) VALUES ('n', $$region = 'north'$$, 'n'), ('s', $$region = 'south'$$, 's');
-- what a trigger does to a row is in its note
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.note LIKE '%gone%' THEN RETURN NULL; END IF;
	NEW.owner := CASE NEW.note WHEN 'anna' THEN 'anna' WHEN 'nobody' THEN NULL ELSE NEW.owner END;
	NEW.id := CASE NEW.note WHEN 'key' THEN NEW.id + 100 ELSE NEW.id END;
	RETURN NEW;
END $$;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END $$;
-- current rows of leads that are there; what does not agree; credits
CREATE VIEW state AS
	SELECT l.id, l.region, l.owner, a.kind, a.member FROM lead l FULL JOIN (SELECT * FROM leadroute.assignment WHERE is_current) a
	ON a.lead_key = ROW(l.id, l.region)::text ORDER BY 1, 2;
CREATE VIEW totals AS
	SELECT (SELECT count(*) FROM leadroute.verify()) AS wrong,
		(SELECT string_agg(m.name || ' ' || c.load, ', ' ORDER BY m.name) FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member) AS load,
		(SELECT string_agg(r.member || ' ' || round(r.credit::numeric, 2), ', ' ORDER BY r.member) FROM leadroute.rotation r WHERE r.team IN ('n', 's')) AS credit;

\echo == decided anew, and suppressed, given to somebody, to nobody, another key
INSERT INTO lead SELECT g, 'north' FROM generate_series(1, 8) g;
CREATE TRIGGER zzz_change BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION change();
TABLE totals;
UPDATE lead SET region = 'south', note = 'gone' WHERE id = 1 RETURNING *;
TABLE totals;
UPDATE lead SET region = 'south', note = (ARRAY['gone', 'anna', 'nobody', 'gone', 'key', 'stays', 'gone'])[id - 1] WHERE id BETWEEN 2 AND 8 RETURNING *;
TABLE state;
TABLE totals;
-- ... all of it undone
BEGIN;
SAVEPOINT a;
UPDATE lead SET region = 'north', note = CASE id WHEN 7 THEN 'gone' ELSE 'anna' END;
ROLLBACK TO a;
UPDATE lead SET region = 'north', note = 'gone' WHERE id = 7;
ROLLBACK;
TABLE totals;
-- ... a WITH query that nobody reads: its AFTER triggers run before it ends
WITH quiet AS (UPDATE lead SET region = 'north', note = CASE id WHEN 7 THEN 'gone' ELSE 'stays' END RETURNING 1) SELECT;
TABLE state;
TABLE totals;

\echo == suppressed before leadroute sees it arrive, or before it leaves
DELETE FROM lead;
INSERT INTO lead SELECT g, 'north' FROM generate_series(1, 4) g;
CREATE TRIGGER aaa_change BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION change();
UPDATE lead SET region = 'south', note = CASE id WHEN 1 THEN 'gone' END WHERE id <= 2 RETURNING id, owner;
TABLE state;
TABLE totals;
DROP TRIGGER aaa_change ON lead;
CREATE TRIGGER keep BEFORE DELETE ON lead FOR EACH ROW EXECUTE FUNCTION keep();
UPDATE lead SET region = 'south' WHERE id = 3 RETURNING id, owner;
TABLE state;
TABLE totals;
DROP TRIGGER keep ON lead;

\echo == an UPDATE that is suppressed, and a new lead of the key that it would have had
CREATE TRIGGER zzz_keep BEFORE UPDATE ON lead FOR EACH ROW WHEN (NEW.note = 'kept') EXECUTE FUNCTION keep();
MERGE INTO lead l USING (VALUES (3, 1), (3, 2)) v (id, n) ON l.id = v.id AND v.n = 1 AND l.region = 'north'
	WHEN MATCHED THEN UPDATE SET region = 'south', note = 'kept'
	WHEN NOT MATCHED THEN INSERT (id, region, note) VALUES (3, 'south', 'new');
TABLE state;
TABLE totals;

\echo == no column of reroute_on: the lead keeps its owner, as far as the triggers let it
UPDATE leadroute.routed_table SET reroute_on = NULL;
DELETE FROM lead;
INSERT INTO lead SELECT g, 'north' FROM generate_series(1, 5) g;
UPDATE lead SET region = 'south', note = (ARRAY['gone', 'anna', 'nobody', 'key', 'stays'])[id] RETURNING *;
TABLE state;
TABLE totals;

DROP VIEW state, totals;
DROP TABLE lead;
DROP FUNCTION change, keep;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
