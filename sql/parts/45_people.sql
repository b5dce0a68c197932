-- Members acting for themselves: pause, resume, away, busy.
--
-- A member is known by its role_name.  What it may do for itself are views of
-- its own rows: they read and write with the rights of the extension's owner,
-- while current_user in them stays the role that asks, also inside of a
-- SECURITY DEFINER function of an application.  So nothing has to be told who
-- the caller is, and nobody can say that he is somebody else.

CREATE VIEW leadroute.my_status WITH (security_barrier) AS
SELECT m.router,
	m.name AS member,
	m.active,
	coalesce(a.until > now(), false) AS away,
	a.until,
	m.capacity,
	ARRAY(SELECT tm.team FROM leadroute.team_member tm
		WHERE tm.router = m.router AND tm.member = m.name ORDER BY tm.team) AS teams
FROM leadroute.member m
LEFT JOIN LATERAL (
	SELECT coalesce(upper(r.during), 'infinity') AS until
	FROM (SELECT range_agg(ab.during) AS during FROM leadroute.absence ab
		WHERE ab.router = m.router AND ab.member = m.name AND ab.team IS NULL) all_times,
	unnest(all_times.during) r (during)
	WHERE r.during @> now()) a ON true
WHERE m.role_name = current_user;
COMMENT ON VIEW leadroute.my_status IS 'The caller as a member: one row a router in which a member has the caller''s role_name.';
COMMENT ON COLUMN leadroute.my_status.router IS 'Router.';
COMMENT ON COLUMN leadroute.my_status.member IS 'Name of the member.';
COMMENT ON COLUMN leadroute.my_status.active IS 'false: gone for good.';
COMMENT ON COLUMN leadroute.my_status.away IS 'Whether an absence covers now, for all teams.';
COMMENT ON COLUMN leadroute.my_status.until IS 'When that absence ends, those that follow without a gap included; infinity: until resumed. NULL: not away.';
COMMENT ON COLUMN leadroute.my_status.capacity IS 'Most open leads at once. NULL: no limit.';
COMMENT ON COLUMN leadroute.my_status.teams IS 'Its teams.';

CREATE VIEW leadroute.my_absence WITH (security_barrier) AS
SELECT a.router, a.member, a.during, a.team, a.reason
FROM leadroute.absence a
WHERE EXISTS (SELECT FROM leadroute.member m
	WHERE m.router = a.router AND m.name = a.member AND m.role_name = current_user)
WITH CASCADED CHECK OPTION;
COMMENT ON VIEW leadroute.my_absence IS 'The caller''s own absences, which it may write: the rows of absence whose member has the caller''s role_name.';
COMMENT ON COLUMN leadroute.my_absence.router IS 'Router of the member.';
COMMENT ON COLUMN leadroute.my_absence.member IS 'The caller, as a member.';
COMMENT ON COLUMN leadroute.my_absence.during IS 'When; an unbounded end means until resumed.';
COMMENT ON COLUMN leadroute.my_absence.team IS 'Away for this team only. NULL: for all.';
COMMENT ON COLUMN leadroute.my_absence.reason IS 'Why. NULL: not said.';

-- What expressions know of a member: leadroute.member, and what is measured.
CREATE VIEW leadroute.member_facts AS
SELECT m.router, m.name, m.owner_value, m.role_name, m.attributes, m.joined_at, m.capacity,
	m.tier, CASE WHEN leadroute.is_preloaded() THEN coalesce(c.load, 0) END AS open_leads, p.response_rate, p.conversion_rate
FROM leadroute.member m
LEFT JOIN leadroute.measured p ON p.member = m.id AND p.team IS NULL
LEFT JOIN (
	SELECT mc.member, mc.load FROM leadroute.member_counter() mc
	WHERE leadroute.is_preloaded()
	OFFSET 0) c ON c.member = m.id;	-- not pulled up: the function is not called without the library
COMMENT ON VIEW leadroute.member_facts IS 'What member_condition and member_rank see as member, a row each: a condition can be tried in a query FROM a lead table AS lead, leadroute.member_facts AS member.';
COMMENT ON COLUMN leadroute.member_facts.router IS 'Router it belongs to.';
COMMENT ON COLUMN leadroute.member_facts.name IS 'Name.';
COMMENT ON COLUMN leadroute.member_facts.owner_value IS 'What is written into the lead''s owner column, as text.';
COMMENT ON COLUMN leadroute.member_facts.role_name IS 'Its database role. NULL: none.';
COMMENT ON COLUMN leadroute.member_facts.attributes IS 'Whatever else is known of it, a JSON object.';
COMMENT ON COLUMN leadroute.member_facts.joined_at IS 'When it became a member.';
COMMENT ON COLUMN leadroute.member_facts.capacity IS 'Most open leads at once. NULL: no limit.';
COMMENT ON COLUMN leadroute.member_facts.tier IS 'Its tier as it was set, 1 the best. NULL: it was not.';
COMMENT ON COLUMN leadroute.member_facts.response_rate IS 'Estimate of the part of its leads that it responds to, see leadroute.performance (all_leads). NULL: not measured yet, or nobody has leads in the window.';
COMMENT ON COLUMN leadroute.member_facts.conversion_rate IS 'The same for the part of its leads that become customers.';
COMMENT ON COLUMN leadroute.member_facts.open_leads IS 'Load of its open leads now, those of open transactions included; the lead that is being decided is not in it.';

CREATE FUNCTION leadroute.absence_of(router text, member text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF has_table_privilege('leadroute.absence', 'INSERT') THEN
		IF NOT EXISTS (SELECT FROM leadroute.member m
			WHERE m.router = absence_of.router AND m.name = absence_of.member)
		THEN
			RAISE EXCEPTION 'member "%" of router "%" does not exist', absence_of.member, absence_of.router
				USING ERRCODE = 'undefined_object',
					HINT = 'The names of members are in leadroute.member; SET leadroute.router names the router.';
		END IF;
		RETURN 'leadroute.absence';
	ELSIF has_table_privilege('leadroute.my_absence', 'INSERT')
		AND EXISTS (SELECT FROM leadroute.my_status s
			WHERE s.router = absence_of.router AND s.member = absence_of.member)
	THEN
		RETURN 'leadroute.my_absence';
	END IF;
	RAISE EXCEPTION 'permission denied for the absences of member "%"', absence_of.member
		USING ERRCODE = 'insufficient_privilege',
			DETAIL = 'A member acts for itself when its role_name is the current role; others need INSERT on leadroute.absence.',
			HINT = 'SELECT leadroute.grant_to(..., ''rep'') or ''manager'' gives the rights.';
END
$$;
COMMENT ON FUNCTION leadroute.absence_of(text, text) IS 'Part of pause and resume: the relation through which the caller may write absences of this member: the table, or the view of its own. Error when there is none, or no such member.';

CREATE FUNCTION leadroute.pause(member text, until timestamptz DEFAULT 'infinity', reason text DEFAULT NULL, team text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	router text := leadroute.default_router();
	target regclass := leadroute.absence_of(router, pause.member);
BEGIN
	IF pause.until <= now() THEN
		RAISE EXCEPTION 'the end of a pause must be in the future'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('The time given is %s.', pause.until);
	END IF;
	EXECUTE format('INSERT INTO %s (router, member, during, team, reason) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (router, member, during, team) DO UPDATE SET reason = excluded.reason', target)
		USING router, pause.member, tstzrange(now(), coalesce(pause.until, 'infinity')), pause.team, pause.reason;
EXCEPTION
	WHEN foreign_key_violation THEN
		RAISE EXCEPTION 'team "%" of router "%" does not exist', pause.team, router
			USING ERRCODE = 'undefined_object',
				HINT = 'The names of teams are in leadroute.team.';
END
$$;
COMMENT ON FUNCTION leadroute.pause(text, timestamptz, text, text) IS 'Gives a member of the default router no more leads from now on: writes an absence until the time given (NULL or infinity: until resumed), for one team or (NULL) for all. It adds to the absences there are: a longer one stays. A member may do it for itself; others need INSERT on leadroute.absence. Error: unknown member or team, a time that is not in the future.';

CREATE FUNCTION leadroute.resume(member text, team text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	router text := leadroute.default_router();
	target regclass := leadroute.absence_of(router, resume.member);
	-- what began after this transaction did, covers now as well
	present tstzrange := tstzrange(now(), clock_timestamp(), '[]');
	past tstzrange := tstzrange(NULL, now());
	n bigint;
	m bigint;
BEGIN
	-- Goes: what would be empty, and what would be the same row as another one.
	EXECUTE format('DELETE FROM %1$s a
		WHERE a.router = $1 AND a.member = $2 AND (a.team = $3 OR $3 IS NULL) AND a.during && $4
		AND (isempty(a.during * $5) OR EXISTS (SELECT FROM %1$s b
			WHERE b.router = a.router AND b.member = a.member AND b.team IS NOT DISTINCT FROM a.team
			AND b.during * $5 = a.during * $5
			AND (b.during > a.during OR NOT b.during && $4)))', target)
		USING router, resume.member, resume.team, present, past;
	GET DIAGNOSTICS n = ROW_COUNT;
	EXECUTE format('UPDATE %s a SET during = a.during * $5
		WHERE a.router = $1 AND a.member = $2 AND (a.team = $3 OR $3 IS NULL) AND a.during && $4', target)
		USING router, resume.member, resume.team, present, past;
	GET DIAGNOSTICS m = ROW_COUNT;
	IF n + m = 0 THEN
		RAISE NOTICE 'member "%" was not away', resume.member;
	END IF;
END
$$;
COMMENT ON FUNCTION leadroute.resume(text, text) IS 'Ends the absences that cover now of a member of the default router: for one team or (NULL) all of them; later ones stay. A NOTICE when there was none. A member may do it for itself; others need INSERT, UPDATE and DELETE on leadroute.absence. Error: unknown member.';

CREATE FUNCTION leadroute.away(member text, first_day date, last_day date DEFAULT NULL, reason text DEFAULT NULL) RETURNS tstzrange
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	router text := leadroute.default_router();
	target regclass := leadroute.absence_of(router, away.member);
	during tstzrange := leadroute.local_days(away.member, away.first_day, coalesce(away.last_day, away.first_day));
BEGIN
	IF during IS NULL THEN
		RAISE EXCEPTION 'first_day must not be null' USING ERRCODE = 'null_value_not_allowed';
	ELSIF upper(during) <= now() THEN
		RAISE EXCEPTION 'the last day of an absence must not be in the past'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('That day is over at %s.', upper(during));
	END IF;
	EXECUTE format('INSERT INTO %s (router, member, during, reason) VALUES ($1, $2, $3, $4)
		ON CONFLICT (router, member, during, team) DO UPDATE SET reason = excluded.reason', target)
		USING router, away.member, during, away.reason;
	RETURN during;
END
$$;
COMMENT ON FUNCTION leadroute.away(text, date, date, text) IS 'Gives a member of the default router no leads on whole days, both included (last_day NULL: the first one only), from midnight to midnight in the zone of the member, else of its schedule, else of the router; returns from when until when. It adds to the absences there are. A member may do it for itself; others need INSERT on leadroute.absence. Error: unknown member, a last day before the first or over already, first_day is NULL.';

CREATE FUNCTION leadroute.busy(member text, busy boolean) RETURNS boolean
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lr_busy';
COMMENT ON FUNCTION leadroute.busy(text, boolean) IS 'Gives a member of the default router no leads while it is on a call (true), until it says false; returns what it was before. Kept in memory only: it counts at once in every session, no rollback takes it back, and a restart of the server ends it. A member may do it for itself; others need INSERT on leadroute.absence. NULL: an argument is NULL. Error: unknown member, a standby server.';

-- Who leaves: first it gets no more leads, then those that it has go.
CREATE FUNCTION leadroute.offboard(member text, to_member text DEFAULT NULL, reason text DEFAULT NULL, OUT moved bigint, OUT without_owner bigint, OUT still_leads text[]) RETURNS record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	own_router text := leadroute.default_router();
BEGIN
	UPDATE leadroute.member m SET active = false
		WHERE m.router = own_router AND m.name = offboard.member AND m.active;
	SELECT h.moved, h.without_owner INTO moved, without_owner
		FROM leadroute.handover(offboard.member, offboard.to_member, reason => offboard.reason) h;
	-- that is a right over others' leads, which nobody gets by the way
	still_leads := (SELECT array_agg(t.name ORDER BY t.name) FROM leadroute.team t
		WHERE t.router = own_router AND t.lead_member = offboard.member);
END
$$;
COMMENT ON FUNCTION leadroute.offboard(text, text, text) IS 'A member of the default router leaves: sets active = false and hands its open leads over, as leadroute.handover does, all or nothing; leads that transactions which are open have given to it follow by the worker, to to_member if it can take them, else by the rules. Called again it hands over what it has by then. Returns as leadroute.handover does, and in still_leads the teams whose lead_member it still is (NULL: of none): who decides for them is not passed on, name somebody else there. The caller needs UPDATE on leadroute.member and SELECT on leadroute.team. Error: unknown member, to_member is inactive, at its capacity or a cap (leadroute.handover with ignore_limits, first, helps).';
