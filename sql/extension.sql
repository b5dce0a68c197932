-- The extension is created, routes, and goes.
CREATE EXTENSION leadroute;
SELECT * FROM leadroute.version();

CREATE TABLE lead (id integer PRIMARY KEY, country text, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO lead VALUES (1, 'DE'), (2, 'AT'), (3, 'CH'), (4, 'DE') RETURNING id, owner;
SELECT * FROM leadroute.verify();

DROP TABLE lead;
DROP EXTENSION leadroute;
-- nothing is left but the schema
SELECT count(*) FROM pg_class WHERE relnamespace = 'leadroute'::regnamespace;
DROP SCHEMA leadroute;
