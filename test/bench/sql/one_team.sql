-- One team of :members members and one rule that gives it every lead.  Each source
-- of leads is one of four fifths of the members.
BEGIN;
INSERT INTO leadroute.member (name, owner_value, attributes)
	SELECT 'm' || i, i, jsonb_build_object('level', i % 997, 'sources',
			(SELECT jsonb_agg('S' || s) FROM generate_series(0, 9) s WHERE s % 5 <> i % 5))
	FROM generate_series(1, :members) i;
INSERT INTO leadroute.team (name) VALUES ('sales');
INSERT INTO leadroute.team_member (team, member, position, target)
	SELECT 'sales', 'm' || i, i, 10 + i % 7 FROM generate_series(1, :members) i;
INSERT INTO leadroute.rule (name, team) VALUES ('all', 'sales');
COMMIT;
