-- What happens to a rotation over days and edits: a team that is emptied, members
-- who go and come, one lead a day, a lead whose region changes afterwards.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, region text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL;
INSERT INTO leadroute.member (name) SELECT unnest('{a,b,c,d,e}'::text[]);
INSERT INTO leadroute.team (name) VALUES ('north'), ('south');
INSERT INTO leadroute.team_member (team, member, position) SELECT 'north', m, p FROM unnest('{a,b,c,d}'::text[]) WITH ORDINALITY u (m, p);
INSERT INTO leadroute.team_member (team, member) VALUES ('south', 'e');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('north', 1, $$region = 'north'$$, 'north'), ('south', 2, $$region IN ('south', 'north')$$, 'south');
CREATE FUNCTION got(n integer, region text DEFAULT 'north') RETURNS text LANGUAGE sql AS $$
	WITH i AS (INSERT INTO lead (region) SELECT got.region FROM generate_series(1, n) RETURNING id, owner)
	SELECT string_agg(coalesce(owner, '-'), ' ' ORDER BY id) FROM i;
$$;
-- one lead a transaction
CREATE PROCEDURE each_day(days integer, leads integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR day IN 1 .. days LOOP
		PERFORM set_config('leadroute.test_clock', (current_setting('leadroute.test_clock')::timestamptz + interval '1 day')::text, false);
		FOR lead IN 1 .. leads LOOP
			INSERT INTO lead (region) VALUES ('north');
			COMMIT;
		END LOOP;
	END LOOP;
END $$;
CREATE FUNCTION received(since timestamptz) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(member || ' ' || n, ', ' ORDER BY member) FROM (SELECT a.member, count(*) AS n FROM leadroute.assignment a
		WHERE a.assigned_at > received.since AND a.member <> 'e' GROUP BY 1) r;
$$;

-- The one who is due is taken out of the team, or is gone: it is the next one's
-- turn, not the first one's again.
SELECT got(6);
DELETE FROM leadroute.team_member WHERE member = 'c';
SELECT got(4);
-- due again: where it left off, neither behind nor ahead of the others
INSERT INTO leadroute.team_member (team, member, position) VALUES ('north', 'c', 3);
SELECT got(8);
SELECT got(3);
UPDATE leadroute.member SET active = false WHERE name = 'd';
SELECT got(4);
UPDATE leadroute.member SET active = true WHERE name = 'd';
-- a member whom the journal knows stays; one that it does not, goes, also while
-- the rotation has a seat for it
DELETE FROM leadroute.member WHERE name = 'a';
INSERT INTO leadroute.member (name) VALUES ('f');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('north', 'f', 0);
UPDATE leadroute.member SET capacity = 0 WHERE name = 'f';
SELECT got(1);
DELETE FROM leadroute.member WHERE name = 'f';
SELECT got(8);
SELECT count(*) FROM leadroute.verify();

-- The team is emptied: its leads stay with their owners, new ones go the way of
-- the next rule; then there are members again.
DELETE FROM leadroute.team_member WHERE team = 'north';
SELECT got(3);
SELECT a.reason IS NULL, a.rule FROM leadroute.assignment a WHERE a.lead_key = (SELECT max(id)::text FROM lead);
SELECT count(*) > 0 AND count(*) = count(owner) FROM lead WHERE owner <> 'e';
SELECT what, subject FROM leadroute.problem;
UPDATE leadroute.rule SET enabled = false WHERE name = 'south';
SELECT got(1);
SELECT kind, reason FROM leadroute.assignment WHERE lead_key = (SELECT max(id)::text FROM lead);
INSERT INTO leadroute.team_member (team, member, position) SELECT 'north', m, p FROM unnest('{a,b,c,d}'::text[]) WITH ORDINALITY u (m, p);
SELECT leadroute.route('lead', (SELECT max(id) FROM lead)) IS NOT NULL;
UPDATE leadroute.rule SET enabled = true WHERE name = 'south';
SELECT length(got(40)) > 0;
SELECT bool_and(abs(credit) < 1) FROM leadroute.rotation WHERE team = 'north';
SELECT count(*) FROM leadroute.verify();

-- Two weeks' leave of one, somebody new: each gets its share from then on.
SET leadroute.test_clock = '2030-03-01 09:00+00';
INSERT INTO leadroute.absence (member, during) VALUES ('b', '[2030-03-02, 2030-03-16)');
CALL each_day(14, 6);
SELECT received('2030-03-01 12:00+00');
CALL each_day(1, 8);
SELECT received('2030-03-15 12:00+00');
INSERT INTO leadroute.member (name) VALUES ('new');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('north', 'new', 0);
CALL each_day(1, 10);
SELECT received('2030-03-16 12:00+00');

-- Two members, one lead a day, thirty days, in sessions of their own.
DELETE FROM leadroute.team_member WHERE member NOT IN ('a', 'b', 'e');
SET leadroute.test_clock = '2030-04-01 09:00+00';
CALL each_day(11, 1);
\c -
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET leadroute.test_clock = '2030-04-12 09:00+00';
CALL each_day(7, 1);
\c -
SET client_min_messages = warning;
SET leadroute.test_clock = '2030-04-19 09:00+00';
SELECT leadroute.rebuild() > 0;
CALL each_day(12, 1);
SELECT received('2030-04-01 12:00+00');

-- The region of a lead changes: it stays with its owner, and with what was decided
-- by the region that it had; a lead decided anew goes by the present one.
SELECT got(1, 'south');
SELECT max(id) AS lead FROM lead \gset
UPDATE lead SET region = 'north' WHERE id = :lead RETURNING owner;
SELECT a.rule, a.is_current FROM leadroute.assignment a WHERE a.lead_key = :'lead';
UPDATE lead SET owner = NULL WHERE id = :lead;
SELECT leadroute.route('lead', :lead) IN ('a', 'b');
SELECT a.rule, a.kind, a.is_current FROM leadroute.assignment a WHERE a.lead_key = :'lead' ORDER BY a.id;
-- also when the same transaction has changed it, before its team is edited
BEGIN;
INSERT INTO lead (region) VALUES ('south') RETURNING owner;
UPDATE lead SET region = 'north' WHERE id = :lead + 1;
DELETE FROM leadroute.team_member WHERE team = 'south';
COMMIT;
SELECT l.owner, a.member, a.rule FROM lead l JOIN leadroute.assignment a ON a.lead_key = l.id::text WHERE l.id = :lead + 1 AND a.is_current;
SELECT * FROM leadroute.verify();
DROP TABLE lead;
DROP FUNCTION got, received;
DROP PROCEDURE each_day;
DROP EXTENSION leadroute CASCADE;
