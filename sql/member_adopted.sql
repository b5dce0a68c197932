-- Leads whose owner becomes a member are adopted at the end of the statement,
-- also when a subtransaction that has nothing to do with it is rolled back in
-- between; a member whose own subtransaction is rolled back takes none along.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO lead VALUES (1, 'anna'), (2, 'bruno'), (3, 'chiara'), (4, 'dora'), (5, 'emil');

-- a trigger of the application that catches an error
CREATE FUNCTION caught() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 / 0;
	RETURN NULL;
EXCEPTION WHEN division_by_zero THEN
	RETURN NULL;
END $$;
CREATE TRIGGER zzz_caught AFTER INSERT ON leadroute.member FOR EACH ROW EXECUTE FUNCTION caught();
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
BEGIN;
SAVEPOINT a;
INSERT INTO leadroute.member (name) VALUES ('chiara');
RELEASE a;
SAVEPOINT b;
INSERT INTO leadroute.member (name) VALUES ('dora');
ROLLBACK TO b;
INSERT INTO leadroute.member (name) VALUES ('emil');
COMMIT;
SELECT lead_key, kind, member FROM leadroute.assignment WHERE is_current AND member IS NOT NULL ORDER BY lead_key;
SELECT m.name, c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member ORDER BY 1;
SELECT * FROM leadroute.verify();
DROP TABLE lead;
DROP EXTENSION leadroute;
DROP FUNCTION caught;
DROP SCHEMA leadroute;
