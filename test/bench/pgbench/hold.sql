\set c random(0, 99)
\set s random(0, 9)
BEGIN;
INSERT INTO @leads@ (email, name, country, source) VALUES ('u' || :c || '@example.com', 'Name', 'C' || :c, 'S' || :s) RETURNING id, owner_id;
\sleep 3 ms
COMMIT;
