-- explain and explain_lead name an earlier lead of the same person only to who
-- could SELECT it himself: row-level security and rights of its table hold.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE ROLE lr_north;
SELECT leadroute.grant_to('lr_north', 'app');
CREATE TABLE lead (id integer PRIMARY KEY, region text, email text, owner text);
CREATE TABLE contact (code text PRIMARY KEY, email text, owner text);
SELECT leadroute.attach('lead', 'owner'), leadroute.attach('contact', 'owner');
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.rule (name) VALUES ('all');
UPDATE leadroute.router SET sticky_key = ARRAY['email'], duplicate_window = '1 hour', sticky_window = '1 day';
ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
CREATE POLICY region ON lead USING (region = 'north');
GRANT SELECT ON lead TO lr_north;
INSERT INTO lead VALUES (101, 'north', 'n@x', 'anna'), (102, 'south', 's@x', 'bruno'), (103, 'north', 's@x', 'bruno');
INSERT INTO contact VALUES ('c-104', 'c@x', 'anna');
CREATE PROCEDURE ask(email text) LANGUAGE plpgsql AS $$
DECLARE
	line text;
	lead jsonb := jsonb_build_object('id', 200, 'email', ask.email);
BEGIN
	FOR line IN SELECT x FROM leadroute.explain_lead('lead', lead) x WHERE x ~ 'Known by|Result' LOOP
		RAISE INFO '%', line;
	END LOOP;
	RAISE INFO 'json: %', (leadroute.explain_lead('lead', lead, 'json')::jsonb -> 'sticky') - 'keys';
END $$;
SET SESSION AUTHORIZATION lr_north;
-- one that is visible; one that a policy hides; one of a table
-- that may not be read
CALL ask('n@x');
CALL ask('s@x');
CALL ask('c@x');
-- a stored lead that is visible, known by one that is not
SELECT x FROM leadroute.explain('lead', 103) x WHERE x ~ 'Known by|Result';
RESET SESSION AUTHORIZATION;
GRANT SELECT (email) ON contact TO lr_north;
SET SESSION AUTHORIZATION lr_north;
CALL ask('c@x');
RESET SESSION AUTHORIZATION;
GRANT SELECT (code) ON contact TO lr_north;
SET SESSION AUTHORIZATION lr_north;
CALL ask('c@x');
RESET SESSION AUTHORIZATION;
-- whoever sees all is told all
CALL ask('s@x');
DROP TABLE lead, contact CASCADE;
DROP PROCEDURE ask;
DROP EXTENSION leadroute CASCADE;
DROP OWNED BY lr_north;
DROP ROLE lr_north;
