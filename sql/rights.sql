-- With whose rights and under which search_path code runs: leadroute's own SQL,
-- the triggers, generated columns and types of a lead table, stored expressions.
-- Each attack below is one that worked when the code in question ran with the
-- rights that the attacker is after; who() tells.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE ROLE regress_leadroute_owner;
CREATE ROLE regress_leadroute_writer;
CREATE ROLE regress_leadroute_caller;
CREATE ROLE regress_leadroute_old_name;
GRANT CREATE, USAGE ON SCHEMA public TO regress_leadroute_owner, regress_leadroute_writer, regress_leadroute_caller, regress_leadroute_old_name;
SELECT leadroute.grant_to('regress_leadroute_owner', 'admin');
SELECT leadroute.grant_to('regress_leadroute_writer', 'admin');
SELECT leadroute.grant_to('regress_leadroute_caller', 'manager');
CREATE SCHEMA owner AUTHORIZATION regress_leadroute_owner;
CREATE SCHEMA writer AUTHORIZATION regress_leadroute_writer;
CREATE SCHEMA caller AUTHORIZATION regress_leadroute_caller;
GRANT USAGE ON SCHEMA owner, writer, caller TO PUBLIC;
-- what was run, as whom, and where
CREATE TABLE ran (what text, as_role text);
GRANT INSERT, SELECT ON ran TO PUBLIC;
CREATE FUNCTION who(what text) RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = public AS $$
BEGIN
	INSERT INTO public.ran SELECT who.what, current_user
		WHERE NOT EXISTS (SELECT FROM public.ran r WHERE (r.what, r.as_role) = (who.what, current_user));
	RETURN true;
END$$;

-- A lead table of one role, rules of another.
SET ROLE regress_leadroute_owner;
SET search_path = owner, public;
CREATE FUNCTION owner.label(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM public.who('generated'); RETURN upper($1); END$$;
CREATE TABLE owner.lead (
	id integer PRIMARY KEY,
	country text,
	label text GENERATED ALWAYS AS (owner.label(country)) STORED,
	owner text);
CREATE TABLE owner.audit (id integer);
CREATE FUNCTION owner.audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit VALUES (NEW.id);	-- found by the search_path
	PERFORM public.who('trigger');
	RETURN NULL;
END$$;
CREATE TRIGGER audited AFTER UPDATE ON owner.lead FOR EACH ROW EXECUTE FUNCTION owner.audited();
SELECT leadroute.attach('owner.lead', 'owner');
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
GRANT INSERT, SELECT, UPDATE ON owner.lead TO regress_leadroute_caller, regress_leadroute_writer, regress_leadroute_old_name;
RESET ROLE;
RESET search_path;

-- A generated column is computed as the table's owner, not as the writer of the
-- rule that uses it, and the rule index sees its value.
SET ROLE regress_leadroute_writer;
INSERT INTO leadroute.team (name) VALUES ('b');
INSERT INTO leadroute.team_member (team, member) VALUES ('b', 'bruno');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('label', 1, $$label = 'DE'$$, 'b'), ('row', 2, $$(lead).label = 'AT' AND label LIKE 'A%'$$, 'b');
RESET ROLE;
SET ROLE regress_leadroute_caller;
INSERT INTO owner.lead (id, country) VALUES (1, 'de'), (2, 'fr'), (3, 'at') RETURNING id, label, owner;
RESET ROLE;
SELECT lead_key, rule, detail FROM leadroute.assignment ORDER BY id;
-- the INSERT itself computes it as the one who inserts
SELECT * FROM ran ORDER BY 1, 2;
TRUNCATE ran;
-- one that fails costs the rules that use it, not the lead; where the row
-- reaches the table its error is the table's own
SET ROLE regress_leadroute_owner;
CREATE TABLE owner.ratio (id integer PRIMARY KEY, n integer, share integer GENERATED ALWAYS AS (100 / n) STORED, owner text);
CREATE FUNCTION owner.mend() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.n := 1; RETURN NEW; END$$;
CREATE TRIGGER zzz_mend BEFORE INSERT ON owner.ratio FOR EACH ROW WHEN (NEW.n = 0) EXECUTE FUNCTION owner.mend();
INSERT INTO leadroute.router (name) VALUES ('ratio');
SELECT leadroute.attach('owner.ratio', 'owner', router => 'ratio', closed_when => 'share > 90');
SET leadroute.router = 'ratio';
INSERT INTO leadroute.member (name) VALUES ('chiara');
INSERT INTO leadroute.rule (name, priority, condition) VALUES ('half', 1, 'share = 50');
INSERT INTO leadroute.rule (name) VALUES ('rest');
INSERT INTO owner.ratio (id, n) VALUES (1, 2), (2, 0), (3, 1);
RESET leadroute.router;
SELECT lead_key, rule, detail, closed FROM leadroute.assignment WHERE routed_table = 'ratio' ORDER BY id;
SELECT leadroute.detach('ratio');
DELETE FROM leadroute.rule WHERE router = 'ratio';
UPDATE leadroute.router SET enabled = false WHERE name = 'ratio';
RESET ROLE;
DROP TABLE owner.ratio;
SET leadroute.router = 'lead';
TRUNCATE ran;

-- The triggers that route and assign fire run as the table's owner under the
-- search_path of who attached it: neither the path nor temporary tables of
-- who calls stand in their way.
SET ROLE regress_leadroute_caller;
CREATE FUNCTION caller.trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM public.who('the caller''s table'); RETURN NEW; END$$;
CREATE TABLE caller.audit (id integer);
CREATE TRIGGER trap BEFORE INSERT ON caller.audit FOR EACH ROW EXECUTE FUNCTION caller.trap();
CREATE TEMP TABLE audit (id integer);
CREATE TRIGGER trap BEFORE INSERT ON pg_temp.audit FOR EACH ROW EXECUTE FUNCTION caller.trap();
GRANT INSERT ON caller.audit, pg_temp.audit TO PUBLIC;
SET search_path = caller, public;
SELECT leadroute.assign('lead', 2, 'anna');
RESET search_path;
RESET ROLE;
SELECT * FROM ran WHERE what <> 'generated' ORDER BY 1, 2;
SELECT count(*) FROM owner.audit;
TRUNCATE ran;
-- a setting that they change is taken back
SET ROLE regress_leadroute_owner;
CREATE OR REPLACE FUNCTION owner.audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	SET search_path = owner;
	SET leadroute.actor = 'nobody';
	RETURN NULL;
END$$;
SET ROLE regress_leadroute_caller;
SET search_path = caller;
SELECT leadroute.assign('lead', 2, 'bruno');
SHOW search_path;
SHOW leadroute.actor;
RESET search_path;
DROP TABLE pg_temp.audit;
RESET ROLE;
-- a deferred foreign key is allowed
SET ROLE regress_leadroute_owner;
CREATE TABLE owner.person (name text PRIMARY KEY);
INSERT INTO owner.person VALUES ('anna'), ('bruno');
ALTER TABLE owner.lead ADD FOREIGN KEY (owner) REFERENCES owner.person DEFERRABLE INITIALLY DEFERRED;
SET ROLE regress_leadroute_caller;
SELECT leadroute.assign('lead', 2, 'anna');
RESET ROLE;

-- Operators in the caller's path do not reach leadroute's own SQL.
SET ROLE regress_leadroute_caller;
CREATE FUNCTION caller.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM public.who('the caller''s ='); RETURN pg_catalog.texteq($1, $2); END$$;
CREATE OPERATOR caller.= (LEFTARG = text, RIGHTARG = text, FUNCTION = caller.eq);
CREATE FUNCTION caller.eq(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM public.who('the caller''s ='); RETURN pg_catalog.int4eq($1, $2); END$$;
CREATE OPERATOR caller.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = caller.eq);
CREATE FUNCTION caller.plus(bigint, integer) RETURNS bigint LANGUAGE plpgsql AS $$BEGIN PERFORM public.who('the caller''s +'); RETURN pg_catalog.int84pl($1, $2); END$$;
CREATE OPERATOR caller.+ (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = caller.plus);
SET search_path = caller, pg_catalog, public;
INSERT INTO leadroute.member (name) VALUES ('dora');
INSERT INTO leadroute.member (name) VALUES ('emil');
UPDATE leadroute.member SET capacity = 10 WHERE name OPERATOR(pg_catalog.=) 'dora';
DELETE FROM leadroute.member WHERE name OPERATOR(pg_catalog.=) 'dora';
SELECT leadroute.assign('lead', 2, 'anna');
RESET search_path;
RESET ROLE;
SET search_path = caller, pg_catalog, public;
SELECT * FROM leadroute.verify();
SELECT leadroute.checkpoint_now() > 0;
SELECT leadroute.rebuild() > 0;
RESET search_path;
SELECT * FROM ran WHERE as_role <> 'regress_leadroute_caller' AND what <> 'generated';
TRUNCATE ran;

-- Temporary relations of who inserts are not found by a rule's function.
SET ROLE regress_leadroute_writer;
CREATE TABLE writer.vip (country text);
CREATE FUNCTION writer.is_vip(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN RETURN EXISTS (SELECT FROM vip WHERE vip.country = $1); END$$;
SET search_path = writer, public;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('vip', 0, 'is_vip(country)', 'b');
SET ROLE regress_leadroute_caller;
RESET search_path;
CREATE TEMP VIEW vip AS SELECT 'us'::text AS country WHERE public.who('the caller''s view');
GRANT SELECT ON pg_temp.vip TO PUBLIC;
INSERT INTO owner.lead (id, country) VALUES (4, 'us');
DROP VIEW pg_temp.vip;
RESET ROLE;
SELECT rule FROM leadroute.assignment WHERE lead_key = '4';
SELECT DISTINCT * FROM ran WHERE what <> 'generated';
TRUNCATE ran;
DELETE FROM leadroute.rule WHERE name = 'vip';

-- The owner of the table chooses its types; they must not lend him the writer's
-- rights.  One by one: an operator, a cast, domains inside of an array and of a
-- row, a cast to json.
SET ROLE regress_leadroute_owner;
CREATE DOMAIN owner.trap AS text CHECK (public.who('domain'));
CREATE TYPE owner.status AS ENUM ('new', 'old');
CREATE FUNCTION owner.eq(owner.status, owner.status) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM public.who('operator'); RETURN true; END$$;
CREATE OPERATOR public.= (LEFTARG = owner.status, RIGHTARG = owner.status, FUNCTION = owner.eq);
CREATE TYPE owner.pair AS (a text, b text);
CREATE TYPE owner.item AS (a owner.trap, b text);
CREATE FUNCTION owner.as_text(owner.pair) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM public.who('cast'); RETURN 'x'; END$$;
CREATE TYPE owner.shade AS ENUM ('light', 'dark');
CREATE FUNCTION owner.as_json(owner.shade) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM public.who('cast to json'); RETURN '1'; END$$;
CREATE CAST (owner.pair AS text) WITH FUNCTION owner.as_text(owner.pair) AS IMPLICIT;
CREATE CAST (owner.shade AS json) WITH FUNCTION owner.as_json(owner.shade);
ALTER TABLE owner.lead ADD COLUMN status text DEFAULT 'new', ADD COLUMN tags text[], ADD COLUMN note text, ADD COLUMN item text, ADD COLUMN shade text, ADD COLUMN plain text;
-- in one transaction, so that the worker decides no held lead in between
BEGIN;
SET ROLE regress_leadroute_writer;
RESET search_path;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES
	('operator', 11, $$status = 'new'$$, 'b'),
	('array', 12, $$tags @> '{vip}'$$, 'b'),
	('cast', 13, $$lower(note) = 'x'$$, 'b'),
	('item', 13, $$coalesce(item, '(x,y)') = 'x'$$, 'b'),
	('json', 14, $$to_jsonb(shade) = '1'$$, 'b'),
	('plain', 15, $$coalesce(plain, '') = 'x'$$, 'b');
RESET ROLE;
ALTER TABLE owner.lead ALTER COLUMN status DROP DEFAULT;
ALTER TABLE owner.lead ALTER COLUMN status TYPE owner.status USING 'new',
	ALTER COLUMN tags TYPE owner.trap[] USING NULL, ALTER COLUMN note TYPE owner.pair USING NULL, ALTER COLUMN item TYPE owner.item USING NULL,
	ALTER COLUMN shade TYPE owner.shade USING 'dark',
	ALTER COLUMN plain TYPE owner.trap USING NULL;
COMMIT;
TRUNCATE ran;
SELECT what, subject, detail FROM leadroute.problem WHERE what = 'condition_invalid' ORDER BY subject;
SET ROLE regress_leadroute_caller;
INSERT INTO owner.lead (id, country, status, shade) VALUES (5, 'es', 'new', 'dark');
SET ROLE regress_leadroute_writer;
SELECT leadroute.check_condition('lead', $$status = 'new'$$);
SELECT leadroute.check_condition('lead', $$'x'::owner.trap = country$$);
SELECT leadroute.check_condition('lead', $$'{x}'::owner.trap[] IS NULL$$);
SELECT leadroute.check_condition('lead', $$to_jsonb(lead) ? 'x'$$);
SELECT leadroute.check_condition('lead', $$lead.country = 'x' AND 'new'::owner.status < status$$);
RESET ROLE;
-- nothing of it has run as the writer, but what the INSERT itself checked
SELECT what, as_role FROM ran WHERE what <> 'generated' ORDER BY 1, 2;
TRUNCATE ran;
-- the table's owner may use them himself
SET ROLE regress_leadroute_owner;
SELECT leadroute.check_condition('lead', $$status = 'new'$$);
RESET ROLE;
DELETE FROM leadroute.rule WHERE priority BETWEEN 11 AND 15;
TRUNCATE ran;

-- The constraints of an owner column's domain: as the table's owner, whoever
-- saves a member, inserts a lead, verifies or attaches.
SET ROLE regress_leadroute_owner;
CREATE DOMAIN owner.name AS text CHECK (public.who('owner column') AND VALUE <> '');
CREATE TABLE owner.prospect (id integer PRIMARY KEY, owner owner.name DEFAULT 'nobody');
INSERT INTO leadroute.router (name) VALUES ('prospect');
RESET ROLE;
TRUNCATE ran;
SELECT leadroute.attach('owner.prospect', 'owner', router => 'prospect', nobody => 'nobody');
SELECT * FROM ran WHERE as_role <> 'regress_leadroute_owner';
SET leadroute.router = 'prospect';
INSERT INTO leadroute.member (name) VALUES ('frida');
INSERT INTO leadroute.member (name) VALUES ('');
INSERT INTO leadroute.member (name) VALUES ('nobody');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
SELECT * FROM ran WHERE as_role <> 'regress_leadroute_owner';
INSERT INTO owner.prospect (id) VALUES (1) RETURNING owner;
TRUNCATE ran;
SELECT leadroute.route('prospect', 1);
SELECT * FROM leadroute.verify();
SELECT * FROM ran WHERE as_role <> 'regress_leadroute_owner';
SELECT leadroute.detach('prospect');
SET leadroute.router = 'lead';

-- verify() reads keys and owners as their types show them, not by a cast.
SET ROLE regress_leadroute_owner;
CREATE TYPE owner.code AS ENUM ('a', 'b');
CREATE FUNCTION owner.code_text(owner.code) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM public.who('cast of a key'); RETURN 'x'; END$$;
CREATE CAST (owner.code AS text) WITH FUNCTION owner.code_text(owner.code);
CREATE TABLE owner.coded (code owner.code PRIMARY KEY, owner text);
SELECT leadroute.attach('owner.coded', 'owner', router => 'prospect');
INSERT INTO owner.coded VALUES ('a'), ('b');
RESET ROLE;
SELECT * FROM leadroute.verify();
SELECT * FROM ran WHERE what LIKE 'cast%';
SELECT leadroute.detach('coded');

-- nor anything that is stored elsewhere
CREATE FOREIGN DATA WRAPPER regress_leadroute_elsewhere;
CREATE SERVER regress_leadroute_elsewhere FOREIGN DATA WRAPPER regress_leadroute_elsewhere;
CREATE TABLE owner.spread (id integer PRIMARY KEY, owner text) PARTITION BY LIST (id);
SELECT leadroute.attach('owner.spread', 'owner', router => 'prospect');
ALTER TABLE owner.spread DROP CONSTRAINT spread_pkey;
CREATE FOREIGN TABLE owner.spread_1 PARTITION OF owner.spread FOR VALUES IN (1) SERVER regress_leadroute_elsewhere;
SELECT * FROM leadroute.verify();
DROP TABLE owner.spread;
SELECT leadroute.detach('spread');
DROP FOREIGN DATA WRAPPER regress_leadroute_elsewhere CASCADE;

-- Only the owner says under which path the triggers of his table run.
SET ROLE regress_leadroute_writer;
UPDATE leadroute.routed_table SET search_path = 'writer' WHERE name = 'lead';
UPDATE leadroute.routed_table SET closed_when = 'true' WHERE name = 'lead';
UPDATE leadroute.routed_table SET written_by = 'regress_leadroute_writer' WHERE name = 'lead';
SET ROLE regress_leadroute_owner;
UPDATE leadroute.routed_table SET search_path = 'owner, ,' WHERE name = 'lead';
UPDATE leadroute.routed_table SET search_path = 'owner' WHERE name = 'lead';
RESET ROLE;

-- The trigger function does nothing for a lead table that it is not on.
SET ROLE regress_leadroute_owner;
CREATE TABLE owner.forged (LIKE owner.lead INCLUDING DEFAULTS);
CREATE TRIGGER a BEFORE INSERT ON owner.forged FOR EACH ROW EXECUTE FUNCTION leadroute.lead_trigger('lead');
INSERT INTO owner.forged (id, country) VALUES (77, 'de');
DROP TRIGGER a ON owner.forged;
INSERT INTO owner.forged (id, country, owner) VALUES (1, 'de', 'anna');
CREATE TRIGGER c AFTER DELETE ON owner.forged FOR EACH ROW EXECUTE FUNCTION leadroute.lead_trigger('lead');
DELETE FROM owner.forged;
CREATE TRIGGER d AFTER UPDATE ON owner.forged FOR EACH ROW EXECUTE FUNCTION leadroute.lead_trigger('lead');
UPDATE owner.forged SET owner = 'bruno';
CREATE TRIGGER e AFTER TRUNCATE ON owner.forged EXECUTE FUNCTION leadroute.lead_trigger('lead');
TRUNCATE owner.forged;
DROP TABLE owner.forged;
RESET ROLE;
SELECT lead_key, member, kind FROM leadroute.assignment WHERE is_current AND lead_key IN ('1', '77') ORDER BY id;

-- Who acts: the caller, also after an error that a trigger has caught, and
-- after a call inside of the call; and under the name he has now.
SET ROLE regress_leadroute_owner;
SET search_path = owner, public;
CREATE OR REPLACE FUNCTION owner.audited() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	IF NEW.id = 2 THEN
		PERFORM leadroute.assign('lead', 3, 'anna');
		BEGIN
			PERFORM leadroute.assign('lead', 1, 'anna');
			PERFORM 1 / 0;
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	END IF;
	RETURN NULL;
END$$;
SET ROLE regress_leadroute_caller;
SELECT leadroute.assign('lead', 2, 'bruno');
RESET ROLE;
RESET search_path;
SELECT lead_key, member, kind, role_name FROM leadroute.assignment WHERE is_current AND lead_key IN ('1', '2', '3') ORDER BY lead_key;
SET ROLE regress_leadroute_old_name;
INSERT INTO owner.lead (id, country) VALUES (6, 'it');
RESET ROLE;
ALTER ROLE regress_leadroute_old_name RENAME TO regress_leadroute_new_name;
SET ROLE regress_leadroute_new_name;
INSERT INTO owner.lead (id, country) VALUES (7, 'it');
RESET ROLE;
SELECT lead_key, role_name FROM leadroute.assignment WHERE lead_key IN ('6', '7') ORDER BY id;

-- problem judges with the rights of the writer, not of who looks.
SET ROLE regress_leadroute_writer;
CREATE FUNCTION writer.secret(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM public.who('constant'); RETURN true; END$$;
REVOKE EXECUTE ON FUNCTION writer.secret(text) FROM PUBLIC;
INSERT INTO leadroute.rule (name, priority, condition) VALUES ('secret', 50, $$writer.secret('x') AND country = 'xx'$$);
RESET ROLE;
TRUNCATE ran;
SELECT leadroute.condition_error('lead', 'secret', 'lead');
SET ROLE regress_leadroute_owner;
SELECT what, subject, detail FROM leadroute.problem WHERE what LIKE '%invalid' ORDER BY subject;
SELECT leadroute.condition_error('lead', 'secret', 'lead');
RESET ROLE;
SELECT DISTINCT * FROM ran WHERE what <> 'generated';
REVOKE ALL ON FUNCTION writer.secret(text) FROM regress_leadroute_writer;
DROP FUNCTION writer.secret(text);
SET ROLE regress_leadroute_owner;
SELECT what, subject, detail FROM leadroute.problem WHERE what LIKE '%invalid' ORDER BY subject;
DELETE FROM leadroute.rule WHERE name IN ('row', 'secret');
SELECT leadroute.attach('owner.lead', 'owner', closed_when => $$status::text = 'old' AND plain IS NULL$$);
ALTER TABLE owner.lead DROP COLUMN plain;
SELECT what, subject, detail FROM leadroute.problem WHERE what LIKE '%invalid' ORDER BY subject;
SELECT leadroute.expression_error('lead', 'router_expr');
SELECT leadroute.expression_error('lead', 'name');
RESET ROLE;
SELECT leadroute.condition_error('lead', 'none', 'lead'), leadroute.condition_error('lead', 'secret', 'none'), leadroute.expression_error('none', 'closed_when');

SET client_min_messages = error;
RESET leadroute.router;
DROP SCHEMA owner CASCADE;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
DROP OPERATOR IF EXISTS public.= (owner.status, owner.status);
DROP SCHEMA writer CASCADE;
DROP SCHEMA caller CASCADE;
DROP FUNCTION who(text);
DROP TABLE ran;
DROP OWNED BY regress_leadroute_owner, regress_leadroute_writer, regress_leadroute_caller, regress_leadroute_new_name CASCADE;
DROP ROLE regress_leadroute_owner, regress_leadroute_writer, regress_leadroute_caller, regress_leadroute_new_name;
