\set c random(0, 99)
\set s random(0, 9)
\set n :n + 1
\set id :client_id * 1000000000 + :n
\set first :client_id * 1000000000 + random(1000, :n - 1)
\set second :client_id * 1000000000 + random(1000, :n - 1)
BEGIN ISOLATION LEVEL @level@;
UPDATE @leads@ SET name = 'Name ' || :n WHERE id = :first;
INSERT INTO @leads@ (id, email, name, country, source) VALUES (:id, 'u@example.com', 'Name', 'C' || :c, 'S' || :s) RETURNING id, owner_id;
UPDATE @leads@ SET name = 'Name ' || :n WHERE id = :second;
COMMIT;
