-- A trigger of the application that runs after leadroute has decided and sets
-- the owner itself: what is stored counts, in the journal and in the load.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, email text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('a'), ('b'), ('big');
INSERT INTO leadroute.team (name) VALUES ('ab');
INSERT INTO leadroute.team_member (team, member) VALUES ('ab', 'a'), ('ab', 'b');
INSERT INTO leadroute.rule (name, team) VALUES ('ab', 'ab');
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.email LIKE 'take%' THEN
		NEW.owner := 'big';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER zzz_take BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION take();
INSERT INTO lead VALUES (1, 'x'), (2, 'take 1'), (3, 'y'), (4, 'take 2') RETURNING id, owner IN ('a', 'b') AS routed;
SELECT lead_key, member FROM leadroute.assignment WHERE is_current AND member = 'big' ORDER BY id;
SELECT sum(c.load) FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member WHERE m.name = 'big';
SELECT * FROM leadroute.verify();
DROP TABLE lead;
DROP FUNCTION take;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
