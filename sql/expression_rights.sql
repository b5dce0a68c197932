-- Who writes an expression needs the right to read what it names; what is asked
-- of members runs with the writer's rights, changes nothing, and an error of it
-- costs the member it is raised for.
\set SHOW_CONTEXT never
\pset format unaligned
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE ROLE lr_owner;
CREATE ROLE lr_manager;
CREATE ROLE lr_admin;
CREATE ROLE lr_intake;
GRANT CREATE, USAGE ON SCHEMA public TO lr_owner, lr_admin, lr_manager;
SELECT leadroute.grant_to('lr_owner', 'admin');
SELECT leadroute.grant_to('lr_admin', 'admin');
SELECT leadroute.grant_to('lr_manager', 'manager');
SET ROLE lr_owner;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, country text, budget integer, secret text, owner text,
	is_big boolean GENERATED ALWAYS AS (budget > 1000) STORED);
SELECT leadroute.attach('lead', 'owner');
GRANT INSERT ON lead TO lr_intake;
GRANT SELECT (country) ON lead TO lr_manager;
GRANT SELECT ON lead TO lr_admin;
INSERT INTO leadroute.member (name, attributes) VALUES ('anna', '{"level": 3}'), ('bruno', '{"level": 1}');
INSERT INTO leadroute.team (name) VALUES ('t');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('t', 'anna', 1), ('t', 'bruno', 2);
INSERT INTO leadroute.rule (name, team) VALUES ('all', 't');
RESET ROLE;
CREATE VIEW decision AS SELECT a.lead_key::integer AS lead, a.member, a.rule, a.candidates, a.detail FROM leadroute.assignment a WHERE a.is_current;

-- A manager writes about the column that he may read, and no other: not by name,
-- not inside of the row, not by a generated column, not by a call.
SET ROLE lr_manager;
UPDATE leadroute.team_member SET condition = $$country = 'DE'$$ WHERE member = 'anna';
UPDATE leadroute.team_member SET condition = 'secret IS NULL' WHERE member = 'bruno';
UPDATE leadroute.team_member SET condition = $$country = 'DE' AND lead.budget > 10$$ WHERE member = 'bruno';
UPDATE leadroute.team_member SET condition = 'lead IS NOT NULL' WHERE member = 'bruno';
UPDATE leadroute.team_member SET condition = $$to_jsonb(lead) ? 'secret'$$ WHERE member = 'bruno';
UPDATE leadroute.team_member SET condition = 'is_big' WHERE member = 'bruno';
CREATE FUNCTION knows(public.lead) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT ($1).secret = 'x'$$;
UPDATE leadroute.team_member SET condition = 'knows(lead)' WHERE member = 'bruno';
SELECT leadroute.check_condition('lead', $$country = 'DE'$$), leadroute.check_condition('lead', $$secret = 'x'$$);
-- taking over another's expression is writing it
RESET ROLE;
UPDATE leadroute.team_member SET condition = $$secret IS NULL$$ WHERE member = 'bruno';
SET ROLE lr_manager;
UPDATE leadroute.team_member SET written_by = current_user WHERE member = 'bruno';
UPDATE leadroute.team_member SET search_path = 'public' WHERE member = 'bruno';
UPDATE leadroute.team_member SET position = 9 WHERE member = 'bruno';
SELECT member, condition, written_by FROM leadroute.team_member ORDER BY member;
UPDATE leadroute.team_member SET condition = NULL WHERE member = 'bruno';
RESET ROLE;

-- The same for rules, sticky keys and caps.
REVOKE SELECT ON lead FROM lr_admin;
SET ROLE lr_admin;
INSERT INTO leadroute.rule (name, condition) VALUES ('x', 'budget > 1');
INSERT INTO leadroute.rule (name, team_expr) VALUES ('x', 'secret');
INSERT INTO leadroute.rule (name, member_expr) VALUES ('x', 'secret');
INSERT INTO leadroute.rule (name, team, member_condition) VALUES ('x', 't', 'budget > (member.attributes ->> ''level'')::integer');
INSERT INTO leadroute.rule (name, team, method, member_rank) VALUES ('x', 't', 'best_match', 'budget');
INSERT INTO leadroute.cap (name, period, max_leads, condition) VALUES ('x', 'day', 1, 'budget > 1');
UPDATE leadroute.router SET sticky_key = ARRAY['secret'];
-- of members alone: the profile's right to member_facts
INSERT INTO leadroute.rule (name, priority, team, member_condition) VALUES ('members', 200, 't', '(member.attributes ->> ''level'')::integer > 2');
RESET ROLE;
REVOKE SELECT ON leadroute.member_facts FROM lr_admin;
SET ROLE lr_admin;
UPDATE leadroute.rule SET member_condition = '(member.attributes ->> ''level'')::integer > 1' WHERE name = 'members';
RESET ROLE;
GRANT SELECT ON leadroute.member_facts TO lr_admin;

-- A right that is taken back, and given again: of the table, of a column; also
-- where the index alone knows a rule.
GRANT SELECT ON lead TO lr_admin;
SET ROLE lr_admin;
DELETE FROM leadroute.rule WHERE name = 'members';
INSERT INTO leadroute.team (name) VALUES ('big');
INSERT INTO leadroute.team_member (team, member) VALUES ('big', 'bruno');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('big', 1, 'budget = 5000', 'big');
RESET ROLE;
INSERT INTO lead (country, budget) VALUES ('DE', 5000), ('DE', 1), ('FR', 1) RETURNING id, owner;
REVOKE SELECT ON lead FROM lr_admin;
REVOKE SELECT (country) ON lead FROM lr_manager;
INSERT INTO lead (country, budget) VALUES ('DE', 5000), ('DE', 1), ('FR', 1) RETURNING id, owner;
SELECT lead, member, rule, candidates, detail FROM decision WHERE lead > 3 ORDER BY lead;
SELECT what, subject, detail FROM leadroute.problem WHERE what = 'condition_invalid';
SELECT rule, what, detail FROM leadroute.lint('lead') WHERE severity = 'error';
GRANT SELECT (budget) ON lead TO lr_admin;
GRANT SELECT (country) ON lead TO lr_manager;
INSERT INTO lead (country, budget) VALUES ('DE', 5000), ('DE', 1), ('FR', 1) RETURNING id, owner;
REVOKE SELECT (budget) ON lead FROM lr_admin;
INSERT INTO lead (country, budget) VALUES ('DE', 5000) RETURNING id, owner;
GRANT SELECT ON lead TO lr_admin;
INSERT INTO lead (country, budget) VALUES ('DE', 5000) RETURNING id, owner;
SELECT lead, rule, candidates, detail FROM decision WHERE lead > 6 ORDER BY lead;

-- closed_when and the like are the table's: they go on when it gets another owner.
SET ROLE lr_owner;
UPDATE leadroute.routed_table SET closed_when = $$secret = 'closed'$$;
RESET ROLE;
ALTER TABLE lead OWNER TO CURRENT_USER;
INSERT INTO lead (country, secret) VALUES ('FR', 'closed');
SELECT closed FROM leadroute.assignment WHERE lead_key = '12';
SELECT count(*) FROM leadroute.problem WHERE what = 'expression_invalid';
ALTER TABLE lead OWNER TO lr_owner;
UPDATE leadroute.routed_table SET closed_when = NULL;
DELETE FROM leadroute.rule WHERE name = 'big';
UPDATE leadroute.team_member SET condition = NULL;

-- Whose rights: the writer's, in a membership's condition, in member_condition
-- and in member_rank, whoever inserts.
SET ROLE lr_admin;
CREATE FUNCTION as_whom(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN RAISE WARNING '% runs as %', $1, current_user; RETURN true; END$$;
REVOKE EXECUTE ON FUNCTION as_whom(text) FROM PUBLIC;
UPDATE leadroute.team_member SET condition = $$as_whom('condition of ' || 'a membership')$$ WHERE member = 'anna';
INSERT INTO leadroute.rule (name, priority, team, method, member_condition, member_rank) VALUES ('members', 1, 't', 'best_match',
	$$as_whom('member_condition for ' || member.name)$$, $$CASE WHEN as_whom('member_rank for ' || member.name) THEN 1 END$$);
RESET ROLE;
SET ROLE lr_intake;
INSERT INTO lead (country) VALUES ('DE');
RESET ROLE;

-- Side effects are refused, and cost the member.
SET ROLE lr_admin;
CREATE SEQUENCE seen;
CREATE TABLE spied (what text);
INSERT INTO leadroute.rule (name, team, member_condition) VALUES ('x', 't', $$nextval('seen') > 0$$);
UPDATE leadroute.team_member SET condition = $$nextval('seen') > 0$$ WHERE member = 'anna';
UPDATE leadroute.rule SET member_rank = 'random()' WHERE name = 'members';
CREATE FUNCTION spy(text) RETURNS integer LANGUAGE plpgsql STABLE AS $$BEGIN IF $1 = 'bruno' THEN INSERT INTO public.spied VALUES ($1); END IF; RETURN 1; END$$;
CREATE FUNCTION escape(text) RETURNS integer LANGUAGE plpgsql STABLE AS $$BEGIN IF $1 = 'bruno' THEN RESET ROLE; END IF; RETURN 1; END$$;
CREATE FUNCTION leave_behind(text) RETURNS integer LANGUAGE plpgsql STABLE AS $$BEGIN IF $1 = 'bruno' THEN EXECUTE 'CREATE TEMP TABLE left_behind ()'; END IF; RETURN 1; END$$;
UPDATE leadroute.team_member SET condition = NULL;
UPDATE leadroute.rule SET method = 'round_robin', member_rank = NULL, member_condition = 'spy(member.name) = 1' WHERE name = 'members';
RESET ROLE;
INSERT INTO lead (country) VALUES ('DE') RETURNING owner;
INSERT INTO lead (country) VALUES ('DE') RETURNING owner;
UPDATE leadroute.rule SET written_by = 'lr_admin', member_condition = 'escape(member.name) = 1' WHERE name = 'members';
INSERT INTO lead (country) VALUES ('DE') RETURNING owner;
UPDATE leadroute.rule SET written_by = 'lr_admin', member_condition = 'leave_behind(member.name) = 1' WHERE name = 'members';
INSERT INTO lead (country) VALUES ('DE') RETURNING owner;
UPDATE leadroute.rule SET written_by = 'lr_admin', member_condition = NULL, method = 'best_match', member_rank = 'spy(member.name)' WHERE name = 'members';
INSERT INTO lead (country) VALUES ('DE') RETURNING owner;
SELECT lead, member, detail FROM decision WHERE lead > 13 ORDER BY lead;
SELECT count(*) AS spied, to_regclass('pg_temp.left_behind') AS left_behind, current_user = session_user AS same FROM spied;

-- An error for one member: nobody hears of it but who may read decisions.
UPDATE leadroute.rule SET written_by = 'lr_admin', method = 'round_robin', member_rank = NULL,
	member_condition = '(member.attributes ->> ''level'')::integer > 0' WHERE name = 'members';
UPDATE leadroute.member SET attributes = '{"level": "high"}' WHERE name = 'bruno';
SET ROLE lr_intake;
SET client_min_messages = debug1;
INSERT INTO lead (country) VALUES ('DE');
SET client_min_messages = warning;
SELECT leadroute.why('lead', '19');
RESET ROLE;
SELECT member, detail FROM decision WHERE lead = 19;
SELECT * FROM leadroute.verify();
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
DROP OWNED BY lr_owner, lr_admin, lr_manager, lr_intake CASCADE;
DROP ROLE lr_owner, lr_admin, lr_manager, lr_intake;
