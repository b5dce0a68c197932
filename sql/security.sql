-- Closed: each expression runs with the rights and the search_path of its
-- writer, the intake role needs nothing and can forge nothing.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE ROLE regress_leadroute_intake;
CREATE ROLE regress_leadroute_admin;
CREATE ROLE regress_leadroute_manager;
CREATE ROLE regress_leadroute_rep;
CREATE ROLE regress_leadroute_analyst;
CREATE ROLE regress_leadroute_app;
CREATE ROLE regress_leadroute_mallory;
GRANT CREATE, USAGE ON SCHEMA public TO regress_leadroute_admin, regress_leadroute_mallory;
SELECT leadroute.grant_to('regress_leadroute_admin', 'admin');
SELECT leadroute.grant_to('regress_leadroute_manager', 'manager');
SELECT leadroute.grant_to('regress_leadroute_rep', 'rep');
SELECT leadroute.grant_to('regress_leadroute_analyst', 'analyst');
SELECT leadroute.grant_to('regress_leadroute_app', 'app');
SELECT leadroute.grant_to('regress_leadroute_app', 'everything');
SELECT leadroute.grant_to('nobody', 'app');

-- An admin who is no superuser attaches a table of his own.
SET ROLE regress_leadroute_admin;
CREATE TABLE lead (id integer PRIMARY KEY, country text, budget integer, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name, role_name) VALUES ('rep', 'regress_leadroute_rep'), ('other', NULL);
CREATE FUNCTION is_good(integer) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT $1 > 100 AND current_user = 'regress_leadroute_admin'$$;
REVOKE EXECUTE ON FUNCTION is_good(integer) FROM PUBLIC;
INSERT INTO leadroute.team (name) VALUES ('rep'), ('other');
INSERT INTO leadroute.team_member (team, member) VALUES ('rep', 'rep'), ('other', 'other');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('good', 1, 'is_good(budget)', 'rep');
INSERT INTO leadroute.rule (name, team) VALUES ('rest', 'other');
GRANT INSERT (id, country, budget) ON lead TO regress_leadroute_intake;
GRANT INSERT, SELECT, UPDATE, DELETE ON lead TO regress_leadroute_mallory, regress_leadroute_app;
RESET ROLE;
SELECT name, written_by FROM leadroute.rule ORDER BY name;
SELECT written_by FROM leadroute.routed_table;

-- Intake may insert three columns, and nothing else at all: no SELECT, no right
-- on the owner column, none in schema leadroute; the function of the rule, which
-- it may not call, is called by the rule's writer.
SET ROLE regress_leadroute_intake;
INSERT INTO lead (id, country, budget) VALUES (1, 'DE', 500), (2, 'DE', 5);
SELECT is_good(1);
SELECT * FROM leadroute.journal;
SELECT leadroute.why('lead', '1');
RESET ROLE;
SELECT id, owner FROM lead ORDER BY id;
SELECT lead_key, rule, detail, role_name FROM leadroute.assignment ORDER BY id;

-- A search_path of the inserting role misleads nobody.
CREATE SCHEMA mallory AUTHORIZATION regress_leadroute_mallory;
GRANT USAGE ON SCHEMA mallory TO PUBLIC;
SET ROLE regress_leadroute_mallory;
CREATE FUNCTION mallory.is_good(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN RAISE WARNING 'mallory''s, as %', current_user; RETURN true; END$$;
CREATE FUNCTION mallory.gt(integer, integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RAISE WARNING 'mallory''s, as %', current_user; RETURN true; END$$;
CREATE OPERATOR mallory.> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = mallory.gt);
CREATE TABLE mallory.lead (id integer);
SET search_path = mallory, pg_catalog, public;
INSERT INTO public.lead VALUES (3, 'DE', 5) RETURNING owner;
INSERT INTO public.lead VALUES (4, 'DE', 500) RETURNING owner;
\c -
SET client_min_messages = warning;
SET ROLE regress_leadroute_mallory;
SET search_path = mallory, pg_catalog, public;
INSERT INTO public.lead VALUES (5, 'DE', 5) RETURNING owner;
INSERT INTO public.lead VALUES (6, 'DE', 500) RETURNING owner;
UPDATE public.lead SET owner = 'rep' WHERE id = 5;
RESET search_path;
-- a temporary table or function in the way
CREATE TEMP TABLE journal (id integer);
CREATE TEMP TABLE lead (id integer);
INSERT INTO public.lead VALUES (7, 'DE', 5) RETURNING owner;
DROP TABLE pg_temp.journal, pg_temp.lead;

-- Nobody writes a rule in another's name, or without the right to.
INSERT INTO leadroute.rule (name, condition) VALUES ('mallory', 'true');
SELECT leadroute.row_stored();
SELECT leadroute.assign('lead', 1, 'rep');
RESET ROLE;
GRANT USAGE ON SCHEMA leadroute TO regress_leadroute_mallory;
SET ROLE regress_leadroute_mallory;
SELECT leadroute.row_stored();
SELECT leadroute.assign('lead', 1, 'rep');
SELECT leadroute.adopt('lead');
SELECT leadroute.release_table('lead');
SELECT leadroute.rebuild();
SELECT leadroute.checkpoint_now();
SELECT * FROM leadroute.verify();
SELECT leadroute.pause('rep');
SELECT leadroute.grant_to('regress_leadroute_mallory', 'admin');
INSERT INTO leadroute.journal SELECT * FROM leadroute.journal;
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON leadroute.rule, leadroute.router TO regress_leadroute_mallory;
GRANT SELECT ON leadroute.team, leadroute.routed_table TO regress_leadroute_mallory;
SET ROLE regress_leadroute_mallory;
INSERT INTO leadroute.rule (name, condition, written_by) VALUES ('mallory', 'true', 'regress_leadroute_admin');
INSERT INTO leadroute.rule (name, condition, written_by) VALUES ('mallory', 'true', 'postgres');
INSERT INTO leadroute.rule (name, condition, written_by) VALUES ('mallory', 'true', 'nobody');
-- not even what the writer may not call
INSERT INTO leadroute.rule (name, condition) VALUES ('mallory', 'is_good(budget)');
-- changing the search_path alone changes what the words mean: it makes the
-- condition one's own, so that is_good of mallory's never runs as the admin
UPDATE leadroute.rule SET search_path = 'mallory, pg_catalog' WHERE name = 'good';
SELECT written_by FROM leadroute.rule WHERE name = 'good';
RESET ROLE;
INSERT INTO lead VALUES (20, 'DE', 5);
SET ROLE regress_leadroute_admin;
UPDATE leadroute.rule SET search_path = DEFAULT, condition = 'is_good(budget) ' WHERE name = 'good';
UPDATE leadroute.rule SET search_path = 'public', condition = 'is_good(budget)' WHERE name = 'good';
SELECT written_by, search_path FROM leadroute.rule WHERE name = 'good';
SET ROLE regress_leadroute_mallory;
-- changing another's condition makes it one's own; changing the rest does not
UPDATE leadroute.rule SET priority = 2 WHERE name = 'good';
SELECT written_by FROM leadroute.rule WHERE name = 'good';
UPDATE leadroute.rule SET condition = 'budget > 1' WHERE name = 'good';
SELECT written_by FROM leadroute.rule WHERE name = 'good';
UPDATE leadroute.rule SET written_by = 'regress_leadroute_admin' WHERE name = 'good';
-- a function of hers runs as mallory, whoever inserts
CREATE FUNCTION mallory.spy(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN RAISE WARNING 'rule runs as %', current_user; RETURN true; END$$;
UPDATE leadroute.rule SET condition = 'mallory.spy(budget)', priority = 0 WHERE name = 'good';
RESET ROLE;
INSERT INTO lead VALUES (8, 'DE', 5) RETURNING owner;
-- ... and cannot become another, nor change anything
SET ROLE regress_leadroute_mallory;
CREATE OR REPLACE FUNCTION mallory.spy(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN SET ROLE NONE; RETURN true; END$$;
RESET ROLE;
INSERT INTO lead VALUES (9, 'DE', 5) RETURNING owner;
SET ROLE regress_leadroute_mallory;
CREATE OR REPLACE FUNCTION mallory.spy(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN RESET SESSION AUTHORIZATION; RETURN true; END$$;
RESET ROLE;
INSERT INTO lead VALUES (10, 'DE', 5) RETURNING owner;
SET ROLE regress_leadroute_mallory;
CREATE FUNCTION mallory.escape() RETURNS void LANGUAGE plpgsql AS $$BEGIN SET ROLE NONE; END$$;
CREATE OR REPLACE FUNCTION mallory.spy(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN PERFORM mallory.escape(); RETURN true; END$$;
RESET ROLE;
INSERT INTO lead VALUES (21, 'DE', 5) RETURNING owner;
SET ROLE regress_leadroute_mallory;
CREATE OR REPLACE FUNCTION mallory.escape() RETURNS void LANGUAGE plpgsql AS $$BEGIN CREATE TEMP TABLE left_behind (id integer); END$$;
RESET ROLE;
INSERT INTO lead VALUES (22, 'DE', 5) RETURNING owner;
SET ROLE regress_leadroute_mallory;
CREATE OR REPLACE FUNCTION mallory.escape() RETURNS void LANGUAGE plpgsql AS $$BEGIN UPDATE leadroute.member SET active = false; END$$;
RESET ROLE;
INSERT INTO lead VALUES (23, 'DE', 5) RETURNING owner;
SELECT lead_key, rule, detail FROM leadroute.assignment WHERE lead_key IN ('8', '9', '10', '21', '22', '23') ORDER BY id;
SELECT current_user = session_user AS unchanged;
SET ROLE regress_leadroute_admin;
UPDATE leadroute.rule SET condition = 'is_good(budget)', priority = 1 WHERE name = 'good';
RESET ROLE;
REVOKE ALL ON leadroute.rule, leadroute.router, leadroute.team, leadroute.routed_table FROM regress_leadroute_mallory;

-- row_stored() called by hand, in the middle of a statement: forges nothing.
SET ROLE regress_leadroute_mallory;
CREATE FUNCTION mallory.forge() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM leadroute.row_stored(); RETURN NULL; END$$;
RESET ROLE;
CREATE TRIGGER zzz_forge BEFORE INSERT ON lead FOR EACH ROW WHEN (NEW.country = 'forged') EXECUTE FUNCTION mallory.forge();
SET ROLE regress_leadroute_mallory;
INSERT INTO lead VALUES (11, 'forged', 5), (12, 'DE', 5), (13, 'forged', 500) RETURNING id, owner;
RESET ROLE;
DROP TRIGGER zzz_forge ON lead;
CREATE TRIGGER zzz_forge BEFORE INSERT ON lead FOR EACH ROW WHEN (NEW.country = 'forged' AND NOT leadroute.row_stored()) EXECUTE FUNCTION mallory.forge();
SET ROLE regress_leadroute_mallory;
INSERT INTO lead VALUES (11, 'forged', 5), (31, 'DE', 5), (13, 'forged', 500) RETURNING id, owner;
INSERT INTO lead VALUES (1, 'DE', 5), (32, 'DE', 5), (1, 'AT', 5) ON CONFLICT (id) DO UPDATE SET country = 'XX' WHERE leadroute.row_stored() RETURNING id, owner;
INSERT INTO lead SELECT i, 'DE', 5 FROM generate_series(33, 34) i WHERE NOT leadroute.row_stored() RETURNING id, leadroute.row_stored();
RESET ROLE;
DROP TRIGGER zzz_forge ON lead;
SELECT lead_key, count(*) FROM leadroute.assignment GROUP BY 1 HAVING count(*) > 1 OR lead_key IN ('11', '13') ORDER BY 1;
SELECT * FROM leadroute.verify();
-- the trigger function called in another way
CREATE TABLE trap (id integer PRIMARY KEY, owner text);
CREATE TRIGGER t BEFORE INSERT ON trap FOR EACH ROW EXECUTE FUNCTION leadroute.lead_trigger();
INSERT INTO trap VALUES (1, 'x');
DROP TRIGGER t ON trap;
CREATE TRIGGER t BEFORE INSERT ON trap FOR EACH ROW EXECUTE FUNCTION leadroute.lead_trigger('lead');
INSERT INTO trap VALUES (1, 'x');
SELECT count(*) FROM leadroute.assignment WHERE lead_key = '1' AND is_current;
DROP TABLE trap;
SELECT * FROM leadroute.verify();

-- A rep: itself only.
SET ROLE regress_leadroute_rep;
SELECT leadroute.pause('rep', reason => 'lunch');
SELECT leadroute.resume('rep');
SELECT leadroute.pause('other');
SELECT count(*) FROM leadroute.why('lead', 1);
SELECT leadroute.why('lead', 2);
SELECT * FROM leadroute.assignment;
SELECT * FROM leadroute.member;
INSERT INTO leadroute.my_absence (router, member, during) VALUES ('lead', 'other', '[2001-01-01,)');
SELECT leadroute.assign('lead', 2, 'rep');
SET ROLE regress_leadroute_app;
SELECT count(*) FROM leadroute.why('lead', 2);
SELECT count(*) > 3 AS explained FROM leadroute.explain('lead', 2);
SELECT leadroute.route('lead', 2);
SELECT leadroute.assign('lead', 2, 'rep');
SELECT * FROM leadroute.rule;
SET ROLE regress_leadroute_analyst;
SELECT count(*) > 5 AS reads FROM leadroute.assignment;
SELECT count(*) FROM leadroute.member_status;
SELECT count(*) FROM leadroute.problem;
SELECT * FROM leadroute.absence;
SELECT leadroute.route('lead', 2);
UPDATE leadroute.rule SET enabled = false;
SET ROLE regress_leadroute_manager;
INSERT INTO leadroute.member (name) VALUES ('new');
SELECT leadroute.assign('lead', 2, 'new');
SELECT leadroute.pause('new');
UPDATE leadroute.rule SET enabled = false;
SELECT leadroute.attach('lead', 'owner');
RESET ROLE;

-- Row security on the lead table: decisions do not depend on what the role may
-- see; its own INSERT does.
SET ROLE regress_leadroute_admin;
ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON lead TO regress_leadroute_mallory USING (false) WITH CHECK (true);
RESET ROLE;
SET ROLE regress_leadroute_mallory;
INSERT INTO lead VALUES (14, 'DE', 500);
RESET ROLE;
SELECT owner FROM lead WHERE id = 14;
SELECT * FROM leadroute.verify();

DROP TABLE lead CASCADE;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
DROP SCHEMA mallory CASCADE;
DROP OWNED BY regress_leadroute_intake, regress_leadroute_admin, regress_leadroute_manager, regress_leadroute_rep, regress_leadroute_analyst, regress_leadroute_app, regress_leadroute_mallory;
DROP ROLE regress_leadroute_intake, regress_leadroute_admin, regress_leadroute_manager, regress_leadroute_rep, regress_leadroute_analyst, regress_leadroute_app, regress_leadroute_mallory;
