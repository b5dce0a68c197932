-- A lead goes while no trigger of leadroute's looks, and another one comes under
-- its key, all before the first one's journal row is written: in one statement,
-- by a trigger that switches routing off.  The later decision is the current one,
-- whichever row is written first, and nothing of the other stays: no load, no
-- place among the held.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('chiara');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
-- replaces lead 1 when lead 2 comes: sub: in a subtransaction; rule: whether there
-- is one for the new lead
CREATE FUNCTION swap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id <> 2 THEN
		RETURN NEW;
	END IF;
	UPDATE leadroute.rule SET enabled = TG_ARGV[1]::boolean;
	SET LOCAL leadroute.routing = off;
	IF TG_ARGV[0]::boolean THEN
		BEGIN
			DELETE FROM lead WHERE id = 1;
			SET LOCAL leadroute.routing = on;
			INSERT INTO lead VALUES (1);
		EXCEPTION WHEN division_by_zero THEN
		END;
	ELSE
		DELETE FROM lead WHERE id = 1;
		SET LOCAL leadroute.routing = on;
		INSERT INTO lead VALUES (1);
	END IF;
	RETURN NEW;
END $$;
CREATE VIEW state AS SELECT a.lead_key, row_number() OVER (PARTITION BY a.lead_key ORDER BY a.id) AS n, a.kind, a.is_current,
	p.lead_key IS NOT NULL AS waits, l.owner IS NOT DISTINCT FROM a.member AS right_owner
	FROM leadroute.assignment a
	LEFT JOIN leadroute.pool_entry p ON p.assignment = a.id
	LEFT JOIN lead l ON l.id::text = a.lead_key AND a.is_current
	ORDER BY a.lead_key, a.id;
CREATE PROCEDURE try(sub boolean, before boolean, after boolean) LANGUAGE plpgsql AS $$
BEGIN
	UPDATE leadroute.rule SET enabled = before;
	EXECUTE format('CREATE TRIGGER aaa BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION swap(%L, %L)', sub, after);
	INSERT INTO lead VALUES (1), (2), (3);
	DROP TRIGGER aaa ON lead;
END $$;

\echo == both assigned
BEGIN; CALL try(false, true, true); SELECT * FROM state; SELECT * FROM leadroute.verify(); ROLLBACK;
BEGIN; CALL try(true, true, true); SELECT * FROM state; SELECT * FROM leadroute.verify(); ROLLBACK;
\echo == both held
BEGIN; CALL try(false, false, false); SELECT * FROM state; SELECT * FROM leadroute.verify(); ROLLBACK;
BEGIN; CALL try(true, false, false); SELECT * FROM state; SELECT * FROM leadroute.verify(); ROLLBACK;
\echo == held, then assigned
BEGIN; CALL try(false, false, true); SELECT * FROM state; SELECT * FROM leadroute.verify(); ROLLBACK;
BEGIN; CALL try(true, false, true); SELECT * FROM state; SELECT * FROM leadroute.verify(); ROLLBACK;
\echo == assigned, then held
BEGIN; CALL try(false, true, false); SELECT * FROM state; SELECT * FROM leadroute.verify(); ROLLBACK;
BEGIN; CALL try(true, true, false); SELECT * FROM state; SELECT * FROM leadroute.verify(); ROLLBACK;

\echo == and committed
CALL try(true, true, true);
SELECT * FROM state;
SELECT sum(load) FROM leadroute.member_counter();
SELECT * FROM leadroute.verify();

DROP VIEW state;
DROP PROCEDURE try;
DROP TABLE lead;
DROP FUNCTION swap;
DROP EXTENSION leadroute;
