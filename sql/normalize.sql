-- E-mail addresses and phone numbers in one form.
CREATE EXTENSION leadroute;
SELECT email, leadroute.normalize_email(email) FROM unnest(ARRAY[
	'Anna.B@Example.COM', '  anna.b@example.com ', 'Anna B <anna.b+news@example.com>', 'anna+b+c@example.com.', '+anna@example.com', E'a@b\t', 'ÄÖ@Example.com',
	'none', 'n/a', '', '   ', 'anna@', '@example.com', 'a@b@c', 'a b@example.com', 'a@b, c@d', '<>', '"a"@b', '.@.', 'a@.']) email;
SELECT phone, country, leadroute.normalize_phone(phone, country) FROM (VALUES
	('+49 171 123-4567', NULL), ('0049 (171) 1234567', NULL), ('0171/123.45.67', 'DE'), ('0171 1234567', '49'), ('171 1234567', '+49'), ('0171 1234567', NULL), ('0171 1234567', 'Germany'),
	('+44 (0)20 7946 0018', NULL), ('020 7946 0018', 'uk'), ('(020) 7946 0018', 'GB'),
	('(212) 555-0100', 'US'), ('1-212-555-0100', 'US'), ('1.212.555.0100 ext. 7', 'ca'), ('+1 212 555 0100x7', NULL), ('011 44 20 7946 0018', 'US'),
	('06 6982', 'VA'), ('06 698 12345', 'it'), ('8 495 123-45-67', 'RU'), ('06 1 234 5678', 'HU'), ('07 12 34 56 78', 'CI'), ('01 23 45 67 89', 'FR'),
	('tel:+34-912-345-678;ext=5', NULL), (E'912\u00a0345\u2011678', 'ES'), ('912345678 # 12', 'ES'),
	('call me', NULL), ('n/a', NULL), ('', 'DE'), ('1234', NULL), ('1234567890123456', NULL), ('000000', NULL), ('0000000', 'DE'), ('+', NULL), ('0800 FLOWERS', 'US'), ('++49171', NULL), (NULL, 'DE')) v (phone, country);
-- Immutable: an index may use them.
CREATE TABLE person (email text, phone text);
CREATE INDEX ON person (leadroute.normalize_email(email), leadroute.normalize_phone(phone, 'DE'));
DROP TABLE person;
DROP EXTENSION leadroute;
