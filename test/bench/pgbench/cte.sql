\set c random(0, 99)
\set s random(0, 9)
\set m random(1, 50)
WITH l AS (INSERT INTO @leads@ (email, name, country, source, owner_id) VALUES ('u' || :c || '@example.com', 'Name', 'C' || :c, 'S' || :s, :m) RETURNING id, owner_id) INSERT INTO journal_cte SELECT id, 0, now(), 1, 1, 1, owner_id, 1, 'a', 'r', true, false, current_user, 0 FROM l RETURNING lead_id, member;
