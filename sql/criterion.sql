-- Criteria and thresholds: what is refused, what each kind says, errors.
\set SHOW_CONTEXT never
CREATE EXTENSION leadroute;
CREATE TABLE lead (id serial PRIMARY KEY, email text, budget numeric, role text, need jsonb, owner text);
CREATE TABLE signup (email text PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name) VALUES ('ann'), ('bob');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
CREATE VIEW decided AS SELECT lead_key AS lead, member, kind, reason, score, detail FROM leadroute.assignment ORDER BY id;

-- thresholds the wrong way round, or no numbers
UPDATE leadroute.router SET nurture_at = 30;
UPDATE leadroute.router SET qualify_at = 30, nurture_at = 60;
UPDATE leadroute.router SET qualify_at = 30, nurture_at = 30;
UPDATE leadroute.router SET qualify_at = 'NaN';
UPDATE leadroute.router SET qualify_at = 30, nurture_at = '-Infinity';
INSERT INTO leadroute.router (name, nurture_at) VALUES ('other', 1);

-- criteria that cannot work
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('x', 'scoring', 'true');
INSERT INTO leadroute.criterion (name, condition) VALUES ('x', 'true');
INSERT INTO leadroute.criterion (name, kind, condition, points) VALUES ('x', 'require', 'true', 5);
INSERT INTO leadroute.criterion (name, kind) VALUES ('x', 'require');
INSERT INTO leadroute.criterion (name, kind) VALUES ('x', 'quarantine');
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('x', 'disqualify', 'budgit < 5');
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('x', 'disqualify', 'budget');
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('x', 'disqualify', 'random() < 0.5');
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('x', 'disqualify', 'EXISTS (SELECT FROM signup)');
INSERT INTO leadroute.criterion (name, points) VALUES ('x', 'role');
INSERT INTO leadroute.criterion (name, points) VALUES ('x', 'budget +');
INSERT INTO leadroute.criterion (name, points, routed_table) VALUES ('x', '1', 'none');
INSERT INTO leadroute.criterion (router, name, points) VALUES ('none', 'x', '1');
INSERT INTO leadroute.criterion (name, points) VALUES ('', '1');

-- BANT: each kind, alone and together
UPDATE leadroute.router SET qualify_at = 60, nurture_at = 30;
INSERT INTO leadroute.criterion (name, condition, points) VALUES
	('budget', 'budget >= 10000', 25),
	('authority', $$role IN ('CEO', 'head of sales')$$, 25),
	('need', $$need ->> 'project' IS NOT NULL$$, 25),
	('timing', NULL, $$CASE need ->> 'when' WHEN 'now' THEN 25 WHEN 'this year' THEN 10.5 END$$);
INSERT INTO leadroute.criterion (name, kind, condition) VALUES
	('has an address', 'require', 'email IS NOT NULL'),
	('competitor', 'disqualify', $$email LIKE '%@rival.example'$$),
	('odd budget', 'quarantine', 'budget < 0');
INSERT INTO lead (email, budget, role, need) VALUES
	('a@a.example', 20000, 'CEO', '{"project": "crm", "when": "now"}'),
	('b@a.example', 20000, 'CEO', '{"when": "this year"}'),
	('c@a.example', 20000, NULL, '{"when": "this year"}'),
	('d@a.example', 20000, NULL, NULL),
	('e@a.example', NULL, NULL, NULL),
	(NULL, 20000, 'CEO', '{"project": "crm", "when": "now"}'),
	('f@rival.example', 20000, 'CEO', '{"project": "crm", "when": "now"}'),
	(NULL, -1, 'CEO', NULL)
	RETURNING id, owner;
SELECT * FROM decided;
SELECT sentence FROM leadroute.lead_history ORDER BY id;
SELECT * FROM leadroute.verify();
-- explain says what each gave
SELECT * FROM leadroute.explain('lead', 3);
SELECT jsonb_pretty(explain::jsonb -> 'qualification') FROM leadroute.explain('lead', 8, format => 'json');
SELECT * FROM leadroute.explain_lead('lead', '{"email": "n@a.example", "budget": 99999, "role": "CEO"}', members => 0);
-- a lead whose owner is given is not judged
INSERT INTO lead (email, owner) VALUES (NULL, 'bob');
SELECT * FROM decided OFFSET 8;

-- a sum of decimals is exact, the threshold included
BEGIN;
UPDATE leadroute.criterion SET enabled = false;
INSERT INTO leadroute.criterion (name, points) SELECT 'tenth ' || n, '0.1' FROM generate_series(1, 8) n;
UPDATE leadroute.router SET qualify_at = 0.8, nurture_at = NULL;
INSERT INTO lead DEFAULT VALUES;
UPDATE leadroute.router SET qualify_at = 0.800001;
INSERT INTO lead DEFAULT VALUES;
SELECT * FROM decided OFFSET 9;
ROLLBACK;
-- negative points; without thresholds the score is noted and keeps nobody back
BEGIN;
UPDATE leadroute.router SET qualify_at = NULL, nurture_at = NULL;
INSERT INTO leadroute.criterion (name, condition, points) VALUES ('free mail', $$email LIKE '%@gmail.com'$$, -40);
INSERT INTO lead (email) VALUES ('x@gmail.com');
SELECT * FROM decided OFFSET 9;
ROLLBACK;
-- thresholds alone: nothing scores
BEGIN;
DELETE FROM leadroute.criterion;
INSERT INTO lead DEFAULT VALUES;
UPDATE leadroute.router SET qualify_at = 0, nurture_at = -5;
INSERT INTO lead DEFAULT VALUES;
SELECT * FROM decided OFFSET 9;
ROLLBACK;

-- errors cost the criterion, not the lead
BEGIN;
UPDATE leadroute.criterion SET enabled = false;
INSERT INTO leadroute.criterion (name, kind, condition) VALUES
	('e1', 'require', '1 / budget > 0'), ('e2', 'disqualify', '1 / budget > 0'), ('e3', 'quarantine', '1 / budget > 0');
INSERT INTO leadroute.criterion (name, condition, points) VALUES
	('e4', '1 / budget > 0', 1000), ('e5', NULL, '1 / budget'), ('e6', NULL, $$'NaN'::float8 + budget$$), ('e7', NULL, 'budget + 2e9'),
	('good', NULL, 60);
INSERT INTO lead (budget) VALUES (0);
SELECT * FROM decided OFFSET 9;
SELECT what, subject, detail FROM leadroute.problem ORDER BY 1, 2;
SELECT e.payload FROM leadroute.event e ORDER BY id;
SELECT * FROM leadroute.explain('lead', (SELECT max(id) FROM lead), members => 0);
ROLLBACK;
-- a column that is gone
BEGIN;
ALTER TABLE lead DROP COLUMN role;
INSERT INTO lead (email, budget, need) VALUES ('g@a.example', 20000, '{"project": "crm", "when": "now"}');
SELECT * FROM decided OFFSET 9;
SELECT what, subject, detail, what_to_do FROM leadroute.problem ORDER BY 1, 2;
ROLLBACK;
-- a function that raises, and one that changes leads
CREATE FUNCTION score_of(email text) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF email IS NULL THEN
		RAISE EXCEPTION 'no address';
	END IF;
	RETURN 70;
END $$;
BEGIN;
DELETE FROM leadroute.criterion;
INSERT INTO leadroute.criterion (name, points) VALUES ('by function', 'score_of(email)');
INSERT INTO lead (email) VALUES ('h@a.example'), (NULL), ('i@a.example') RETURNING owner IS NOT NULL AS owned;
SELECT * FROM decided OFFSET 9;
ROLLBACK;

-- for one table; tables that come later; detach
INSERT INTO leadroute.criterion (name, kind, condition, routed_table) VALUES ('only lead', 'disqualify', 'budget < 5', 'lead');
SELECT leadroute.attach('signup', 'owner');
DELETE FROM leadroute.criterion WHERE name IN ('authority', 'budget', 'need', 'timing', 'odd budget');
SELECT leadroute.attach('signup', 'owner');
INSERT INTO leadroute.criterion (name, points) VALUES ('any', 60);
INSERT INTO signup VALUES ('s@a.example'), ('s@rival.example') RETURNING owner IS NOT NULL AS owned;
SELECT kind, reason, score, detail FROM leadroute.assignment WHERE routed_table = 'signup' ORDER BY id;
SELECT leadroute.detach('lead');
UPDATE leadroute.criterion SET enabled = false WHERE name = 'any';
-- names, history, documents
UPDATE leadroute.criterion SET name = 'rival' WHERE name = 'competitor';
SELECT table_name, old ->> 'name' AS name, new ->> 'name' AS new_name FROM leadroute.config_history
	WHERE table_name = 'criterion' AND old ->> 'name' IN ('competitor', 'any') ORDER BY at;
SELECT leadroute.export_config() -> 'criterion' -> 2;
SELECT leadroute.import_config(jsonb_set(leadroute.export_config(), '{criterion,0,enabled}', 'true'));
SELECT leadroute.import_config('{"leadroute": 1, "criterion": [{"name": "bad", "kind": "require", "condition": "nothing = 1"}]}');
SELECT criterion_error FROM leadroute.criterion_error('lead', 'rival', 'lead');
SELECT * FROM leadroute.verify();
SET client_min_messages = warning;
DROP TABLE lead, signup CASCADE;
DROP FUNCTION score_of(text);
DROP EXTENSION leadroute CASCADE;
