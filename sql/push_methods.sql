-- by_target, top_producer and waterfall: who goes first, and down to the last tie.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, open boolean NOT NULL DEFAULT true, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open') IS NOT NULL AS attached;
CREATE FUNCTION got(n integer, kind text) RETURNS text LANGUAGE sql AS $$
	WITH i AS (INSERT INTO lead (kind) SELECT got.kind FROM generate_series(1, n) RETURNING id, owner)
	SELECT string_agg(coalesce(owner, '-'), ' ' ORDER BY id) FROM i;
$$;
CREATE FUNCTION received(kind text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(owner || ' ' || n, ', ' ORDER BY owner) FROM
		(SELECT coalesce(owner, '-') AS owner, count(*) AS n FROM lead WHERE lead.kind = received.kind GROUP BY 1) c;
$$;
-- a team and a rule of the same name
CREATE PROCEDURE make_team(team text, members text[], method text, targets integer[] DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO leadroute.member (name) SELECT unnest(members) ON CONFLICT DO NOTHING;
	INSERT INTO leadroute.team (name) VALUES (team);
	INSERT INTO leadroute.team_member (team, member, position, target)
		SELECT make_team.team, m, p, targets[p] FROM unnest(members) WITH ORDINALITY u (m, p);
	INSERT INTO leadroute.rule (name, condition, team, method) VALUES (team, format('kind = %L', team), team, method);
END $$;

-- by_target: lowest received by target first; ties: the longest without a lead,
-- then the order of the team.
SET leadroute.test_clock = '2030-01-10 12:00+00';
CALL make_team('target', '{t1,t2,t4}', 'by_target', '{10,20,40}');
SELECT got(7, 'target');
SELECT got(63, 'target') IS NOT NULL AS inserted, received('target');
-- all have theirs: it goes on in the same proportion
SELECT got(70, 'target') IS NOT NULL AS inserted, received('target');
SELECT s.sentence FROM leadroute.lead_history s WHERE s.assignment = (SELECT max(id) FROM leadroute.journal);
-- a lead by hand, or by another method of the team, is none of these
INSERT INTO lead (kind, owner) SELECT 'given', 't1' FROM generate_series(1, 30);
INSERT INTO leadroute.rule (name, condition, team) VALUES ('by turns', $$kind = 'by turns'$$, 'target');
SELECT got(30, 'by turns') IS NOT NULL AS inserted;
SELECT got(7, 'target') IS NOT NULL AS inserted, received('target');
-- somebody without target comes after all who have one
INSERT INTO leadroute.member (name) VALUES ('t0');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('target', 't0', 0);
SELECT got(7, 'target') IS NOT NULL AS inserted, received('target');
INSERT INTO leadroute.absence (member) VALUES ('t1'), ('t2'), ('t4');
SELECT got(2, 'target');
SELECT a.member, a.measure, s.sentence FROM leadroute.assignment a JOIN leadroute.lead_history s ON s.assignment = a.id ORDER BY a.id DESC LIMIT 1;
DELETE FROM leadroute.absence;
-- a second rule of the team counts in the same month
INSERT INTO leadroute.rule (name, condition, team, method) VALUES ('second', $$kind = 'second'$$, 'target', 'by_target');
SELECT got(3, 'second');
SELECT got(4, 'target');
-- what is rolled back, conflicts or fails, has not been received
BEGIN;
SELECT got(50, 'target') IS NOT NULL AS inserted;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT got(20, 'target') IS NOT NULL AS inserted;
ROLLBACK TO s;
SELECT got(4, 'target') IS NOT NULL AS inserted;
SAVEPOINT s2;
SELECT got(3, 'target') IS NOT NULL AS inserted;
RELEASE s2;
COMMIT;
INSERT INTO lead (id, kind) OVERRIDING SYSTEM VALUE VALUES (1, 'target') ON CONFLICT DO NOTHING;
SELECT m.name, c.target_month, c.received, c.received_before, count(j.id) AS in_journal
	FROM leadroute.seat_counter() c JOIN leadroute.member m ON m.id = c.member JOIN leadroute.team t ON t.id = c.team AND t.name = 'target'
	LEFT JOIN leadroute.journal j ON j.target_month = c.target_month AND j.member = c.member
	GROUP BY 1, 2, 3, 4 ORDER BY 1;
-- the month passes: in the router's time zone all begin anew
SET leadroute.test_clock = '2030-01-31 23:59:59.999999+00';
SELECT got(7, 'target');
SET leadroute.test_clock = '2030-02-01 00:00+00';
SELECT got(7, 'target');
SELECT m.name, c.target_month, c.received, c.received_before
	FROM leadroute.seat_counter() c JOIN leadroute.member m ON m.id = c.member JOIN leadroute.team t ON t.id = c.team AND t.name = 'target' ORDER BY 1;
-- a decision whose clock was read just before still counts in its own month
SET leadroute.test_clock = '2030-01-31 23:59:59.999999+00';
SELECT got(7, 'target');
SELECT m.name, c.target_month, c.received, c.received_before
	FROM leadroute.seat_counter() c JOIN leadroute.member m ON m.id = c.member JOIN leadroute.team t ON t.id = c.team AND t.name = 'target' ORDER BY 1;
SELECT * FROM leadroute.verify();
-- months that nobody remembers: 0
SET leadroute.test_clock = '2030-04-15 00:00+00';
SELECT got(3, 'target');
-- the first transaction of a month is rolled back
SET leadroute.test_clock = '2030-05-15 00:00+00';
BEGIN;
SELECT got(3, 'target');
ROLLBACK;
SELECT * FROM leadroute.verify();
SELECT leadroute.checkpoint_now() > 0 AS written;
SET leadroute.test_clock = '2030-04-30 00:00+00';
SELECT got(4, 'target');
-- loaded again: from the checkpoint and from all of the journal
SELECT leadroute.rebuild() > 0 AS rebuilt;
SELECT * FROM leadroute.verify();
SELECT m.name, c.target_month, c.received, c.received_before
	FROM leadroute.seat_counter() c JOIN leadroute.member m ON m.id = c.member JOIN leadroute.team t ON t.id = c.team AND t.name = 'target' ORDER BY 1;
RESET leadroute.test_clock;
-- refused
INSERT INTO leadroute.team_member (team, member, target) VALUES ('target', 't0', 0);
UPDATE leadroute.team_member SET target = -1;
UPDATE leadroute.member SET tier = 0;
UPDATE leadroute.rule SET method = 'by_targets';

-- waterfall: by position until full, then the next; who is away is passed over.
CALL make_team('fall', '{f3,f1,f2}', 'waterfall');
UPDATE leadroute.member SET capacity = 2 WHERE name IN ('f3', 'f1');
SELECT got(6, 'fall');
SELECT measure, sentence FROM leadroute.lead_history s JOIN leadroute.assignment a USING (id) ORDER BY id DESC LIMIT 1;
-- a place that is free again is the first to be filled
UPDATE lead SET open = false WHERE id = (SELECT min(id) FROM lead WHERE owner = 'f3');
SELECT got(2, 'fall');
INSERT INTO leadroute.absence (member) VALUES ('f2');
SELECT got(1, 'fall');
DELETE FROM lead WHERE owner IS NULL;
DELETE FROM leadroute.absence;

-- top_producer: the best tier within limits; within a tier the longest without a
-- lead; who has no tier is in the middle, 2.
CALL make_team('top', '{p3,p1a,p1b,p}', 'top_producer');
UPDATE leadroute.member SET tier = 3 WHERE name = 'p3';
UPDATE leadroute.member SET tier = 1, capacity = 3 WHERE name IN ('p1a', 'p1b');
SELECT got(8, 'top');
UPDATE leadroute.member SET tier = 2 WHERE name = 'p3';
SELECT got(3, 'top');
SELECT s.sentence FROM leadroute.lead_history s ORDER BY id DESC LIMIT 1;
-- beyond the limits: the best tier again
UPDATE leadroute.rule SET overflow = 'ignore_limits' WHERE name = 'top';
UPDATE leadroute.member SET capacity = 0 WHERE name IN ('p3', 'p');
SELECT got(3, 'top');
-- the same in explain
SELECT leadroute.explain_lead('lead', '{"kind": "top"}', rule => 'top');
SELECT leadroute.explain_lead('lead', '{"kind": "fall"}', rule => 'fall');
SELECT leadroute.explain_lead('lead', '{"kind": "target"}', rule => 'target');

-- Bigger slices by tier: round_robin, with weights by tier.
CALL make_team('slices', '{p1a,p3}', 'round_robin');
UPDATE leadroute.member SET capacity = NULL;
UPDATE leadroute.team_member tm SET weight = CASE m.tier WHEN 1 THEN 3 WHEN 2 THEN 2 ELSE 1 END
	FROM leadroute.member m WHERE m.name = tm.member AND tm.team = 'slices';
SELECT got(10, 'slices');

-- A month begins when the clock first shows its first midnight: in Havana this
-- one is shown twice.  The second lead comes between the two.
CALL make_team('midnight', '{p1}', 'by_target');
UPDATE leadroute.router SET timezone = 'America/Havana';
SET leadroute.test_clock = '2015-11-01 03:30+00';
SELECT got(1, 'midnight');
SET leadroute.test_clock = '2015-11-01 04:30+00';
SELECT got(1, 'midnight');
RESET leadroute.test_clock;
SELECT assigned_at AT TIME ZONE 'UTC' AS utc, target_month % 12 + 1 AS month FROM leadroute.journal
	WHERE target_month IS NOT NULL ORDER BY id DESC LIMIT 2;

SELECT * FROM leadroute.verify();
DROP TABLE lead;
DROP FUNCTION got, received;
DROP PROCEDURE make_team;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
