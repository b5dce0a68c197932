-- What members make of their leads: measured, shrunk, and the tiers of top_producer.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, stage text NOT NULL DEFAULT 'new', called boolean NOT NULL DEFAULT false, owner text);
SELECT leadroute.attach('lead', 'owner', responded_when => 'called', converted_when => $$stage = 'won'$$) IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('star'), ('lucky'), ('weak'), ('m1'), ('m2'), ('m3'), ('m4'), ('idle');
INSERT INTO leadroute.team (name) VALUES ('sales');
INSERT INTO leadroute.team_member (team, member) SELECT 'sales', name FROM leadroute.member;
INSERT INTO leadroute.rule (name, condition, member_expr) VALUES ('history', $$kind LIKE 'for %'$$, 'substr(kind, 5)');
INSERT INTO leadroute.rule (name, team, method) VALUES ('top', 'sales', 'top_producer');
-- n leads of the team for a member, so many of which convert, in time
CREATE PROCEDURE history(who text, n integer, won integer) LANGUAGE plpgsql AS $$
BEGIN
	UPDATE leadroute.member SET active = name = who WHERE name <> 'never';
	INSERT INTO lead (kind) SELECT 'top' FROM generate_series(1, n);
	UPDATE lead SET stage = CASE WHEN r <= won THEN 'won' ELSE 'lost' END, called = r % 2 = 1
		FROM (SELECT id, row_number() OVER (ORDER BY id) AS r FROM lead WHERE owner = who AND stage = 'new') x WHERE x.id = lead.id;
	UPDATE leadroute.member SET active = true;
END $$;
-- nobody has any leads: nothing is known
SELECT leadroute.measure();
SELECT member, leads, response_rate, conversion_rate, tier FROM leadroute.performance ORDER BY team, member;
SELECT name, response_rate, conversion_rate FROM leadroute.member_facts WHERE name = 'star';

SET leadroute.test_clock = '2030-03-01 00:00+00';
CALL history('star', 200, 60);
CALL history('weak', 200, 4);
CALL history('m1', 200, 21);
CALL history('m2', 200, 19);
CALL history('m3', 200, 22);
CALL history('m4', 19, 12);
-- three leads, all of which convert, make no star
CALL history('lucky', 3, 3);
-- they are too young yet
SET leadroute.test_clock = '2030-03-07 23:59+00';
SELECT leadroute.measure();
SET leadroute.test_clock = '2030-03-08 00:01+00';
SELECT leadroute.measure();
SELECT member, leads, responded, converted, round(response_rate::numeric, 3) AS response, round(conversion_rate::numeric, 3) AS conversion, tier
	FROM leadroute.performance WHERE team = 'sales' ORDER BY conversion_rate DESC;
SELECT name, round(response_rate::numeric, 3) AS response, round(conversion_rate::numeric, 3) AS conversion FROM leadroute.member_facts ORDER BY name;
-- the same by hand: shrunk by the mean of the group and by how much it differs
WITH t AS (SELECT member, leads AS n, converted AS x FROM leadroute.performance WHERE team = 'sales' AND leads > 0),
	g AS (SELECT sum(n) AS total, sum(x) / sum(n) AS mean, count(*) - 1 AS k, sum(n * n) / sum(n) AS squares FROM t),
	s AS (SELECT g.*, (SELECT sum(n * (x / n::numeric - g.mean) ^ 2) FROM t) AS scatter FROM g),
	m AS (SELECT mean, greatest(20, mean * (1 - mean) * (total - squares - k) / (scatter - mean * (1 - mean) * k) - 1) AS strength FROM s)
SELECT bool_and(abs((x + strength * mean) / (n + strength) - conversion_rate::numeric) < 0.000001) AS as_defined
	FROM t CROSS JOIN m JOIN leadroute.performance p USING (member) WHERE p.team = 'sales';
-- the star goes first, then all in the middle, then the weak one
UPDATE leadroute.member SET capacity = 201 WHERE name IN ('star', 'm1', 'm2', 'm3');
UPDATE leadroute.member SET capacity = 20 WHERE name = 'm4';
UPDATE leadroute.member SET capacity = 4 WHERE name = 'lucky';
UPDATE leadroute.member SET capacity = 1 WHERE name = 'idle';
INSERT INTO lead (kind) SELECT 'top' FROM generate_series(1, 8) RETURNING owner;
SELECT a.member, a.measure FROM leadroute.assignment a ORDER BY a.id DESC LIMIT 1;
-- what was set goes before what is measured
UPDATE leadroute.member SET capacity = NULL;
UPDATE leadroute.member SET tier = 1 WHERE name = 'weak';
INSERT INTO lead (kind) VALUES ('top'), ('top') RETURNING owner;
UPDATE leadroute.member SET tier = 5 WHERE name IN ('weak', 'star');
INSERT INTO lead (kind) VALUES ('top') RETURNING owner;
SELECT member, tier, tier_is_set FROM leadroute.performance WHERE team = 'sales' AND member IN ('weak', 'star', 'm1') ORDER BY member;
UPDATE leadroute.member SET tier = NULL;
-- A lead that goes to somebody else counts as not converted for who had it; by
-- hand it counts in all leads, not in those of the team.
UPDATE lead SET owner = 'm1' WHERE id = (SELECT min(id) FROM lead WHERE owner = 'star' AND stage = 'won');
SET leadroute.test_clock = '2030-03-20 00:00+00';
SELECT leadroute.measure();
SELECT member, team, all_leads, leads, converted FROM leadroute.performance WHERE member IN ('star', 'm1') ORDER BY member, team;
-- counters loaded again keep what was measured
SELECT leadroute.rebuild() > 0 AS rebuilt;
INSERT INTO lead (kind) VALUES ('top');
SELECT a.measure AS tier FROM leadroute.assignment a ORDER BY a.id DESC LIMIT 1;
-- decisions go by what is committed: not by what was measured in a transaction that is open, or rolled back
BEGIN;
SET LOCAL leadroute.test_clock = '2030-09-01 00:00+00';
SELECT leadroute.measure();
INSERT INTO lead (kind) VALUES ('top');
ROLLBACK;
BEGIN;
SAVEPOINT a;
SET LOCAL leadroute.test_clock = '2030-09-01 00:00+00';
SELECT leadroute.measure();
ROLLBACK TO a;
COMMIT;
INSERT INTO lead (kind) VALUES ('top');
SELECT a.measure AS tier FROM leadroute.assignment a ORDER BY a.id DESC LIMIT 1;
-- what was measured before a savepoint stays when that is rolled back
BEGIN;
SAVEPOINT a;
SET LOCAL leadroute.test_clock = '2030-09-01 00:00+00';
SELECT leadroute.measure();
SAVEPOINT b;
SET LOCAL leadroute.test_clock = '2030-03-20 00:00+00';
SELECT leadroute.measure();
ROLLBACK TO b;
RELEASE a;
COMMIT;
INSERT INTO lead (kind) VALUES ('top');
SELECT a.measure AS tier FROM leadroute.assignment a ORDER BY a.id DESC LIMIT 1;
SELECT leadroute.measure();
-- the window has passed: nothing is known again
SET leadroute.test_clock = '2030-09-01 00:00+00';
SELECT leadroute.measure();
SELECT count(*), count(conversion_rate) FROM leadroute.performance;
INSERT INTO lead (kind) VALUES ('top');
SELECT a.measure AS tier FROM leadroute.assignment a ORDER BY a.id DESC LIMIT 1;
-- All the same: nobody differs by more than chance, so nobody is a star.
SET leadroute.test_clock = '2031-01-01 00:00+00';
CALL history('m1', 50, 5);
CALL history('m2', 50, 6);
CALL history('m3', 50, 4);
SET leadroute.test_clock = '2031-02-01 00:00+00';
SELECT leadroute.measure();
SELECT DISTINCT round(conversion_rate::numeric, 3) AS conversion, tier FROM leadroute.performance WHERE team = 'sales';
-- whoever may not
CREATE ROLE regress_leadroute_measurer;
GRANT USAGE ON SCHEMA leadroute TO regress_leadroute_measurer;
SET ROLE regress_leadroute_measurer;
SELECT leadroute.measure();
RESET ROLE;
DROP OWNED BY regress_leadroute_measurer;
DROP ROLE regress_leadroute_measurer;
RESET leadroute.test_clock;
SELECT * FROM leadroute.verify();
DROP TABLE lead;
DROP PROCEDURE history;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
