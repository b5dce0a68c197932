-- fairness(): from the journal alone, over any window, what plain SQL makes of
-- notes taken while the leads arrived: who was there, with which weight.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET TimeZone = 'UTC';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, kind text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) SELECT 'm' || i FROM generate_series(1, 12) i;
INSERT INTO leadroute.team (name) VALUES ('one'), ('two');
INSERT INTO leadroute.team_member (team, member, position, weight) SELECT 'one', 'm' || i, i, i FROM generate_series(1, 8) i;
INSERT INTO leadroute.team_member (team, member, position, weight) SELECT 'two', 'm' || i, i, 0.5 FROM generate_series(6, 12) i;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('one', 1, $$kind IN ('one', 'both')$$, 'one'), ('two', 2, $$kind IN ('two', 'both')$$, 'two');

CREATE TABLE noted (lead integer, at timestamptz, team text, member text, weight double precision);
CREATE PROCEDURE arrive(first integer, last integer) LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz;
BEGIN
	FOR i IN first .. last LOOP
		at := '2030-01-01 UTC'::timestamptz + i * interval '1 hour';
		PERFORM set_config('leadroute.test_clock', at::text, true);
		-- some come, some go
		DELETE FROM leadroute.absence;
		INSERT INTO leadroute.absence (member, during) SELECT m.name, '[2000-01-01,)' FROM leadroute.member m WHERE random() < 0.5;
		INSERT INTO lead (id, kind) VALUES (i, CASE WHEN random() < 0.5 THEN 'one' ELSE 'two' END);
		INSERT INTO noted SELECT i, at, tm.team, tm.member, tm.weight
			FROM lead l JOIN leadroute.team_member tm ON tm.team = l.kind
			WHERE l.id = i AND l.owner IS NOT NULL AND NOT EXISTS (SELECT FROM leadroute.absence a WHERE a.member = tm.member);
	END LOOP;
END $$;
CREATE FUNCTION differs(since timestamptz, until timestamptz) RETURNS SETOF record LANGUAGE sql AS $$
	WITH due AS (SELECT n.team, n.member, n.lead, n.weight / sum(n.weight) OVER (PARTITION BY n.lead) AS share
			FROM noted n WHERE n.at >= since AND n.at < until),
		brute AS (SELECT d.team, d.member, sum(d.share) AS exact_share, count(*) FILTER (WHERE l.owner = d.member) AS received
			FROM due d JOIN lead l ON l.id = d.lead GROUP BY 1, 2)
	SELECT team, member, b.received, f.received, b.exact_share, f.exact_share, f.deviation
	FROM brute b FULL JOIN leadroute.fairness(since, until) f USING (team, member)
	WHERE b.received IS DISTINCT FROM f.received OR abs(b.exact_share - f.exact_share) > 1e-9
	OR abs(f.received - f.exact_share - f.deviation) > 1e-9 OR f.exact_share IS NULL $$;

SELECT setseed(0.4);
BEGIN;
CALL arrive(1, 150);
-- another composition: weights, members
UPDATE leadroute.team_member SET weight = 10 - weight WHERE team = 'one';
DELETE FROM leadroute.team_member WHERE member = 'm7';
CALL arrive(151, 300);
-- those for whom nobody was there: the worker is not to decide them
DELETE FROM lead WHERE owner IS NULL;
COMMIT;
SELECT * FROM differs('-infinity', 'infinity') d (team text, member text, a bigint, b bigint, c double precision, d double precision, e double precision);
SELECT * FROM differs('2030-01-03', '2030-01-11 12:00') d (team text, member text, a bigint, b bigint, c double precision, d double precision, e double precision);
-- a window's end is not in it
SELECT since, sum(f.received), round(sum(f.exact_share)) FROM (VALUES (1), (2), (150), (301)) w (since),
	leadroute.fairness('2030-01-01 UTC'::timestamptz + since * interval '1 hour', '2030-01-01 UTC'::timestamptz + (since + 10) * interval '1 hour') f GROUP BY 1 ORDER BY 1;
-- nobody is far from what is due (2: candidates differ from lead to lead)
SELECT max(abs(deviation)) < 2 AS fair, count(*) FROM leadroute.fairness('-infinity', 'infinity');

-- Of what takes no turn nothing is seen: given, by hand, beyond limits, other methods.
UPDATE leadroute.rule SET method = 'longest_idle' WHERE name = 'one';
UPDATE leadroute.rule SET overflow = 'ignore_limits' WHERE name = 'two';
DELETE FROM leadroute.absence;
UPDATE leadroute.member SET capacity = 0;
CREATE TABLE before AS SELECT * FROM leadroute.fairness('-infinity', 'infinity');
INSERT INTO lead (id, kind, owner) VALUES (1001, 'one', 'm1');
INSERT INTO lead (id, kind) VALUES (1002, 'two');
UPDATE leadroute.member SET capacity = NULL;
INSERT INTO lead (id, kind) VALUES (1003, 'one');
SELECT count(*) FILTER (WHERE owner IS NOT NULL) AS owned FROM lead WHERE id > 1000;
SELECT * FROM leadroute.fairness('-infinity', 'infinity') EXCEPT SELECT * FROM before;
-- a lead that goes to the overflow team takes a turn there, and none in its own
UPDATE leadroute.rule SET method = 'round_robin', overflow = 'team', overflow_team = 'two' WHERE name = 'one';
UPDATE leadroute.member SET capacity = 0 WHERE name <= 'm5' AND length(name) = 2;
UPDATE leadroute.member SET capacity = 0 WHERE name IN ('m6', 'm8');
INSERT INTO lead (id, kind) VALUES (1004, 'one');
SELECT f.team, sum(f.received - b.received) AS received, round(sum(f.exact_share - b.exact_share)::numeric, 9) AS due
	FROM leadroute.fairness('-infinity', 'infinity') f JOIN before b USING (team, member) GROUP BY 1 ORDER BY 1;

DROP FUNCTION differs;
DROP PROCEDURE arrive;
DROP TABLE noted, before, lead;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
