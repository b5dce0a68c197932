-- Five statements, from a table that an application has already to a routed lead.
\set SHOW_CONTEXT never
CREATE TABLE users (id integer PRIMARY KEY, full_name text NOT NULL, role text NOT NULL);
INSERT INTO users VALUES (11, 'Anna', 'sales'), (12, 'Bruno', 'sales'), (13, 'Carla', 'sales'), (14, 'Dora', 'finance');
CREATE TABLE leads (
	id			integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	country		text,
	owner_id	integer REFERENCES users
);
-- two are owned by a rep, one by somebody who is none, one by nobody
INSERT INTO leads (country, owner_id) VALUES ('DE', 11), ('AT', 11), ('CH', 14), ('FR', NULL);

CREATE EXTENSION leadroute;
SELECT leadroute.attach('leads', 'owner_id');
INSERT INTO leadroute.member (name, owner_value) SELECT full_name, id FROM users WHERE role = 'sales';
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO leads (country) VALUES ('DE') RETURNING owner_id;

-- The defaults that nobody had to write.
SELECT name, enabled FROM leadroute.router;
SELECT name, relation, router, router_expr, key_columns, owner_column, nobody, closed_when FROM leadroute.routed_table;
SELECT router, name, owner_value, role_name, active, capacity, attributes FROM leadroute.member ORDER BY name;
SELECT router, name, version, priority, enabled, routed_table, condition, team, method, overflow FROM leadroute.rule;

-- What was there keeps its owner.  Leads that a rep owned already count in
-- load, so that limits are true from the first lead; they are no turns.
SELECT id, country, owner_id FROM leads ORDER BY id;
SELECT a.lead_key, a.kind, a.member, a.rule, a.method, a.is_current FROM leadroute.assignment a ORDER BY a.id;
SELECT m.name, c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member ORDER BY m.name;

-- Rows of one statement take their turns in its order.
INSERT INTO leads (country) SELECT 'DE' FROM generate_series(1, 5) RETURNING id, owner_id;
-- the session's settings do not matter, nor who inserts when
SET search_path = '';
INSERT INTO public.leads (country) VALUES ('DE') RETURNING id, owner_id;
RESET search_path;

-- Every stored lead has one current decision, those from before have none.
SELECT count(*) AS decided, count(DISTINCT lead_key) AS leads FROM leadroute.assignment WHERE is_current AND kind = 'assigned';

-- attach called again: nothing changes; with something else, that changes.
SELECT leadroute.attach('leads', 'owner_id');
SELECT leadroute.attach('leads', 'owner_id', closed_when => $$country = 'XX'$$);
SELECT leadroute.attach('leads', 'owner_id');
SELECT closed_when FROM leadroute.routed_table;
DROP TRIGGER zz_leadroute_stored ON leads;
SELECT leadroute.attach('leads', 'owner_id');
INSERT INTO leads (country) VALUES ('DE') RETURNING id, owner_id;

-- Configuration is rows with keys of names: a migration may run twice.
INSERT INTO leadroute.router (name) VALUES ('leads') ON CONFLICT (name) DO NOTHING;
INSERT INTO leadroute.team (name) VALUES ('dach') ON CONFLICT (router, name) DO NOTHING;
INSERT INTO leadroute.team (name) VALUES ('dach') ON CONFLICT (router, name) DO NOTHING;
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('dach', 'Anna', 2), ('dach', 'Bruno', 1)
	ON CONFLICT (router, team, member) DO UPDATE SET weight = excluded.weight;
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('dach', 'Anna', 3), ('dach', 'Bruno', 1)
	ON CONFLICT (router, team, member) DO UPDATE SET weight = excluded.weight;
INSERT INTO leadroute.member (name, owner_value) SELECT full_name, id FROM users WHERE role = 'sales'
	ON CONFLICT (router, name) DO UPDATE SET owner_value = excluded.owner_value;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('dach', 10, $$country IN ('DE', 'AT', 'CH')$$, 'dach')
	ON CONFLICT (router, name) DO UPDATE SET priority = 10;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('dach', 10, $$country IN ('DE', 'AT', 'CH')$$, 'dach')
	ON CONFLICT (router, name) DO UPDATE SET priority = 10;
INSERT INTO leadroute.absence (member, during, reason) VALUES ('Carla', '[2001-01-01, 2001-01-15)', 'holiday')
	ON CONFLICT (router, member, during, team) DO NOTHING;
INSERT INTO leadroute.absence (member, during, reason) VALUES ('Carla', '[2001-01-01, 2001-01-15)', 'holiday')
	ON CONFLICT (router, member, during, team) DO NOTHING;
SELECT count(*) FROM leadroute.absence;
SELECT name, version FROM leadroute.rule ORDER BY name;
SELECT member, weight FROM leadroute.team_member ORDER BY member;
-- weights 3:1 among the two, the rest by the rule for everyone
INSERT INTO leads (country) VALUES ('DE'), ('AT'), ('FR'), ('CH'), ('DE') RETURNING country, owner_id;
SELECT r.name AS rule, count(*) FROM leadroute.assignment a LEFT JOIN leadroute.rule r ON r.name = a.rule
	WHERE a.kind = 'assigned' GROUP BY 1 ORDER BY 1;

-- History keeps the states before.
SELECT table_name, router, old ->> 'member' AS member, old ->> 'weight' AS old_weight, new ->> 'weight' AS new_weight
	FROM leadroute.config_history WHERE table_name = 'team_member' ORDER BY at, member;

SELECT * FROM leadroute.verify();
-- detach leaves the leads and the journal as they are
SELECT leadroute.detach('leads');
INSERT INTO leads (country) VALUES ('DE') RETURNING owner_id;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'leads'::regclass AND tgname LIKE '%leadroute%';
SELECT count(*) > 10 AS journal_is_kept FROM leadroute.journal;
SELECT sum(load) FROM leadroute.member_counter();
SELECT * FROM leadroute.verify();

DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
DROP TABLE leads, users;
