-- territory: the most specific area wins; team_expr and member_expr: the lead says who.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, country text, region text, zip text, n integer, manager text, owner integer);
SELECT leadroute.attach('lead', 'owner', router => 'r') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, owner_value) VALUES ('anna', 1), ('bruno', 2), ('chiara', 3), ('dora', 4);
INSERT INTO leadroute.team (name) VALUES ('country'), ('region'), ('prefix'), ('longer'), ('exact'), ('range'), ('narrow'), ('both'), ('inner');
INSERT INTO leadroute.territory (country, region, postal, postal_from, postal_to, team) VALUES
	('DE', NULL, NULL, NULL, NULL, 'country'),
	('DE', 'Bayern', NULL, NULL, NULL, 'region'),
	('DE', NULL, '8', NULL, NULL, 'prefix'),
	('DE', NULL, '803', NULL, NULL, 'longer'),
	('DE', NULL, '80331', NULL, NULL, 'exact'),
	('DE', NULL, NULL, '80000', '80999', 'range'),
	('DE', NULL, NULL, '80100', '80199', 'narrow'),
	('DE', 'Bayern', '8', NULL, NULL, 'both'),
	('gb', NULL, 'SW1A', NULL, NULL, 'prefix'),
	('GB', NULL, 'sw1a 1aa', NULL, NULL, 'exact'),
	('US', NULL, NULL, '100', '119', 'range'),
	('US', NULL, NULL, '1019', '1020', 'narrow');
INSERT INTO leadroute.territory (map, country, team) VALUES ('inside', 'DE', 'inner');
\pset null '-'
SELECT place, leadroute.territory('default', c, r, p) FROM (VALUES
	(1, 'DE', NULL, NULL), (2, 'DE', 'Bayern', NULL), (3, 'DE', 'Hessen', '10115'), (4, 'DE', NULL, '81111'), (5, 'DE', NULL, '80331'),
	(6, 'DE', NULL, '80332'), (7, 'DE', NULL, '80500'), (8, 'DE', NULL, '80150'), (9, 'DE', 'Bayern', '81111'), (10, 'DE', 'Bayern', '80150'),
	(11, 'DE', 'Bayern', '90000'), (12, ' de ', ' bayern', ' 8-0 331 '), (13, 'GB', NULL, 'SW1A1AA'), (14, 'GB', NULL, 'SW1A 2AA'), (15, 'GB', NULL, 'SW2'),
	(16, 'US', NULL, '10001-1234'), (17, 'US', NULL, '11999'), (18, 'US', NULL, '12000'), (19, 'US', NULL, '10195'), (20, 'US', NULL, '10'),
	(21, 'FR', NULL, NULL), (22, NULL, NULL, '80331'), (23, 'DE', '', ''), (24, 'DE', '%', '8%')) x (place, c, r, p) ORDER BY place;
SELECT leadroute.territory('inside', 'DE', NULL, '80331'), leadroute.territory('nowhere', 'DE', NULL, NULL), leadroute.territory(NULL, 'DE', NULL, NULL);

-- Refused.
\set VERBOSITY terse
INSERT INTO leadroute.territory (country, postal, postal_from, postal_to, team) VALUES ('DE', '1', '1', '2', 'range');
INSERT INTO leadroute.territory (country, postal_from, team) VALUES ('DE', '1', 'range');
INSERT INTO leadroute.territory (country, postal_from, postal_to, team) VALUES ('DE', '2', '1', 'range');
INSERT INTO leadroute.territory (country, postal_from, postal_to, team) VALUES ('DE', '1', '11', 'range');
INSERT INTO leadroute.territory (country, postal, team) VALUES ('DE', ' - ', 'range');
INSERT INTO leadroute.territory (country, team) VALUES ('', 'range');
INSERT INTO leadroute.territory (country, team) VALUES ('DE', 'country');
INSERT INTO leadroute.territory (country, team) VALUES ('FR', 'nobody');
\set VERBOSITY default

-- Random areas against the plain truth: of those that contain the code the one with the fewest codes.
DELETE FROM leadroute.territory;
SELECT setseed(0.42);
INSERT INTO leadroute.team (name) SELECT 't' || g FROM generate_series(1, 400) g;
CREATE TEMP TABLE area AS
	SELECT g, 't' || g AS team, CASE WHEN random() < 0.3 THEN (ARRAY['A', 'B'])[1 + (random() * 1.99)::integer / 2] END AS region,
		random() < 0.5 AS is_range, (random() * 999)::integer AS low, (random() * 60)::integer AS wide, 1 + (random() * 2)::integer AS len
	FROM generate_series(1, 400) g;
CREATE TEMP TABLE truth AS
	SELECT g, team, region, CASE WHEN NOT is_range THEN left(lpad(low::text, 3, '0'), len) END AS postal,
		CASE WHEN is_range THEN lpad(low::text, 3, '0') END AS postal_from,
		CASE WHEN is_range THEN lpad(least(999, low + wide)::text, 3, '0') END AS postal_to,
		CASE WHEN is_range THEN least(999, low + wide) - low + 1 ELSE 10 ^ (3 - len) END AS codes
	FROM area;
INSERT INTO leadroute.territory (country, region, postal, postal_from, postal_to, team)
	SELECT 'X', region, postal, postal_from, postal_to, team FROM truth ON CONFLICT DO NOTHING;
-- where two are as narrow, either may win
SELECT count(*), count(*) FILTER (WHERE found IS NOT NULL) > 2000 AS many_found, count(*) FILTER (WHERE NOT ok) AS wrong
FROM (SELECT leadroute.territory('default', 'X', r, code) AS found,
		coalesce((leadroute.territory('default', 'X', r, code) = ANY (array_agg(t.team) FILTER (WHERE t.place = 1))),
			count(t.team) = 0 AND leadroute.territory('default', 'X', r, code) IS NULL, false) AS ok
	FROM generate_series(0, 999) n, LATERAL (SELECT lpad(n::text, 3, '0') AS code) c, (VALUES (NULL), ('A'), ('B')) v (r)
	LEFT JOIN LATERAL (SELECT a.team, rank() OVER (ORDER BY a.codes, a.region IS NULL) AS place
		FROM truth a
		WHERE (a.region IS NULL OR a.region = v.r) AND (code LIKE a.postal || '%' OR code BETWEEN a.postal_from AND a.postal_to)
		AND EXISTS (SELECT FROM leadroute.territory x WHERE x.team = a.team)) t ON true
	GROUP BY code, r) s;

-- A change is seen at once: own, rolled back, and renamed.
DELETE FROM leadroute.territory;
INSERT INTO leadroute.territory (country, team) VALUES ('DE', 'country');
BEGIN;
UPDATE leadroute.territory SET team = 'region';
SELECT leadroute.territory('default', 'DE', NULL, NULL);
SAVEPOINT s;
DELETE FROM leadroute.territory;
SELECT leadroute.territory('default', 'DE', NULL, NULL);
ROLLBACK TO s;
SELECT leadroute.territory('default', 'DE', NULL, NULL);
ROLLBACK;
SELECT leadroute.territory('default', 'DE', NULL, NULL);
UPDATE leadroute.team SET name = 'renamed' WHERE name = 'country';
SELECT leadroute.territory('default', 'DE', NULL, NULL);
SELECT table_name, old ->> 'team' AS old, new ->> 'team' AS new FROM leadroute.config_history WHERE table_name = 'territory' ORDER BY at DESC LIMIT 1;

-- team_expr: the lead's area says which team.
DELETE FROM leadroute.team_member;
INSERT INTO leadroute.team_member (team, member) VALUES ('renamed', 'anna'), ('region', 'bruno'), ('region', 'chiara');
INSERT INTO leadroute.territory (country, region, team) VALUES ('DE', 'Bayern', 'region'), ('FR', NULL, 'inner');
INSERT INTO leadroute.rule (name, priority, condition, team_expr) VALUES
	('area', 1, 'n IS NULL', $$leadroute.territory('default', country, region, zip)$$);
INSERT INTO lead (id, country, region) VALUES (1, 'DE', NULL), (2, 'DE', 'Bayern'), (3, 'DE', 'Bayern'), (4, 'FR', NULL), (5, 'XX', NULL), (6, 'DE', 'Hessen')
	RETURNING id, owner;
SELECT lead_key, kind, member, team, rule, method, reason, detail FROM leadroute.assignment ORDER BY id;
-- the same turns as those of a rule that names the team
SELECT team, member, received, exact_share FROM leadroute.fairness ORDER BY 1, 2;

-- member_expr: a name, or else an owner value; alone, without turn, within the limits.
UPDATE leadroute.member SET capacity = 1 WHERE name = 'dora';
INSERT INTO leadroute.rule (name, priority, condition, member_expr, overflow) VALUES ('manager', 1, 'n = 1', 'manager', 'next_rule');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('rest', 2, 'n = 1', 'renamed');
INSERT INTO lead (id, n, manager) VALUES (11, 1, 'bruno'), (12, 1, '3'), (13, 1, 'dora'), (14, 1, 'dora'), (15, 1, 'nobody'), (16, 1, NULL), (17, 1, '99')
	RETURNING id, owner;
SELECT lead_key, kind, member, team, rule, method, turn, reason, detail FROM leadroute.assignment WHERE lead_key::integer > 10 ORDER BY id;
\pset format unaligned
\pset tuples_only on
SELECT leadroute.explain('lead', 13);
SELECT leadroute.explain('lead', 15);
SELECT leadroute.why('lead', 14) ~ '"rest".*passed|rule "manager": none of 1 members can take it';
\pset format aligned
\pset tuples_only off
SELECT leadroute.pause('bruno');
INSERT INTO lead (id, n, manager) VALUES (18, 1, 'bruno') RETURNING owner;
UPDATE leadroute.member SET active = false WHERE name = 'chiara';
INSERT INTO lead (id, n, manager) VALUES (19, 1, 'chiara') RETURNING owner;
SELECT leadroute.resume('bruno');

-- Refused when saved; broken later it costs the rule.
INSERT INTO leadroute.rule (name, team_expr) VALUES ('x', 'countri');
INSERT INTO leadroute.rule (name, member_expr) VALUES ('x', 'random()::text');
INSERT INTO leadroute.rule (name, member_expr) VALUES ('x', '(SELECT manager)');
\set VERBOSITY terse
INSERT INTO leadroute.rule (name, team, team_expr) VALUES ('x', 'inner', 'country');
INSERT INTO leadroute.rule (name, member_expr, team_expr) VALUES ('x', 'manager', 'country');
\set VERBOSITY default
UPDATE leadroute.rule SET member_expr = $$(100 / (n - 1))::text$$ WHERE name = 'manager';
INSERT INTO lead (id, n) VALUES (20, 1) RETURNING owner;
SELECT detail FROM leadroute.assignment WHERE lead_key = '20';
ALTER TABLE lead RENAME zip TO postcode;
INSERT INTO lead (id, country) VALUES (21, 'DE') RETURNING owner;
SELECT kind, reason, detail FROM leadroute.assignment WHERE lead_key = '21';
SELECT severity, what, subject, detail FROM leadroute.problem WHERE what = 'target_invalid';
ALTER TABLE lead RENAME postcode TO zip;
SELECT count(*) FROM leadroute.problem WHERE what IN ('team_empty', 'unreachable', 'covered');

-- Another router has its own areas.
INSERT INTO leadroute.router (name) VALUES ('other');
INSERT INTO leadroute.team (router, name) VALUES ('other', 'o');
INSERT INTO leadroute.territory (router, country, team) VALUES ('other', 'DE', 'o');
SELECT leadroute.territory('default', 'DE', NULL, NULL);
SET leadroute.router = 'r';
SELECT leadroute.territory('default', 'DE', NULL, NULL);
SET leadroute.router = 'other';
SELECT leadroute.territory('default', 'DE', NULL, NULL);
DELETE FROM leadroute.rule WHERE name <> 'area';
INSERT INTO lead (id, country) VALUES (22, 'DE') RETURNING owner;
RESET leadroute.router;

-- 40,000 areas: loaded, looked up, exported and imported, each far within the time
-- that comparing them with each other would take.
SET statement_timeout = '3min';
INSERT INTO leadroute.territory (router, map, country, postal, team)
	SELECT 'other', 'big', 'US', lpad(g::text, 5, '0'), 'o' FROM generate_series(1, 40000) g;
SET leadroute.router = 'other';
SELECT count(leadroute.territory('big', 'US', NULL, lpad(g::text, 5, '0'))) FROM generate_series(1, 100000) g;
SELECT count(*) FROM leadroute.import_config(leadroute.export_config('other') - 'routed_table', 'copy');
RESET statement_timeout;
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
