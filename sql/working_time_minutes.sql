-- Working time against a computation minute by minute, in plain SQL: random
-- hours, holidays and zones, where the clock changes and where it does not.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'Asia/Tokyo';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner', router => 'r') IS NOT NULL AS attached;
CREATE TEMP TABLE zone (name text);
INSERT INTO zone SELECT unnest('{Europe/Madrid,America/New_York,Europe/Dublin,Australia/Lord_Howe,Asia/Kathmandu,Pacific/Apia,America/Sao_Paulo,Asia/Beirut,Africa/Casablanca,America/St_Johns,Antarctica/Troll,Asia/Pyongyang,America/Havana,Pacific/Kiritimati,UTC}'::text[]);
-- days on which the clocks of a zone change
CREATE TEMP TABLE change AS
	SELECT z.name AS zone, d::date AS day FROM zone z, generate_series('1976-01-01 00:00Z'::timestamptz, '2045-01-01 00:00Z', '1 day') d
	WHERE (d AT TIME ZONE z.name) - (d AT TIME ZONE 'UTC') <> ((d + interval '1 day') AT TIME ZONE z.name) - ((d + interval '1 day') AT TIME ZONE 'UTC');
SELECT count(DISTINCT zone) AS zones_that_change, count(*) > 1000 AS many FROM change;

-- windows of a schedule: minutes of a day, 0 is Monday; an end beyond 1440 is on the next day
CREATE TEMP TABLE part (schedule text, day integer, first_minute integer, end_minute integer);
CREATE TEMP TABLE holidays (schedule text, day date);
CREATE TEMP TABLE minute (at timestamptz PRIMARY KEY, is_open boolean);

CREATE FUNCTION clock(m integer) RETURNS text LANGUAGE sql AS $$SELECT CASE WHEN m = 1440 THEN '24:00' ELSE to_char(make_time(m % 1440 / 60, m % 60, 0), 'HH24:MI') END$$;
-- a random schedule around a day, and its text
CREATE PROCEDURE make_schedule(schedule text, day date) LANGUAGE plpgsql AS $$
DECLARE
	n integer := 1 + floor(random() * 12);
	coarse boolean := random() < 0.5;
BEGIN
	DELETE FROM part p WHERE p.schedule = make_schedule.schedule;
	FOR i IN 1 .. n LOOP
		INSERT INTO part SELECT make_schedule.schedule, floor(random() * 7), x.f, CASE WHEN x.e > x.f THEN x.e ELSE x.e + 1440 END
			FROM (SELECT CASE WHEN coarse THEN 30 * floor(random() * 48) ELSE floor(random() * 1440) END::integer AS f,
				CASE WHEN coarse THEN 30 * floor(random() * 48) ELSE floor(random() * 1440) END::integer AS e) x WHERE x.e <> x.f;
	END LOOP;
	IF random() < 0.1 OR NOT EXISTS (SELECT FROM part p WHERE p.schedule = make_schedule.schedule) THEN
		INSERT INTO part SELECT make_schedule.schedule, g, 0, 1440 FROM generate_series(0, 6) g WHERE g < 5 OR random() < 0.7;
	END IF;
	DELETE FROM leadroute.holiday h WHERE h.schedule = make_schedule.schedule;
	INSERT INTO leadroute.schedule (name, hours)
		SELECT make_schedule.schedule, string_agg(format('%s %s-%s', (ARRAY['Mon', 'tuesday', 'WED', 'Th', 'Fri', 'Sat', 'Sunday'])[p.day + 1], clock(p.first_minute), clock(p.end_minute)), CASE WHEN random() < 0.5 THEN ', ' ELSE ';' END)
		FROM part p WHERE p.schedule = make_schedule.schedule
		ON CONFLICT (router, name) DO UPDATE SET hours = excluded.hours;
	DELETE FROM holidays h WHERE h.schedule = make_schedule.schedule;
	INSERT INTO holidays SELECT DISTINCT make_schedule.schedule, make_schedule.day + floor(random() * 8 - 3)::integer FROM generate_series(1, floor(random() * 3)::integer);
	INSERT INTO leadroute.holiday (schedule, day) SELECT h.schedule, h.day FROM holidays h WHERE h.schedule = make_schedule.schedule;
END $$;
-- when it is open by the definition: what the clock has reached lies in a window, on a day that is none of the holidays
CREATE FUNCTION open_minutes(schedule text, zone text, since timestamptz, until timestamptz) RETURNS TABLE (at timestamptz, is_open boolean) LANGUAGE sql AS $$
	SELECT m.at, NOT EXISTS (SELECT FROM holidays h WHERE h.schedule = open_minutes.schedule AND h.day = m.local::date)
		AND EXISTS (SELECT FROM part p WHERE p.schedule = open_minutes.schedule
			AND (m.minute >= p.day * 1440 + p.first_minute AND m.minute < p.day * 1440 + p.end_minute
				OR m.minute + 10080 >= p.day * 1440 + p.first_minute AND m.minute + 10080 < p.day * 1440 + p.end_minute))
	FROM (SELECT l.at, l.local, (extract(isodow FROM l.local)::integer - 1) * 1440 + extract(hour FROM l.local)::integer * 60 + extract(minute FROM l.local)::integer AS minute
		FROM (SELECT g AS at, max(g AT TIME ZONE zone) OVER (ORDER BY g) AS local FROM generate_series(since - interval '2 days', until, '1 minute') g) l) m
	WHERE m.at >= since $$;

-- how many are open depends on the zones that the server knows of
CREATE PROCEDURE compare(rounds integer, INOUT many boolean, INOUT wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	z text;
	d date;
	a timestamptz;
	b timestamptz;
	found bigint;
	two boolean;
	minutes bigint := 0;
BEGIN
	wrong := 0;
	FOR i IN 1 .. rounds LOOP
		z := (SELECT name FROM zone ORDER BY random() LIMIT 1);
		d := (SELECT c.day FROM change c WHERE c.zone = z ORDER BY random() LIMIT 1);
		IF d IS NULL OR random() < 0.2 THEN
			d := '1976-01-01'::date + floor(random() * 25000)::integer;
		END IF;
		CALL make_schedule('s', d);
		CALL make_schedule('t', d);
		two := random() < 0.5;
		INSERT INTO leadroute.member (name, schedule, timezone) VALUES ('m', 's', z) ON CONFLICT (router, name) DO UPDATE SET timezone = excluded.timezone;
		a := d::timestamp AT TIME ZONE 'UTC' - interval '1 day' - interval '1 minute' * floor(random() * 600);
		b := a + interval '3 days';
		TRUNCATE minute;
		INSERT INTO minute SELECT o.at, o.is_open FROM open_minutes('s', z, a, b) o;
		IF two THEN
			UPDATE minute m SET is_open = m.is_open AND o.is_open FROM open_minutes('t', z, a, b) o WHERE o.at = m.at;
		END IF;
		-- at each minute, and within it
		SELECT count(*) FILTER (WHERE m.is_open IS DISTINCT FROM leadroute.is_open(CASE WHEN two THEN 't' END, m.at + interval '1 minute' * x.part, 'm')) INTO found
			FROM minute m CROSS JOIN (SELECT CASE WHEN random() < 0.5 THEN 0 ELSE random() * 0.999 END AS part) x WHERE m.at < b;
		-- the time between two of them
		found := found + (SELECT count(*) FROM (SELECT least(x, y) AS since, greatest(x, y) AS until FROM
				(SELECT a + floor(random() * 4320) * interval '1 minute' AS x, a + floor(random() * 4320) * interval '1 minute' AS y FROM generate_series(1, 10)) r) r
			WHERE leadroute.working_time(CASE WHEN two THEN 't' END, r.since, r.until, 'm') IS DISTINCT FROM
				(SELECT count(*) FROM minute m WHERE m.is_open AND m.at >= r.since AND m.at < r.until) * interval '1 minute');
		-- the next opening, if it is in sight
		found := found + (SELECT count(*) FROM (SELECT a + floor(random() * 4320) * interval '1 minute' AS at FROM generate_series(1, 20)) r
			CROSS JOIN LATERAL (SELECT leadroute.next_opening(CASE WHEN two THEN 't' END, r.at, 'm') AS said, (SELECT min(m.at) FROM minute m WHERE m.is_open AND m.at >= r.at AND m.at < b) AS is) n
			WHERE n.is IS NOT NULL AND n.said IS DISTINCT FROM n.is OR n.is IS NULL AND n.said < b);
		IF found > 0 THEN
			RAISE WARNING '% wrong: zone %, from %, hours "%" and "%" (%), holidays %', found, z, a, (SELECT s.hours FROM leadroute.schedule s WHERE s.name = 's'), (SELECT s.hours FROM leadroute.schedule s WHERE s.name = 't'), two, (SELECT array_agg(h) FROM holidays h);
		END IF;
		minutes := minutes + (SELECT count(*) FROM minute m WHERE m.is_open);
		wrong := wrong + found;
		COMMIT;
	END LOOP;
	many := minutes > 20000;
END $$;
SELECT setseed(0.25);
CALL compare(40, NULL, NULL);
-- local days: each begins when the one before ends, at its midnight or, where the clock skips that, when it jumps
INSERT INTO leadroute.member (name, timezone) SELECT name, name FROM zone;
WITH day AS (
	SELECT z.name AS zone, d.day + i AS day, leadroute.local_days(z.name, d.day + i, d.day + i) AS during, leadroute.local_days(z.name, d.day + i + 1, d.day + i + 2) AS next
	FROM zone z JOIN change d ON d.zone = z.name, generate_series(-1, 1) i)
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE upper(during) <> lower(next)) AS gaps,
	count(*) FILTER (WHERE NOT isempty(during) AND (lower(during) AT TIME ZONE zone < day OR (lower(during) - interval '1 microsecond') AT TIME ZONE zone >= day)) AS elsewhere
	FROM day;
-- a day that a zone has left out
SELECT leadroute.local_days('Pacific/Apia', '2011-12-30', '2011-12-30'), leadroute.local_days('Pacific/Apia', '2011-12-29', '2011-12-31');

DROP TABLE lead;
DROP PROCEDURE compare, make_schedule;
DROP FUNCTION open_minutes, clock;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
