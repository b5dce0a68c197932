-- Leads that somebody decides: method manual, the triage list, assign.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, name text, country text, size integer DEFAULT 1, stage text DEFAULT 'new', owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'closed'$$, load => 'size', source => 'country', value => 'size * 100', captured_at => $$timestamptz '2030-01-01 00:00+00'$$, reroute_on => '{country}') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, role_name, capacity) VALUES ('ann', NULL, 2), ('bob', 'regress_leadroute_bob', NULL), ('cleo', NULL, NULL),
	('dora', NULL, NULL), ('lea', 'regress_leadroute_lea', NULL);
INSERT INTO leadroute.team (name, lead_member) VALUES ('sales', 'lea'), ('east', 'cleo'), ('empty', NULL);
INSERT INTO leadroute.team_member (team, member, condition) VALUES ('sales', 'ann', NULL), ('sales', 'bob', NULL), ('sales', 'cleo', 'size < 9'), ('east', 'cleo', NULL);
CREATE VIEW now AS SELECT lead_key AS lead, kind, member, team, rule, method, reason, hop FROM leadroute.assignment WHERE is_current ORDER BY lead_key::integer;
CREATE VIEW list AS SELECT t.team, t.lead_member, t.lead_key AS lead, t.rule, t.source, t.lead ->> 'name' AS name,
		(SELECT string_agg(concat(c ->> 'member', ' ' || (c ->> 'not_available_because')), ', ') FROM jsonb_array_elements(t.candidates) c) AS candidates
	FROM leadroute.triage t ORDER BY t.lead_key::integer;
CREATE FUNCTION load() RETURNS text LANGUAGE sql AS $$
	SELECT concat(string_agg(m.name || ' ' || c.load, ', ' ORDER BY m.name),
		(SELECT ' - ' || count(*) || ' disagreements' FROM leadroute.verify()))
	FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member WHERE c.load > 0;
$$;

-- What cannot work is refused.
INSERT INTO leadroute.rule (name, method, member_expr) VALUES ('one', 'manual', $$'ann'$$);
INSERT INTO leadroute.rule (name, method) VALUES ('one', 'by_hand');
UPDATE leadroute.team SET lead_member = 'nobody' WHERE name = 'sales';
-- and what is odd is told
INSERT INTO leadroute.rule (name, priority, condition, team, method, member_condition) VALUES
	('big', 10, 'size > 1', 'sales', 'manual', $$member.name <> 'ann' OR lead.name <> 'not for ann'$$),
	('east', 20, $$country = 'PL'$$, 'east', 'manual', NULL),
	('odd', 30, $$country = 'XX'$$, 'empty', 'manual', NULL),
	('any', 40, $$country = 'YY'$$, NULL, 'manual', NULL);
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('never', 50, 'size > 2', 'sales'), ('rest', 60, NULL, 'sales');
SELECT rule, what, detail, what_to_do FROM leadroute.lint() WHERE severity <> 'notice' ORDER BY 1, 2;
SELECT what, subject FROM leadroute.problem ORDER BY 1, 2;

-- New leads: nobody is chosen, whoever could take them.
INSERT INTO lead (id, name, country, size) VALUES (1, 'a', 'ES', 1), (2, 'b', 'ES', 5), (3, 'not for ann', 'PL', 9), (4, 'd', 'PL', 1), (5, 'e', 'XX', 1), (6, 'f', 'YY', 1)
	RETURNING id, owner;
SELECT * FROM now;
SELECT leadroute.pause('bob');
SELECT * FROM list;
SELECT c.* FROM leadroute.triage_candidates('lead', '2') c;
SELECT leadroute.resume('bob');
SELECT count(*) AS candidates FROM leadroute.triage_candidates('lead', '1') c;
SELECT member, triage FROM leadroute.member_status ORDER BY 1;
SELECT regexp_replace(w, '^[^:]*:[^:]*:[^:]*: ', '') AS why FROM leadroute.why('lead', 2) w;
SELECT leadroute.explain('lead', 3);
SELECT leadroute.explain_lead('lead', '{"size": 3}', 'json')::jsonb #>> '{result}' AS result;
SELECT load();

-- Decided again, it stays where it is; by another rule it is on another list.
SELECT leadroute.route('lead', 2);
UPDATE lead SET country = 'FR' WHERE id = 4 RETURNING owner;
UPDATE lead SET country = 'PL' WHERE id IN (1, 3) RETURNING id, owner;
UPDATE leadroute.rule SET enabled = false WHERE name = 'big';
SELECT leadroute.route('lead', 3);
UPDATE leadroute.rule SET enabled = true WHERE name = 'big';
SELECT * FROM now;
SELECT assignment IN (SELECT id FROM leadroute.assignment WHERE is_current) AS current, lead_key, state FROM leadroute.pool_entry ORDER BY 2;
SELECT load();

-- What happens to the lead: a key, its end, its return, its end for good.
UPDATE lead SET id = 22 WHERE id = 2;
UPDATE lead SET stage = 'closed' WHERE id IN (22, 5);
SELECT lead, rule, team FROM list;
UPDATE lead SET stage = 'new' WHERE id = 22;
SELECT lead, rule, team FROM list;
DELETE FROM lead WHERE id = 6;
UPDATE lead SET owner = 'dora' WHERE id = 22 RETURNING owner;
SELECT * FROM list;
-- given back, it is for somebody to decide again, but not for who had it
UPDATE lead SET owner = NULL WHERE id = 22;
SELECT lead, rule, candidates FROM list;
UPDATE leadroute.rule SET method = 'round_robin', team = NULL WHERE name = 'big';
SELECT lead, rule, team FROM list;
SELECT leadroute.route('lead', 22) <> 'dora' AS not_dora;
SELECT load();
SELECT regexp_replace(regexp_replace(w, '^[^:]*:[^:]*:[^:]*: ', ''), ' in .*', '') AS why FROM leadroute.why('lead', 22) w;
UPDATE leadroute.rule SET method = 'manual', team = 'sales' WHERE name = 'big';
UPDATE lead SET owner = NULL WHERE id = 22;

-- Who may.
CREATE ROLE regress_leadroute_lea;
CREATE ROLE regress_leadroute_bob;
CREATE ROLE regress_leadroute_manager;
CREATE ROLE regress_leadroute_analyst;
CREATE ROLE regress_leadroute_app;
SELECT leadroute.grant_to('regress_leadroute_lea', 'rep'), leadroute.grant_to('regress_leadroute_bob', 'rep'),
	leadroute.grant_to('regress_leadroute_manager', 'manager'), leadroute.grant_to('regress_leadroute_analyst', 'analyst');
GRANT USAGE ON SCHEMA leadroute TO regress_leadroute_app;
GRANT EXECUTE ON FUNCTION leadroute.assign(text, anyelement, text, text, boolean), leadroute.assign(text, text, text, text, boolean) TO regress_leadroute_app;
UPDATE leadroute.member SET capacity = 1 WHERE name = 'ann';
INSERT INTO leadroute.criterion (name, condition, points) VALUES ('size', 'size > 1', 7), ('broken', '100 / (id - 9) > 0', 1);
INSERT INTO lead (id, name, country, size) VALUES (7, 'g', 'ES', 2), (8, 'h', 'PL', 1), (9, 'i', 'ES', 2), (10, 'j', 'ES', 2);
SET ROLE regress_leadroute_lea;
-- the list is hers; what she may not read of a lead is not told
CREATE VIEW pg_temp.told AS SELECT lead_key, rule, lead, source, value, score, captured_at = '2030-01-01 00:00+00' AS captured, detail, jsonb_array_length(candidates) AS candidates
	FROM leadroute.my_triage ORDER BY lead_key::integer;
SELECT * FROM pg_temp.told;
SELECT count(*) FROM leadroute.why('lead', 9);
SELECT * FROM leadroute.triage;
SELECT * FROM leadroute.triage_candidates('lead', '8');
SELECT leadroute.assign('lead', 8, 'cleo');
SELECT leadroute.assign('lead', 1, 'bob');
SELECT leadroute.assign('lead', 404, 'bob');
SELECT leadroute.assign('lead', 7, 'dora');
SELECT leadroute.assign('lead', 7, 'nobody');
-- beyond limits she gives nothing: the lead counts 2, and ann may have 1
SELECT leadroute.assign('lead', 7, 'ann');
SELECT leadroute.assign('lead', 7, 'ann', ignore_limits => true);
SELECT leadroute.assign('lead', 7, 'bob', 'knows them', true);
SELECT leadroute.assign('lead', 7, 'nobody', ignore_limits => true);
SELECT leadroute.assign('lead', 7, 'bob', 'knows them', false);
-- hers no more
SELECT leadroute.assign('lead', 7, 'ann');
SELECT leadroute.why('lead', 7);
RESET ROLE;
GRANT SELECT (id, name) ON lead TO regress_leadroute_lea;
SET ROLE regress_leadroute_lea;
SELECT * FROM pg_temp.told;
SELECT count(*) FROM leadroute.why('lead', 9);
RESET ROLE;
ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON lead FOR SELECT TO regress_leadroute_lea USING (id <> 9);
SET ROLE regress_leadroute_lea;
SELECT * FROM pg_temp.told;
SELECT count(*) FROM leadroute.why('lead', 9);
SELECT count(*) FROM leadroute.why('lead', 10);
SET ROLE regress_leadroute_bob;
SELECT * FROM leadroute.my_triage;
SELECT * FROM leadroute.triage_candidates('lead', '9');
SELECT leadroute.assign('lead', 9, 'bob');
SET ROLE regress_leadroute_app;
SELECT leadroute.assign('lead', 9, 'bob');
RESET ROLE;
GRANT UPDATE (name) ON lead TO regress_leadroute_app;
SET ROLE regress_leadroute_app;
SELECT leadroute.assign('lead', 9, 'bob');
RESET ROLE;
GRANT UPDATE (owner) ON lead TO regress_leadroute_app;
SET ROLE regress_leadroute_app;
-- row-level security keeps rows from it
SELECT leadroute.assign('lead', 9, 'bob');
RESET ROLE;
ALTER TABLE lead DISABLE ROW LEVEL SECURITY;
SET ROLE regress_leadroute_app;
SELECT leadroute.assign('lead', 9, 'bob');
SET ROLE regress_leadroute_analyst;
SELECT lead_key, lead_member, lead IS NULL AS not_shown, jsonb_array_length(candidates) FROM leadroute.triage ORDER BY lead_key::integer;
SELECT leadroute.assign('lead', 10, 'bob');
SET ROLE regress_leadroute_manager;
SELECT leadroute.assign('lead', 10, 'ann');
SELECT leadroute.assign('lead', 10, 'ann', ignore_limits => true);
SELECT leadroute.assign('lead', 10, 'dora');
RESET ROLE;
SELECT * FROM now WHERE lead IN ('7', '9', '10');
SELECT load();

-- She leaves; the list stays.
SELECT leadroute.offboard('lea');
SELECT rule, detail FROM leadroute.lint() WHERE what = 'triage_unattended' AND rule = 'big';
SELECT what, subject, detail, what_to_do FROM leadroute.problem WHERE what IN ('lead_member_inactive', 'triage_unattended') AND detail LIKE '%sales%';
-- also where no rule leaves leads there any more
BEGIN;
UPDATE leadroute.rule SET method = 'round_robin' WHERE team = 'sales';
SELECT what, subject, detail, what_to_do FROM leadroute.problem WHERE what IN ('lead_member_inactive', 'triage_unattended') AND detail LIKE '%lea%' AND subject LIKE '%sales%';
UPDATE leadroute.team SET lead_member = 'cleo' WHERE name = 'sales';
SELECT count(*) FROM leadroute.problem WHERE what = 'lead_member_inactive';
SELECT still_leads FROM leadroute.offboard('cleo');
UPDATE leadroute.team SET lead_member = NULL;
SELECT still_leads FROM leadroute.offboard('cleo');
ROLLBACK;
SET ROLE regress_leadroute_lea;
SELECT count(*) FROM leadroute.my_triage;
SELECT leadroute.assign('lead', 22, 'bob');
RESET ROLE;
DELETE FROM leadroute.member WHERE name = 'lea';
SELECT name, lead_member FROM leadroute.team ORDER BY 1;
-- so it does when nobody leaves new ones there
DELETE FROM leadroute.rule WHERE name IN ('east', 'odd');
DELETE FROM leadroute.team WHERE name = 'east';
SELECT team, lead_member, lead, rule, candidates FROM list;
UPDATE lead SET stage = 'new' WHERE id = 5;
SELECT team, lead_member, lead, rule, candidates FROM list WHERE lead = '5';
SELECT leadroute.handover('bob'), leadroute.handover('dora', reason => 'has left');
SELECT lead, kind, rule, member FROM now;
SELECT load();

-- Forgotten, it leaves the list.
SET leadroute.routing = off;
DELETE FROM lead WHERE id = 3;
RESET leadroute.routing;
SELECT lead_key, leadroute.lead_data('lead', lead_key), candidates FROM leadroute.triage WHERE lead_key = '3';
SELECT leadroute.forget('lead', 3) > 0 AS forgotten;
SELECT lead FROM list;

-- A document has who decides, whatever comes first.
UPDATE leadroute.team SET lead_member = 'dora' WHERE name = 'sales';
SELECT leadroute.export_config() -> 'team' @> '[{"name": "sales", "lead_member": "dora"}]' AS exported;
BEGIN;
SELECT table_name, new ->> 'name' AS name FROM leadroute.import_config(leadroute.export_config() || '{"rule": [], "team": [{"name": "new", "lead_member": "zoe"}], "member": [{"name": "zoe"}], "team_member": []}');
SELECT name, lead_member FROM leadroute.team ORDER BY 1;
ROLLBACK;
SELECT old ->> 'lead_member' AS old, new ->> 'lead_member' AS new FROM leadroute.config_history WHERE table_name = 'team' AND old ->> 'lead_member' IS DISTINCT FROM new ->> 'lead_member' AND old ->> 'name' = 'sales' ORDER BY at;
-- the member's name changes
UPDATE leadroute.member SET name = 'dorothea' WHERE name = 'dora';
SELECT name, lead_member FROM leadroute.team ORDER BY 1;

-- Cleared at once; nothing is left.
TRUNCATE lead;
SELECT count(*) FROM leadroute.pool_entry;
SELECT load();
DROP VIEW now, list;
DROP TABLE lead;
DROP FUNCTION load;
DROP EXTENSION leadroute CASCADE;
DROP SCHEMA leadroute;
DROP OWNED BY regress_leadroute_lea, regress_leadroute_bob, regress_leadroute_manager, regress_leadroute_analyst, regress_leadroute_app;
DROP ROLE regress_leadroute_lea, regress_leadroute_bob, regress_leadroute_manager, regress_leadroute_analyst, regress_leadroute_app;
