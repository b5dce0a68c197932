-- lint: what can be proved to be odd about rules, and nothing else.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, country text, zip text, n integer, amount numeric, vip boolean NOT NULL DEFAULT false,
	at timestamptz DEFAULT '2030-01-01Z', company text, owner text);
SELECT leadroute.attach('lead', 'owner', router => 'r') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('a'), ('b'), ('c');
INSERT INTO leadroute.team (name) VALUES ('a'), ('b'), ('empty'), ('gone');
INSERT INTO leadroute.team_member (team, member) VALUES ('a', 'a'), ('b', 'b'), ('gone', 'c');
UPDATE leadroute.member SET active = false WHERE name = 'c';
\pset format unaligned
\pset tuples_only on

-- What lint says of rules, tried in this order, each of another priority.  Team a, then b in turn.
CREATE FUNCTION pg_temp.lint(VARIADIC conditions text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM leadroute.rule;
	INSERT INTO leadroute.rule (name, priority, condition, team)
		SELECT chr(64 + i::integer), i, nullif(c, ''), CASE WHEN i % 2 = 1 THEN 'a' ELSE 'b' END
		FROM unnest(conditions) WITH ORDINALITY x (c, i);
	RETURN QUERY SELECT format('%s %s: %s', l.rule, l.what, substring(l.detail FROM '(?:matches|as) (".*?)(?: first| and is)'))
		FROM leadroute.lint() l WHERE l.what <> 'no_catch_all';
END
$$;

\echo == covered by one
SELECT pg_temp.lint('', 'n > 5');
SELECT pg_temp.lint($$country = 'DE'$$, $$country = 'DE' AND n > 5$$);
SELECT pg_temp.lint($$country IN ('DE', 'AT')$$, $$country = 'AT'$$);
SELECT pg_temp.lint($$country IN ('DE', 'AT', 'CH')$$, $$country IN ('CH', 'DE') AND n = 1$$);
SELECT pg_temp.lint('n > 5', 'n > 10');
SELECT pg_temp.lint('n BETWEEN 1 AND 100', 'n BETWEEN 5 AND 50 AND vip');
SELECT pg_temp.lint('n > 5', 'n = 7');
SELECT pg_temp.lint('n IS NOT NULL', 'n < 3');
SELECT pg_temp.lint('n > 5 OR vip', 'vip');
SELECT pg_temp.lint('vip', 'vip AND n = 3');
SELECT pg_temp.lint('NOT vip', 'n = 2 AND NOT vip');
SELECT pg_temp.lint('amount > 1000', 'amount > 1000.50');
SELECT pg_temp.lint($$company LIKE 'A%'$$, $$company LIKE 'A%' AND n = 1$$);
SELECT pg_temp.lint($$at > now() - interval '1 day'$$, $$at > now() - interval '1 day' AND vip$$);
SELECT pg_temp.lint('country IS NULL', 'country IS NULL AND n IS NULL');
\echo == by several together
SELECT pg_temp.lint($$country = 'DE'$$, $$country = 'AT'$$, $$country IN ('AT', 'DE')$$);
SELECT pg_temp.lint('n < 0', 'n > 100', $$country = 'FR'$$, 'vip AND (n < -5 OR n > 200)');
-- one alternative says nothing of a single column
SELECT pg_temp.lint('now() > at OR n = 7', 'amount BETWEEN 2 AND 5', $$now() > at OR (zip LIKE '9%' AND amount > 2 AND amount < 4)$$);
\echo == equally wide: a fallback
SELECT pg_temp.lint('', '');
SELECT pg_temp.lint($$country = 'DE'$$, $$'DE' = country$$);
SELECT pg_temp.lint($$country = 'DE'$$, $$country = 'AT'$$, $$country = 'AT' OR country = 'DE'$$);
\echo == nothing of it: not covered, or not to be proved
SELECT pg_temp.lint($$country = 'DE' AND n > 5$$, $$country = 'DE'$$);
SELECT pg_temp.lint($$country = 'DE'$$, $$country IN ('DE', 'AT')$$);
SELECT pg_temp.lint('n > 10', 'n > 5');
SELECT pg_temp.lint('n > 5', 'n <= 5', 'n > 0');
SELECT pg_temp.lint('n > 5', 'n <= 5', 'country IS NULL', 'vip');
SELECT pg_temp.lint('vip', 'n = 1');
-- the negation is not true either where n is NULL
SELECT pg_temp.lint('n > 5', 'NOT n > 5', 'vip');
SELECT pg_temp.lint($$n = 1 OR country = 'DE'$$, $$zip = '1' OR country = 'DE'$$);
-- may raise an error, and then does not match
SELECT pg_temp.lint('100 / n > 5', '100 / n > 5 AND vip');
\echo == contradictions
SELECT pg_temp.lint('n > 5 AND n < 3');
SELECT pg_temp.lint($$country = 'DE' AND country = 'AT'$$);
SELECT pg_temp.lint($$country IN ('DE', 'AT') AND country = 'FR'$$);
SELECT pg_temp.lint('n IS NULL AND n = 3');
SELECT pg_temp.lint('vip AND NOT vip');
SELECT pg_temp.lint('1 = 2');
SELECT pg_temp.lint('n = NULL');
SELECT pg_temp.lint('n > 5 AND n > 3');
SELECT pg_temp.lint('n > 5 OR n < 3');
-- one that is never true covers nothing, and is covered by nothing
SELECT pg_temp.lint('', 'n = 1 AND n = 2', 'n = 1 AND n = 2 AND vip');

\echo == what the rules are decides what it means
CREATE FUNCTION pg_temp.again() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, rule, what, detail, what_to_do) FROM leadroute.lint() $$;
SELECT count(*) FROM pg_temp.lint($$country = 'DE'$$, $$country = 'DE' AND n > 5$$, '');
SELECT pg_temp.again();
UPDATE leadroute.rule SET overflow = 'none' WHERE name = 'A';
SELECT pg_temp.again();
UPDATE leadroute.rule SET overflow = 'next_rule', team = 'b' WHERE name = 'A';
SELECT pg_temp.again();
UPDATE leadroute.rule SET overflow = 'ignore_limits' WHERE name = 'B';
SELECT pg_temp.again();
UPDATE leadroute.rule SET percent = 50 WHERE name = 'A';
SELECT pg_temp.again();
UPDATE leadroute.rule SET percent = 100, valid = '[2020-01-01Z,2030-01-01Z)' WHERE name = 'A';
SET leadroute.test_clock = '2025-01-01Z';
SELECT pg_temp.again();
UPDATE leadroute.rule SET valid = '[2024-01-01Z,2026-01-01Z)' WHERE name = 'B';
SELECT pg_temp.again();
SET leadroute.test_clock = '2027-01-01Z';
SELECT pg_temp.again();
RESET leadroute.test_clock;
UPDATE leadroute.rule SET valid = NULL, enabled = name <> 'A';
SELECT pg_temp.again();
UPDATE leadroute.rule SET enabled = true;
UPDATE leadroute.rule SET team = 'gone' WHERE name = 'A';
SELECT pg_temp.again();
UPDATE leadroute.rule SET team = 'empty', percent = 0 WHERE name = 'A';
SELECT pg_temp.again();
UPDATE leadroute.rule SET team = 'a', percent = 100 WHERE name = 'A';
DELETE FROM leadroute.rule WHERE name = 'C';
SELECT pg_temp.again();
INSERT INTO leadroute.rule (name, percent) VALUES ('nearly all', 99.9);
SELECT pg_temp.again();
\echo == the same priority: the narrower first by its name only
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, condition, team) VALUES ('1', 'n > 5 AND vip', 'a'), ('2', 'n > 5', 'b'), ('3', NULL, 'a');
SELECT pg_temp.again();
UPDATE leadroute.rule SET team = 'a' WHERE name = '2';
SELECT pg_temp.again();
UPDATE leadroute.rule SET team = 'b', name = '0' WHERE name = '2';
SELECT pg_temp.again();
UPDATE leadroute.rule SET name = '2' WHERE name = '0';
UPDATE leadroute.rule SET priority = 1 WHERE name = '1';
SELECT pg_temp.again();

\echo == several tables: only what holds in each
CREATE TABLE other (id integer PRIMARY KEY, n bigint, country text, vip boolean, owner text);
SELECT leadroute.attach('other', 'owner', router => 'r') IS NOT NULL;
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, priority, condition, team, routed_table) VALUES
	('1', 1, 'n > 5', 'a', 'lead'), ('2', 2, 'n > 7', 'b', NULL), ('3', 3, 'n > 9', 'a', NULL), ('4', 4, NULL, 'b', 'other');
SELECT pg_temp.again();
DROP TABLE other CASCADE;
DELETE FROM leadroute.rule;
SELECT leadroute.detach('other') IS NOT NULL;
\echo == whose rights count: the writers differ, and so may the values
CREATE FUNCTION mine() RETURNS text STABLE LANGUAGE sql AS 'SELECT current_user::text';
CREATE ROLE lint_writer SUPERUSER;
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('1', 1, 'company = mine()', 'a'), ('3', 3, NULL, 'b');
SET ROLE lint_writer;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('2', 2, 'company = mine() AND vip', 'b');
RESET ROLE;
SELECT pg_temp.again();
ALTER TABLE lead RENAME COLUMN vip TO important;
SELECT pg_temp.again();
ALTER TABLE lead RENAME COLUMN important TO vip;

\echo == problem says what is a warning, once; it needs no right on rules
SELECT count(*) FROM pg_temp.lint('n > 5 AND n < 3', '', '');
UPDATE leadroute.rule SET team = 'empty' WHERE name = 'B';
DELETE FROM leadroute.rule WHERE name = 'C';
UPDATE leadroute.rule SET condition = 'n = 5' WHERE name = 'B';
SELECT severity, what, subject, detail FROM leadroute.problem ORDER BY 2, 3;
CREATE ROLE lint_monitor IN ROLE pg_monitor;
SET ROLE lint_monitor;
SELECT what, subject FROM leadroute.problem ORDER BY 1, 2;
RESET ROLE;
SELECT leadroute.lint('nobody');

\echo == 10,000 rules of every kind: only those that share something are compared
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'zip ' || g, g, format('zip = %L', lpad(g::text, 5, '0')), 'a' FROM generate_series(1, 9000) g;
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'covered ' || g, 10000 + g, format('zip = %L AND n = %s', lpad((g * 9)::text, 5, '0'), g), 'b' FROM generate_series(1, 990) g;
INSERT INTO leadroute.rule (name, priority, team) VALUES ('all', 99999, 'a');
CREATE TEMP TABLE took (since timestamptz DEFAULT clock_timestamp());
INSERT INTO took DEFAULT VALUES;
SELECT what, count(*), min(rule), max(rule) FROM leadroute.lint() GROUP BY 1 ORDER BY 1;
SELECT clock_timestamp() - since < '20 s' FROM took;
-- However many say something of a column: who shares a place with a rule is found.
DELETE FROM leadroute.rule WHERE name <> 'all';
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'n ' || g, g, format('n > %s AND n < %s', 10 * g, 10 * g + 9), 'a' FROM generate_series(1, 3000) g;
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'company ' || g, g, format('company LIKE %L', g || '%'), 'a' FROM generate_series(1, 300) g;
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'either ' || g, g, format('zip = %L OR amount BETWEEN %s AND %s', g, 100 * g, 100 * g + 99), 'a' FROM generate_series(1, 300) g;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('no country', 300, 'country IS NULL', 'a'), ('wide', 300, 'n > 40000::bigint', 'a');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES
	('last', 4000, 'n > 29992 AND n < 29995', 'b'), ('early', 4000, 'n > 12 AND n < 15', 'b'), ('point', 4000, 'n = 20005 AND vip', 'b'),
	('up to', 4000, 'n >= 20001 AND n <= 20008', 'b'), ('across', 4000, 'n > 20005 AND n < 20015', 'b'), ('at the end', 4000, 'n > 20008 AND n < 20010', 'b'),
	('two of them', 4000, 'n = 15 OR n BETWEEN 25 AND 26', 'b'), ('begins', 4000, $$company LIKE '250%' AND vip$$, 'b'),
	('one arm', 4000, $$zip = '250'$$, 'b'), ('the other arm', 4000, 'amount = 25050', 'b'), ('an earlier one', 4000, 'amount = 250.50', 'b'),
	('null', 4000, 'country IS NULL AND vip', 'b'), ('of another type', 4000, 'n > 50000', 'b'), ('beyond', 4000, 'n > 5000000000', 'b');
SELECT severity, rule, what, detail FROM leadroute.lint();
-- Where all have to do with all, and where too many would have to be taken
-- together, the rest is left out, and it says so.
DELETE FROM leadroute.rule WHERE name <> 'all';
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'n ' || g, g, format('n > %s AND n < %s', g, 10000 + g), 'a' FROM generate_series(1, 1500) g;
SELECT severity, rule, what, detail FROM leadroute.lint();
DELETE FROM leadroute.rule WHERE name <> 'all';
INSERT INTO leadroute.rule (name, priority, condition, team) SELECT 'zip ' || g, g, format('zip = %L', g), 'a' FROM generate_series(1, 150) g;
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'first ' || n, 1000, format('zip IN (%s)', (SELECT string_agg(quote_literal(g), ', ') FROM generate_series(1, n) g)), 'b' FROM unnest('{90,110}'::integer[]) n;
SELECT severity, rule, what, detail FROM leadroute.lint();

DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
DROP FUNCTION mine;
DROP ROLE lint_writer, lint_monitor;
