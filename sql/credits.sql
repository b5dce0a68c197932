-- Credits: who is away, catch_up and its limit, turns given back, edits.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
-- n leads of a kind, who got them, in order
CREATE FUNCTION got(n integer, kind text) RETURNS text LANGUAGE sql AS $$
	WITH i AS (INSERT INTO lead (kind) SELECT got.kind FROM generate_series(1, n) RETURNING id, owner)
	SELECT string_agg(coalesce(owner, '-'), ' ' ORDER BY id) FROM i;
$$;
CREATE PROCEDURE make_team(team text, members text[], catch_up boolean DEFAULT false, credit_limit numeric DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO leadroute.member (name) SELECT unnest(members) ON CONFLICT DO NOTHING;
	INSERT INTO leadroute.team (name, catch_up, credit_limit) VALUES (team, catch_up, credit_limit);
	INSERT INTO leadroute.team_member (team, member, position)
		SELECT make_team.team, m, p FROM unnest(members) WITH ORDINALITY u (m, p);
	INSERT INTO leadroute.rule (name, condition, team) VALUES (team, format('kind = %L', team), team);
END $$;
-- credits of a team, and whether leadroute agrees with itself, now and recounted
CREATE FUNCTION credits(team text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(m.name || ' ' || trim_scale(round(s.credit::numeric, 3)), ', ' ORDER BY m.name)
	FROM leadroute.seat_counter() s JOIN leadroute.team t ON t.id = s.team JOIN leadroute.member m ON m.id = s.member
	WHERE t.name = credits.team;
$$;
CREATE VIEW wrong AS SELECT what, subject, expected, found FROM leadroute.verify();

-- frozen while away: back again, it has neither more nor less to come
CALL make_team('frozen', '{a,b,c}');
SELECT got(3, 'frozen'), credits('frozen');
SELECT leadroute.pause('c', 'infinity', NULL, 'frozen') IS NOT NULL AS paused;
SELECT got(20, 'frozen'), credits('frozen');
SELECT leadroute.resume('c', 'frozen') IS NOT NULL AS resumed;
SELECT got(6, 'frozen'), credits('frozen');

-- catch_up: each missed turn is owed, and paid back first
CALL make_team('owed', '{a,b,c}', true);
SELECT got(3, 'owed'), credits('owed');
SELECT leadroute.pause('c', 'infinity', NULL, 'owed') IS NOT NULL AS paused;
SELECT got(12, 'owed'), credits('owed');
TABLE wrong;
SELECT leadroute.resume('c', 'owed') IS NOT NULL AS resumed;
SELECT got(9, 'owed'), credits('owed');

-- on a call, too; but who is off duty misses nothing
CALL make_team('on call', '{a,b,c}', true);
SELECT leadroute.busy('b', true);
INSERT INTO leadroute.schedule (name, hours, timezone) VALUES ('never now', to_char(now() AT TIME ZONE 'UTC' + interval '2 days', 'Dy') || ' 10:00-11:00', 'UTC');
UPDATE leadroute.member SET schedule = 'never now' WHERE name = 'c';
SELECT got(4, 'on call'), credits('on call');
-- nor does who is away besides
SELECT leadroute.pause('c') IS NOT NULL AS paused;
SELECT got(4, 'on call'), credits('on call');
SELECT leadroute.resume('c') IS NOT NULL AS resumed;
SELECT leadroute.busy('b', false);
UPDATE leadroute.member SET schedule = NULL WHERE name = 'c';
SELECT got(5, 'on call'), credits('on call');

-- up to credit_limit, never beyond
CALL make_team('limited', '{a,b,c}', true, 2.5);
SELECT leadroute.pause('c', 'infinity', NULL, 'limited') IS NOT NULL AS paused;
SELECT got(6, 'limited'), credits('limited');
SELECT got(30, 'limited'), credits('limited');
SELECT leadroute.resume('c', 'limited') IS NOT NULL AS resumed;
SELECT got(9, 'limited'), credits('limited');

-- two are away: each is owed its own
CALL make_team('two', '{a,b,c,d}', true, 3);
SELECT leadroute.pause('c', 'infinity', NULL, 'two'), leadroute.pause('d', 'infinity', NULL, 'two') \g /dev/null
SELECT got(8, 'two'), credits('two');
BEGIN;
SELECT got(4, 'two');
SAVEPOINT s;
SELECT got(5, 'two');
ROLLBACK TO s;
SELECT credits('two');
ROLLBACK;
SELECT credits('two');
SELECT got(8, 'two'), credits('two');

-- full is not away: no turn is banked
CALL make_team('full', '{e,f}', true);
UPDATE leadroute.member SET capacity = 1 WHERE name = 'f';
SELECT got(8, 'full'), credits('full');
UPDATE leadroute.member SET capacity = NULL WHERE name = 'f';
SELECT got(4, 'full'), credits('full');
-- who joins is at 0
INSERT INTO leadroute.member (name) VALUES ('new');
INSERT INTO leadroute.team_member (team, member) VALUES ('full', 'new');
SELECT got(6, 'full'), credits('full');

-- editing the team resets nothing: weights, leaving, coming back
CALL make_team('edited', '{a,b,c}');
SELECT got(4, 'edited'), credits('edited');
UPDATE leadroute.team_member SET weight = 2 WHERE team = 'edited' AND member = 'b';
DELETE FROM leadroute.team_member WHERE team = 'edited' AND member = 'a';
SELECT credits('edited');
SELECT got(3, 'edited'), credits('edited');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('edited', 'a', 1);
SELECT got(3, 'edited'), credits('edited');
-- one rotation for all rules of the team
INSERT INTO leadroute.rule (name, condition, team) VALUES ('edited too', $$kind = 'edited too'$$, 'edited');
SELECT got(1, 'edited'), got(1, 'edited too'), got(1, 'edited'), got(1, 'edited too');
TABLE wrong;

-- a lead that goes to somebody else by hand gives its turn back
CALL make_team('back', '{a,b,c}');
SELECT got(4, 'back'), credits('back');
SELECT leadroute.assign('lead', (SELECT max(id) FROM lead), 'b', 'knows them');
-- as though the lead had not been: a, who has lost it, is next
SELECT credits('back');
SELECT got(3, 'back'), credits('back');
-- in the app's own UPDATE, to somebody or to nobody
UPDATE lead SET owner = 'b' WHERE id = (SELECT max(id) FROM lead);
SELECT credits('back');
SELECT got(1, 'back');
-- ... while nobody decides it anew
UPDATE leadroute.router SET enabled = false;
UPDATE lead SET owner = NULL WHERE id = (SELECT max(id) FROM lead);
UPDATE leadroute.router SET enabled = true;
SELECT credits('back');
-- once: what was given to b by hand is no turn
UPDATE lead SET owner = 'c' WHERE kind = 'back' AND owner = 'b';
SELECT credits('back');
-- nor does it come back for a lead that is deleted
SELECT got(1, 'back');
SELECT credits('back');
DELETE FROM lead WHERE id = (SELECT max(id) FROM lead);
SELECT credits('back');
-- rolled back: the turn is taken again
BEGIN;
SELECT got(1, 'back');
SELECT credits('back');
SAVEPOINT s;
UPDATE lead SET owner = 'nobody we know' WHERE id = (SELECT max(id) FROM lead);
SELECT credits('back');
ROLLBACK TO s;
SELECT credits('back');
COMMIT;
TABLE wrong;
-- in the composition that it was taken in, whoever is in the team now
SELECT got(1, 'back') AS to_be_moved \gset
SELECT credits('back');
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('back', 'd', 5);
DELETE FROM leadroute.team_member WHERE team = 'back' AND member = :'to_be_moved';
SELECT leadroute.assign('lead', (SELECT max(id) FROM lead), 'd', 'is new');
SELECT credits('back');
-- with those who accrued then
SELECT leadroute.pause('c', 'infinity', NULL, 'owed') IS NOT NULL AS paused;
SELECT credits('owed');
SELECT got(1, 'owed');
-- ... while nobody decides it anew
UPDATE leadroute.router SET enabled = false;
UPDATE lead SET owner = NULL WHERE id = (SELECT max(id) FROM lead);
UPDATE leadroute.router SET enabled = true;
SELECT credits('owed');
-- the report counts no turn that was given back, and what was owed
SELECT team, member, received, round(exact_share::numeric, 3) AS exact_share, round(deviation::numeric, 3) AS deviation
FROM leadroute.fairness WHERE team IN ('back', 'owed', 'limited');
SELECT f.team, count(*), bool_and(abs(f.deviation + s.credit) < 0.000001) AS deviation_is_credit
FROM leadroute.fairness f JOIN leadroute.team t ON t.name = f.team JOIN leadroute.member m ON m.name = f.member
JOIN leadroute.seat_counter() s ON s.team = t.id AND s.member = m.id GROUP BY 1 ORDER BY 1;
SELECT regexp_replace(w, '^.*(released.*) [(].*$', '\1') AS why FROM leadroute.why('lead', (SELECT lead_key FROM leadroute.lead_history WHERE sentence LIKE '%its turn comes back%' ORDER BY id LIMIT 1)) w WHERE w LIKE '%turn%';
-- recounted from the tables
SELECT string_agg(t.name || ': ' || credits(t.name), E'\n' ORDER BY t.name) AS before FROM leadroute.team t \gset
SELECT leadroute.rebuild() > 0 AS rebuilt;
SELECT string_agg(t.name || ': ' || credits(t.name), E'\n' ORDER BY t.name) = :'before' AS same FROM leadroute.team t;
TABLE wrong;
-- without a limit: 8 million leads by the number of members
INSERT INTO leadroute.member (name) SELECT 'crowd ' || g FROM generate_series(1, 4000) g;
INSERT INTO leadroute.team (name, catch_up) VALUES ('crowd', true);
INSERT INTO leadroute.team_member (team, member, weight) SELECT 'crowd', name, CASE name WHEN 'crowd 1' THEN 1000000 ELSE 0.000001 END
	FROM leadroute.member WHERE name LIKE 'crowd%';
INSERT INTO leadroute.rule (name, condition, team) VALUES ('crowd', $$kind = 'crowd'$$, 'crowd');
SELECT leadroute.pause('crowd 1') IS NOT NULL AS paused;
INSERT INTO lead (kind) SELECT 'crowd' FROM generate_series(1, 2200);
SELECT round(s.credit::numeric, 3) AS owed FROM leadroute.seat_counter() s JOIN leadroute.member m ON m.id = s.member WHERE m.name = 'crowd 1' AND s.credit > 0;
TABLE wrong;
-- what does not work is refused
INSERT INTO leadroute.team (name, catch_up, credit_limit) VALUES ('x', true, 0);
INSERT INTO leadroute.team (name, catch_up, credit_limit) VALUES ('x', true, 'NaN');
INSERT INTO leadroute.team (name, catch_up) VALUES ('x', NULL);
DROP VIEW wrong;
DROP FUNCTION got, credits;
DROP PROCEDURE make_team;
DROP TABLE lead;
DROP EXTENSION leadroute;
