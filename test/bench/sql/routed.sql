-- leadroute's configuration, for an attached table: :rules rules, :members
-- members in one team.
BEGIN;
INSERT INTO leadroute.member (name, owner_value)
	SELECT 'm' || lpad(i::text, 5, '0'), i FROM generate_series(1, :members) i;
INSERT INTO leadroute.team (name) VALUES ('sales');
INSERT INTO leadroute.team_member (team, member, position)
	SELECT 'sales', 'm' || lpad(i::text, 5, '0'), i FROM generate_series(1, :members) i;
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'r' || lpad(priority::text, 6, '0'), priority, condition, 'sales'
	FROM bench.rules(:rules);
COMMIT;
