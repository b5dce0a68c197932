\set c random(0, 89)
\set id :client_id * 1000000000 + :n
\set first :client_id * 1000000000 + random(1000, :n)
\set second :client_id * 1000000000 + random(1000, :n)
\set n :n + 10
BEGIN ISOLATION LEVEL @level@;
UPDATE @leads@ SET name = 'Name ' || :n WHERE id = :first;
INSERT INTO @leads@ (id, email, name, country, source) SELECT :id::bigint + i, 'u@example.com', 'Name', 'C' || (:c::int + i), 'S' || i % 10 FROM generate_series(1, 10) i RETURNING id, owner_id;
UPDATE @leads@ SET name = 'Name ' || :n WHERE id = :second;
COMMIT;
