-- Who was passed over, why and until when; beyond the limit, how many by reason.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET TimeZone = 'Europe/Madrid';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
-- sentences are in the local time of the member, whatever the session's is
UPDATE leadroute.router SET timezone = 'Europe/Madrid';
INSERT INTO leadroute.member (name, capacity, active) VALUES
	('a', NULL, true), ('b', 0, true), ('c', NULL, true), ('d', NULL, true), ('e', NULL, false), ('f', 0, true), ('z', NULL, true);
INSERT INTO leadroute.rule (name, method) VALUES ('everyone', 'longest_idle');
SET leadroute.test_clock = '2030-03-28 12:00:00';
-- the clock goes forward on Sunday, March 31st: Monday 09:00 is 07:00 UTC
INSERT INTO leadroute.absence (member, during) VALUES
	('a', '[2030-03-28, 2030-04-01 09:00)'), ('c', '[2030-03-28, 2030-04-04 12:00)'), ('d', '[2030-03-01,)');

INSERT INTO lead VALUES (1);
CREATE VIEW passed AS SELECT a.lead_key, a.member AS chosen, p ->> 'member' AS member, p ->> 'code' AS code, p ->> 'detail' AS detail, (p ->> 'until')::timestamptz AS until
	FROM leadroute.assignment a, jsonb_array_elements(a.passed_over) WITH ORDINALITY x (p, i) ORDER BY a.id, i;
SELECT * FROM passed;
-- to the minute, and not before it is over; six days later it is a date
UPDATE leadroute.absence SET during = '[2030-03-28, 2030-03-28 12:30:00.000001)' WHERE member = 'a';
UPDATE leadroute.absence SET during = '[2030-03-28, 2030-04-04 11:59:59)' WHERE member = 'c';
INSERT INTO lead VALUES (2);
SELECT member, detail, until FROM passed WHERE lead_key = '2' AND code = 'away';
UPDATE leadroute.member SET timezone = 'Asia/Tokyo' WHERE name = 'c';
SELECT member, detail, until FROM passed WHERE lead_key = '2' AND member = 'c';
UPDATE leadroute.member SET timezone = NULL WHERE name = 'c';

-- the member's own zone, else its schedule's, else the router's; explain says the same
SET TimeZone = 'UTC';
INSERT INTO leadroute.schedule (name, hours, timezone) VALUES ('tokyo', '24 h', 'Asia/Tokyo');
UPDATE leadroute.member SET timezone = 'America/New_York' WHERE name = 'a';
UPDATE leadroute.member SET schedule = 'tokyo' WHERE name = 'c';
SELECT member, detail FROM passed WHERE lead_key = '2' AND code = 'away';
SELECT m ->> 'member' AS member, m ->> 'detail' AS detail FROM leadroute.explain_lead('lead', '{"id": 9}', 'json') j, jsonb_path_query(j::jsonb, '$.rules[*].members[*]') m WHERE m ->> 'can' = 'false';

SET leadroute.passed_over_limit = 2;
INSERT INTO lead VALUES (3);
SELECT passed_over_count, passed_over_rest, jsonb_array_length(passed_over) AS listed FROM leadroute.assignment WHERE lead_key = '3';
SELECT leadroute.why('lead', 3) ~ '"b" \(capacity 0 of 0\), 2 more away, 1 more full' AS tells;
SET leadroute.passed_over_limit = 0;
INSERT INTO lead VALUES (4);
SELECT passed_over, passed_over_count, passed_over_rest FROM leadroute.assignment WHERE lead_key = '4';
SELECT leadroute.why('lead', 4) ~ 'passed over: 3 away, 2 full' AS tells;

-- now, in the view of members; and their turns
RESET leadroute.test_clock;
UPDATE leadroute.absence SET during = '[2000-01-01, infinity)' WHERE member = 'c';
SELECT member, not_available_because, detail, until, turns FROM leadroute.member_status ORDER BY member;
UPDATE leadroute.rule SET method = 'round_robin';
INSERT INTO leadroute.team (name) VALUES ('few');
INSERT INTO leadroute.team_member (team, member) VALUES ('few', 'z'), ('few', 'a'), ('few', 'e');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('few', 1, 'id > 100', 'few');
INSERT INTO lead VALUES (101), (102), (103), (5);
SELECT member, turns FROM leadroute.member_status WHERE turns IS NOT NULL ORDER BY member;
-- who has left a team has no turn there
DELETE FROM leadroute.team_member WHERE member = 'a';
SELECT turns FROM leadroute.member_status WHERE member = 'a';

SET TimeZone = 'Europe/Madrid';
-- every code has a word and a sentence; what nobody knows has none
SELECT c, leadroute.passed_name(c), leadroute.passed_detail(c, '2030-04-01 09:00', 5, 5, 'day', 'America/New_York', '2030-03-28 12:00')
	FROM generate_series(-1, 11) c;
SELECT leadroute.passed_detail(c, 'infinity', 5, 5, NULL, NULL, NULL) FROM unnest(ARRAY[2, 6, 9]) c;
SELECT leadroute.passed_detail(8, NULL, f, 0, NULL, NULL, NULL) FROM generate_series(1, 4) f;
SELECT leadroute.passed_detail(2, '2030-04-01 09:00', 0, 0, NULL, 'Nowhere/At_All', '2030-03-28 12:00');
SELECT * FROM leadroute.passed_entries('{7,2313,1,21474836483,0,3,5,0,1}');
SELECT * FROM leadroute.passed_entries('{7,NULL,1,1}');
DROP VIEW passed;
DROP TABLE lead;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
