-- Rules of all kinds that an index knows, :rules of them, for one attached table
-- of the shape "rules": a third by postal code and country, a third by an
-- interval of the budget and a source, a third by the beginning of the postal
-- code.  However many they are, a lead meets at most 8.  :members members in 20
-- teams.
BEGIN;
INSERT INTO leadroute.member (name, owner_value)
	SELECT 'm' || i, i FROM generate_series(1, :members) i;
INSERT INTO leadroute.team (name) SELECT 't' || i FROM generate_series(0, 19) i;
INSERT INTO leadroute.team_member (team, member)
	SELECT 't' || i % 20, 'm' || i FROM generate_series(1, :members) i;
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'r' || i, i % 100, CASE i % 3
		WHEN 0 THEN format('postal = %L AND country = %L',
						   lpad((i * 99999::bigint / :rules)::text, 5, '0'), 'C' || i % 100)
		WHEN 1 THEN format('budget BETWEEN %s AND %s AND source = %L',
						   i * 1000000::bigint / :rules, (i + 6) * 1000000::bigint / :rules, 'S' || i % 10)
		ELSE format('postal LIKE %L', lpad((i * 9999::bigint / :rules)::text, 4, '0') || '%') END,
		't' || i % 20
	FROM generate_series(1, :rules - 1) i;
INSERT INTO leadroute.rule (name, priority, team) VALUES ('all', 1000, 't0');
COMMIT;
