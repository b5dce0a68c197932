-- Nobody can take it now: capacity, absence, and what the rule's overflow says.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, kind text, open boolean NOT NULL DEFAULT true, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, capacity) VALUES ('a', 2), ('b', 1), ('zero', 0), ('free', NULL), ('gone', NULL);
UPDATE leadroute.member SET active = false WHERE name = 'gone';
INSERT INTO leadroute.team (name) VALUES ('small'), ('big'), ('empty'), ('gone');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('small', 'a', 1), ('small', 'b', 2), ('small', 'zero', 3), ('big', 'free', 1), ('gone', 'gone', 1);
INSERT INTO leadroute.rule (name, priority, condition, team, overflow) VALUES
	('next', 1, $$kind = 'next'$$, 'small', 'next_rule'),
	('ignore', 2, $$kind = 'ignore'$$, 'small', 'ignore_limits'),
	('none', 3, $$kind = 'none'$$, 'small', 'none'),
	('hold', 4, $$kind = 'hold'$$, 'small', 'next_rule'),
	('empty', 5, $$kind = 'empty'$$, 'empty', 'next_rule'),
	('gone', 6, $$kind = 'gone'$$, 'gone', 'ignore_limits'),
	('rest', 100, $$kind IN ('next', 'none')$$, 'big', 'next_rule');
CREATE VIEW decision AS
	SELECT lead_key, kind, member, rule, reason, detail, passed_over_count AS passed,
		(SELECT string_agg(p ->> 'member' || ' ' || (p ->> 'code'), ', ' ORDER BY i) FROM jsonb_array_elements(passed_over) WITH ORDINALITY x (p, i)) AS passed_over
	FROM leadroute.assignment WHERE is_current ORDER BY id;

-- Two fill up, nobody receives beyond capacity; then the next rule.
INSERT INTO lead (id, kind) SELECT i, 'next' FROM generate_series(1, 5) i RETURNING id, owner;
SELECT * FROM decision;
-- A closed lead frees its place at once, within the statement too.
UPDATE lead SET open = false WHERE id = 1;
INSERT INTO lead (id, kind) VALUES (6, 'next'), (7, 'next') RETURNING id, owner;
-- ... a lead that is closed already when it is inserted takes none
INSERT INTO lead (id, kind, open) VALUES (8, 'next', false) RETURNING id, owner;
DELETE FROM lead WHERE id = 8;

-- ignore_limits: the method decides without regard to capacity; never for who
-- is absent or gone.  Such leads count in load, not in shares.
INSERT INTO leadroute.member (name, capacity, active) VALUES ('i1', 1, true), ('i2', 0, true), ('i3', 5, false), ('i4', 5, true);
INSERT INTO leadroute.team (name) VALUES ('ignore');
INSERT INTO leadroute.team_member (team, member) SELECT 'ignore', 'i' || i FROM generate_series(1, 4) i;
INSERT INTO leadroute.absence (member) VALUES ('i4');
UPDATE leadroute.rule SET team = 'ignore' WHERE name = 'ignore';
INSERT INTO lead (id, kind) SELECT i, 'ignore' FROM generate_series(11, 15) i;
SELECT lead_key, kind, member IN ('i1', 'i2') AS one_who_may, reason, passed, passed_over IS NOT NULL AS says_who FROM decision WHERE lead_key::integer BETWEEN 11 AND 15;
-- five leads, and not all of them to the same one
SELECT count(DISTINCT owner) FROM lead WHERE kind = 'ignore';
SELECT sum(c.load) AS load, max(abs(round(s.credit::numeric, 2))) AS credit FROM leadroute.seat_counter() s
	JOIN leadroute.team t ON t.id = s.team AND t.name = 'ignore'
	JOIN leadroute.member_counter() c ON c.member = s.member;

-- What follows is one transaction, so that the worker does not decide held leads
-- before us.
BEGIN;
INSERT INTO lead (id, kind) VALUES (17, 'gone') RETURNING owner;
-- none: stays without owner, no later rule is asked, nothing waits.
INSERT INTO lead (id, kind) VALUES (21, 'none') RETURNING owner;
-- no later rule has it, a team without members, no rule at all: held, with why.
INSERT INTO lead (id, kind) VALUES (22, 'hold'), (23, 'empty'), (24, 'unknown') RETURNING owner;
SELECT * FROM decision WHERE lead_key::integer IN (17, 21, 22, 23, 24);
SELECT p.lead_key, r.name AS rule, t.name AS team, p.state FROM leadroute.pool_entry p
	LEFT JOIN leadroute.rule r ON r.id = p.rule LEFT JOIN leadroute.team t ON t.id = p.team ORDER BY p.assignment;

-- A held lead is decided when somebody can take it: by hand here, by the worker
-- otherwise.  Which stays held keeps its place.
SELECT leadroute.route('lead', 22);
UPDATE leadroute.member SET capacity = 100 WHERE name = 'b';
SELECT leadroute.route('lead', 22);
SELECT leadroute.route('lead', 24);
SELECT * FROM decision WHERE lead_key::integer IN (22, 24);
SELECT lead_key FROM leadroute.pool_entry ORDER BY assignment;
-- deleted, or given an owner by hand: it waits no longer
DELETE FROM lead WHERE id = 23;
UPDATE lead SET owner = 'free' WHERE id = 24;
SELECT lead_key FROM leadroute.pool_entry ORDER BY assignment;
DELETE FROM lead WHERE owner IS NULL;
COMMIT;
SELECT count(*) FROM leadroute.pool_entry;

-- Capacity under a rule that has been full: 0 means never.
SELECT member, load, capacity, open_capacity, available, not_available_because FROM leadroute.member_status WHERE member !~ '^i' ORDER BY member;
-- lowering it below the load takes nothing away, and gives nothing more
UPDATE leadroute.member SET capacity = 1 WHERE name = 'b';
BEGIN;
INSERT INTO lead (id, kind) VALUES (31, 'hold') RETURNING owner;
DELETE FROM lead WHERE id = 31;
COMMIT;
UPDATE leadroute.member SET capacity = NULL WHERE name = 'b';
INSERT INTO lead (id, kind) VALUES (32, 'hold') RETURNING owner;

-- Priority, then rules with a condition, then by name; disabled ones are skipped.
UPDATE leadroute.rule SET enabled = false;
INSERT INTO leadroute.team (name) VALUES ('t1'), ('t2'), ('t3'), ('t4');
INSERT INTO leadroute.member (name) VALUES ('m1'), ('m2'), ('m3'), ('m4');
INSERT INTO leadroute.team_member (team, member) SELECT 't' || i, 'm' || i FROM generate_series(1, 4) i;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES
	('z first by priority', 10, $$kind = 'p'$$, 't1'), ('a without condition', 20, NULL, 't2'),
	('z with condition', 20, $$kind IN ('p', 'q')$$, 't3'), ('b with condition', 20, $$kind IN ('q', 'r')$$, 't4');
INSERT INTO lead (id, kind) VALUES (41, 'p'), (42, 'q'), (43, 'r'), (44, 's') RETURNING kind, owner;
UPDATE leadroute.rule SET enabled = false WHERE name = 'b with condition';
INSERT INTO lead (id, kind) VALUES (45, 'q') RETURNING kind, owner;
UPDATE leadroute.rule SET priority = 30 WHERE name = 'z with condition';
INSERT INTO lead (id, kind) VALUES (46, 'q') RETURNING kind, owner;
-- a router that is switched off: stored without a decision
UPDATE leadroute.router SET enabled = false;
INSERT INTO lead (id, kind) VALUES (47, 'p') RETURNING kind, owner;
SELECT count(*) FROM leadroute.assignment WHERE lead_key = '47';
UPDATE leadroute.router SET enabled = true;
SELECT leadroute.route('lead', 47);

-- Absences: a time that is over or has not come does not count; one team's only
-- there; several in a row end together.
UPDATE leadroute.rule SET enabled = name = 'a without condition';
INSERT INTO leadroute.team_member (team, member) VALUES ('t2', 'm1');
INSERT INTO leadroute.absence (member, during) VALUES
	('m1', '[2000-01-01, 2000-02-01)'), ('m1', '[2999-01-01, 2999-02-01)');
INSERT INTO leadroute.absence (member, during, team) VALUES ('m2', '[2001-01-01,)', 't1');
INSERT INTO lead (id) SELECT generate_series(50, 53) RETURNING owner;
UPDATE leadroute.absence SET team = 't2' WHERE team = 't1';
INSERT INTO lead (id) SELECT generate_series(54, 55) RETURNING owner;
SET leadroute.test_clock = '2000-01-15 UTC';
INSERT INTO lead (id) SELECT generate_series(56, 57) RETURNING owner;
-- the bounds: the lower one is in, the upper one is not
SET leadroute.test_clock = '2000-02-01 UTC';
SET TimeZone = 'UTC';
UPDATE leadroute.absence SET during = '[2000-01-01 00:00+00, 2000-02-01 00:00+00)' WHERE during << '[2001-01-01,)';
INSERT INTO leadroute.absence (member, during) VALUES ('m2', '[2000-02-01 00:00+00, 2000-02-02 00:00+00)'), ('m2', '[2000-02-02 00:00+00, 2000-02-03 12:00+00)');
SET leadroute.test_clock = '1999-01-01 UTC';
INSERT INTO lead (id) VALUES (58) RETURNING owner;
SET leadroute.test_clock = '2000-02-01 UTC';
INSERT INTO lead (id) VALUES (59) RETURNING owner;
SELECT member, passed_over FROM leadroute.assignment WHERE lead_key = '59';
SET leadroute.test_clock = '2000-01-31 23:59:59.999999 UTC';
INSERT INTO lead (id) VALUES (60) RETURNING owner;
RESET TimeZone;
RESET leadroute.test_clock;

SELECT * FROM leadroute.verify();
DROP VIEW decision;
DROP TABLE lead;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
