-- explain_lead: a lead that does not exist yet; explain's arguments; each thing
-- that can become of a rule; bad input; who is told what.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
CREATE EXTENSION leadroute;
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE FUNCTION as_whom(text) RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN $1 || ' ' || current_user; END$$;
CREATE TABLE lead (
	id serial PRIMARY KEY,
	gone integer,
	country varchar(2) DEFAULT 'DE',
	n integer DEFAULT 2 + 3,
	size positive,
	tags text[],
	doc jsonb,
	mail text,
	domain text GENERATED ALWAYS AS (split_part(mail, '@', 2)) STORED,
	luck float DEFAULT random(),
	entered_by text DEFAULT current_user,
	computed_by text DEFAULT as_whom('default'),
	open boolean NOT NULL DEFAULT true,
	owner text);
ALTER TABLE lead DROP COLUMN gone;
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open');
INSERT INTO leadroute.member (name, capacity) VALUES ('anna', NULL), ('bruno', 1), ('chiara', 0), ('dora', NULL), ('emil', NULL);
UPDATE leadroute.member SET active = false WHERE name = 'dora';
INSERT INTO leadroute.absence (member, during) VALUES ('emil', '[2001-01-01, 2901-03-01)');
INSERT INTO leadroute.team (name) VALUES ('few'), ('nobody');
INSERT INTO leadroute.team_member (team, member) VALUES ('few', 'chiara'), ('few', 'emil');
INSERT INTO leadroute.rule (name, priority, condition, team, enabled, percent, valid, overflow) VALUES
	('country', 1, $$country IN ('AT', 'CH') AND n BETWEEN 3 AND 9$$, 'few', true, 100, NULL, 'next_rule'),
	('range', 2, 'n > 7 AND n <= 20', NULL, true, 100, NULL, 'next_rule'),
	('prefix', 2, $$mail LIKE 'info@%' AND (country = 'DE' OR country IS NULL)$$, NULL, true, 100, NULL, 'next_rule'),
	('raises', 3, 'n <> 1 AND 10 / (n - 5) > 1', NULL, true, 100, NULL, 'next_rule'),
	('off', 3, 'n = 5', 'few', false, 100, NULL, 'next_rule'),
	('past', 4, 'n = 5', NULL, true, 100, '[,2001-01-01)', 'next_rule'),
	('some', 5, 'n = 5', NULL, true, 0.001, NULL, 'next_rule'),
	('domain', 6, $$domain = 'x.de'$$, 'few', true, 100, NULL, 'next_rule'),
	('empty', 7, NULL, 'nobody', true, 100, NULL, 'next_rule'),
	('few', 8, NULL, 'few', true, 100, NULL, 'next_rule'),
	('closed', 8, 'NOT open', 'few', true, 100, NULL, 'none'),
	('all', 100, NULL, NULL, true, 100, NULL, 'next_rule'),
	('later', 200, 'n = 17', NULL, true, 100, NULL, 'next_rule');
INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES ('named', 7, 'n = 5', 'mail');

\echo '== everything that can become of a rule'
SELECT leadroute.explain_lead('lead', '{"id": 7, "mail": "hans@x.de"}');
\echo '== without its key; the first rules only'
SELECT leadroute.explain_lead('lead', '{"mail": "hans@x.de", "open": false}', rules => 3, members => 1);
SELECT leadroute.explain_lead('lead', '{"mail": "hans@x.de"}', rule => 'some');
BEGIN;
UPDATE leadroute.rule SET percent = 99.999 WHERE name = 'some';
SELECT leadroute.explain_lead('lead', '{"mail": "hans@x.de"}', rule => 'some');
SELECT leadroute.explain_lead('lead', '{"mail": "hans@x.de", "id": 7}', rule => 'some');
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, method) VALUES ('by chance', 'random');
SELECT leadroute.explain_lead('lead', '{"id": 7}');
SELECT regexp_replace(e, 'assigned to ".*"', 'assigned to somebody') FROM leadroute.explain_lead('lead', '{}') e WHERE e ~ 'Result';
ROLLBACK;
\echo '== one rule: each part; one that comes later, that is disabled, for another table'
SELECT leadroute.explain_lead('lead', '{"id": 7, "mail": "info@x.de", "country": "AT"}', rule => 'prefix');
SELECT leadroute.explain_lead('lead', '{"id": 7, "n": 17}', rule => 'later');
SELECT leadroute.explain_lead('lead', '{"id": 7}', rule => 'off');
CREATE TABLE other (LIKE lead INCLUDING DEFAULTS INCLUDING GENERATED, PRIMARY KEY (id));
SELECT leadroute.attach('other', 'owner', router => 'lead');
INSERT INTO leadroute.rule (name, condition, routed_table) VALUES ('others', 'n = 3', 'other');
SELECT leadroute.explain_lead('lead', '{"id": 7}', rule => 'others');
DELETE FROM leadroute.rule WHERE name = 'others';
SELECT leadroute.detach('other');
DROP TABLE other;
\echo '== where a condition is split'
BEGIN;
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, condition) VALUES ('split',
	$$country = ' AND ' /* AND */ OR n = 1$$), ('and', $$country <> ' AND ' /* and */ And CASE WHEN n = 5 AND true THEN n BETWEEN 1 AND 9 AND open END AND
	n BETWEEN 1 AND 9 AND n NOT BETWEEN SYMMETRIC 8 AND 7 and (n = 5 AND (lead).n = 4) AND "lead"."open" -- and
	$$);
SELECT jsonb_path_query(leadroute.explain_lead('lead', '{"id": 7}', 'json')::jsonb, '$.rules[*].parts[*]') - 'values';
SELECT jsonb_path_query(leadroute.explain_lead('lead', '{"id": 7}', 'json', rule => 'and')::jsonb, '$.rules[*].parts[*]') - 'values';
SELECT jsonb_path_query(leadroute.explain_lead('lead', '{"id": 7, "n": 4}', 'json', rule => 'and')::jsonb, '$.rules[*].parts[*]');
ROLLBACK;
\echo '== many rules: few lines'
BEGIN;
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, priority, condition, enabled) SELECT 'r' || g, g % 3, 'n = ' || g, g % 100 <> 0 FROM generate_series(1, 3000) g;
SELECT leadroute.explain_lead('lead', '{"id": 7, "n": 2001}', rules => 2);
SELECT count(*) FROM leadroute.explain_lead('lead', '{"id": 7, "n": 2001}');
SELECT leadroute.explain_lead('lead', '{"id": 7, "n": 2001}', rule => 'r2002');
ROLLBACK;
\echo '== a big team: few lines'
BEGIN;
INSERT INTO leadroute.member (name, capacity, active) SELECT 'm' || g, g % 3, g % 7 > 0 FROM generate_series(1, 500) g;
SELECT leadroute.explain_lead('lead', '{"id": 7, "country": "FR", "n": 1}', rule => 'all', members => 3);
ROLLBACK;
\echo '== timings, and json says the same'
SELECT leadroute.explain_lead('lead', '{"id": 7}', timings => true) ~ '^  Timings: finding rules [0-9.]+ us, evaluating [0-9.]+ us, choosing [0-9.]+ us$' AS line
	ORDER BY 1 DESC LIMIT 1;
SELECT key, value::text::numeric >= 0 FROM leadroute.explain_lead('lead', '{"id": 7}', 'json', timings => true) e, jsonb_each(e::jsonb -> 'timings') ORDER BY 1;
SELECT jsonb_pretty(leadroute.explain_lead('lead', '{"mail": "hans@x.de"}', 'json', rules => 4, members => 1)::jsonb);
\echo '== a row as an INSERT makes it: defaults, types, what is left out'
BEGIN;
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, condition) VALUES ('row', $$concat(entered_by, computed_by, tags, doc) = 'x' $$);
SELECT v FROM leadroute.explain_lead('lead', '{"tags": ["a", "b"], "doc": {"a": 1}}', 'json', rule => 'row') e, jsonb_path_query(e::jsonb, '$.rules[*].parts[*].values[*]') v;
CREATE ROLE regress_leadroute_asks;
SELECT leadroute.grant_to('regress_leadroute_asks', 'analyst');
SET ROLE regress_leadroute_asks;
-- current_user is who asks, the code of a default runs as the table's owner
SELECT v FROM leadroute.explain_lead('lead', '{}', 'json', rule => 'row') e, jsonb_path_query(e::jsonb, '$.rules[*].parts[*].values[*]') v;
RESET ROLE;
SELECT j -> 'not_computed' FROM leadroute.explain_lead('lead', '{"luck": null}', 'json') e, LATERAL (SELECT e::jsonb) j (j);
-- what was given for a generated column does not count
UPDATE leadroute.rule SET condition = $$domain = 'x.de'$$;
SELECT leadroute.explain_lead('lead', '{"mail": "a@y.de", "domain": "x.de"}');
-- a sequence is not touched, an owner is kept
SELECT leadroute.explain_lead('lead', '{"id": 8, "owner": "zoe"}') LIMIT 2;
INSERT INTO lead DEFAULT VALUES RETURNING id;
-- no router
UPDATE leadroute.router SET enabled = false;
SELECT leadroute.explain_lead('lead', '{"id": 8}');
ROLLBACK;
\echo '== a partitioned table, a key of two columns, several routers'
CREATE TYPE stage AS ENUM ('new', 'won');
CREATE TABLE plead (org integer, id bigint GENERATED ALWAYS AS IDENTITY, country text, stage stage DEFAULT 'new', upper text GENERATED ALWAYS AS (upper(country)) STORED,
	owner text, PRIMARY KEY (org, id)) PARTITION BY LIST (org);
CREATE TABLE plead_1 (owner text, country text, org integer NOT NULL, id bigint NOT NULL, stage stage DEFAULT 'won', upper text GENERATED ALWAYS AS (upper(country)) STORED);
ALTER TABLE plead ATTACH PARTITION plead_1 FOR VALUES IN (1);
INSERT INTO leadroute.router (name) VALUES ('1');
-- the other router's rules are not for it
SET client_min_messages = error;
SELECT leadroute.attach('plead', 'owner', router_expr => 'org');
SET client_min_messages = warning;
INSERT INTO leadroute.member (router, name) VALUES ('1', 'zoe');
INSERT INTO leadroute.rule (router, name, condition) VALUES ('1', 'upper', $$upper = 'DE' AND stage = 'new'$$), ('1', 'won', $$stage = 'won' AND (plead).country > 'A'$$);
INSERT INTO plead (org, country) VALUES (1, 'fr');
SELECT leadroute.explain_lead('plead', '{"org": 1, "country": "de"}');
SELECT leadroute.explain_lead('plead', (SELECT to_jsonb(p) FROM plead p)) EXCEPT SELECT 'New lead' || substr(e, 5) FROM leadroute.explain('plead', ROW(1, 1)) WITH ORDINALITY x (e, i) WHERE i = 1
	EXCEPT SELECT leadroute.explain('plead', '(1,1)');
SELECT leadroute.explain_lead('plead', '{"org": 7, "id": 1}');
SELECT leadroute.explain_lead('plead', '{"org": 7}');
DROP TABLE plead;
SELECT leadroute.detach('plead');
DELETE FROM leadroute.rule WHERE router = '1';
DELETE FROM leadroute.member WHERE router = '1';
DELETE FROM leadroute.router WHERE name = '1';
DROP TYPE stage;
\echo '== bad input'
SELECT leadroute.explain_lead('nothing', '{}');
SELECT leadroute.explain_lead('lead', '[]');
SELECT leadroute.explain_lead('lead', '"id"');
SELECT leadroute.explain_lead('lead', '{"id": 1');
SELECT leadroute.explain_lead('lead', '{"contry": "DE"}');
SELECT leadroute.explain_lead('lead', '{"gone": 1}');
SELECT leadroute.explain_lead('lead', '{"": 1}');
SELECT leadroute.explain_lead('lead', jsonb_build_object(repeat('x', 300), 1));
SELECT leadroute.explain_lead('lead', '{"ctid": "(0,1)"}');
\set SHOW_CONTEXT errors
SELECT leadroute.explain_lead('lead', '{"country": "DE", "n": "five"}');
\set SHOW_CONTEXT never
SELECT leadroute.explain_lead('lead', '{"country": "Germany"}');
SELECT leadroute.explain_lead('lead', '{"size": -1}');
SELECT leadroute.explain_lead('lead', '{"tags": "a"}');
SELECT leadroute.explain_lead('lead', '{}', 'xml');
SELECT leadroute.explain_lead('lead', '{}', rules => -1);
SELECT leadroute.explain_lead('lead', '{}', members => -1);
SELECT leadroute.explain_lead('lead', '{}', rule => 'nothing');
SELECT leadroute.explain_lead('lead', NULL);
SELECT leadroute.explain_lead(NULL, '{}');
SELECT leadroute.explain_lead('lead', '{}', rules => NULL);
CREATE FUNCTION nosy(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN PERFORM leadroute.explain_lead('lead', '{}'); RETURN true; END$$;
INSERT INTO leadroute.rule (name, priority, condition) VALUES ('nosy', -1, 'nosy(n)');
SELECT leadroute.explain_lead('lead', '{}', rule => 'nosy');
DELETE FROM leadroute.rule WHERE name = 'nosy';

\echo '== who is told what'
CREATE ROLE regress_leadroute_analyst;
CREATE ROLE regress_leadroute_rep;
GRANT USAGE ON SCHEMA public TO PUBLIC;
SELECT leadroute.grant_to('regress_leadroute_analyst', 'analyst'), leadroute.grant_to('regress_leadroute_rep', 'rep');
DELETE FROM leadroute.rule WHERE name NOT IN ('raises', 'domain', 'all');
INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES ('text', 4, 'mail::integer > 1', NULL), ('named', 5, 'n = 5', 'mail'), ('two', 5, 'n = 5 AND size = 3 AND n = 6', NULL);
INSERT INTO lead (id, mail) VALUES (1, 'secret@x.de'), (2, 'hidden@x.de');
SELECT leadroute.explain('lead', 1);
SET ROLE regress_leadroute_rep;
SELECT leadroute.explain('lead', 1);
SELECT leadroute.explain_lead('lead', '{}');
SET ROLE regress_leadroute_analyst;
-- not even that a lead exists
SELECT leadroute.explain('lead', 1);
SELECT leadroute.explain('lead', 4711);
SELECT count(*) > 5 AS of_his_own FROM leadroute.explain_lead('lead', '{"mail": "of my own"}');
RESET ROLE;
-- the columns that he may read
GRANT SELECT (id, n, country) ON lead TO regress_leadroute_analyst;
SET ROLE regress_leadroute_analyst;
BEGIN READ ONLY;
SELECT leadroute.explain('lead', 1);
SELECT leadroute.explain('lead', 1, 'json') ~ 'secret|x\.de"|@' AS told, leadroute.explain('lead', 1, 'json')::jsonb ->> 'owner' AS owner;
-- whether a later part was evaluated would tell
SELECT leadroute.explain('lead', 1, rule => 'two');
COMMIT;
RESET ROLE;
-- the rows that he may see
ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON lead FOR SELECT TO regress_leadroute_analyst USING (id = 1);
GRANT SELECT ON lead TO regress_leadroute_analyst;
SET ROLE regress_leadroute_analyst;
SELECT count(*) > 5 AS visible FROM leadroute.explain('lead', 1);
\set VERBOSITY default
SELECT leadroute.explain('lead', 2);
SELECT leadroute.explain('lead', 4711);
RESET ROLE;
SELECT count(*) > 5 AS owner_sees FROM leadroute.explain('lead', 2);
-- operators in front of the server's own mean nothing
CREATE FUNCTION lie(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE SCHEMA trap;
CREATE OPERATOR trap.= (FUNCTION = lie, LEFTARG = integer, RIGHTARG = integer);
GRANT USAGE ON SCHEMA trap TO PUBLIC;
SET ROLE regress_leadroute_analyst;
SET search_path = trap, pg_catalog, public;
SELECT leadroute.explain('lead', 2);
RESET search_path;
RESET ROLE;
DROP SCHEMA trap CASCADE;

DROP OWNED BY regress_leadroute_analyst, regress_leadroute_rep;
DROP ROLE regress_leadroute_analyst, regress_leadroute_rep;
DROP TABLE lead;
DROP FUNCTION as_whom, nosy, lie;
DROP DOMAIN positive;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
