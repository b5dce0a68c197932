\set c random(0, 99)
\set s random(0, 9)
INSERT INTO @leads@ (email, name, country, source) VALUES ('u' || :c || '@example.com', 'Name', 'C' || :c, 'S' || :s) RETURNING id, owner_id;
