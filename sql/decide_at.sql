-- routed_table.decide_at = commit: on the row as it is at the end of the transaction.
-- (worker: test/t/110_decide_at.pl)
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (
	id integer PRIMARY KEY,
	country text,
	stage text NOT NULL DEFAULT 'new',
	size text GENERATED ALWAYS AS (coalesce(country, 'none') || '!') STORED,
	owner text);
SELECT leadroute.attach('lead', 'owner', router => 'sales', closed_when => $$stage = 'won'$$, decide_at => 'commit') IS NOT NULL AS attached;
SELECT trigger_name, state FROM leadroute.trigger_status WHERE trigger_name LIKE '%commit';
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('carla');
INSERT INTO leadroute.team (name) VALUES ('dach'), ('world');
INSERT INTO leadroute.team_member (team, member) VALUES ('dach', 'anna'), ('dach', 'bruno'), ('world', 'carla');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('dach', 1, $$size = 'DE!'$$, 'dach'), ('world', 2, NULL, 'world');
CREATE VIEW history AS
	SELECT a.lead_key, a.kind, a.member, a.rule, a.hop, a.is_current FROM leadroute.assignment a ORDER BY a.id;
CREATE VIEW loads AS
	SELECT string_agg(m.name || ' ' || coalesce(c.load, 0), ', ' ORDER BY m.name) AS loads, (SELECT count(*) FROM leadroute.verify()) AS wrong
	FROM leadroute.member m LEFT JOIN leadroute.member_counter() c ON c.member = m.id;

\echo == what an UPDATE later in the transaction brings counts
BEGIN;
INSERT INTO lead (id) VALUES (1), (2), (3), (4) RETURNING id, owner;
UPDATE lead SET country = 'DE' WHERE id IN (1, 2);
UPDATE lead SET country = 'FR' WHERE id = 2;
UPDATE lead SET id = 33, country = 'DE' WHERE id = 3;
SELECT count(*) AS decided FROM history;
COMMIT;
SELECT id, owner FROM lead ORDER BY id;
SELECT * FROM history;
TABLE loads;

\echo == what reroute_on names, too
UPDATE leadroute.routed_table SET reroute_on = '{country}';
BEGIN;
INSERT INTO lead (id) VALUES (41);
UPDATE lead SET country = 'DE' WHERE id = 41 RETURNING owner;
UPDATE lead SET country = 'FR' WHERE id = 41 RETURNING owner;
COMMIT;
UPDATE lead SET country = 'DE' WHERE id = 41 RETURNING owner IN ('anna', 'bruno') AS dach;
SELECT kind, rule, hop FROM history WHERE lead_key = '41';
UPDATE leadroute.routed_table SET reroute_on = NULL;
DELETE FROM lead WHERE id = 41;

\echo == deleted, owned by the app, closed before the end; savepoints
BEGIN;
INSERT INTO lead (id, country) VALUES (5, 'DE'), (6, 'DE'), (7, 'DE'), (8, 'DE');
DELETE FROM lead WHERE id = 5;
UPDATE lead SET owner = 'carla' WHERE id = 6;
UPDATE lead SET stage = 'won' WHERE id = 7;
SAVEPOINT a;
INSERT INTO lead (id, country) VALUES (9, 'DE');
UPDATE lead SET country = 'US' WHERE id = 8;
ROLLBACK TO a;
INSERT INTO lead (id, owner) VALUES (10, 'bruno');
COMMIT;
SELECT id, owner FROM lead WHERE id BETWEEN 5 AND 10 ORDER BY id;
SELECT * FROM history WHERE lead_key IN ('5', '6', '7', '8', '9', '10');
TABLE loads;
BEGIN;
INSERT INTO lead (id, country) VALUES (5, 'DE');
ROLLBACK;
-- the same key twice in one transaction
BEGIN;
INSERT INTO lead (id, country) VALUES (5, 'US');
DELETE FROM lead WHERE id = 5;
INSERT INTO lead (id, country) VALUES (5, 'DE');
COMMIT;
SELECT kind, rule, is_current FROM history WHERE lead_key = '5';
TABLE loads;

\echo == at the end of the statement when constraints are immediate
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO lead (id, country) VALUES (11, 'DE');
SELECT owner IS NOT NULL AS decided FROM lead WHERE id = 11;
COMMIT;
BEGIN;
INSERT INTO lead (id, country) VALUES (12, 'DE');
SET CONSTRAINTS zz_leadroute_commit IMMEDIATE;
SELECT owner IS NOT NULL AS decided FROM lead WHERE id = 12;
ROLLBACK;

\echo == nobody can take it; upserts; a prepared transaction
UPDATE leadroute.rule SET enabled = false;
BEGIN;
INSERT INTO lead (id) VALUES (13);
COMMIT;
SELECT kind FROM history WHERE lead_key = '13';
UPDATE leadroute.rule SET enabled = true;
DELETE FROM lead WHERE id = 13;
INSERT INTO lead (id) VALUES (11), (14) ON CONFLICT (id) DO UPDATE SET country = 'FR', owner = excluded.owner;
SELECT id, owner IS NOT NULL AS owned FROM lead WHERE id IN (11, 14) ORDER BY id;
SELECT kind, is_current FROM history WHERE lead_key IN ('11', '14');
BEGIN;
INSERT INTO lead (id) VALUES (15);
PREPARE TRANSACTION 'decide_at';
SELECT count(*) AS wrong FROM leadroute.verify();
COMMIT PREPARED 'decide_at';
SELECT owner FROM lead WHERE id = 15;
TABLE loads;

\echo == triggers and constraints of the app see the owner; an error of theirs ends the transaction
CREATE TABLE seen (id integer, owner text, role name DEFAULT current_user);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.owner = 'carla' AND NEW.stage = 'never' THEN
		RAISE EXCEPTION 'not for carla';
	END IF;
	INSERT INTO seen VALUES (NEW.id, NEW.owner);
	UPDATE lead SET stage = 'seen' WHERE id = NEW.id AND stage = 'new';
	RETURN NULL;
END $$;
CREATE TRIGGER see AFTER UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO lead (id, country) VALUES (16, 'FR');
SELECT id, owner FROM seen;
SELECT stage, owner FROM lead WHERE id = 16;
INSERT INTO lead (id, stage) VALUES (17, 'never');
SELECT count(*) FROM lead WHERE id = 17;
DROP TRIGGER see ON lead;
TABLE loads;

\echo == a role that may neither see what it has inserted nor update it
CREATE ROLE regress_intake;
GRANT INSERT ON lead TO regress_intake;
ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
CREATE POLICY put ON lead FOR INSERT TO regress_intake WITH CHECK (owner IS NULL);
SET ROLE regress_intake;
INSERT INTO lead (id, country) VALUES (18, 'DE');
RESET ROLE;
SELECT owner IS NOT NULL AS decided FROM lead WHERE id = 18;
SELECT role_name FROM leadroute.assignment WHERE lead_key = '18';
ALTER TABLE lead DISABLE ROW LEVEL SECURITY;
DROP OWNED BY regress_intake;
DROP ROLE regress_intake;

\echo == many in one transaction
BEGIN;
INSERT INTO lead (id, country) SELECT g, 'DE' FROM generate_series(1001, 3000) g;
UPDATE lead SET country = 'FR' WHERE id > 2000;
COMMIT;
SELECT rule, count(*) FROM history WHERE lead_key::integer > 1000 AND is_current GROUP BY 1 ORDER BY 1;
TABLE loads;

\echo == other words, and back
UPDATE leadroute.routed_table SET decide_at = 'never';
UPDATE leadroute.routed_table SET decide_at = 'insert';
SELECT count(*) FROM pg_trigger WHERE tgname = 'zz_leadroute_commit';
INSERT INTO lead (id) VALUES (19) RETURNING owner;
SELECT leadroute.attach('lead', 'owner', decide_at => 'commit');
SELECT leadroute.attach('lead', 'owner');
ALTER TABLE lead DISABLE TRIGGER zz_leadroute_commit;
SELECT trigger_name, state FROM leadroute.trigger_status WHERE state <> 'ok';
SELECT leadroute.attach('lead', 'owner');
SELECT trigger_name, state FROM leadroute.trigger_status WHERE state <> 'ok';
SELECT leadroute.export_config() #>> '{routed_table,0,decide_at}' AS exported;
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zz_leadroute%';

\echo == partitions
CREATE TABLE part (id integer, country text, note text, owner text, PRIMARY KEY (id, country)) PARTITION BY LIST (country);
CREATE TABLE part_de PARTITION OF part FOR VALUES IN ('DE');
CREATE TABLE part_fr (owner text, country text NOT NULL, id integer NOT NULL, note text);
ALTER TABLE part ATTACH PARTITION part_fr FOR VALUES IN ('FR');
UPDATE leadroute.rule SET condition = $$country = 'DE'$$ WHERE name = 'dach';
SELECT leadroute.attach('part', 'owner', decide_at => 'commit') IS NOT NULL AS attached;
INSERT INTO part (id, country) VALUES (20, 'DE'), (21, 'FR');
BEGIN;
INSERT INTO part (id, country) VALUES (22, 'DE'), (23, 'FR');
UPDATE part SET country = CASE country WHEN 'DE' THEN 'FR' ELSE 'DE' END;
COMMIT;
SELECT id, country, owner IN ('anna', 'bruno') AS dach FROM part ORDER BY id;
SELECT lead_key, kind, rule, is_current FROM history WHERE lead_key LIKE '(%';
TABLE loads;
DROP EXTENSION leadroute CASCADE;
DROP TABLE lead, seen, part CASCADE;
DROP FUNCTION see;
