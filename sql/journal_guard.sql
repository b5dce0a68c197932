-- The journal is written without firing triggers or checking foreign keys: so
-- both are refused on it and on event, instead of doing nothing in silence.
\set SHOW_CONTEXT never
CREATE EXTENSION leadroute;
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE FUNCTION refused(command text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN false;
EXCEPTION WHEN OTHERS THEN
	RETURN true;
END $$;
SELECT refused('CREATE TRIGGER spy AFTER INSERT ON leadroute.journal FOR EACH ROW EXECUTE FUNCTION spy()');
SELECT refused('CREATE TRIGGER spy AFTER INSERT ON leadroute.event FOR EACH STATEMENT EXECUTE FUNCTION spy()');
SELECT refused('ALTER TABLE leadroute.journal ADD FOREIGN KEY (router) REFERENCES leadroute.router (id)');
SELECT refused('CREATE TABLE follow (decision bigint REFERENCES leadroute.journal (id))');
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
DROP FUNCTION spy, refused;
