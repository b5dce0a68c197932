-- Formats, and leads that are set aside until they are right.
\set SHOW_CONTEXT never
CREATE EXTENSION leadroute;
-- each line: what is accepted, what is not
SELECT address, leadroute.is_email(address) FROM unnest(ARRAY[
	'a@b.co', 'ann.lee+crm@mail.example.com', 'o''brien@example.ie', 'x_y-z@sub-domain.example', 'jürgen@müller.de', '1@2.com', 'a@xn--mller-kva.de',
	repeat('a', 64) || '@example.com',
	'', '@', 'a', 'a@', '@b.co', 'a@b', 'a@b.c', 'a@b..co', 'a..b@c.co', '.a@b.co', 'a.@b.co', 'a@-b.co', 'a@b-.co', 'a b@c.co', ' a@b.co', 'a@b.co ',
	'a@b@c.co', 'a@127.0.0.1', 'a@[127.0.0.1]', '"a b"@c.co', 'a(b)@c.co', 'a,b@c.co', 'a@b_c.co', 'a@b.123', 'Ann <a@b.co>', 'a@b.co.', E'a\tb@c.co',
	repeat('a', 65) || '@example.com', 'a@' || repeat('b', 64) || '.com', 'a@' || repeat('b.', 130) || 'com', NULL]) address;
SELECT phone, country, leadroute.is_phone(phone, country) FROM (VALUES
	('+49 30 901820', NULL), ('0049 (0)30 90 18 20', NULL), ('030 901820', 'DE'), ('(212) 555-0123', 'US'), ('+1-212-555-0123 ext. 7', NULL), ('+44 20 7946 0018', 'DE'),
	('030 901820', NULL), ('12', 'DE'), ('+123456', NULL), ('+1234567890123456', NULL), ('555-CALL-NOW', 'US'), ('0000000000', 'DE'), ('', 'DE'), (NULL, 'DE')) p (phone, country);
SELECT c, leadroute.is_country(c) FROM unnest('{DE,de,DEU,deu,GB,GBR,US,USA,ZWE,AND,XK,UK,EU,ZZ,D,DEUT,"D E","",AFA,ARE,ADN,D%,NULL}'::text[]) c;
SELECT country, postal, leadroute.is_postal(country, postal) FROM (VALUES
	('DE', '10115'), ('deu', '10115'), ('US', '12345'), ('US', '12345-6789'), ('USA', '123456789'), ('GB', 'SW1A 1AA'), ('GB', 'm11ae'), ('GB', 'EC1A1BB'), ('CA', 'K1A 0B1'),
	('NL', '1012 AB'), ('PL', '00-950'), ('PT', '1000-001'), ('SE', '114 55'), ('IE', 'D02 X285'), ('IE', 'D6W XY00'), ('LV', 'LV-1010'), ('LT', '01001'), ('MC', '98000'), ('BR', '01310-100'), ('AR', 'C1425DKA'),
	('DE', '1011'), ('DE', '101155'), ('DE', 'ABCDE'), ('DE', ' 10115'), ('DE', '10 115'), ('DE', ''), ('US', '1234'), ('US', '12345-'), ('GB', 'SW1A'), ('GB', '12345'), ('CA', 'K1A-0B1'), ('MC', '75001'), ('LV', '1010'),
	('HK', '0000'), ('XX', '10115'), (NULL, '10115'), ('DE', NULL)) p (country, postal);

-- required fields and formats as criteria
CREATE TABLE lead (id serial PRIMARY KEY, email text, phone text, country text, postal text, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name) VALUES ('ann');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO leadroute.criterion (name, kind, condition) VALUES
	('reachable', 'quarantine', 'num_nonnulls(email, phone) = 0'),
	('e-mail', 'quarantine', 'NOT leadroute.is_email(email)'),
	('phone', 'quarantine', 'NOT leadroute.is_phone(phone, country)'),
	('country', 'quarantine', 'country IS NULL OR NOT leadroute.is_country(country)'),
	('postal code', 'quarantine', 'NOT leadroute.is_postal(country, postal)');
INSERT INTO lead (email, phone, country, postal) VALUES
	('a@b.co', '030 901820', 'DE', '10115'), ('a@b', NULL, 'DE', '10115'), (NULL, NULL, 'DE', NULL), (NULL, '12', 'Germany', 'x'), (NULL, '+49 30 901820', 'FR', '75')
	RETURNING id, owner;
SELECT lead_key, kind, reason, detail FROM leadroute.assignment ORDER BY id;
-- corrected, or not quite
UPDATE lead SET email = 'a@b.example' WHERE id = 2 RETURNING owner;
UPDATE lead SET country = 'DE', postal = '75001' WHERE id = 4 RETURNING owner;
SELECT lead_key, kind, detail FROM leadroute.assignment WHERE lead_key IN ('2', '4') ORDER BY id;
-- released by hand: for good, also when nobody can take it and when it changes
SELECT leadroute.release('lead', 3, 'the address is in the notes');
SELECT leadroute.release('lead', 3);
SELECT leadroute.release('lead', 99);
SELECT leadroute.release('lead', NULL::text);
UPDATE leadroute.member SET capacity = 0;
SELECT leadroute.release('lead', 4);
SELECT * FROM leadroute.explain('lead', 4, members => 0);
UPDATE leadroute.member SET capacity = NULL;
SELECT leadroute.route('lead', 4);
UPDATE leadroute.router SET qualify_at = 10, nurture_at = 0;
SELECT leadroute.release('lead', 5, 'checked by phone');
INSERT INTO leadroute.criterion (name, condition, points) VALUES ('in Germany', $$country = 'DE'$$, 10);
UPDATE lead SET country = 'de' WHERE id = 5 RETURNING owner;
UPDATE lead SET country = 'DE', postal = '1' WHERE id = 5 RETURNING owner;
SELECT lead_key, member, kind, detail FROM leadroute.assignment WHERE lead_key IN ('3', '4', '5') ORDER BY id;
-- who may
CREATE ROLE lr_clerk;
SET ROLE lr_clerk;
SELECT leadroute.release('lead', 5);
RESET ROLE;
SELECT leadroute.grant_to('lr_clerk', 'manager');
SET ROLE lr_clerk;
SELECT leadroute.release('lead', 5);
RESET ROLE;
DROP OWNED BY lr_clerk;
DROP ROLE lr_clerk;
SELECT * FROM leadroute.verify();
SET client_min_messages = warning;
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
