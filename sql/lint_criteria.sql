-- lint: what can be proved to be odd about criteria and thresholds, and nothing else.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, country text, n integer, amount numeric, vip boolean NOT NULL DEFAULT false, email text, start_on date,
	bucket integer GENERATED ALWAYS AS (n / 10) STORED, status text, score numeric, owner text);
SELECT leadroute.attach('lead', 'owner', router => 'r') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('a');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
\pset format unaligned
\pset tuples_only on

-- What lint says of criteria a, b, … of the kind that each begins with: +points, require, disqualify, quarantine; first the thresholds.
CREATE FUNCTION pg_temp.lint(qualify numeric, VARIADIC criteria text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM leadroute.criterion;
	UPDATE leadroute.router SET qualify_at = qualify;
	INSERT INTO leadroute.criterion (name, kind, points, condition)
		SELECT chr(96 + i::integer), CASE WHEN c LIKE '+%' THEN 'score' ELSE substring(c FROM '^\w+') END,
			substring(c FROM '^\+(.*):(?: |$)'), nullif(substring(c FROM ': (.*)'), '')
		FROM unnest(criteria) WITH ORDINALITY x (c, i);
	RETURN QUERY SELECT concat_ws(' ', l.severity, l.rule, l.what || ':', l.detail) FROM leadroute.lint() l;
END
$$;

\echo == never true
SELECT pg_temp.lint(NULL, '+5: n > 5 AND n < 3');
SELECT pg_temp.lint(NULL, $$disqualify: country = 'DE' AND country = 'AT'$$);
SELECT pg_temp.lint(NULL, 'quarantine: id IS NULL');
SELECT pg_temp.lint(NULL, 'require: n = 1 AND n = 2');
SELECT pg_temp.lint(NULL, 'require: n IS NULL', 'disqualify: n IS NULL AND vip');
\echo == no lead is qualified
SELECT pg_temp.lint(NULL, 'disqualify: true');
SELECT pg_temp.lint(NULL, 'quarantine: vip IS NOT NULL');
SELECT pg_temp.lint(NULL, 'require: n > 5', 'require: n < 3');
SELECT pg_temp.lint(NULL, $$require: country IN ('DE', 'AT')$$, 'require: n > 5', $$require: country = 'FR' OR n < 0$$);
SELECT pg_temp.lint(NULL, $$require: country IN ('DE', 'AT')$$, $$disqualify: country = 'DE'$$, $$disqualify: country = 'AT'$$);
SELECT pg_temp.lint(NULL, 'require: n > 10', 'disqualify: n > 5');
SELECT pg_temp.lint(NULL, 'require: vip', 'require: n > 5', $$disqualify: country = 'DE'$$, 'require: n < 3');
\echo == but not these
SELECT pg_temp.lint(NULL, 'require: n > 5', 'disqualify: n > 10');
SELECT pg_temp.lint(NULL, 'require: n > 5', 'require: n < 30', 'disqualify: n = 7');
SELECT pg_temp.lint(NULL, $$require: country IN ('DE', 'AT')$$, $$disqualify: country = 'DE'$$);
SELECT pg_temp.lint(NULL, 'disqualify: vip OR NOT vip AND n = 1');
-- what raises keeps nobody back
SELECT pg_temp.lint(NULL, 'require: 100 / n > 5', 'require: NOT 100 / n > 5');
SELECT pg_temp.lint(NULL, 'require: 100 / n > 5', 'disqualify: 100 / n > 5');
-- a generated column may raise, too
SELECT pg_temp.lint(NULL, 'require: bucket = 1', 'require: bucket = 2');
\echo == points of leads that are disqualified
SELECT pg_temp.lint(10, $$require: country IN ('DE', 'AT')$$, $$+20: country = 'FR'$$, '+10: n > 5');
SELECT pg_temp.lint(10, 'disqualify: n < 5', '+20: n < 3', '+10: vip');
-- a released lead counts them
SELECT pg_temp.lint(10, 'quarantine: n < 5', '+20: n < 3');
SELECT pg_temp.lint(10, 'disqualify: n < 5', '+20: n < 7');
SELECT pg_temp.lint(10, 'disqualify: 100 / n < 5', '+20: 100 / n < 5');
\echo == redundant, the same
SELECT pg_temp.lint(NULL, 'disqualify: n < 5', 'disqualify: n < 3');
SELECT pg_temp.lint(NULL, 'require: n > 5', 'require: n > 3');
SELECT pg_temp.lint(NULL, 'require: n > 5', 'disqualify: n < 3');
SELECT pg_temp.lint(NULL, 'quarantine: email IS NULL', 'quarantine: email IS NULL');
SELECT pg_temp.lint(NULL, 'disqualify: vip', 'disqualify: vip', 'disqualify: vip AND n = 1');
SELECT pg_temp.lint(NULL, '+5: n > 5', '+7: n > 5', '+7: n > 6');
SELECT pg_temp.lint(NULL, '+least(n, 5):', '+least(n, 5):', '+least(n, 6):');
-- one that is equal, and may raise
SELECT pg_temp.lint(NULL, 'disqualify: 100 / n > 5', 'disqualify: 100 / n > 5');
-- quarantine ends with a release, disqualify does not
SELECT pg_temp.lint(NULL, 'quarantine: n < 5', 'disqualify: n < 3', 'quarantine: n < 2 AND vip');
\echo == thresholds
SELECT pg_temp.lint(60, '+25: n > 5', '+25: vip', '+10:');
SELECT pg_temp.lint(60, '+25: n > 5', '+25: vip', '+9.999999:');
SELECT pg_temp.lint(60, '+25: n > 5', '+CASE WHEN start_on < now() THEN 25 WHEN start_on IS NOT NULL THEN 10 END:');
SELECT pg_temp.lint(50, '+25: n > 5', '+CASE WHEN start_on < now() THEN 25 WHEN start_on IS NOT NULL THEN 10 END:');
SELECT pg_temp.lint(60, '+least(n, 30):', '+coalesce(CASE WHEN vip THEN 20 END, 10):', '+-10: n IS NULL');
SELECT pg_temp.lint(60, '+n:');
SELECT pg_temp.lint(60, '+greatest(n, 30):');
SELECT pg_temp.lint(60, '+n / 10:', '+5.5::real: vip');
SELECT pg_temp.lint(60, '+100: n > 5 AND n < 3', '+30: vip');
SELECT pg_temp.lint(60, '+100: n < 0', '+30: vip', 'require: n > 5');
SELECT pg_temp.lint(60);
SELECT pg_temp.lint(60, 'require: n > 5');
SELECT pg_temp.lint(0, 'require: n > 5');
SELECT pg_temp.lint(0, '+25: n > 5');
SELECT pg_temp.lint(0, '+25: n > 5', '+-1: vip');
SELECT pg_temp.lint(20, '+20:', '+5: vip');
SELECT pg_temp.lint(20, '+greatest(n, 20):', '+5: vip');
SELECT pg_temp.lint(20, '+greatest(100 / n, 20):', '+5: vip');
SELECT pg_temp.lint(-5, '+-5: vip');
\echo == points
SELECT pg_temp.lint(NULL, '+0: vip', $$+'NaN'::numeric: n = 1$$, '+1e10: n = 2', '+NULL::integer: n = 3', '+1e9: n = 4');
SELECT pg_temp.lint(NULL, '+1: leadroute.score() > 5', '+leadroute.score():');
UPDATE leadroute.routed_table SET score_column = 'score', status_column = 'status';
SELECT pg_temp.lint(NULL, '+1: score > 5', '+1: n > 5');
\echo == columns that nothing is written to
SELECT pg_temp.lint(NULL);
SELECT pg_temp.lint(NULL, 'require: n > 5');
SELECT pg_temp.lint(NULL, '+1: n > 5');
INSERT INTO leadroute.rule (name, priority, condition) VALUES ('hot', 1, 'leadroute.score() > 50');
SELECT pg_temp.lint(NULL, 'require: n > 5');
SELECT pg_temp.lint(NULL, '+1: n > 5');
SELECT pg_temp.lint(NULL);
DELETE FROM leadroute.rule WHERE name = 'hot';
UPDATE leadroute.routed_table SET score_column = NULL, status_column = NULL;

\echo == disabled ones do not count
SELECT count(*) FROM pg_temp.lint(NULL, 'disqualify: true', 'require: n > 5', 'require: n < 3');
UPDATE leadroute.criterion SET enabled = kind = 'require' AND name <> 'b';
SELECT what FROM leadroute.lint();

\echo == several tables: only what holds in each, thresholds of each
CREATE TABLE other (id integer PRIMARY KEY, n integer, vip boolean NOT NULL DEFAULT false, owner text);
SELECT leadroute.attach('other', 'owner', router => 'r') IS NOT NULL;
SELECT count(*) FROM pg_temp.lint(20, '+15: n > 5', '+15: vip');
INSERT INTO leadroute.criterion (name, kind, condition, points, routed_table) VALUES
	('no vips', 'disqualify', 'vip', NULL, 'other'), ('not for other', 'score', 'amount > 5', 100, 'lead');
SELECT severity, what, detail, what_to_do FROM leadroute.lint();
INSERT INTO leadroute.criterion (name, kind, condition, points, routed_table) VALUES
	('no vips here', 'disqualify', 'vip', NULL, 'lead');
SELECT severity, what, detail, what_to_do FROM leadroute.lint();
UPDATE leadroute.rule SET routed_table = 'other';
INSERT INTO leadroute.rule (name) VALUES ('everyone else');
INSERT INTO leadroute.router (name) VALUES ('s');
UPDATE leadroute.routed_table SET router = 's' WHERE name = 'other';
SELECT severity, rule, what, detail, what_to_do FROM leadroute.lint('r');
DELETE FROM leadroute.rule WHERE routed_table = 'other';
DROP TABLE other CASCADE;
DELETE FROM leadroute.criterion WHERE routed_table = 'other';
SELECT leadroute.detach('other') IS NOT NULL;
DELETE FROM leadroute.router WHERE name = 's';

\echo == whose rights count
CREATE ROLE lint_admin;
SELECT leadroute.grant_to('lint_admin', 'admin') IS NOT NULL;
GRANT SELECT ON lead TO lint_admin;
CREATE FUNCTION mine() RETURNS text STABLE LANGUAGE sql AS 'SELECT current_user::text';
SELECT count(*) FROM pg_temp.lint(NULL, 'disqualify: email = mine()');
SET ROLE lint_admin;
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('their own', 'disqualify', 'email = mine()'), ('big', 'disqualify', 'n > 1000');
SELECT severity, what, detail FROM leadroute.lint();
RESET ROLE;
REVOKE SELECT ON lead FROM lint_admin;
SELECT severity, what, detail, what_to_do FROM leadroute.lint();
\echo == problem says it once
SELECT severity, what, subject, detail FROM leadroute.problem ORDER BY 2, 4;
DELETE FROM leadroute.criterion;
SELECT count(*) FROM pg_temp.lint(60, '+25: n > 5', '+0: vip');
SELECT severity, what, subject, detail FROM leadroute.problem ORDER BY 2, 4;

\echo == many
CREATE TEMP TABLE took (since timestamptz DEFAULT clock_timestamp());
DELETE FROM leadroute.criterion;
INSERT INTO leadroute.criterion (name, condition, points) SELECT 'n ' || lpad(g::text, 3, '0'), format('n > %s', g % 499), 1 FROM generate_series(0, 499) g;
INSERT INTO took DEFAULT VALUES;
SELECT severity, what, detail FROM leadroute.lint();
SELECT clock_timestamp() - since < '20 s' FROM took;
INSERT INTO leadroute.criterion (name, condition, points) VALUES ('one more', 'n > 0', 1);
SELECT severity, what, detail FROM leadroute.lint();

DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
DROP FUNCTION mine;
DROP OWNED BY lint_admin;
DROP ROLE lint_admin;
