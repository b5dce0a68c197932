-- best_match: the highest member_rank first, NULL, NaN and errors last; then the
-- longest without a lead, then the order of the team.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL DEFAULT 'a', product text, amount integer, open boolean NOT NULL DEFAULT true, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open') IS NOT NULL AS attached;
CREATE FUNCTION got(n integer, kind text, product text DEFAULT NULL, amount integer DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	WITH i AS (INSERT INTO lead (kind, product, amount) SELECT got.kind, got.product, got.amount FROM generate_series(1, n) RETURNING id, owner)
	SELECT string_agg(coalesce(owner, '-'), ' ' ORDER BY id) FROM i;
$$;
INSERT INTO leadroute.member (name, attributes) VALUES
	('ann', '{"car": 3, "house": 1}'), ('bob', '{"car": 1, "house": 3}'), ('cid', '{"car": 3}'), ('dan', '{}');
INSERT INTO leadroute.team (name) VALUES ('sales');
INSERT INTO leadroute.team_member (team, member, position) SELECT 'sales', name, row_number() OVER (ORDER BY name DESC) FROM leadroute.member;
-- refused
INSERT INTO leadroute.rule (name, team, method) VALUES ('match', 'sales', 'best_match');
INSERT INTO leadroute.rule (name, team, method, member_rank) VALUES ('match', 'sales', 'best_match', 'member.name');
INSERT INTO leadroute.rule (name, team, method, member_rank) VALUES ('match', 'sales', 'best_match', 'member.level');

INSERT INTO leadroute.rule (name, condition, team, method, member_rank)
	VALUES ('match', $$kind = 'a'$$, 'sales', 'best_match', '(member.attributes ->> lead.product)::integer');
-- the best for the lead; two with the same rank in the order of the team, then in
-- turn by who has been without for longest
SELECT got(4, 'a', 'car');
SELECT got(2, 'a', 'house');
-- nobody has a rank: all the same
SELECT got(5, 'a', 'boat');
SELECT got(3, 'a');
SELECT s.sentence FROM leadroute.lead_history s ORDER BY id DESC LIMIT 1;
-- within limits
UPDATE leadroute.member SET capacity = 1 WHERE name = 'bob';
UPDATE lead SET open = false;
SELECT got(3, 'a', 'house');
SELECT s.sentence FROM leadroute.lead_history s ORDER BY id DESC LIMIT 1;
UPDATE leadroute.member SET capacity = NULL;
-- An error for one member costs this member its rank, and is told.
UPDATE leadroute.member SET attributes = '{"car": "many", "house": "NaN"}' WHERE name = 'cid';
SELECT got(3, 'a', 'car');
SELECT a.measure, a.detail FROM leadroute.assignment a ORDER BY id DESC LIMIT 1;
SELECT count(*), min(payload ->> 'error') AS error FROM leadroute.event WHERE kind = 'rule_error';
-- NaN is no rank, infinity is one
UPDATE leadroute.rule SET member_rank = $$(member.attributes ->> lead.product)::float8$$ WHERE name = 'match';
SELECT got(2, 'a', 'house');
UPDATE leadroute.member SET attributes = '{"house": "Infinity"}' WHERE name = 'dan';
SELECT got(2, 'a', 'house');
SELECT a.measure FROM leadroute.assignment a ORDER BY id DESC LIMIT 1;
UPDATE leadroute.member SET attributes = '{"house": "-Infinity"}' WHERE name = 'dan';
UPDATE leadroute.absence SET reason = NULL;
SELECT leadroute.pause(name) IS NOT NULL AS paused FROM leadroute.member WHERE name IN ('ann', 'bob');
SELECT got(2, 'a', 'house');
SELECT leadroute.resume(name) IS NOT NULL AS resumed FROM leadroute.member WHERE name IN ('ann', 'bob');
-- a changed attribute counts at once; so does one that is rolled back
BEGIN;
UPDATE leadroute.member SET attributes = '{"car": 100}' WHERE name = 'dan';
SELECT got(1, 'a', 'car');
ROLLBACK;
SELECT got(1, 'a', 'car');
-- with member_condition: of those who fit
UPDATE leadroute.rule SET member_condition = $$member.name <> 'ann'$$ WHERE name = 'match';
SELECT got(1, 'a', 'car');
UPDATE leadroute.rule SET member_condition = NULL WHERE name = 'match';
-- by what changes with each lead
UPDATE leadroute.rule SET member_rank = '-member.open_leads' WHERE name = 'match';
UPDATE lead SET open = false;
SELECT got(9, 'a');
-- by what is measured: nothing yet
UPDATE leadroute.rule SET member_rank = 'member.conversion_rate' WHERE name = 'match';
SELECT got(4, 'a');
-- in explain
UPDATE leadroute.rule SET member_rank = '(member.attributes ->> lead.product)::integer' WHERE name = 'match';
SELECT leadroute.explain_lead('lead', '{"product": "car"}');
-- broken since: nobody has a rank, the leads go on
ALTER TABLE lead RENAME product TO thing;
INSERT INTO lead (thing) VALUES ('car'), ('car'), ('car'), ('car') RETURNING owner;
SELECT a.measure, a.detail FROM leadroute.assignment a ORDER BY id DESC LIMIT 1;
-- what is remembered is what an evaluation for every member says
ALTER TABLE lead RENAME thing TO product;
SET leadroute.check_picks = on;
SELECT md5(string_agg(got(1, 'a', (ARRAY['car', 'house', 'boat'])[1 + g % 3], g % 7), ' ' ORDER BY g)) IS NOT NULL AS same FROM generate_series(1, 100) g;
SELECT * FROM leadroute.verify();
DROP TABLE lead;
DROP FUNCTION got;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
