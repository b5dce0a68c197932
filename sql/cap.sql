-- Caps: limits on the leads of a period.
\set VERBOSITY terse
SET leadroute.test_clock = '2026-03-04 10:00+00';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id serial PRIMARY KEY, owner text, country text, amount integer);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name) VALUES ('ann'), ('bob'), ('cid');
INSERT INTO leadroute.team (name) VALUES ('north');
INSERT INTO leadroute.team_member (team, member) VALUES ('north', 'ann'), ('north', 'bob');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('north', 1, 'country = ''NO''', 'north');
-- none is held: the worker has another clock
INSERT INTO leadroute.rule (name, overflow) VALUES ('everyone', 'none');

-- What is received, by owner.
CREATE FUNCTION add(n integer, country text DEFAULT 'DE', OUT owner text, OUT leads bigint) RETURNS SETOF record
LANGUAGE sql AS $$
	WITH stored AS (INSERT INTO lead (country, amount) SELECT add.country, i FROM generate_series(1, n) i RETURNING lead.owner)
	SELECT stored.owner, count(*) FROM stored GROUP BY 1 ORDER BY 1
$$;
CREATE VIEW counted AS SELECT cap, member, since AT TIME ZONE 'UTC' AS since, until AT TIME ZONE 'UTC' AS until, used, max_leads, remaining
	FROM leadroute.cap_status() ORDER BY cap, member;
CREATE FUNCTION begin_anew() RETURNS void LANGUAGE sql AS $$ DELETE FROM leadroute.cap; DELETE FROM lead $$;

-- cap reached: round robin leaves the rotation, no banked turns
INSERT INTO leadroute.cap (name, member, max_leads) VALUES ('ann a day', 'ann', 2);
SELECT * FROM add(9);
SELECT * FROM counted;
SELECT p ->> 'member' AS member, p ->> 'code' AS code, p ->> 'until' AS until, count(*)
	FROM leadroute.assignment, jsonb_array_elements(passed_over) p GROUP BY 1, 2, 3;
SELECT member, available, not_available_because, until AT TIME ZONE 'UTC' AS until, substring(detail FROM '.* of [0-9]+') AS detail,
	limits #>> '{0,cap}' AS cap, limits #>> '{0,used}' AS used, limits #>> '{0,remaining}' AS remaining
	FROM leadroute.member_status ORDER BY member;
-- the next day: the same turns as if nothing had been
SET leadroute.test_clock = '2026-03-05 00:00+00';
SELECT * FROM add(6);
SELECT * FROM counted;
SELECT begin_anew();

-- weighted: shares renormalise
SET leadroute.test_clock = '2026-03-16 10:00+00';
UPDATE leadroute.team_member SET weight = 3 WHERE member = 'ann';
INSERT INTO leadroute.cap (name, member, max_leads) VALUES ('ann a day', 'ann', 3);
SELECT * FROM add(8, 'NO');
SELECT begin_anew();
UPDATE leadroute.team_member SET weight = 1;

-- two limits on one member: the lower binds
SET leadroute.test_clock = '2026-03-17 10:00+00';
INSERT INTO leadroute.cap (name, member, each_member, period, max_leads) VALUES
	('ann a day', 'ann', false, 'day', 2), ('each an hour', NULL, true, 'hour', 3);
UPDATE leadroute.member SET capacity = 1 WHERE name = 'bob';
SELECT * FROM add(9);
SELECT * FROM counted;
SELECT * FROM leadroute.explain_lead('lead', '{"id": 1000}');
SET leadroute.test_clock = '2026-03-17 11:00+00';
SELECT * FROM add(9);
SELECT * FROM counted;
UPDATE leadroute.member SET capacity = NULL;
SELECT begin_anew();

-- of a team, a rule, the router: nobody can take it by this rule
SET leadroute.test_clock = '2026-03-18 10:00+00';
INSERT INTO leadroute.cap (name, team, max_leads) VALUES ('north', 'north', 2);
SELECT * FROM add(5, 'NO');
SELECT reason, detail FROM leadroute.assignment WHERE is_current ORDER BY id;
INSERT INTO leadroute.cap (name, rule, max_leads) VALUES ('everyone', 'everyone', 4);
SELECT * FROM add(5, 'NO');
SELECT reason, detail FROM leadroute.assignment WHERE is_current AND member IS NULL ORDER BY id;
INSERT INTO leadroute.cap (name, max_leads) VALUES ('all', 7);
DELETE FROM leadroute.cap WHERE name <> 'all';
SELECT * FROM add(5);
SELECT * FROM counted;
-- until the window ends
SET leadroute.test_clock = '2026-03-19 00:00+00';
SELECT count(leadroute.route('lead', id::text)) FROM lead WHERE owner IS NULL;
SELECT * FROM counted;
SELECT begin_anew();

-- ignore_limits may exceed it, and counts
SET leadroute.test_clock = '2026-02-01 10:00+00';
INSERT INTO leadroute.cap (name, each_member, max_leads) VALUES ('each', true, 1);
UPDATE leadroute.rule SET overflow = 'ignore_limits' WHERE name = 'north';
SELECT * FROM add(4, 'NO');
SELECT reason, count(*) FROM leadroute.assignment WHERE is_current GROUP BY 1 ORDER BY 1;
SELECT * FROM counted;
UPDATE leadroute.rule SET overflow = 'next_rule' WHERE name = 'north';
SELECT begin_anew();

-- 0 is never; a person may
SET leadroute.test_clock = '2026-03-20 10:00+00';
INSERT INTO leadroute.cap (name, member, max_leads) VALUES ('no bob', 'bob', 0);
SELECT * FROM add(4);
SELECT * FROM leadroute.explain_lead('lead', '{"id": 1000}') LIMIT 6;
INSERT INTO lead (owner) VALUES ('bob');
SELECT leadroute.assign('lead', (SELECT max(id) FROM lead WHERE owner = 'ann')::text, 'bob');
SELECT leadroute.assign('lead', (SELECT max(id) FROM lead WHERE owner = 'ann')::text, 'bob', ignore_limits => true);
UPDATE lead SET owner = 'bob' WHERE id = (SELECT max(id) FROM lead WHERE owner = 'cid');
SELECT * FROM counted;
SELECT begin_anew();

-- taken from its owner: counts no more; closed or deleted: was received
SET leadroute.test_clock = '2026-03-21 10:00+00';
INSERT INTO leadroute.cap (name, each_member, max_leads) VALUES ('each', true, 2);
INSERT INTO leadroute.cap (name, max_leads) VALUES ('all', 5);
SELECT * FROM add(5);
UPDATE lead SET owner = 'cid' WHERE id = (SELECT max(id) FROM lead WHERE owner = 'ann');
SELECT * FROM counted;
UPDATE lead SET owner = NULL WHERE id = (SELECT max(id) FROM lead WHERE owner = 'bob');
SELECT * FROM counted;
DELETE FROM lead WHERE owner = 'cid';
SELECT * FROM counted;
SELECT * FROM leadroute.verify();
SELECT begin_anew();

-- nested and conditional
SET leadroute.test_clock = '2026-03-22 10:00+00';
INSERT INTO leadroute.cap (name, each_member, max_leads, condition) VALUES ('each', true, 4, NULL), ('each big', true, 1, 'amount > 5');
INSERT INTO leadroute.cap (name, max_leads, condition) VALUES ('french', 2, 'country = ''FR''');
SELECT * FROM add(10);
SELECT * FROM add(3, 'FR');
SELECT * FROM counted;
-- an error is no limit
INSERT INTO leadroute.cap (name, max_leads, condition) VALUES ('broken', 0, '100 / (amount - 1) > 0');
SELECT * FROM add(1);
SELECT reason, detail FROM leadroute.assignment ORDER BY id DESC LIMIT 1;
SELECT begin_anew();

-- what came before it counts, with a condition too
SET leadroute.test_clock = '2026-03-23 10:00+00';
SELECT * FROM add(6);
INSERT INTO leadroute.cap (name, each_member, period, max_leads, condition) VALUES ('each', true, 'week', 4, NULL),
	('each DE', true, 'week', 4, 'country = ''DE''');
SELECT * FROM counted;
SELECT * FROM add(9);
SELECT * FROM counted;
-- another limit or name: the same count; counting something else: anew, from the journal
UPDATE leadroute.cap SET name = 'each one', max_leads = 5 WHERE name = 'each';
UPDATE leadroute.cap SET period = 'day' WHERE name = 'each DE';
SELECT * FROM counted;
-- names that change are the same
UPDATE leadroute.cap SET each_member = false, member = 'ann' WHERE name = 'each DE';
SELECT * FROM add(1);
UPDATE leadroute.member SET name = 'anna' WHERE name = 'ann';
SELECT * FROM counted;
UPDATE leadroute.member SET name = 'ann' WHERE name = 'anna';
SELECT begin_anew();

-- a change of the own transaction is seen, and its rollback
SET leadroute.test_clock = '2026-03-24 10:00+00';
INSERT INTO leadroute.cap (name, max_leads) VALUES ('all', 2);
SELECT * FROM add(1);
BEGIN;
UPDATE leadroute.cap SET max_leads = 3;
SELECT * FROM add(3);
ROLLBACK;
SELECT * FROM counted;
SELECT * FROM add(3);
SELECT begin_anew();

-- rolled back, to a savepoint too: goes back
SET leadroute.test_clock = '2026-03-25 10:00+00';
INSERT INTO leadroute.cap (name, max_leads) VALUES ('all', 2);
BEGIN;
SELECT * FROM add(1);
SAVEPOINT a;
SELECT * FROM add(2);
ROLLBACK TO a;
SELECT * FROM counted;
SELECT * FROM add(1);
ROLLBACK;
SELECT * FROM counted;
-- rows that are not stored take none
INSERT INTO lead (id) VALUES (5000), (5000) ON CONFLICT DO NOTHING;
SELECT * FROM counted;
SELECT begin_anew();

-- total
INSERT INTO leadroute.cap (name, period, max_leads, since) VALUES ('all', 'total', 3, '2026-03-26 10:00+00');
SET leadroute.test_clock = '2026-03-26 10:00+00';
SELECT * FROM add(2);
SET leadroute.test_clock = '2027-03-26 10:00+00';
SELECT * FROM add(2);
SELECT * FROM counted;
UPDATE leadroute.cap SET since = '2027-03-26 10:00+00';
SELECT * FROM counted;
SELECT begin_anew();

-- what cannot work is refused
INSERT INTO leadroute.cap (name, max_leads, period) VALUES ('bad', 1, 'year');
INSERT INTO leadroute.cap (name, max_leads, counts) VALUES ('bad', 1, 'claims');
INSERT INTO leadroute.cap (name) VALUES ('bad');
INSERT INTO leadroute.cap (name, max_amount) VALUES ('bad', 100);
INSERT INTO leadroute.cap (name, max_leads) VALUES ('bad', -1);
INSERT INTO leadroute.cap (name, max_leads, timezone) VALUES ('bad', 1, 'Europe/Madrit');
INSERT INTO leadroute.cap (name, max_leads, condition) VALUES ('bad', 1, 'contry = ''DE''');
INSERT INTO leadroute.cap (name, max_leads, member, each_member) VALUES ('bad', 1, 'ann', true);
INSERT INTO leadroute.cap (name, max_leads, member) VALUES ('bad', 1, 'nobody');
SELECT * FROM leadroute.cap_status('nobody');

-- exported and imported; its subject's end is its own
INSERT INTO leadroute.cap (name, rule, period, max_leads, condition, timezone, since) VALUES
	('north', 'north', 'month', 10, 'amount > 1', 'Europe/Oslo', '2026-01-01 00:00+00');
SELECT leadroute.export_config() -> 'cap';
SELECT leadroute.import_config(leadroute.export_config());
DELETE FROM leadroute.rule WHERE name = 'north';
SELECT count(*) FROM leadroute.cap;
SELECT table_name, old ->> 'name' AS name FROM leadroute.config_history WHERE table_name = 'cap' ORDER BY at DESC LIMIT 1;
SELECT * FROM leadroute.verify();
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
