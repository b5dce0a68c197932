-- Configuration mistakes are refused when they are saved, with the place and a
-- hint; what breaks later costs a rule, never a lead.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (
	id integer PRIMARY KEY, country text, amount numeric, n integer, email varchar(100),
	tags text[], data jsonb, at timestamptz DEFAULT '2020-01-01 UTC', owner integer);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, owner_value) VALUES ('a', '1'), ('b', '2'), ('c', '3');
INSERT INTO leadroute.team (name) VALUES ('a'), ('b'), ('c');
INSERT INTO leadroute.team_member (team, member) VALUES ('a', 'a'), ('b', 'b'), ('c', 'c');

-- Refused: none of these is saved.  The rule concerned is in the context.
\set SHOW_CONTEXT errors
INSERT INTO leadroute.rule (name, condition) VALUES ('context', $$country = 'DE' AND n >$$);
\set SHOW_CONTEXT never
INSERT INTO leadroute.rule (name, condition) VALUES ('syntax', $$country = 'DE' AND AND n > 1$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('half', $$country = $$);
INSERT INTO leadroute.rule (name, condition) VALUES ('quote', $$country = 'DE$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('two', $$true; DROP TABLE lead$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('closed bracket', $$true) OR (true$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('empty', '');
INSERT INTO leadroute.rule (name, condition) VALUES ('blank', '  ');
INSERT INTO leadroute.rule (name, condition) VALUES ('unknown column', $$n > 1 AND contry = 'DE'$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('unknown function', $$tolower(country) = 'de'$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('operator', $$country > 1$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('not boolean', 'n + 1');
INSERT INTO leadroute.rule (name, condition) VALUES ('literal', $$n = 'one'$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('volatile', 'random() < 0.5');
INSERT INTO leadroute.rule (name, condition) VALUES ('volatile deep', $$n > 1 OR (country = 'DE' AND at < clock_timestamp())$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('sub-select', 'n IN (SELECT 1)');
INSERT INTO leadroute.rule (name, condition) VALUES ('exists', 'EXISTS (SELECT FROM pg_class)');
INSERT INTO leadroute.rule (name, condition) VALUES ('aggregate', 'count(*) > 1');
INSERT INTO leadroute.rule (name, condition) VALUES ('window', 'row_number() OVER () > 1');
INSERT INTO leadroute.rule (name, condition) VALUES ('set', 'generate_series(1, 2) = 1');
INSERT INTO leadroute.rule (name, condition) VALUES ('parameter', '$1 = 1');
INSERT INTO leadroute.rule (name, condition) VALUES ('other table', $$pg_class.relname = 'x'$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('system column', $$ctid = '(0,1)'$$);
INSERT INTO leadroute.rule (name, method) VALUES ('method', 'roundrobin');
INSERT INTO leadroute.rule (name, overflow) VALUES ('overflow', 'wait');
INSERT INTO leadroute.rule (name, team) VALUES ('team', 'nobody');
INSERT INTO leadroute.rule (name, routed_table) VALUES ('table', 'nothing');
\set VERBOSITY terse
INSERT INTO leadroute.rule (name) VALUES ('');
\set VERBOSITY default
INSERT INTO leadroute.rule (router, name) VALUES ('nothing', 'router');
SELECT count(*) FROM leadroute.rule;
-- the same without raising; NULL: it is valid
SELECT leadroute.check_condition('lead', $$country = 'DE' AND AND n > 1$$);
SELECT leadroute.check_condition('lead', 'n IN (SELECT 1)');
SELECT leadroute.check_condition('lead', $$country = 'DE' AND n > 1$$) IS NULL AS valid;
SELECT leadroute.check_condition('nothing', 'true');

-- Valid, of many kinds.
INSERT INTO leadroute.rule (name, condition, team) VALUES
	('01', $$country IN ('DE', 'AT') AND n BETWEEN 1 AND 5$$, 'a'),
	('02', $$email LIKE '%@example.org'$$, 'b'),
	('03', $$tags @> ARRAY['vip']$$, 'c'),
	('04', $$data ->> 'source' = 'web' AND (data ->> 'budget')::numeric > 1000$$, 'a'),
	('05', $$at < now() - interval '100 years'$$, 'b'),
	('06', $$lead.country = 'lead'$$, 'b'),
	('07', $$country IS NULL AND coalesce(amount, 0) > 10$$, 'c'),
	('08', $$CASE WHEN n = 0 THEN country = 'zero' ELSE 100 / n = 7 END$$, 'a'),
	('09', $$country ~ '^[X-Z]' AND NOT country = 'XX'$$, 'b'),
	('10', $$country = 'trailing' -- a comment
	$$, 'c');
INSERT INTO lead (id, country, n, email, tags, data, amount) VALUES
	(1, 'DE', 3, NULL, NULL, NULL, NULL), (2, 'DE', 7, 'x@example.org', NULL, NULL, NULL), (3, 'DE', 7, '', '{vip}', NULL, NULL),
	(4, 'FR', 50, '', '{}', '{"source": "web", "budget": "2000"}', NULL), (5, 'lead', 50, '', '{}', '{}', NULL),
	(6, NULL, 50, '', '{}', '{}', 11), (7, 'x', 14, '', '{}', '{}', NULL), (8, 'YY', 50, '', '{}', '{}', NULL), (9, 'trailing', 50, NULL, NULL, NULL, NULL);
SELECT a.lead_key, a.rule, a.member, a.detail FROM leadroute.assignment a WHERE is_current ORDER BY a.id;
DELETE FROM leadroute.rule;

-- Weights
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('a', 'b', 0);
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('a', 'b', -1);
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('a', 'b', 'NaN');
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('a', 'b', 'Infinity');
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('a', 'b', 0.0000001);
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('a', 'b', NULL);
UPDATE leadroute.team_member SET weight = 0 WHERE team = 'a';
INSERT INTO leadroute.team_member (team, member) VALUES ('a', 'nobody');
-- Members
INSERT INTO leadroute.member (name) VALUES ('bad owner');
INSERT INTO leadroute.member (name, owner_value) VALUES ('bad owner', '99999999999');
INSERT INTO leadroute.member (name, owner_value) VALUES ('twin', '1');
INSERT INTO leadroute.member (name, owner_value) VALUES ('a', '9');
\set VERBOSITY terse
INSERT INTO leadroute.member (name, owner_value, capacity) VALUES ('d', '9', -1);
INSERT INTO leadroute.member (name, owner_value, attributes) VALUES ('d', '9', '[]');
\set VERBOSITY default
UPDATE leadroute.member SET owner_value = 'x' WHERE name = 'a';
INSERT INTO leadroute.absence (member, during) VALUES ('a', 'empty');
INSERT INTO leadroute.absence (member) VALUES ('nobody');
-- pause and resume
SELECT leadroute.pause('nobody');
SELECT leadroute.pause('a', '2001-01-01 00:00 UTC');
SELECT leadroute.pause('a', team => 'nothing');
SELECT leadroute.resume('nobody');
-- Calls
SELECT leadroute.route('nothing', 1);
SELECT leadroute.route('lead', 4711);
SELECT leadroute.route('lead', 'one');
SELECT leadroute.assign('lead', 1, 'nobody');
SELECT * FROM leadroute.explain('lead', 1, 'xml');
SELECT * FROM leadroute.explain('lead', 4711);
SELECT leadroute.detach('nothing');
UPDATE leadroute.routed_table SET name = 'other';
UPDATE leadroute.routed_table SET closed_when = 'nothing';

-- A rule with an error for some leads counts as not matching for these.
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES
	('division', 1, '100 / n > 50', 'a'),
	('cast', 2, $$(data ->> 'budget')::numeric > 10$$, 'b'),
	('rest', 3, NULL, 'c');
INSERT INTO lead (id, n, data) VALUES (21, 1, '{}'), (22, 0, '{"budget": 20}'), (23, 0, '{"budget": "much"}'), (24, 5, '{"budget": "1e500000"}'), (25, 5, '{}') RETURNING id, owner;
SELECT lead_key, rule, detail FROM leadroute.assignment WHERE lead_key::integer > 20 ORDER BY id;
-- in the feed too, once a minute a rule
SELECT r.name, e.payload ->> 'error' AS error FROM leadroute.event e JOIN leadroute.rule r ON r.id = (e.payload ->> 'rule')::integer
	WHERE e.kind = 'rule_error' ORDER BY r.name;
-- ... in one statement with failing conditions the transaction goes on
BEGIN;
SAVEPOINT s;
INSERT INTO lead (id, n) VALUES (26, 0);
INSERT INTO lead (id, n) VALUES (27, 0);
ROLLBACK TO s;
INSERT INTO lead (id, n) VALUES (28, 0) RETURNING owner;
COMMIT;
-- errors that are not the rule's: a timeout cancels the statement
CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN PERFORM pg_sleep(10); RETURN true; END$$;
INSERT INTO leadroute.rule (name, priority, condition) VALUES ('slow', 0, 'slow(n)');
BEGIN;
SET LOCAL statement_timeout = 50;
INSERT INTO lead (id, n) VALUES (29, 1);
ROLLBACK;
DELETE FROM leadroute.rule WHERE name = 'slow';
-- a function of the condition that is replaced by a failing one, or dropped
CREATE FUNCTION good(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('function', 0, 'good(n)', 'b');
INSERT INTO lead (id) VALUES (31) RETURNING owner;
CREATE OR REPLACE FUNCTION good(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RAISE EXCEPTION 'not today'; END$$;
INSERT INTO lead (id) VALUES (32) RETURNING owner;
DROP FUNCTION good;
INSERT INTO lead (id) VALUES (33) RETURNING owner;
SELECT lead_key, rule, detail FROM leadroute.assignment WHERE lead_key::integer IN (31, 32, 33) ORDER BY id;
-- a broken rule may be repaired or deleted, and others edited meanwhile
UPDATE leadroute.rule SET priority = 5 WHERE name = 'rest';
UPDATE leadroute.rule SET condition = 'true' WHERE name = 'function';
INSERT INTO lead (id) VALUES (34) RETURNING owner;
DELETE FROM leadroute.rule WHERE name IN ('function', 'cast');

-- Columns dropped, renamed, retyped under rules.
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES
	('country', 1, $$country = 'DE'$$, 'b'), ('amount', 2, 'amount > 100', 'a'), ('gone', 0, 'n > 1000', 'a');
INSERT INTO lead (id, country, amount) VALUES (41, 'DE', 0), (42, 'AT', 200) RETURNING owner;
ALTER TABLE lead RENAME COLUMN country TO land;
ALTER TABLE lead ALTER COLUMN amount TYPE text;
ALTER TABLE lead DROP COLUMN n;
INSERT INTO lead (id, land, amount) VALUES (43, 'DE', 0), (44, 'AT', 200) RETURNING owner;
SELECT lead_key, rule, detail FROM leadroute.assignment WHERE lead_key::integer IN (43, 44) ORDER BY id;
ALTER TABLE lead RENAME COLUMN land TO country;
ALTER TABLE lead ADD COLUMN n integer DEFAULT 2000;
ALTER TABLE lead ALTER COLUMN amount TYPE bigint USING amount::bigint;
INSERT INTO lead (id, country, amount, n) VALUES (45, 'DE', 0, 0), (46, 'AT', 200, 0), (47, 'AT', 0, 2000) RETURNING owner;
-- the owner column renamed: attach again; the key retyped
ALTER TABLE lead RENAME COLUMN owner TO rep;
SELECT leadroute.attach('lead', 'rep') IS NOT NULL AS attached;
INSERT INTO lead (id, country) VALUES (49, 'DE') RETURNING rep;
ALTER TABLE lead ALTER COLUMN id TYPE bigint;
INSERT INTO lead (id, country) VALUES (50, 'DE') RETURNING rep;
SELECT * FROM leadroute.verify();

-- The table renamed, moved to another schema, dropped under its rules.
CREATE SCHEMA other;
ALTER TABLE lead RENAME TO customer;
ALTER TABLE customer SET SCHEMA other;
INSERT INTO other.customer (id, country) VALUES (51, 'DE') RETURNING rep;
SELECT name, relation FROM leadroute.routed_table;
UPDATE leadroute.rule SET routed_table = 'lead' WHERE name = 'country';
DROP TABLE other.customer;
-- its rules can still be edited, others saved; the leads are gone
UPDATE leadroute.rule SET priority = 7 WHERE name = 'country';
INSERT INTO leadroute.rule (name, condition) VALUES ('new', 'whatever = 1');
INSERT INTO leadroute.member (name, owner_value) VALUES ('d', 'any');
SELECT leadroute.detach('lead');
DELETE FROM leadroute.rule WHERE routed_table = 'lead';
SELECT leadroute.detach('lead');
SELECT sum(load) FROM leadroute.member_counter();
SELECT * FROM leadroute.verify();

-- Of many rules that raise, the first are told about and the others counted;
-- what went wrong before the rules is told too, and a lead that is closed
-- already waits for nobody.
CREATE TABLE much (id integer PRIMARY KEY, n integer, done integer, owner text);
SELECT leadroute.attach('much', 'owner', router => 'much', closed_when => '10 / done > 1') IS NOT NULL AS attached;
INSERT INTO leadroute.rule (router, name, condition) SELECT 'much', format('r%s', lpad(i::text, 2, '0')), format('%s / n > 0', i) FROM generate_series(1, 20) i;
INSERT INTO much VALUES (1, 0, 0), (2, 0, 1), (3, 1, 0), (4, 1, 100) RETURNING id, owner;
SELECT lead_key, kind, rule, closed, replace(detail, ': division by zero', '!') AS detail FROM leadroute.assignment WHERE routed_table = 'much' ORDER BY 1;
SELECT lead_key FROM leadroute.pool_entry;
UPDATE much SET done = 1000 WHERE id = 2;
SELECT lead_key FROM leadroute.pool_entry ORDER BY 1;
DROP TABLE much;
SELECT leadroute.detach('much') IS NOT NULL AS detached;

DROP SCHEMA other;
DROP FUNCTION slow;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
