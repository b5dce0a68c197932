-- What explain says is what the INSERT then does: rule, member, reason, for random
-- rules, members and leads; in transactions with configuration changes of their
-- own, committed or rolled back, in a read-only one too.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (
	id integer PRIMARY KEY,
	country text DEFAULT 'DE',
	n integer,
	mail text,
	domain text GENERATED ALWAYS AS (split_part(mail, '@', 2)) STORED,
	open boolean NOT NULL DEFAULT true,
	owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open');
INSERT INTO leadroute.member (name) SELECT 'm' || g FROM generate_series(1, 8) g;
INSERT INTO leadroute.team (name) SELECT 't' || g FROM generate_series(1, 4) g;
INSERT INTO leadroute.team_member (team, member, weight)
	SELECT 't' || t, 'm' || m, 1 + (t * m) % 3 FROM generate_series(1, 3) t, generate_series(1, 8) m WHERE m % t = 0;
CREATE TABLE said (id integer, member text, rule text, reason text, tried text[]);

CREATE FUNCTION one_of(VARIADIC words text[]) RETURNS text LANGUAGE sql VOLATILE AS $$SELECT words[1 + floor(random() * cardinality(words))::integer]$$;
CREATE FUNCTION some_condition() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT one_of(NULL, 'country = ' || quote_literal(one_of('DE', 'FR', 'IT')), 'country IN (''DE'', ''FR'') AND n > 3',
		'n BETWEEN 2 AND 6', '10 / n > 2', 'country = ''IT'' AND 10 / (n - 4) > 0', 'mail LIKE ''a%''', 'domain = ''x.de''',
		'mail IS NULL OR n = 1', 'n < 0 OR country > ''E''', 'lower(country) = ''fr''') $$;
CREATE FUNCTION change() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM leadroute.rule WHERE random() < 0.3;
	INSERT INTO leadroute.rule (name, priority, condition, team, method, overflow, percent, enabled, valid)
		SELECT 'r' || g, floor(random() * 5), some_condition(), one_of(NULL, 't1', 't2', 't3', 't4'),
			one_of('round_robin', 'least_loaded', 'longest_idle', 'random'), one_of('next_rule', 'next_rule', 'ignore_limits', 'none'),
			one_of('100', '100', '40')::numeric, random() < 0.9, one_of(NULL, NULL, '[2001-01-01,)', '[,2001-01-01)')::tstzrange
		FROM generate_series(1, 12) g
		ON CONFLICT (router, name) DO UPDATE SET priority = EXCLUDED.priority, condition = EXCLUDED.condition, enabled = EXCLUDED.enabled
			WHERE random() < 0.5;
	UPDATE leadroute.rule SET team = NULL, team_expr = '''t'' || n' WHERE random() < 0.1 AND team IS NULL AND member_expr IS NULL;
	UPDATE leadroute.member SET capacity = one_of(NULL, '0', '2', '9')::integer WHERE random() < 0.3;
	UPDATE leadroute.member SET active = random() < 0.8 WHERE random() < 0.2;
	DELETE FROM leadroute.absence;
	INSERT INTO leadroute.absence (member, during, team) SELECT 'm' || g, '[2001-01-01,)', one_of(NULL, 't1', 't2') FROM generate_series(1, 8) g WHERE random() < 0.2;
END $$;
-- Asks, inserts, and compares what the journal then says.
CREATE FUNCTION check_lead(lead_id integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	new jsonb := jsonb_strip_nulls(jsonb_build_object('id', lead_id, 'country', one_of(NULL, 'DE', 'FR', 'IT', 'XX'), 'n', one_of(NULL, '0', '1', '3', '4', '7')::integer,
		'mail', one_of(NULL, 'a@x.de', 'b@y.de'), 'open', one_of(NULL, 'false')::boolean));
	e jsonb := leadroute.explain_lead('lead', new, 'json', rules => 1000);
	same boolean;
BEGIN
	EXECUTE format('INSERT INTO lead (%s) SELECT %1$s FROM jsonb_populate_record(NULL::lead, $1)',
		(SELECT string_agg(quote_ident(k), ', ') FROM jsonb_object_keys(new) k)) USING new;
	INSERT INTO said SELECT lead_id, e ->> 'member', (SELECT r ->> 'rule' FROM jsonb_array_elements(e -> 'rules') r, jsonb_array_elements(r -> 'members') m WHERE (m ->> 'chosen')::boolean),
		e ->> 'reason', ARRAY(SELECT r ->> 'result' FROM jsonb_array_elements(e -> 'rules') r);
	SELECT (a.member, a.reason) IS NOT DISTINCT FROM (s.member, s.reason) AND (s.rule IS NULL OR a.rule = s.rule) AND (a.member IS NULL) = (s.rule IS NULL)
			AND l.owner IS NOT DISTINCT FROM s.member INTO same
		FROM said s JOIN lead l USING (id) JOIN leadroute.assignment a ON a.lead_key = l.id::text AND a.is_current WHERE s.id = lead_id;
	IF same IS NOT TRUE THEN
		RAISE WARNING 'lead % said % decided %', new, jsonb_pretty(e), (SELECT to_jsonb(a) FROM leadroute.assignment a WHERE a.lead_key = lead_id::text AND a.is_current);
	END IF;
	-- of each rule that the index has ruled out a part is not true
	RETURN same AND NOT EXISTS (SELECT FROM jsonb_array_elements(e -> 'rules') r
		WHERE r ->> 'result' = 'ruled out by the index' AND NOT jsonb_path_exists(r, '$.parts[*] ? (@.is != "true" && @.is != "not evaluated")'));
END $$;
-- Held leads do not outlive their transaction: the worker would decide them meanwhile.
CREATE PROCEDURE play(INOUT asked integer, INOUT wrong integer) LANGUAGE plpgsql AS $$
DECLARE
	same boolean;
BEGIN
	asked := 0;
	wrong := 0;
	FOR i IN 1 .. 40 LOOP
		PERFORM change();
		IF random() < 0.5 THEN
			COMMIT;
		END IF;
		FOR j IN 1 .. 12 LOOP
			asked := asked + 1;
			same := check_lead(asked);
			wrong := wrong + (same IS NOT TRUE)::integer;
			IF random() < 0.1 THEN
				PERFORM change();
			END IF;
		END LOOP;
		DELETE FROM lead WHERE owner IS NULL OR random() < 0.2;
		IF random() < 0.3 THEN
			ROLLBACK;
		ELSE
			COMMIT;
		END IF;
	END LOOP;
END $$;
SELECT setseed(0.5);
CALL play(NULL, NULL);
-- all kinds of answers have been there
SELECT count(member) > 50 AS assigned, count(*) FILTER (WHERE member IS NULL) > 20 AS not_assigned,
	count(DISTINCT rule) > 5 AS rules, bool_or(reason = 'ignore_limits') AS beyond_limits, count(DISTINCT reason) > 3 AS reasons FROM said;
SELECT DISTINCT unnest(tried) COLLATE "C" AS result FROM said ORDER BY 1;
-- without any effect, and in a read-only transaction
BEGIN READ ONLY;
SELECT count(*) > 3 AS lines FROM leadroute.explain_lead('lead', '{"id": 100000}');
SELECT count(*) > 3 AS lines FROM leadroute.explain('lead', (SELECT min(id) FROM lead));
COMMIT;
SELECT * FROM leadroute.verify();

DROP TABLE lead, said;
DROP PROCEDURE play;
DROP FUNCTION check_lead, change, some_condition, one_of;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
