-- The calendar windows of caps, over changes of the clock.
\set VERBOSITY terse
CREATE EXTENSION leadroute;
CREATE TABLE lead (id serial PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name) VALUES ('ann');
INSERT INTO leadroute.rule (name, overflow) VALUES ('everyone', 'none');
INSERT INTO leadroute.cap (name, max_leads) VALUES ('c', 5);
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';

CREATE FUNCTION at(moment timestamptz, zone text, period text, OUT since timestamptz, OUT until timestamptz, OUT length interval)
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE leadroute.cap SET timezone = at.zone, period = at.period;
	PERFORM set_config('leadroute.test_clock', at.moment::text, false);
	SELECT c.since, c.until, c.until - c.since FROM leadroute.cap_status() c INTO at.since, at.until, at.length;
END
$$;

-- of a usual moment
SELECT p.period, (at('2026-11-19 13:37:11.5+00', 'Europe/Madrid', p.period)).* FROM unnest('{hour,day,week,month}'::text[]) p (period);
-- the zone is ahead of the server's date, or behind it
SELECT (at('2026-11-19 13:37+00', 'Pacific/Kiritimati', 'day')).*;
SELECT (at('2026-11-19 03:37+00', 'America/Los_Angeles', 'day')).*;
SELECT (at('2026-11-19 03:37+00', 'Asia/Kolkata', 'hour')).*;
-- days, weeks and months in which the clock changes
SELECT p.period, (at('2015-03-29 12:00+00', 'Europe/Madrid', p.period)).* FROM unnest('{day,week,month}'::text[]) p (period);
SELECT p.period, (at('2015-10-25 12:00+00', 'Europe/Madrid', p.period)).* FROM unnest('{day,week,month}'::text[]) p (period);
-- the hours around: one that is skipped, one that comes twice
SELECT m.at, (at(m.at, 'Europe/Madrid', 'hour')).* FROM generate_series('2015-03-29 00:30+00', '2015-03-29 01:30+00', interval '1 hour') m (at);
SELECT m.at, (at(m.at, 'Europe/Madrid', 'hour')).* FROM generate_series('2015-10-24 23:30+00', '2015-10-25 02:30+00', interval '1 hour') m (at);
-- by half an hour
SELECT m.at, (at(m.at, 'Australia/Lord_Howe', 'hour')).* FROM generate_series('2015-04-04 14:15+00', '2015-04-04 16:15+00', interval '30 minutes') m (at);
SELECT m.at, (at(m.at, 'Australia/Lord_Howe', 'hour')).* FROM generate_series('2015-10-03 15:15+00', '2015-10-03 16:45+00', interval '30 minutes') m (at);
-- at midnight: skipped, twice on the same day, back into the day before
SELECT m.at, (at(m.at, 'Africa/Cairo', 'day')).* FROM unnest('{2024-04-25 21:59+00,2024-04-25 22:00+00}'::timestamptz[]) m (at);
SELECT m.at, (at(m.at, 'America/Havana', 'day')).* FROM unnest('{2015-11-01 03:59+00,2015-11-01 04:30+00,2015-11-01 05:30+00}'::timestamptz[]) m (at);
SELECT m.at, (at(m.at, 'America/St_Johns', 'day')).* FROM unnest('{2010-11-07 02:29+00,2010-11-07 02:30+00,2010-11-07 02:45+00,2010-11-07 03:45+00}'::timestamptz[]) m (at);
-- a date that was not
SELECT m.at, (at(m.at, 'Pacific/Apia', 'day')).* FROM unnest('{2011-12-30 09:59+00,2011-12-30 10:00+00}'::timestamptz[]) m (at);

-- no gap and no overlap, through a year
CREATE FUNCTION gaps(zone text, period text) RETURNS TABLE (ends timestamptz, begins timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	w record;
	last timestamptz;
BEGIN
	w := at('2025-12-31 12:00+00', gaps.zone, gaps.period);
	WHILE w.until < '2027-01-02' LOOP
		last := w.until;
		PERFORM set_config('leadroute.test_clock', last::text, false);
		SELECT c.since, c.until FROM leadroute.cap_status() c INTO w;
		IF w.since <> last OR w.until <= last OR (SELECT since FROM leadroute.cap_status(), set_config('leadroute.test_clock', (w.until - interval '1 microsecond')::text, false)) <> last THEN
			RETURN QUERY SELECT last, w.since;
		END IF;
	END LOOP;
END
$$;
SELECT z.zone, p.period, g.* FROM unnest('{Europe/Madrid,America/Havana,Africa/Cairo,Australia/Lord_Howe,America/St_Johns,Asia/Kolkata}'::text[]) z (zone),
	unnest('{day,week,month}'::text[]) p (period), gaps(z.zone, p.period) g;
SELECT g.* FROM gaps('Australia/Lord_Howe', 'hour') g;

-- whose zone: the cap's, the member's, the router's
UPDATE leadroute.router SET timezone = 'America/New_York';
UPDATE leadroute.member SET timezone = 'Asia/Tokyo';
INSERT INTO leadroute.member (name) VALUES ('bob');
DELETE FROM leadroute.cap;
INSERT INTO leadroute.cap (name, each_member, member, timezone, max_leads) VALUES ('all', false, NULL, NULL, 9), ('ann''s', false, 'ann', NULL, 9),
	('each', true, NULL, NULL, 9), ('each in Madrid', true, NULL, 'Europe/Madrid', 9);
SET leadroute.test_clock = '2026-11-19 13:37+00';
SELECT cap, member, since, until FROM leadroute.cap_status() ORDER BY 1, 2;
-- a zone that changes: what came before is counted in the new window
INSERT INTO lead SELECT FROM generate_series(1, 4);
SET leadroute.test_clock = '2026-11-19 17:37+00';
INSERT INTO lead SELECT FROM generate_series(1, 2);
SELECT cap, member, since, used FROM leadroute.cap_status() ORDER BY 1, 2;
UPDATE leadroute.member SET timezone = 'Europe/Berlin' WHERE name = 'ann';
UPDATE leadroute.router SET timezone = 'Asia/Tokyo';
SELECT cap, member, since, used FROM leadroute.cap_status() ORDER BY 1, 2;
INSERT INTO lead SELECT FROM generate_series(1, 2);
SELECT cap, member, since, used FROM leadroute.cap_status() ORDER BY 1, 2;
SELECT * FROM leadroute.verify();
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
