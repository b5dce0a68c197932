-- Beside the application's own triggers, generated columns, domains and rules:
-- the rules of routing see the row's final values, rows that other triggers
-- refuse take no turn, and inserts may nest.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE DOMAIN owner_name AS text CHECK (VALUE <> 'nobody');
CREATE TABLE lead (
	id		integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	email	text UNIQUE,
	domain	text GENERATED ALWAYS AS (lower(split_part(email, '@', 2))) STORED,
	country	text DEFAULT 'DE',
	points	integer,
	parent	integer REFERENCES lead,
	owner	owner_name
);
CREATE FUNCTION set_points() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.points := length(NEW.email);
	RETURN NEW;
END $$;
CREATE TRIGGER aa_points BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION set_points();
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('a'), ('b'), ('big'), ('org'), ('de');
INSERT INTO leadroute.team (name) VALUES ('ab'), ('big'), ('org'), ('de');
INSERT INTO leadroute.team_member (team, member) VALUES ('ab', 'a'), ('ab', 'b'), ('big', 'big'), ('org', 'org'), ('de', 'de');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES
	('generated column', 1, $$domain = 'example.org'$$, 'org'),
	('set by another trigger', 2, 'points > 30', 'big'),
	('default', 3, $$country = 'DE'$$, 'de'),
	('rest', 4, NULL, 'ab');
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ',
		(SELECT count(*) FROM lead) || ' leads',
		(SELECT count(*) FROM lead l FULL JOIN (SELECT * FROM leadroute.assignment WHERE is_current) a
			ON a.lead_key = l.id::text WHERE a.member IS DISTINCT FROM l.owner::text OR a.lead_key IS NULL) || ' wrong',
		(SELECT count(*) FROM leadroute.assignment) || ' decisions',
		'ab ' || (SELECT string_agg(c.load::text, ' ' ORDER BY m.name) FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member WHERE m.name IN ('a', 'b')),
		(SELECT count(*) FROM leadroute.verify()) || ' disagreements');
$$;

-- Final values: a default, another trigger, a generated column.
INSERT INTO lead (email, country) VALUES ('x@Example.ORG', 'AT'), ('a.very.long.name.indeed@example.com', 'AT'), ('y@example.com', DEFAULT), ('z@example.com', 'AT')
	RETURNING points, domain, country, owner;
-- A trigger that sorts after ours would be overlooked: attach warns.
CREATE TRIGGER zzz_late BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION set_points();
SELECT leadroute.attach('lead', 'owner');
DROP TRIGGER zzz_late ON lead;

-- A later trigger that returns NULL: the row is not stored, the next one gets
-- the turn; the same where it is the last of its statement.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE WHEN NEW.email LIKE 'refuse%' THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER zzz_refuse BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO lead (email, country) VALUES ('1', 'AT'), ('refuse 1', 'AT'), ('2', 'AT'), ('refuse 2', 'AT'), ('refuse 3', 'AT'), ('3', 'AT'), ('refuse 4', 'AT')
	RETURNING email, owner;
SELECT state();
INSERT INTO lead (email, country) VALUES ('refuse 5', 'AT');
INSERT INTO lead (email, country) VALUES ('4', 'AT') RETURNING owner;
SELECT state();
DROP TRIGGER zzz_refuse ON lead;
-- ... and one that returns NULL before ours
CREATE TRIGGER ab_refuse BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO lead (email, country) VALUES ('5', 'AT'), ('refuse 6', 'AT'), ('6', 'AT') RETURNING email, owner;
DROP TRIGGER ab_refuse ON lead;
SELECT state();
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.email LIKE 'take%' THEN
		NEW.owner := 'big';
	END IF;
	RETURN NEW;
END $$;
-- an owner that an earlier trigger sets is given by the application
CREATE TRIGGER ab_take BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION take();
INSERT INTO lead (email, country) VALUES ('take 2', 'AT'), ('8', 'AT') RETURNING email, owner;
SELECT kind, member FROM leadroute.assignment WHERE is_current ORDER BY id DESC LIMIT 2;
DROP TRIGGER ab_take ON lead;

-- Nested inserts: a lead whose BEFORE or AFTER trigger inserts leads of its own.
CREATE FUNCTION insert_child() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.email LIKE 'parent%' OR NEW.email LIKE 'child of parent%' THEN
		INSERT INTO lead (email, country) VALUES ('child of ' || NEW.email, 'AT'), ('2nd of ' || NEW.email, 'AT')
			ON CONFLICT DO NOTHING;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER before_child BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION insert_child();
INSERT INTO lead (email, country) VALUES ('parent 1', 'AT'), ('single 1', 'AT'), ('parent 2', 'AT') RETURNING email, owner IS NOT NULL AS owned;
SELECT state();
DROP TRIGGER before_child ON lead;
-- between our decision and the storing of the row
CREATE TRIGGER zzz_child BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION insert_child();
INSERT INTO lead (email, country) VALUES ('parent 3', 'AT'), ('single 2', 'AT'), ('parent 4', 'AT') RETURNING email, owner IS NOT NULL AS owned;
SELECT state();
-- ... where the outer row is a duplicate, so that only the inner ones are stored
INSERT INTO lead (email, country) VALUES ('parent 3', 'AT'), ('parent 5', 'AT'), ('parent 5', 'AT') ON CONFLICT DO NOTHING RETURNING email;
SELECT state();
DROP TRIGGER zzz_child ON lead;
CREATE TRIGGER after_child AFTER INSERT ON lead FOR EACH ROW EXECUTE FUNCTION insert_child();
INSERT INTO lead (email, country) VALUES ('parent 6', 'AT'), ('single 3', 'AT'), ('parent 7', 'AT') RETURNING email, owner IS NOT NULL AS owned;
SELECT state();
DROP TRIGGER after_child ON lead;
-- AFTER STATEMENT, and a deferred constraint trigger at commit
CREATE FUNCTION insert_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 THEN
		INSERT INTO lead (email, country) SELECT TG_NAME || i, 'AT' FROM generate_series(1, 2) i ON CONFLICT DO NOTHING;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER after_statement AFTER INSERT ON lead FOR EACH STATEMENT EXECUTE FUNCTION insert_more();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON lead DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION insert_more();
BEGIN;
INSERT INTO lead (email, country) VALUES ('statement', 'AT');
SELECT count(*) FROM lead WHERE email LIKE 'after_statement%';
COMMIT;
SELECT count(*) FROM lead WHERE email LIKE 'deferred%';
SELECT state();
DROP TRIGGER after_statement ON lead;
DROP TRIGGER deferred ON lead;
-- an inner insert that fails and is caught, inside an outer one
CREATE FUNCTION try_child() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO lead (email, country) VALUES ('caught 0', 'AT'), ('single 1', 'AT');
	RETURN NEW;
EXCEPTION WHEN unique_violation THEN
	RETURN NEW;
END $$;
CREATE TRIGGER zzz_try BEFORE INSERT ON lead FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION try_child();
INSERT INTO lead (email, country) VALUES ('try 1', 'AT'), ('try 2', 'AT') RETURNING email, owner IS NOT NULL AS owned;
SELECT state();
DROP TRIGGER zzz_try ON lead;
-- a function in the statement that inserts too
CREATE FUNCTION add_lead(email text) RETURNS text LANGUAGE sql AS
	$$INSERT INTO lead (email, country) VALUES (add_lead.email, 'AT') RETURNING email || '+'$$;
INSERT INTO lead (email, country) SELECT add_lead('fn ' || i), 'AT' FROM generate_series(1, 3) i RETURNING email, owner IS NOT NULL AS owned;
INSERT INTO lead (email, country) VALUES (add_lead('values'), 'AT') RETURNING email, owner IS NOT NULL AS owned;
SELECT state();
-- a self-reference within one statement; the foreign key is checked at its end
INSERT INTO lead (email, country, parent) SELECT 'self', 'AT', max(id) FROM lead RETURNING owner IS NOT NULL AS owned;

-- A trigger on another table that inserts leads; a view with INSTEAD OF; a rule.
CREATE TABLE form (email text);
CREATE FUNCTION from_form() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO lead (email, country) VALUES (NEW.email, 'AT');
	RETURN NEW;
END $$;
CREATE TRIGGER to_lead AFTER INSERT ON form FOR EACH ROW EXECUTE FUNCTION from_form();
INSERT INTO form VALUES ('form 1'), ('form 2');
CREATE VIEW simple AS SELECT email, country, owner FROM lead;
INSERT INTO simple (email, country) VALUES ('view 1', 'AT') RETURNING owner IS NOT NULL AS owned;
CREATE VIEW instead AS SELECT email FROM lead;
CREATE TRIGGER to_lead INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION from_form();
INSERT INTO instead VALUES ('instead 1');
CREATE TABLE inbox (email text);
CREATE RULE to_lead AS ON INSERT TO inbox DO INSTEAD INSERT INTO lead (email, country) VALUES (NEW.email, 'AT');
INSERT INTO inbox VALUES ('rule 1');
SELECT count(*) AS leads, count(owner) AS owned FROM lead WHERE email ~ '^(form|view|instead|rule) ';
SELECT state();

-- A trigger that updates the lead again: no recursion, one decision.
CREATE TABLE audit (lead integer, owner text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit VALUES (NEW.id, NEW.owner);
	UPDATE lead SET points = 0 WHERE id = NEW.id;
	RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT ON lead FOR EACH ROW EXECUTE FUNCTION audit();
INSERT INTO lead (email, country) VALUES ('audited 1', 'AT'), ('audited 2', 'AT') RETURNING owner IS NOT NULL AS owned;
SELECT count(*) AS rows, count(owner) AS with_owner FROM audit;
SELECT state();
DROP TRIGGER audit ON lead;

-- A trigger that runs later deletes rows of the table before one is stored: it
-- is decided all the same, by COPY, too.
CREATE FUNCTION replace_older() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM lead WHERE country = NEW.country AND email LIKE 'older%';
	RETURN NEW;
END $$;
CREATE TRIGGER zzz_replace BEFORE INSERT ON lead FOR EACH ROW WHEN (NEW.email LIKE 'newer%') EXECUTE FUNCTION replace_older();
INSERT INTO lead (email, country) VALUES ('older 1', 'AT'), ('older 2', 'AT'), ('older 3', 'CH'), ('older 4', 'IT');
COPY lead (email, country) FROM stdin;
newer 1	AT
newer 2	CH
newer 3	FR
\.
INSERT INTO lead (email, country) VALUES ('newer 4', 'IT');
SELECT email, a.kind FROM lead LEFT JOIN leadroute.assignment a ON a.lead_key = lead.id::text AND a.is_current WHERE email ~ 'older|newer' ORDER BY email;
SELECT state();
DROP TRIGGER zzz_replace ON lead;

-- ALTER TABLE between two leads of a session
ALTER TABLE lead ADD COLUMN extra text DEFAULT 'x';
INSERT INTO lead (email, country) VALUES ('altered 1', 'AT') RETURNING owner IS NOT NULL AS owned;
ALTER TABLE lead DROP COLUMN points CASCADE;
DROP TRIGGER aa_points ON lead;
INSERT INTO lead (email, country) VALUES ('altered 2', 'AT') RETURNING owner IS NOT NULL AS owned;
SELECT kind, rule, detail FROM leadroute.assignment ORDER BY id DESC LIMIT 1;
SELECT state();

DROP TABLE lead, form, inbox, audit CASCADE;
DROP DOMAIN owner_name;
DROP FUNCTION set_points, state, refuse, take, insert_child, insert_more, try_child, add_lead, from_form, audit, replace_older;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
