-- Each method against the figures that the field publishes.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, open boolean NOT NULL DEFAULT true, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open') IS NOT NULL AS attached;
-- n leads of a kind, one statement; who got them, in order
CREATE FUNCTION got(n integer, kind text) RETURNS text LANGUAGE sql AS $$
	WITH i AS (INSERT INTO lead (kind) SELECT got.kind FROM generate_series(1, n) RETURNING id, owner)
	SELECT string_agg(coalesce(owner, '-'), ' ' ORDER BY id) FROM i;
$$;
-- the same, one statement and transaction a lead: batch size must not matter
CREATE PROCEDURE insert_one_by_one(n integer, kind text) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		INSERT INTO lead (kind) VALUES (insert_one_by_one.kind);
		COMMIT;
	END LOOP;
END $$;
CREATE FUNCTION received(kind text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(owner || ' ' || n, ', ' ORDER BY owner) FROM
		(SELECT coalesce(owner, '-') AS owner, count(*) AS n FROM lead WHERE lead.kind = received.kind GROUP BY 1) c;
$$;
-- a team and a rule of the same name: members and weights
CREATE PROCEDURE make_team(team text, members text[], weights numeric[], method text DEFAULT 'round_robin') LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO leadroute.member (name) SELECT unnest(members) ON CONFLICT DO NOTHING;
	INSERT INTO leadroute.team (name) VALUES (team);
	INSERT INTO leadroute.team_member (team, member, position, weight)
		SELECT make_team.team, m, p, w FROM unnest(members, weights) WITH ORDINALITY u (m, w, p);
	INSERT INTO leadroute.rule (name, condition, team, method) VALUES (team, format('kind = %L', team), team, method);
END $$;

-- round_robin: equal split, in the published order (position, not name)
CALL make_team('equal', '{d,b,a,c}', '{1,1,1,1}');
SELECT got(20, 'equal');
SELECT received('equal');
-- order without positions: by name; a position goes before none
INSERT INTO leadroute.team (name) VALUES ('by name');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('by name', 'c', NULL), ('by name', 'a', NULL), ('by name', 'b', NULL), ('by name', 'd', 7);
INSERT INTO leadroute.rule (name, condition, team) VALUES ('by name', $$kind = 'by name'$$, 'by name');
SELECT got(8, 'by name');
-- weights, long run
CALL make_team('long', '{a,b,c}', '{200,100,100}');
SELECT got(60, 'long');
SELECT received('long');
-- weight 2: two of each four leads
CALL make_team('two a cycle', '{a,b,c}', '{2,1,1}');
SELECT got(12, 'two a cycle');
-- weight 0.5: skipped every other cycle
CALL make_team('half', '{a,b,c}', '{1,1,0.5}');
SELECT got(15, 'half');
SELECT received('half');
-- 1:3, interleaved; each prefix deviates by less than 1, whatever the batches
CALL make_team('1:3', '{a,b}', '{1,3}');
CALL make_team('1:3 singly', '{a,b}', '{1,3}');
SELECT got(16, '1:3');
CALL insert_one_by_one(16, '1:3 singly');
SELECT string_agg(owner, ' ' ORDER BY id) FROM lead WHERE kind = '1:3 singly';
SELECT kind, max(abs(n * CASE owner WHEN 'a' THEN 0.25 ELSE 0.75 END - received)) AS worst FROM (
	SELECT kind, o.owner, row_number() OVER w AS n, count(*) FILTER (WHERE l.owner = o.owner) OVER w AS received
	FROM lead l CROSS JOIN (VALUES ('a'), ('b')) o (owner) WHERE kind LIKE '1:3%'
	WINDOW w AS (PARTITION BY kind, o.owner ORDER BY id)) x GROUP BY kind ORDER BY kind;
-- a team of one; a weight is relative
CALL make_team('one', '{a}', '{0.000001}');
SELECT got(3, 'one');

-- Weights with somebody who cannot: 10, 15, 5, 30, the third away.
CALL make_team('away', '{w10,w15,w5,w30}', '{10,15,5,30}');
INSERT INTO leadroute.absence (member) VALUES ('w5');
SELECT got(55, 'away') IS NOT NULL AS inserted;
SELECT received('away');
-- ... at every prefix: received against the exact share, bound 1 - 1/(2m-2) = 0.75
SELECT max(abs(n * s.share - received)) <= 0.75 AS within_bound FROM (
	SELECT o.owner, o.share, row_number() OVER w AS n, count(*) FILTER (WHERE l.owner = o.owner) OVER w AS received
	FROM lead l CROSS JOIN (VALUES ('w10', 10 / 55.0), ('w15', 15 / 55.0), ('w30', 30 / 55.0)) o (owner, share)
	WHERE kind = 'away' WINDOW w AS (PARTITION BY o.owner ORDER BY id)) s;
-- Absence is frozen: back after 55 leads it is owed nothing.  5 of 60 are due,
-- and it gets them at its usual distance.
DELETE FROM leadroute.absence WHERE member = 'w5';
SELECT got(60, 'away') IS NOT NULL AS inserted;
SELECT owner, count(*) - CASE owner WHEN 'w10' THEN 10 WHEN 'w15' THEN 15 WHEN 'w30' THEN 30 ELSE 0 END AS more
	FROM lead WHERE kind = 'away' GROUP BY owner ORDER BY owner;
-- the credits of a team always sum to 0
SELECT t.name, round(sum(credit)::numeric, 6) AS sum, bool_and(abs(credit) < 1) AS all_below_one
	FROM leadroute.seat_counter() s JOIN leadroute.team t ON t.id = s.team GROUP BY 1 ORDER BY 1;

-- A newcomer starts level: no flood, one of each round.
CALL make_team('new', '{a,b}', '{1,1}');
SELECT got(20, 'new');
INSERT INTO leadroute.team_member (team, member) VALUES ('new', 'c');
SELECT got(9, 'new');
-- one who leaves and comes back has no claims either
DELETE FROM leadroute.team_member WHERE team = 'new' AND member = 'a';
SELECT got(6, 'new');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('new', 'a', 1);
SELECT got(9, 'new');
-- a changed weight counts from now on; what was received stays
UPDATE leadroute.team_member SET weight = 2 WHERE team = 'new' AND member = 'a';
SELECT got(8, 'new');

-- Without a team: every member, weight 1, by name; such rules share one rotation.
DELETE FROM leadroute.absence;
INSERT INTO leadroute.rule (name, condition) VALUES ('all one', $$kind = 'all one'$$), ('all two', $$kind = 'all two'$$);
SELECT got(3, 'all one');
SELECT got(5, 'all two');
SELECT got(2, 'all one');

-- least_loaded: open leads 10, 20, 30
UPDATE leadroute.rule SET enabled = false;
CALL make_team('level', '{l10,l20,l30}', '{1,1,1}', 'least_loaded');
INSERT INTO lead (kind, owner) SELECT 'mine', 'l10' FROM generate_series(1, 10);
INSERT INTO lead (kind, owner) SELECT 'mine', 'l20' FROM generate_series(1, 20);
INSERT INTO lead (kind, owner) SELECT 'mine', 'l30' FROM generate_series(1, 30);
SELECT got(10, 'level');
SELECT got(20, 'level');
SELECT got(3, 'level');
SELECT received('level');
-- closing leads lowers the load
UPDATE lead SET open = false WHERE kind = 'mine' AND owner = 'l30';
SELECT got(5, 'level');
-- by capacity where every candidate has one: 2 of 10 goes before 1 of 2
CALL make_team('capacity', '{c2,c10}', '{1,1}', 'least_loaded');
UPDATE leadroute.member SET capacity = 2 WHERE name = 'c2';
UPDATE leadroute.member SET capacity = 10 WHERE name = 'c10';
SELECT got(12, 'capacity');
SELECT received('capacity');
SELECT got(1, 'capacity');
DELETE FROM lead WHERE owner IS NULL;
-- by weight otherwise
CALL make_team('load weight', '{v1,v3}', '{1,3}', 'least_loaded');
SELECT got(8, 'load weight');
SELECT received('load weight');

-- longest_idle: who got nothing for longest, whatever the weights; a lead by
-- another rule counts too.
CALL make_team('idle', '{i1,i2,i3}', '{1,5,1}', 'longest_idle');
SELECT got(4, 'idle');
CALL make_team('other', '{i2}', '{1}');
SELECT got(1, 'other');
SELECT got(3, 'idle');

-- random: by weight, seeded by the lead's key: the same keys, the same owners.
CALL make_team('random', '{r1,r3}', '{1,3}', 'random');
BEGIN;
SELECT setval(pg_get_serial_sequence('lead', 'id'), 100000) IS NOT NULL AS set;
SELECT got(40, 'random') AS first_time
\gset
ROLLBACK;
SELECT setval(pg_get_serial_sequence('lead', 'id'), 100000) IS NOT NULL AS set;
SELECT got(40, 'random') = :'first_time' AS reproducible;
SELECT got(3960, 'random') IS NOT NULL AS inserted;
-- 3000 of 4000 are expected, standard deviation 27
SELECT count(*) BETWEEN 2880 AND 3120 AS by_weight FROM lead WHERE kind = 'random' AND owner = 'r3';
-- ... and no runs in blocks: the same owner again as often as chance says (62.5 %)
SELECT count(*) FILTER (WHERE owner = before) BETWEEN 2350 AND 2650 AS independent
	FROM (SELECT owner, lag(owner) OVER (ORDER BY id) AS before FROM lead WHERE kind = 'random') x;

-- A method changed between two leads.
UPDATE leadroute.rule SET method = 'round_robin' WHERE name = 'level';
SELECT got(3, 'level');

SELECT * FROM leadroute.verify();
DROP TABLE lead;
DROP FUNCTION got, received;
DROP PROCEDURE insert_one_by_one, make_team;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
