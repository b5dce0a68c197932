-- Whose turn comes when: what next_turns says is what happens.
\pset format unaligned
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team text, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(1, 8) g;
INSERT INTO leadroute.team (name) VALUES ('dach'), ('empty');
INSERT INTO leadroute.team_member (team, member, position, weight) VALUES ('dach', 'm1', 1, 3), ('dach', 'm2', 2, 1), ('dach', 'm3', 3, 1);
INSERT INTO leadroute.rule (name, condition, team) VALUES ('dach', $$team = 'dach'$$, 'dach');
INSERT INTO leadroute.rule (name, condition, team, method) VALUES ('idle', $$team = 'idle'$$, 'empty', 'longest_idle');

-- before the first lead, after one, after two
SELECT * FROM leadroute.next_turns('dach');
INSERT INTO lead (team) VALUES ('dach') RETURNING owner;
SELECT member, credit, next_in FROM leadroute.next_turns('dach');
INSERT INTO lead (team) VALUES ('dach') RETURNING owner;
SELECT member, credit, next_in FROM leadroute.rotation;
INSERT INTO lead (team) SELECT 'dach' FROM generate_series(1, 3) RETURNING owner;
-- who cannot have one; nothing was reserved, nothing distributed
SELECT leadroute.away('m1', current_date, current_date + 1) IS NOT NULL AS away;
SELECT leadroute.busy('m2', true);
INSERT INTO leadroute.cap (name, member, period, max_leads) VALUES ('none', 'm3', 'day', 0);
SELECT member, next_in, not_available_because, until IS NOT NULL AS until_known FROM leadroute.rotation;
SELECT member, available, turns FROM leadroute.member_status WHERE member IN ('m1', 'm3', 'm8') ORDER BY member;
SELECT leadroute.busy('m2', false);
SELECT leadroute.resume('m1');
-- only caps of every lead, and of this team, count
UPDATE leadroute.cap SET condition = 'id > 0';
SELECT member, next_in FROM leadroute.next_turns('dach') WHERE member = 'm3';
DELETE FROM leadroute.cap;
SELECT * FROM leadroute.next_turns('empty');
SELECT count(*) FROM leadroute.next_turns();
SELECT * FROM leadroute.next_turns('nobody');
SELECT * FROM leadroute.next_turns('dach', 'nobody');
SELECT * FROM leadroute.next_turns(NULL, NULL) LIMIT 0;
-- far behind: not in any foreseeable time
UPDATE leadroute.team_member SET weight = CASE member WHEN 'm1' THEN 1000000 ELSE 0.000001 END;
SELECT member, next_in FROM leadroute.next_turns('dach');

-- Any weights, some away (and owed, where the team catches up), some full: each
-- member gets its next lead when it was said.
CREATE PROCEDURE play(rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	wrong integer := 0;
	told integer := 0;
BEGIN
	FOR i IN 1 .. rounds LOOP
		DELETE FROM leadroute.team_member WHERE team = 'dach' AND random() < 0.1;
		INSERT INTO leadroute.team_member (team, member, weight) SELECT 'dach', 'm' || ceil(random() * 8), 1 + floor(random() * 4) ON CONFLICT DO NOTHING;
		DELETE FROM leadroute.absence;
		INSERT INTO leadroute.absence (member, during) SELECT name, '[2000-01-01, infinity)' FROM leadroute.member WHERE random() < 0.2;
		UPDATE leadroute.team SET catch_up = random() < 0.5, credit_limit = 1 WHERE name = 'dach';
		UPDATE leadroute.team_member SET weight = 1 + floor(random() * 4) WHERE random() < 0.2;
		CREATE TEMP TABLE said ON COMMIT DROP AS SELECT * FROM leadroute.next_turns('dach') WHERE next_in IS NOT NULL;
		CREATE TEMP TABLE got ON COMMIT DROP AS SELECT NULL::integer AS n, NULL::text AS owner WHERE false;
		FOR n IN 1 .. (SELECT coalesce(max(next_in), 0) FROM said) LOOP
			WITH l AS (INSERT INTO lead (team) VALUES ('dach') RETURNING owner) INSERT INTO got SELECT n, owner FROM l;
		END LOOP;
		told := told + (SELECT count(*) FROM said);
		wrong := wrong + (SELECT count(*) FROM said s FULL JOIN (SELECT owner, min(n) AS n FROM got GROUP BY owner) g ON g.owner = s.member
			WHERE s.next_in IS DISTINCT FROM g.n);
		DROP TABLE said, got;
	END LOOP;
	RAISE INFO 'told % a turn: %, wrong: %', CASE WHEN told > 100 THEN 'many' ELSE 'few' END, told > 100, wrong;
END $$;
SELECT setseed(0.25);
CALL play(60);
SELECT * FROM leadroute.verify();
DROP PROCEDURE play;
DROP TABLE lead;
DROP EXTENSION leadroute CASCADE;
