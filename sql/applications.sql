-- What applications and their tools do beside plain INSERTs: statements prepared
-- before a table is attached, an empty search_path, row security, a restore that
-- has lost the configuration.  Real clients: test/t/13*.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE ROLE regress_leadroute_app;
CREATE SCHEMA crm;
CREATE TABLE crm.users (id integer PRIMARY KEY, name text NOT NULL);
INSERT INTO crm.users VALUES (1, 'anna'), (2, 'bruno');
CREATE TABLE crm.leads (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	company text,
	stage text NOT NULL DEFAULT 'new',
	owner_id integer REFERENCES crm.users);
CREATE FUNCTION crm.is_big(text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN $1 LIKE 'Big%';
CREATE VIEW wrong AS SELECT count(*) AS wrong FROM leadroute.verify();

\echo == plans that a session has cached: attach and detach change no column
PREPARE save (text) AS INSERT INTO crm.leads (company) VALUES ($1) RETURNING *;
PREPARE put (integer) AS UPDATE crm.leads SET stage = 'talking' WHERE id = $1 RETURNING *;
SET plan_cache_mode = force_generic_plan;
EXECUTE save ('before');
EXECUTE put (1);
SET search_path = crm, public;
SELECT leadroute.attach('leads', 'owner_id', closed_when => $$stage = 'won'$$) IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, owner_value) SELECT name, id FROM users;
INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES ('big', 1, 'is_big(company)', $$'bruno'$$), ('rest', 9, NULL, NULL);
RESET search_path;
EXECUTE save ('attached');
EXECUTE put (2);
SELECT leadroute.detach('leads') IS NOT NULL AS detached;
EXECUTE save ('detached');
EXECUTE put (3);
SELECT leadroute.attach('crm.leads', 'owner_id', closed_when => $$stage = 'won'$$) IS NOT NULL AS attached;
EXECUTE save ('attached again');
EXECUTE put (4);
RESET plan_cache_mode;
TABLE wrong;

\echo == an empty search_path, as restore and apply workers have it
SET search_path = '';
INSERT INTO crm.leads (company) VALUES ('Big one'), ('small one') RETURNING id, owner_id;
UPDATE crm.leads SET stage = 'won' WHERE id = 5 RETURNING stage, owner_id;
UPDATE crm.leads SET owner_id = NULL WHERE id = 6 RETURNING owner_id;
DELETE FROM crm.leads WHERE id = 5;
COPY crm.leads (company) FROM stdin;
Big copy
\.
SELECT owner_id FROM crm.leads WHERE company = 'Big copy';
SELECT leadroute.assign('leads', 7, 'anna') IS NOT NULL AS assigned;
CALL leadroute.route_all('leads', again => true);
SELECT leadroute.why('leads', 5) IS NOT NULL AS explained LIMIT 1;
SELECT count(*) FROM crm.leads WHERE owner_id IS NULL;
RESET search_path;
TABLE wrong;

\echo == row security: the owner decides who sees the lead, also within RETURNING
GRANT USAGE ON SCHEMA crm TO regress_leadroute_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.leads TO regress_leadroute_app;
ALTER TABLE crm.leads ENABLE ROW LEVEL SECURITY;
CREATE POLICY put ON crm.leads FOR INSERT TO regress_leadroute_app WITH CHECK (true);
CREATE POLICY mine ON crm.leads TO regress_leadroute_app USING (owner_id = current_setting('crm.me')::integer);
SET crm.me = '1';
SET ROLE regress_leadroute_app;
INSERT INTO crm.leads (company) VALUES ('Big secret');
INSERT INTO crm.leads (company) VALUES ('Big secret, returned') RETURNING owner_id;
RESET ROLE;
SELECT company, owner_id FROM crm.leads WHERE company LIKE 'Big secret%';
-- as the README has it
CREATE POLICY intake ON crm.leads FOR SELECT TO regress_leadroute_app USING (true);
SET ROLE regress_leadroute_app;
INSERT INTO crm.leads (company) VALUES ('Big and shown') RETURNING owner_id;
-- what is another's is changed by nobody else all the same
UPDATE crm.leads SET stage = 'won' WHERE company LIKE 'Big %' RETURNING company;
RESET ROLE;
ALTER TABLE crm.leads DISABLE ROW LEVEL SECURITY;
TABLE wrong;

\echo == triggers without configuration, which a restore may leave: problem tells
CREATE TABLE crm.forms (id integer, owner_id integer, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE crm.forms_1 PARTITION OF crm.forms FOR VALUES FROM (1) TO (100);
SELECT leadroute.attach('crm.forms', 'owner_id', router => 'forms') IS NOT NULL AS attached;
SELECT subject FROM leadroute.problem WHERE what = 'not_attached';
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM leadroute.routed_table WHERE name = 'forms';
SELECT severity, subject, detail, what_to_do FROM leadroute.problem WHERE what = 'not_attached';
ROLLBACK;
SELECT leadroute.detach('forms') IS NOT NULL AS detached;
SELECT subject FROM leadroute.problem WHERE what = 'not_attached';

DROP SCHEMA crm CASCADE;
DROP VIEW wrong;
DROP EXTENSION leadroute;
DROP ROLE regress_leadroute_app;
