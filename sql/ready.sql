-- routed_table.ready_when and ready_within: leads that wait for enrichment.
-- (the background worker's part: test/t/123_ready.pl)
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (
	id integer PRIMARY KEY,
	email text,
	country text,
	company text,
	stage text NOT NULL DEFAULT 'new',
	known text GENERATED ALWAYS AS (company || '!') STORED,
	owner text);
SELECT leadroute.attach('lead', 'owner', router => 'sales', closed_when => $$stage = 'won'$$,
	ready_when => $$known <> 'never!'$$, ready_within => '1 hour') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('carla');
INSERT INTO leadroute.team (name) VALUES ('dach'), ('world');
INSERT INTO leadroute.team_member (team, member) VALUES ('dach', 'anna'), ('dach', 'bruno'), ('world', 'carla');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('dach', 1, $$country = 'DE'$$, 'dach'), ('world', 2, NULL, 'world');
CREATE VIEW history AS
	SELECT a.lead_key, a.kind, a.reason, a.member, a.rule, a.hop, a.detail, a.is_current FROM leadroute.assignment a ORDER BY a.id;
CREATE VIEW pool AS
	SELECT p.lead_key, p.state, p.available_from - j.assigned_at AS wait, p.line IS NOT NULL AS in_line
	FROM leadroute.pool_entry p LEFT JOIN leadroute.journal j ON j.id = p.assignment ORDER BY p.assignment;
CREATE VIEW loads AS
	SELECT string_agg(m.name || ' ' || coalesce(c.load, 0), ', ' ORDER BY m.name) AS loads, (SELECT count(*) FROM leadroute.verify()) AS wrong
	FROM leadroute.member m LEFT JOIN leadroute.member_counter() c ON c.member = m.id;

\echo == not ready: it waits; the UPDATE that makes it ready decides it, on the row as it is then
INSERT INTO lead (id, company) VALUES (1, NULL), (2, 'never'), (3, 'acme') RETURNING id, owner;
SELECT * FROM history;
SELECT * FROM pool;
TABLE loads;
UPDATE lead SET country = 'DE' WHERE id = 1 RETURNING owner;
UPDATE lead SET stage = 'called' RETURNING id, owner;
SELECT count(*) AS decided FROM history;
UPDATE lead SET company = 'acme' WHERE id = 1 RETURNING owner IN ('anna', 'bruno') AS dach;
UPDATE lead SET company = 'acme' WHERE id = 1;
UPDATE lead SET company = NULL WHERE id = 1 RETURNING owner IS NOT NULL AS keeps_it;
SELECT * FROM history WHERE lead_key = '1';
SELECT regexp_replace(line, '^.*?\d: |^.*? [A-Z]+: ', '') AS why FROM leadroute.why('lead', 1) line;
SELECT line ~ ': held until it is ready, at the latest until .*20\d\d' AS why FROM leadroute.why('lead', 2) line;
SELECT * FROM pool;
TABLE loads;

\echo == what the application gives or sets by hand is kept at once
INSERT INTO lead (id, owner) VALUES (4, 'carla') RETURNING owner;
UPDATE lead SET owner = 'carla' WHERE id = 2;
SELECT * FROM history WHERE lead_key IN ('2', '4');
SELECT * FROM pool;
INSERT INTO lead (id) VALUES (5), (6), (7);
SELECT leadroute.assign('lead', 5, 'anna');
SELECT leadroute.route('lead', 6);
UPDATE lead SET owner = NULL WHERE id = 6 RETURNING owner IS NULL AS released;
SELECT * FROM history WHERE lead_key IN ('5', '6');
CALL leadroute.route_all('lead');
CALL leadroute.route_all('lead', again => true);
SELECT lead_key, state FROM pool;
DELETE FROM lead;
SELECT * FROM pool;
TABLE loads;

\echo == its key changes, and it goes on waiting; deleted, truncated, rolled back
INSERT INTO lead (id) VALUES (10), (11), (12);
UPDATE lead SET id = 20 WHERE id = 10;
SELECT * FROM pool;
BEGIN;
UPDATE lead SET company = 'acme' WHERE id = 20 RETURNING owner;
ROLLBACK;
SELECT lead_key, state FROM pool;
BEGIN;
SAVEPOINT a;
UPDATE lead SET company = 'acme' WHERE id = 11 RETURNING owner;
ROLLBACK TO a;
UPDATE lead SET id = 21, company = 'acme' WHERE id = 20 RETURNING owner;
COMMIT;
SELECT * FROM history WHERE lead_key IN ('11', '20', '21');
DELETE FROM lead WHERE id = 11;
SELECT lead_key, state FROM pool;
TRUNCATE lead;
SELECT count(*) AS waiting FROM pool;
TABLE loads;
-- two leads change places
INSERT INTO lead (id, company) VALUES (30, 'never'), (31, NULL);
BEGIN;
UPDATE lead SET id = 32 WHERE id = 30;
UPDATE lead SET id = 30 WHERE id = 31;
UPDATE lead SET id = 31 WHERE id = 32;
COMMIT;
SELECT lead_key, state, wait FROM pool;
UPDATE lead SET company = 'acme' WHERE id = 30 RETURNING owner;
SELECT lead_key, state FROM pool;
DELETE FROM lead;

\echo == closed and opened again
INSERT INTO lead (id) VALUES (40), (41);
UPDATE lead SET stage = 'won', company = 'acme' WHERE id = 40 RETURNING owner;
SELECT lead_key, state FROM pool;
UPDATE lead SET stage = 'new' WHERE id = 40 RETURNING owner;
UPDATE lead SET stage = 'won' WHERE id = 41;
UPDATE lead SET stage = 'new', company = 'acme' WHERE id = 41 RETURNING owner;
SELECT * FROM history WHERE lead_key IN ('40', '41');
TABLE loads;
DELETE FROM lead;

\echo == an expression that fails costs nothing: the lead is decided, and told of
UPDATE leadroute.routed_table SET ready_when = $$1 / length(company) = 1$$;
INSERT INTO lead (id, company) VALUES (50, ''), (51, 'a'), (52, 'abc') RETURNING id, owner;
UPDATE lead SET company = '' WHERE id = 52 RETURNING owner;
SELECT lead_key, kind, reason, detail FROM history WHERE lead_key IN ('50', '51', '52');
ALTER TABLE lead ADD COLUMN gone boolean;
UPDATE leadroute.routed_table SET ready_when = 'gone';
INSERT INTO lead (id) VALUES (53) RETURNING owner;
ALTER TABLE lead DROP COLUMN gone;
INSERT INTO lead (id) VALUES (54) RETURNING owner;
SELECT detail FROM history WHERE lead_key = '54';
SELECT severity, subject, detail, what_to_do FROM leadroute.problem WHERE what = 'expression_invalid';
UPDATE lead SET stage = 'called' WHERE id = 53 RETURNING owner IS NOT NULL AS decided;
DELETE FROM lead;

\echo == refused
UPDATE leadroute.routed_table SET ready_when = 'company';
UPDATE leadroute.routed_table SET ready_when = 'compani IS NOT NULL';
UPDATE leadroute.routed_table SET ready_when = 'random() < 1';
UPDATE leadroute.routed_table SET ready_when = 'company IS NOT NULL', ready_within = '0';
UPDATE leadroute.routed_table SET ready_within = '-1 day';
SELECT leadroute.attach('lead', 'owner', ready_within => '-1 day');

\echo == attach, explain
SELECT leadroute.attach('lead', 'owner', ready_when => 'company IS NOT NULL', ready_within => '2 hours');
SELECT leadroute.attach('lead', 'owner');
INSERT INTO lead (id) VALUES (60);
SELECT wait FROM pool;
SELECT regexp_replace(line, '20\d\d-.* UTC|20\d\d-[^;]*', 'TIME') AS explained FROM leadroute.explain('lead', 60, rules => 0) line;
SELECT regexp_replace(line, '20\d\d-[^;]*', 'TIME') AS explained FROM leadroute.explain_lead('lead', '{"country": "DE"}', rules => 0) line;
SELECT j ->> 'waits' AS waits, j ->> 'waits_until' IS NOT NULL AS ends, j ->> 'member' AS member
	FROM (SELECT leadroute.explain_lead('lead', '{"country": "DE"}', format => 'json')::jsonb AS j) x;
SELECT line FROM leadroute.explain_lead('lead', '{"company": "acme"}', rules => 0) line;
SELECT j ->> 'waits' AS waits FROM (SELECT leadroute.explain_lead('lead', '{"owner": "anna"}', format => 'json')::jsonb AS j) x;
UPDATE leadroute.routed_table SET ready_within = NULL;
SELECT line FROM leadroute.explain_lead('lead', '{}', rules => 0) line;
SELECT leadroute.export_config() #> '{routed_table,0}' @> '{"ready_when": "company IS NOT NULL"}' AS exported;
SELECT key, action FROM leadroute.import_config(jsonb_build_object('routed_table', jsonb_build_array(jsonb_build_object('name', 'lead', 'ready_within', '00:30:00'))));
SELECT ready_when, ready_within FROM leadroute.routed_table;
SELECT old ->> 'ready_within' AS old, new ->> 'ready_within' AS new FROM leadroute.config_history
	WHERE table_name = 'routed_table' ORDER BY at DESC LIMIT 1;

\echo == triggers of the app: one that enriches in the same statement; one that is after ours
CREATE FUNCTION enrich() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE lead SET company = 'found' WHERE id = NEW.id AND company IS NULL;
	RETURN NULL;
END $$;
CREATE TRIGGER enrich AFTER INSERT ON lead FOR EACH ROW EXECUTE FUNCTION enrich();
INSERT INTO lead (id) VALUES (70), (71);
SELECT id, owner FROM lead WHERE id IN (70, 71);
SELECT lead_key, kind, reason, member FROM history WHERE lead_key IN ('70', '71');
DROP TRIGGER enrich ON lead;
CREATE FUNCTION take_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.stage = 'suppress' THEN
		RETURN NULL;
	END IF;
	NEW.owner := 'bruno';
	RETURN NEW;
END $$;
CREATE TRIGGER zzz_take_back BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION take_back();
INSERT INTO lead (id) VALUES (72), (73);
UPDATE lead SET company = 'acme', stage = 'suppress' WHERE id = 72 RETURNING owner;
UPDATE lead SET company = 'acme' WHERE id = 73 RETURNING owner;
SELECT lead_key, kind, reason, member, is_current FROM history WHERE lead_key IN ('72', '73');
SELECT lead_key, state FROM pool;
DROP TRIGGER zzz_take_back ON lead;
-- upserts: a row that is not stored waits for nobody
INSERT INTO lead (id) VALUES (72), (74) ON CONFLICT (id) DO NOTHING;
INSERT INTO lead (id, company) VALUES (72, 'acme') ON CONFLICT (id) DO UPDATE SET company = excluded.company RETURNING owner;
SELECT lead_key, kind, reason, member, is_current FROM history WHERE lead_key IN ('72', '74');
TABLE loads;
DELETE FROM lead;

\echo == the same person twice
UPDATE leadroute.router SET sticky_key = '{email}', duplicate_window = '1 day';
INSERT INTO lead (id, email) VALUES (80, 'x@y'), (81, 'x@y');
UPDATE lead SET company = 'acme' WHERE id = 81 RETURNING owner;
UPDATE lead SET company = 'acme', country = 'DE' WHERE id = 80 RETURNING owner;
SELECT lead_key, kind, reason, member FROM history WHERE lead_key IN ('80', '81');
DELETE FROM lead;
UPDATE leadroute.router SET sticky_key = NULL, duplicate_window = NULL;
TABLE loads;

\echo == criteria judge when it is decided; held ones stand before it
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('no ghosts', 'disqualify', $$company = 'ghost'$$);
INSERT INTO lead (id) VALUES (90), (91) RETURNING id, owner;
UPDATE lead SET company = 'ghost' WHERE id = 90 RETURNING owner;
UPDATE lead SET company = 'acme' RETURNING id, owner;
SELECT lead_key, kind, reason FROM history WHERE lead_key IN ('90', '91');
DELETE FROM leadroute.criterion;
DELETE FROM lead;
UPDATE leadroute.member SET capacity = 0 WHERE name = 'carla';
INSERT INTO lead (id) VALUES (92);
INSERT INTO lead (id, company) VALUES (93, 'acme');
UPDATE lead SET company = 'acme' WHERE id = 92 RETURNING owner;
SELECT lead_key, state, in_line FROM pool;
SELECT lead_key, kind, reason, rule, is_current FROM history WHERE lead_key IN ('92', '93');
UPDATE leadroute.member SET capacity = NULL;
DELETE FROM lead;

\echo == decide_at = commit: on the row as it is at the end of the transaction
UPDATE leadroute.routed_table SET decide_at = 'commit';
BEGIN;
INSERT INTO lead (id) VALUES (100), (101);
UPDATE lead SET company = 'acme' WHERE id = 100 RETURNING owner;
COMMIT;
SELECT id, owner FROM lead ORDER BY id;
SELECT lead_key, state FROM pool;
UPDATE lead SET company = 'acme' WHERE id = 101 RETURNING owner;
SELECT lead_key, kind, reason, member FROM history WHERE lead_key IN ('100', '101');
UPDATE leadroute.routed_table SET decide_at = 'insert';
DELETE FROM lead;

\echo == prepared; a router that is off; routing off; reroute_on
BEGIN;
INSERT INTO lead (id) VALUES (110);
PREPARE TRANSACTION 'waits';
COMMIT PREPARED 'waits';
BEGIN;
UPDATE lead SET company = 'acme' WHERE id = 110 RETURNING owner;
PREPARE TRANSACTION 'ready';
ROLLBACK PREPARED 'ready';
SELECT lead_key, state FROM pool;
UPDATE leadroute.router SET enabled = false;
UPDATE lead SET company = 'acme' WHERE id = 110 RETURNING owner;
UPDATE leadroute.router SET enabled = true;
UPDATE lead SET country = 'FR' WHERE id = 110 RETURNING owner;
INSERT INTO lead (id) VALUES (111), (112);
SET leadroute.routing = off;
UPDATE lead SET company = 'acme' WHERE id = 111 RETURNING owner;
RESET leadroute.routing;
UPDATE lead SET stage = 'called' WHERE id = 111 RETURNING owner;
UPDATE leadroute.routed_table SET reroute_on = '{country}';
UPDATE lead SET country = 'DE' WHERE id = 112 RETURNING owner;
SELECT lead_key, kind, reason, detail, is_current FROM history WHERE lead_key = '112';
UPDATE lead SET country = 'FR', company = 'acme' WHERE id = 112 RETURNING owner;
SELECT lead_key, kind, reason, detail, is_current FROM history WHERE lead_key = '112';
UPDATE leadroute.routed_table SET reroute_on = NULL;
TABLE loads;

\echo == lint
CREATE VIEW odd AS SELECT l.severity, l.what, l.detail FROM leadroute.lint('sales') l WHERE l.what ~ 'ready|wait' ORDER BY l.what;
UPDATE leadroute.routed_table SET ready_within = NULL;
TABLE odd;
UPDATE leadroute.routed_table SET ready_when = 'now() > current_date AND company IS NOT NULL', ready_within = '1 hour';
TABLE odd;
UPDATE leadroute.routed_table SET ready_when = '1 = 2';
TABLE odd;
SELECT severity, what FROM leadroute.problem WHERE what = 'never_ready';
UPDATE leadroute.routed_table SET ready_when = 'true';
TABLE odd;
UPDATE leadroute.routed_table SET ready_when = NULL;
TABLE odd;
UPDATE leadroute.routed_table SET ready_when = 'company IS NOT NULL';
TABLE odd;

\echo == who may; with whose rights
CREATE ROLE regress_intake;
CREATE ROLE regress_admin;
SELECT leadroute.grant_to('regress_admin', 'admin') IS NOT NULL AS granted;
CREATE FUNCTION who(text) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT current_user = session_user AND $1 IS NOT NULL$$;
GRANT INSERT, UPDATE, SELECT ON lead TO regress_intake;
SET ROLE regress_admin;
UPDATE leadroute.routed_table SET ready_when = NULL WHERE name = 'lead';
RESET ROLE;
UPDATE leadroute.routed_table SET ready_when = 'who(company)';
SET ROLE regress_intake;
INSERT INTO lead (id) VALUES (115) RETURNING owner;
UPDATE lead SET company = 'acme' WHERE id = 115 RETURNING owner;
RESET ROLE;
SELECT a.kind, a.reason, a.role_name FROM leadroute.assignment a WHERE a.lead_key = '115' ORDER BY a.id;
UPDATE leadroute.routed_table SET ready_when = 'company IS NOT NULL';
DROP FUNCTION who(text);
DROP OWNED BY regress_intake, regress_admin;
DROP ROLE regress_intake, regress_admin;

\echo == detached: nobody waits any more
INSERT INTO lead (id) VALUES (120);
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
SELECT count(*) AS waiting FROM leadroute.pool_entry;

\echo == partitions, and the router that the lead names
CREATE TABLE part (id integer, org text, country text, company text, owner text, PRIMARY KEY (id, country)) PARTITION BY LIST (country);
CREATE TABLE part_de PARTITION OF part FOR VALUES IN ('DE');
CREATE TABLE part_fr (owner text, company text, country text NOT NULL, id integer NOT NULL, org text);
ALTER TABLE part ATTACH PARTITION part_fr FOR VALUES IN ('FR');
SELECT leadroute.attach('part', 'owner', router_expr => 'org', ready_when => 'company IS NOT NULL', ready_within => '1 hour') IS NOT NULL AS attached;
INSERT INTO part (id, org, country) VALUES (1, 'sales', 'DE'), (2, 'sales', 'FR'), (3, NULL, 'FR') RETURNING id, owner;
SELECT * FROM pool;
UPDATE part SET country = 'FR' WHERE id = 1 RETURNING owner;
SELECT * FROM pool;
UPDATE part SET country = 'DE', company = 'acme' WHERE id = 2 RETURNING owner IN ('anna', 'bruno') AS dach;
UPDATE part SET company = 'acme' WHERE id = 1 RETURNING owner;
INSERT INTO leadroute.router (name) VALUES ('abroad');
INSERT INTO leadroute.member (router, name) VALUES ('abroad', 'dora');
INSERT INTO leadroute.rule (router, name) VALUES ('abroad', 'all');
INSERT INTO part (id, org, country) VALUES (4, 'sales', 'DE'), (5, 'sales', 'DE');
UPDATE part SET org = 'abroad' WHERE id >= 4 RETURNING owner;
SELECT * FROM pool;
UPDATE part SET company = 'acme' WHERE id = 4 RETURNING owner;
UPDATE part SET org = 'sales', company = 'acme' WHERE id = 5 RETURNING owner IN ('anna', 'bruno') AS dach;
SELECT lead_key, router, kind, reason, rule, hop, is_current FROM leadroute.assignment
	WHERE lead_key LIKE '(%' ORDER BY id;
TABLE loads;
SELECT * FROM leadroute.verify();
DROP EXTENSION leadroute CASCADE;
DROP TABLE lead, part CASCADE;
DROP FUNCTION enrich, take_back;
