-- Working hours: what they are, what is refused, and who is passed over for them.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, owner text);
SELECT leadroute.attach('lead', 'owner', router => 'r') IS NOT NULL AS attached;
SELECT timezone FROM leadroute.router;
UPDATE leadroute.router SET timezone = 'Europe/Madrid';

\echo == hours that cannot be read
CREATE FUNCTION pg_temp.try(hours text, zone text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	INSERT INTO leadroute.schedule (name, hours, timezone) VALUES ('x', hours, zone);
	DELETE FROM leadroute.schedule WHERE name = 'x';
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', SQLERRM, nullif(detail, ''));
END $$;
INSERT INTO leadroute.schedule (name, hours) VALUES ('bad', 'Mon-Fri 09:00-25:00');
SELECT h, pg_temp.try(h) FROM unnest(ARRAY['', ' ', ';', 'Mon', 'Mon-Fri', 'Mon-Fry 9-17', 'M 9-17', 'Mondays 9-17', '9', '9-', '9-17,', '9-17;', '9-17 Mon', 'Mon 9-17 Tue 9-17',
	'Mon 9:5-17', 'Mon 9-24:01', 'Mon 9-17:60', 'Mon 99-100', 'Mon 009-10', 'Mon 9-9', 'Mon 24:00-9', 'Mon 9am-5pm', 'Mon–Fri 9-17', 'Señor 9-17', 'Mon 9-17; ñ', 'Mon, 9-17', '25 h', '24 hours', 'never']) WITH ORDINALITY u (h, i) ORDER BY i;
\echo == and those that can
SELECT h, pg_temp.try(h) FROM unnest(ARRAY['9-17', '24 h', '24h', 'Mon-Sun 24 h', 'mon 9-17', 'MONDAY 9-17', 'Mo-We,Fr 9-17', 'Fri-Mon 9-17', 'Mon 9-17, Tue 9-12,13-17; Wed 22-6', ' Mon  09:00 - 17:30 ; Tue 9-17 ; ', '00:00-24:00', '22:00-00:00', 'Mon 0-1, Mon 0-2; Mon 0-1']) WITH ORDINALITY u (h, i) ORDER BY i;
\echo == zones
SELECT z, pg_temp.try('9-17', z) FROM unnest(ARRAY['Europe/Madrid', 'europe/madrid', 'UTC', 'Etc/GMT+5', 'Asia/Kathmandu', 'Europe/Madird', '', 'EST5EDT4', '<-03>3', '+02', 'CET-1CEST,M3.5.0,M10.5.0/3']) WITH ORDINALITY u (z, i) ORDER BY i;
UPDATE leadroute.router SET timezone = 'Mars/Olympus';
INSERT INTO leadroute.member (name, timezone) VALUES ('m', 'Mars/Olympus');
INSERT INTO leadroute.member (name, schedule) VALUES ('m', 'none such');
-- of a router that routes nothing (as while a dump is restored) it is a warning
INSERT INTO leadroute.router (name, timezone) VALUES ('other', 'Mars/Olympus');
DELETE FROM leadroute.router WHERE name = 'other';
INSERT INTO leadroute.holiday (schedule, day) VALUES ('none such', '2019-01-01');

\echo == what the hours are
INSERT INTO leadroute.schedule (name, hours, timezone) VALUES
	('office', 'Mon-Fri 09:00-12:30,13:30-18:00; Sat 22:00-06:00', NULL),
	('always', '24 h', NULL),
	('overlapping', 'Mon 8-12, Mon 10-14, Mon 14-15; Mon 22-24; Tue 0-6', NULL),
	('around the week', 'Sun 20-4; Mon 2-6, Sun 23-24', NULL),
	('berlin', 'Mon-Fri 09:00-17:00', 'Europe/Berlin'),
	('tokyo', 'Mon-Fri 09:00-17:00', 'Asia/Tokyo'),
	('night', '22:00-06:00', NULL),
	('sunday morning', 'Sun 02:10-02:50', NULL);
-- the opening times of a week, found by walking from one to the next
CREATE FUNCTION pg_temp.week(schedule text, since timestamptz, member text DEFAULT NULL, team text DEFAULT NULL, days integer DEFAULT 7, zone text DEFAULT 'Europe/Madrid') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz := since;
	closing timestamptz;
BEGIN
	LOOP
		at := leadroute.next_opening(week.schedule, at, week.member, week.team);
		EXIT WHEN at IS NULL OR at >= since + make_interval(days => days);
		closing := (SELECT g FROM generate_series(at, at + interval '10 days', '1 minute') g WHERE NOT leadroute.is_open(week.schedule, g, week.member, week.team) ORDER BY g LIMIT 1);
		RETURN NEXT to_char(at AT TIME ZONE zone, 'Dy DD HH24:MI') || ' - ' || coalesce(to_char(closing AT TIME ZONE zone, 'Dy DD HH24:MI') || ' ' || leadroute.working_time(week.schedule, at, closing, week.member, week.team), 'on');
		EXIT WHEN closing IS NULL;
		at := closing;
	END LOOP;
END $$;
SELECT pg_temp.week('office', '2019-06-03 00:00 Europe/Madrid');
SELECT pg_temp.week('overlapping', '2019-06-03 00:00 Europe/Madrid');
SELECT pg_temp.week('around the week', '2019-06-03 00:00 Europe/Madrid');
SELECT pg_temp.week('always', '2019-06-03 00:00 Europe/Madrid');
-- a schedule with a zone of its own
SELECT pg_temp.week('tokyo', '2019-06-03 00:00 Europe/Madrid', days => 2);
SELECT leadroute.working_time('office', '2019-01-01 Europe/Madrid', '2020-01-01 Europe/Madrid'), leadroute.working_time('always', '2019-01-01 Europe/Madrid', '2020-01-01 Europe/Madrid'),
	leadroute.working_time('office', '2020-01-01 Europe/Madrid', '2019-01-01 Europe/Madrid'), leadroute.working_time('office', '2019-06-03 10:00:00.5 Europe/Madrid', '2019-06-03 10:00:02.75 Europe/Madrid');

\echo == when the clock changes
-- ahead, 2019-03-31 02:00 -> 03:00: the night is an hour shorter, what lies in the hour is not worked
SELECT pg_temp.week('night', '2019-03-30 12:00 Europe/Madrid', days => 2);
SELECT leadroute.next_opening('sunday morning', '2019-03-30 12:00 Europe/Madrid') AT TIME ZONE 'Europe/Madrid' AS opens, leadroute.working_time('sunday morning', '2019-03-30 12:00 Europe/Madrid', '2019-04-01 Europe/Madrid');
-- back, 2019-10-27 03:00 -> 02:00: an hour longer; of what is there twice the first counts
SELECT pg_temp.week('night', '2019-10-26 12:00 Europe/Madrid', days => 2);
INSERT INTO leadroute.schedule (name, hours) VALUES ('edge inside', 'Sat 22:00-02:30'), ('begins inside', 'Sun 02:30-05:00'), ('the hour', 'Sun 02:00-03:00');
SELECT s, leadroute.next_opening(s, '2019-10-26 12:00Z') AS opens, leadroute.working_time(s, '2019-10-26 12:00Z', '2019-10-28Z') AS autumn, leadroute.working_time(s, '2019-03-30 12:00Z', '2019-04-01Z') AS spring,
	leadroute.working_time(s, '2019-06-01 12:00Z', '2019-06-03Z') AS summer, leadroute.is_open(s, '2019-10-27 00:45Z') AS first_time, leadroute.is_open(s, '2019-10-27 01:45Z') AS second_time
	FROM unnest('{sunday morning,edge inside,begins inside,the hour}'::text[]) s;

\echo == holidays: local days
INSERT INTO leadroute.holiday (schedule, day) VALUES ('office', '2019-06-05'), ('office', '2019-06-09'), ('always', '2019-06-05'), ('always', '2019-06-06'), ('night', '2019-06-05');
SELECT pg_temp.week('office', '2019-06-03 00:00 Europe/Madrid');
SELECT pg_temp.week('always', '2019-06-03 00:00 Europe/Madrid');
-- a shift that begins on the eve ends at midnight, one of the holiday begins after it
SELECT pg_temp.week('night', '2019-06-04 00:00 Europe/Madrid', days => 3);

\echo == members and teams
INSERT INTO leadroute.schedule (name, hours, timezone) VALUES ('mornings', 'Mon-Fri 08:00-13:00', NULL), ('evenings', '18:00-21:00', NULL);
INSERT INTO leadroute.member (name, schedule, timezone) VALUES ('ana', 'office', NULL), ('ben', 'office', 'Asia/Tokyo'), ('eve', 'evenings', NULL), ('joe', NULL, NULL), ('kim', 'berlin', 'America/New_York'), ('lea', 'berlin', NULL);
INSERT INTO leadroute.team (name, schedule) VALUES ('morning', 'mornings'), ('any', NULL);
INSERT INTO leadroute.team_member (team, member) SELECT t, m.name FROM unnest('{morning,any}'::text[]) t, leadroute.member m;
DELETE FROM leadroute.holiday;
-- both count; none is always
SELECT pg_temp.week(NULL, '2019-06-03 00:00 Europe/Madrid', 'ana', 'morning', 2);
SELECT pg_temp.week(NULL, '2019-06-03 00:00 Europe/Madrid', 'ana', 'any', 1);
SELECT pg_temp.week(NULL, '2019-06-03 00:00 Europe/Madrid', 'joe', 'morning', 1);
SELECT leadroute.is_open(), leadroute.is_open(member => 'joe'), leadroute.is_open(member => 'joe', team => 'any'), leadroute.working_time(NULL, '2019-01-01Z', '2019-01-02Z', 'joe');
-- local time: the member's zone (of a team's hours too), else the schedule's, else the router's
SELECT m, pg_temp.week(NULL, '2019-06-03 00:00Z', m, 'any', 1, 'UTC') AS utc FROM unnest('{ana,ben,kim,lea}'::text[]) m;
SELECT m, pg_temp.week(NULL, '2019-06-02 12:00Z', m, 'morning', 1, 'UTC') AS utc FROM unnest('{ana,ben,kim,lea}'::text[]) m;
-- hours that never meet
SELECT leadroute.next_opening(member => 'eve', team => 'morning', at => '2019-06-03Z') IS NULL AS never, leadroute.is_open(member => 'eve', team => 'morning'), leadroute.working_time(NULL, '2019-01-01Z', '2040-01-01Z', 'eve', 'morning');

SELECT detail FROM leadroute.lint() WHERE what = 'hours_never_meet';
INSERT INTO leadroute.schedule (name, hours) VALUES ('sundays', 'Sun 24 h');
BEGIN;
UPDATE leadroute.member SET schedule = 'sundays' WHERE name <> 'joe';
SELECT severity, what, detail, what_to_do FROM leadroute.lint() WHERE what = 'hours_never_meet';
UPDATE leadroute.member SET schedule = 'sundays';
SELECT detail FROM leadroute.lint() WHERE what = 'hours_never_meet';
-- zones that this server does not know, as a dump of another one may have them
SET LOCAL session_replication_role = replica;
UPDATE leadroute.member SET timezone = 'Mars/Olympus' WHERE name = 'kim';
UPDATE leadroute.schedule SET timezone = 'Mars/Hellas' WHERE name = 'berlin';
SELECT severity, what, detail, what_to_do FROM leadroute.lint() WHERE what = 'timezone_unknown';
SELECT leadroute.is_open('berlin', '2019-06-03 09:00 Europe/Madrid'), leadroute.is_open('berlin', '2019-06-03 08:59 Europe/Madrid');
ROLLBACK;

\echo == who gets the leads
INSERT INTO leadroute.rule (name, condition, team, overflow) VALUES ('morning', $$kind = 'morning'$$, 'morning', 'next_rule'), ('any', $$kind = 'any'$$, 'any', 'next_rule'), ('beyond', $$kind = 'beyond'$$, 'morning', 'ignore_limits');
-- who gets a lead, and who was passed over; what is held is gone before the worker sees it
CREATE FUNCTION pg_temp.lead(at text, kind text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	new record;
	passed text;
BEGIN
	PERFORM set_config('leadroute.test_clock', (at::timestamp AT TIME ZONE 'Europe/Madrid')::text, false);
	INSERT INTO lead (kind) VALUES (lead.kind) RETURNING id, owner INTO new;
	passed := (SELECT string_agg(format('%s %s%s', p ->> 'member', p ->> 'code', ' until ' || to_char((p ->> 'until')::timestamptz AT TIME ZONE 'Europe/Madrid', 'Dy DD HH24:MI')), ', ' ORDER BY i)
		FROM leadroute.assignment a, jsonb_array_elements(a.passed_over) WITH ORDINALITY x (p, i) WHERE a.lead_key = new.id::text AND a.is_current);
	DELETE FROM lead WHERE id = new.id AND owner IS NULL;
	RETURN concat_ws(': ', coalesce(new.owner, '-'), passed);
END $$;
SELECT pg_temp.lead('2019-06-03 10:00', 'any');
SELECT pg_temp.lead('2019-06-03 10:00', 'any');
SELECT pg_temp.lead('2019-06-03 20:00', 'any');
SELECT pg_temp.lead('2019-06-04 03:00', 'any');
SELECT pg_temp.lead('2019-06-04 03:00', 'morning');
SELECT pg_temp.lead('2019-06-04 12:59:59', 'morning');
SELECT pg_temp.lead('2019-06-04 13:00', 'morning');
-- beyond the limits hours do not count
SELECT pg_temp.lead('2019-06-04 13:00', 'beyond');
-- an absence that ends at night ends when work begins; both count in turn
INSERT INTO leadroute.absence (member, during) VALUES ('ana', '[2019-06-04 11:00+02, 2019-06-04 23:00+02)'), ('ana', '[2019-06-05 08:30+02, 2019-06-05 13:00+02)'), ('joe', '[2019-06-04,)');
SELECT pg_temp.lead('2019-06-04 12:00', 'morning');
SELECT pg_temp.lead('2019-06-04 14:00', 'morning');
SELECT pg_temp.lead('2019-06-04 14:00', 'any');
SELECT m, t, leadroute.available_from(m, t, '2019-06-04 14:00 Europe/Madrid') AT TIME ZONE 'Europe/Madrid' AS available_from FROM unnest('{ana,eve,joe}'::text[]) m, unnest('{morning,any,NULL}'::text[]) t ORDER BY 1, 2;
SELECT l FROM leadroute.explain_lead('lead', '{"kind": "morning"}') l WHERE l LIKE '%"%":%until%' OR l LIKE '%duty%' OR l LIKE '%resumed%';
-- a change of hours is a change of configuration, seen at once; of an absence, too
UPDATE leadroute.schedule SET hours = '24 h' WHERE name = 'mornings';
SELECT pg_temp.lead('2019-06-04 19:00', 'morning');
BEGIN;
UPDATE leadroute.schedule SET hours = 'Mon 9-10' WHERE name = 'mornings';
SELECT pg_temp.lead('2019-06-04 19:00', 'morning');
ROLLBACK;
SELECT pg_temp.lead('2019-06-04 19:00', 'morning');
INSERT INTO leadroute.holiday (schedule, day) VALUES ('mornings', '2019-06-04');
SELECT pg_temp.lead('2019-06-04 19:00', 'morning');
-- in a condition: the router that decides
INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES ('in office hours', 1, $$kind = 'expr' AND leadroute.is_open('office', '2019-06-03 10:00+02')$$, $$'joe'$$), ('not', 2, $$kind = 'expr' AND leadroute.is_open('none such', '2019-06-03 10:00+02')$$, $$'eve'$$);
DELETE FROM leadroute.absence;
SELECT pg_temp.lead('2019-06-03 23:00', 'expr');
RESET leadroute.test_clock;

\echo == errors
SELECT leadroute.is_open('none such');
SELECT leadroute.is_open(member => 'none such');
SELECT leadroute.is_open(team => 'none such');
SELECT leadroute.is_open(router => 'none such');
SELECT leadroute.next_opening('office', 'infinity');
SELECT leadroute.working_time('office', '-infinity', now());
SELECT leadroute.is_open('office', NULL) IS NULL AND leadroute.next_opening('office', NULL) IS NULL AND leadroute.working_time('office', NULL, now()) IS NULL AS null_is_null;
DELETE FROM leadroute.schedule WHERE name = 'office';
-- names change by UPDATE; holidays go with their schedule
UPDATE leadroute.schedule SET name = 'daily' WHERE name = 'office';
SELECT name, schedule FROM leadroute.member WHERE schedule = 'daily' ORDER BY 1;
\echo == history, export and import
SELECT table_name, old ->> 'hours' AS old, new ->> 'hours' AS new FROM leadroute.config_history WHERE table_name = 'schedule' AND old ->> 'name' = 'mornings' ORDER BY at;
SELECT jsonb_pretty(jsonb_build_object('schedule', c -> 'schedule' -> 0, 'holiday', c -> 'holiday', 'member', c -> 'member' -> 0 - 'joined_at')) FROM leadroute.export_config() c;
SELECT count(*) FROM leadroute.import_config(leadroute.export_config(), 'r');
SELECT leadroute.import_config('{"leadroute": 1, "schedule": [{"name": "late", "hours": "Mon 9-8x"}]}', 'r');
SELECT table_name, action, new ->> 'hours' AS hours FROM leadroute.import_config('{"leadroute": 1, "schedule": [{"name": "late", "hours": "Mon 18-2"}], "holiday": [{"schedule": "late", "day": "2019-12-25"}], "member": [{"name": "zoe", "schedule": "late", "owner_value": "zoe"}]}', 'r') ORDER BY 1;
\echo == holidays far away
INSERT INTO leadroute.holiday (schedule, day) VALUES ('late', '400000-01-01');
INSERT INTO leadroute.holiday (schedule, day) VALUES ('late', 'infinity');
INSERT INTO leadroute.holiday (schedule, day) VALUES ('late', '0099-12-31');
-- hours that never meet do not because of them: that is known at once
INSERT INTO leadroute.schedule (name, hours) VALUES
	('even hours', '0-1, 2-3, 4-5, 6-7, 8-9, 10-11, 12-13, 14-15, 16-17, 18-19, 20-21, 22-23'),
	('odd hours', '1-2, 3-4, 5-6, 7-8, 9-10, 11-12, 13-14, 15-16, 17-18, 19-20, 21-22, 23-24');
INSERT INTO leadroute.holiday (schedule, day) VALUES ('odd hours', '9999-12-31');
INSERT INTO leadroute.team (name, schedule) VALUES ('odd', 'odd hours');
SET statement_timeout = '10s';
SELECT leadroute.next_opening('even hours', '2019-06-03 10:00+00', team => 'odd');
RESET statement_timeout;
-- days that follow each other, and a schedule that opens behind them
INSERT INTO leadroute.holiday (schedule, day) SELECT 'even hours', d::date FROM generate_series('2019-06-03'::timestamp, '2034-06-03', '1 day') d;
SELECT leadroute.next_opening('even hours', '2019-06-03 10:00+02');
SELECT * FROM leadroute.verify();

DROP TABLE lead;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
