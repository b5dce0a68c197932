-- What people read: decisions, sentences, members, problems, fairness.
--
-- Views read tables with the rights of the extension's owner; functions in
-- them run with those of whoever asks, so grant_to gives EXECUTE on these too.
-- Names are resolved by LEFT JOINs over unique keys: those of columns that a
-- query does not select cost nothing.  Codes are turned into words in the
-- select list only; a condition on lead_key, is_current, id or assigned_at
-- reaches the journal's indexes.

-- Names of what is deleted stay readable.
CREATE TABLE leadroute.former_name (
	table_name	text COLLATE "C" NOT NULL,
	id			integer NOT NULL,
	name		text COLLATE "C" NOT NULL,
	PRIMARY KEY (table_name, id)
);
COMMENT ON TABLE leadroute.former_name IS 'One row is a configuration row that was deleted, so that the journal can still name it.';
COMMENT ON COLUMN leadroute.former_name.table_name IS 'Configuration table: router, routed_table, team, rule, member or cap.';
COMMENT ON COLUMN leadroute.former_name.id IS 'Its id.';
COMMENT ON COLUMN leadroute.former_name.name IS 'Its last name.';
SELECT pg_extension_config_dump('leadroute.former_name', '');

CREATE FUNCTION leadroute.keep_name() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		EXECUTE format('INSERT INTO leadroute.former_name (table_name, id, name)
			SELECT %L, t.id, t.name FROM leadroute.%I t ON CONFLICT DO NOTHING', TG_TABLE_NAME, TG_TABLE_NAME);
		RETURN NULL;
	END IF;
	INSERT INTO leadroute.former_name (table_name, id, name)
		VALUES (TG_TABLE_NAME, OLD.id, OLD.name) ON CONFLICT DO NOTHING;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadroute.keep_name() IS 'Trigger: keeps the name of a deleted configuration row; before TRUNCATE the names of all.';
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['router', 'routed_table', 'member', 'team', 'rule', 'cap']
	LOOP
		EXECUTE format('CREATE TRIGGER keep_name AFTER DELETE ON leadroute.%I
			FOR EACH ROW EXECUTE FUNCTION leadroute.keep_name()', t);
		EXECUTE format('ALTER TABLE leadroute.%I ENABLE ALWAYS TRIGGER keep_name', t);
		EXECUTE format('CREATE TRIGGER keep_names BEFORE TRUNCATE ON leadroute.%I
			FOR EACH STATEMENT EXECUTE FUNCTION leadroute.keep_name()', t);
		EXECUTE format('ALTER TABLE leadroute.%I ENABLE ALWAYS TRIGGER keep_names', t);
	END LOOP;
END
$$;

-- A cap that counts something else has another id.
CREATE TRIGGER keep_former_name AFTER UPDATE ON leadroute.cap
	FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION leadroute.keep_name();
ALTER TABLE leadroute.cap ENABLE ALWAYS TRIGGER keep_former_name;

CREATE VIEW leadroute.assignment AS
SELECT j.id,
	coalesce(ro.name, fro.name) AS router,
	coalesce(rt.name, frt.name) AS routed_table,
	j.lead_key,
	coalesce(m.name, fm.name) AS member,
	coalesce(t.name, ft.name) AS team,
	coalesce(r.name, fr.name) AS rule,
	j.rule_version,
	leadroute.method_name(j.method) AS method,
	leadroute.kind_name(j.kind) AS kind,
	j.reason,
	j.detail,
	(SELECT jsonb_agg(jsonb_build_object(
			'member', coalesce(pm.name, fpm.name),
			'code', leadroute.passed_name(p.code),
			'detail', leadroute.passed_detail(p.code, p.until, p.figure, p.most, coalesce(pc.name, fpc.name),
				coalesce(pm.timezone, ps.timezone, ro.timezone), j.assigned_at),
			'until', p.until) ORDER BY p.i)
		FROM leadroute.passed_entries(j.passed_over) WITH ORDINALITY p (member, code, cap, until, figure, most, members, i)
		LEFT JOIN leadroute.member pm ON pm.id = p.member
		LEFT JOIN leadroute.schedule ps ON ps.router = pm.router AND ps.name = pm.schedule
		LEFT JOIN leadroute.former_name fpm ON fpm.table_name = 'member' AND fpm.id = p.member
		LEFT JOIN leadroute.cap pc ON pc.id = p.cap
		LEFT JOIN leadroute.former_name fpc ON fpc.table_name = 'cap' AND fpc.id = p.cap
		WHERE p.member IS NOT NULL) AS passed_over,
	coalesce(j.passed_over_count, 0) AS passed_over_count,
	(SELECT jsonb_object_agg(leadroute.passed_name(p.code), p.members)
		FROM leadroute.passed_entries(j.passed_over) p
		WHERE p.member IS NULL) AS passed_over_rest,
	j.measure,
	CASE WHEN j.candidate_set IS NOT NULL
		THEN (SELECT s.size FROM leadroute.candidate_set s WHERE s.id = j.candidate_set LIMIT 1)
		WHEN j.candidates IS NULL
		THEN (SELECT cardinality(v.member) FROM leadroute.team_version v WHERE v.id = j.team_version LIMIT 1)
		ELSE bit_count(j.candidates)::integer END AS candidates,
	(SELECT cardinality(v.member) FROM leadroute.team_version v WHERE v.id = j.team_version LIMIT 1) AS team_size,
	j.turn,
	j.actor,
	j.role_name,
	j.assigned_at,
	j.ended_at,
	j.closed_at,
	j.responded_at,
	j.converted_at,
	j.hop,
	j.load,
	NOT j.superseded AS is_current,
	j.closed_at IS NOT NULL AS closed,
	j.responded_at IS NOT NULL AS responded,
	j.converted_at IS NOT NULL AS converted,
	j.previous_id,
	j.score,
	j.accepted_at,
	j.accepted_at IS NOT NULL AS accepted,
	CASE WHEN j.captured_at IS NULL AND j.previous_id IS NULL AND j.kind <> 'd' THEN j.assigned_at ELSE j.captured_at END AS captured_at,
	j.source,
	j.value,
	coalesce(j.outcome, CASE WHEN j.converted_at IS NOT NULL THEN 'converted' WHEN j.closed_at IS NOT NULL THEN 'closed' END) AS outcome,
	CASE WHEN j.kind IN ('a', 'r', 'g', 'm', 'u')
		THEN j.assigned_at - CASE WHEN j.captured_at IS NULL AND j.previous_id IS NULL THEN j.assigned_at ELSE j.captured_at END END AS time_to_assign,
	j.responded_at - CASE WHEN j.captured_at IS NULL AND j.previous_id IS NULL AND j.kind <> 'd' THEN j.assigned_at ELSE j.captured_at END AS speed_to_lead,
	j.is_test IS NOT NULL AS is_test
FROM leadroute.journal j
LEFT JOIN leadroute.router ro ON ro.id = j.router
LEFT JOIN leadroute.routed_table rt ON rt.id = j.routed_table
LEFT JOIN leadroute.member m ON m.id = j.member
LEFT JOIN leadroute.team t ON t.id = j.team
LEFT JOIN leadroute.rule r ON r.id = j.rule
LEFT JOIN leadroute.former_name fro ON fro.table_name = 'router' AND fro.id = j.router
LEFT JOIN leadroute.former_name frt ON frt.table_name = 'routed_table' AND frt.id = j.routed_table
LEFT JOIN leadroute.former_name fm ON fm.table_name = 'member' AND fm.id = j.member
LEFT JOIN leadroute.former_name ft ON ft.table_name = 'team' AND ft.id = j.team
LEFT JOIN leadroute.former_name fr ON fr.table_name = 'rule' AND fr.id = j.rule;
COMMENT ON VIEW leadroute.assignment IS 'One row is a decision about a lead. Names are the present ones; of what was deleted, the last ones.';
COMMENT ON COLUMN leadroute.assignment.id IS 'Number of the decision; rises in the order in which decisions were made.';
COMMENT ON COLUMN leadroute.assignment.router IS 'Router that decided.';
COMMENT ON COLUMN leadroute.assignment.routed_table IS 'Attached table of the lead.';
COMMENT ON COLUMN leadroute.assignment.lead_key IS 'Key of the lead as text; of several columns in the form of a row: (17,4711).';
COMMENT ON COLUMN leadroute.assignment.member IS 'Owner. NULL: nobody, or an owner that is no member.';
COMMENT ON COLUMN leadroute.assignment.team IS 'Team among whose members it was distributed. NULL: every member of the router, or no team was concerned (method is NULL).';
COMMENT ON COLUMN leadroute.assignment.rule IS 'Rule that decided; of a held lead, the first that would have had it. NULL: no rule was concerned.';
COMMENT ON COLUMN leadroute.assignment.rule_version IS 'Version of the rule at the time.';
COMMENT ON COLUMN leadroute.assignment.method IS 'Method that chose. NULL: none was used.';
COMMENT ON COLUMN leadroute.assignment.kind IS 'assigned; given: the application set the owner; adopted: owned before the table was attached or the owner became a member; reassigned: decided anew after an earlier owner; manual: moved by hand; held: waits; released: the owner was taken away; none: a rule wants no owner; duplicate: the same lead again, of the same owner; suppressed: a key of it is never routed; nurture: its score is not enough yet, it is judged again when it changes; disqualified: its score is too low, or a criterion says so; quarantined: a criterion sets it aside; triage: on the triage list of the team, for somebody to assign it.';
COMMENT ON COLUMN leadroute.assignment.reason IS 'Code of the reason: no_rule, no_member, nobody_available, unknown_team (team_expr names none), unknown_member (member_expr names none; an owner given or set by hand is none), ignore_limits, overflow_team (nobody of the rule''s team could take it), late_trigger (one that ran after the decision took the owner away), decide_at (left to the worker), not_ready (routed_table.ready_when is not true yet), assigned_by_hand, handover (leadroute.handover), sticky (a lead of the same person has that owner), duplicate, suppressed, score (of the lead, too low), criterion (detail names it). NULL: the method chose, or the owner was there already.';
COMMENT ON COLUMN leadroute.assignment.detail IS 'The reason in prose, and what went wrong in rules. NULL: nothing to add.';
COMMENT ON COLUMN leadroute.assignment.passed_over IS 'Members that were due before the chosen one, each {"member", "code", "detail", "until"}: for the codes see leadroute.passed_name; detail is in the local time of the member; until when it lasts ("infinity": until resumed), where that is known, else null. NULL: nobody.';
COMMENT ON COLUMN leadroute.assignment.passed_over_count IS 'How many were passed over; passed_over lists at most leadroute.passed_over_limit of them. Of members whom the lead does not fit, the first 64 in the order of the team are looked at, the first 8 of a big team (leadroute.board_members).';
COMMENT ON COLUMN leadroute.assignment.passed_over_rest IS 'The others, counted by code: {"away": 12, "full": 3}. NULL: passed_over lists all.';
COMMENT ON COLUMN leadroute.assignment.measure IS 'What the method compared, for the chosen member: round_robin: its credit in leads before the decision; least_loaded: its load ratio; longest_idle: decisions since its last lead (NULL: never had one); random: the draw in [0, 1); by_target: what it had received in the month by its target (NULL: it has none); top_producer: its tier; waterfall: its place in the team, from 1; best_match: its rank (NULL: it has none).';
COMMENT ON COLUMN leadroute.assignment.candidates IS 'How many members could take it. NULL: no method was used.';
COMMENT ON COLUMN leadroute.assignment.team_size IS 'How many members the team had. NULL: no method was used.';
COMMENT ON COLUMN leadroute.assignment.turn IS 'Whether it counts in the shares of the team''s rotation.';
COMMENT ON COLUMN leadroute.assignment.actor IS 'Who acted behind the role (setting leadroute.actor). NULL: not said.';
COMMENT ON COLUMN leadroute.assignment.role_name IS 'Role that inserted or changed the lead.';
COMMENT ON COLUMN leadroute.assignment.assigned_at IS 'When it was decided.';
COMMENT ON COLUMN leadroute.assignment.ended_at IS 'When the assignment ended. NULL: it lasts.';
COMMENT ON COLUMN leadroute.assignment.closed_at IS 'When the lead was closed. NULL: it is open.';
COMMENT ON COLUMN leadroute.assignment.responded_at IS 'When its owner responded, under this assignment. NULL: not yet, or under another one.';
COMMENT ON COLUMN leadroute.assignment.converted_at IS 'When the lead became a customer, under this assignment. NULL: not yet, or under another one.';
COMMENT ON COLUMN leadroute.assignment.hop IS 'Number of earlier owners of the lead.';
COMMENT ON COLUMN leadroute.assignment.load IS 'What it added to the member''s load.';
COMMENT ON COLUMN leadroute.assignment.is_current IS 'Whether it is what holds for the lead now. Never NULL.';
COMMENT ON COLUMN leadroute.assignment.closed IS 'Whether the lead was closed under this assignment. Never NULL.';
COMMENT ON COLUMN leadroute.assignment.responded IS 'Whether its owner responded under this assignment. Never NULL.';
COMMENT ON COLUMN leadroute.assignment.converted IS 'Whether the lead became a customer under this assignment. Never NULL.';
COMMENT ON COLUMN leadroute.assignment.accepted_at IS 'When its owner accepted it, under this assignment. NULL: not yet, or under another one.';
COMMENT ON COLUMN leadroute.assignment.accepted IS 'Whether its owner accepted it under this assignment. Never NULL.';
COMMENT ON COLUMN leadroute.assignment.captured_at IS 'When the lead was captured (routed_table.captured_at); where the table does not say it, when leadroute first decided it. NULL: it had an owner before leadroute knew it.';
COMMENT ON COLUMN leadroute.assignment.source IS 'Where the lead came from (routed_table.source). NULL: not known.';
COMMENT ON COLUMN leadroute.assignment.value IS 'What the lead is worth (routed_table.value, or leadroute.close). NULL: not known.';
COMMENT ON COLUMN leadroute.assignment.outcome IS 'What it came to: as leadroute.close says, else converted, else closed. NULL: it is open.';
COMMENT ON COLUMN leadroute.assignment.time_to_assign IS 'From its capture to this assignment. NULL: it gave the lead no owner, or the capture is not known; of adopted leads, too.';
COMMENT ON COLUMN leadroute.assignment.speed_to_lead IS 'From its capture to the response of this owner. NULL: he has not responded, or the capture is not known.';
COMMENT ON COLUMN leadroute.assignment.previous_id IS 'id of the decision about the lead that this one took the place of. NULL: it was the first.';

COMMENT ON COLUMN leadroute.assignment.is_test IS 'Whether it was decided as a test (router.test_when), which counts nowhere. Never NULL.';
COMMENT ON COLUMN leadroute.assignment.score IS 'Score of the lead by the router''s criteria when it was decided. NULL: nothing scores it, or it was not judged (its owner was given or set by hand).';

-- why: a sentence a decision or event.

CREATE VIEW leadroute.lead_history AS
SELECT a.id,
	a.assigned_at AS at,
	a.routed_table,
	a.lead_key,
	concat(
		CASE a.kind
			WHEN 'assigned' THEN 'assigned to "' || a.member || '"'
			WHEN 'reassigned' THEN 'reassigned to "' || a.member || '"'
			WHEN 'given' THEN CASE WHEN a.member IS NULL
				THEN 'the application gave an owner that is no member'
				ELSE 'given to "' || a.member || '" by the application' END
			WHEN 'adopted' THEN 'adopted: "' || a.member || '" owned it already'
			WHEN 'manual' THEN CASE WHEN a.member IS NULL
				THEN 'moved by hand to an owner that is no member'
				ELSE 'moved by hand to "' || a.member || '"' END
			WHEN 'held' THEN CASE a.reason
				WHEN 'no_rule' THEN 'held: no rule matched'
				WHEN 'no_member' THEN 'held: no rule that matched has a member for it'
				WHEN 'decide_at' THEN 'held: left to the worker'
				WHEN 'not_ready' THEN 'held until it is ready' ||
					coalesce((SELECT ', at the latest until ' || date_trunc('second', p.available_from)
						FROM leadroute.pool_entry p
						JOIN leadroute.routed_table rt ON rt.id = p.routed_table
						WHERE rt.name = a.routed_table AND p.lead_key = a.lead_key
						AND p.assignment = a.id AND p.available_from < 'infinity'), '')
				WHEN 'unknown_team' THEN 'held: no rule that matched names a team'
				WHEN 'unknown_member' THEN 'held: no rule that matched names a member'
				ELSE 'held: nobody could take it' END
			WHEN 'released' THEN 'its owner was taken away'
			WHEN 'none' THEN 'left without owner'
			WHEN 'duplicate' THEN 'a duplicate, for "' || a.member || '"'
			WHEN 'suppressed' THEN 'not routed'
			WHEN 'nurture' THEN 'kept for later'
			WHEN 'disqualified' THEN 'disqualified'
			WHEN 'quarantined' THEN 'quarantined'
			WHEN 'triage' THEN 'put on the triage list' || coalesce(' of team "' || a.team || '"', '')
			ELSE a.kind END,
		CASE WHEN a.kind IN ('given', 'manual', 'released', 'adopted') THEN ' (role "' || a.role_name || '"'
			|| coalesce(', actor "' || a.actor || '"', '') || ')' END,
		CASE WHEN a.kind = 'held' THEN ', first by rule "' ELSE ' by rule "' END || a.rule || '" (version ' || a.rule_version || ')',
		', ' || nullif(a.method, 'manual') || CASE WHEN a.team IS NULL THEN ' among all members' ELSE ' in team "' || a.team || '"' END,
		CASE WHEN a.method <> 'manual' THEN ': ' || concat_ws(', ',
			CASE a.method
				WHEN 'round_robin' THEN 'credit ' || trim_scale(round(a.measure::numeric, 4))
				WHEN 'least_loaded' THEN 'load ratio ' || trim_scale(round(a.measure::numeric, 4))
				WHEN 'random' THEN 'draw ' || trim_scale(round(a.measure::numeric, 4))
				WHEN 'by_target' THEN CASE
					WHEN a.member IS NULL THEN NULL
					WHEN a.measure IS NULL THEN 'without target'
					ELSE trim_scale(round(a.measure::numeric * 100, 2)) || ' % of its target received' END
				WHEN 'top_producer' THEN 'tier ' || trim_scale(a.measure::numeric)
				WHEN 'waterfall' THEN 'place ' || trim_scale(a.measure::numeric)
				WHEN 'best_match' THEN CASE
					WHEN a.member IS NULL THEN NULL
					WHEN a.measure IS NULL THEN 'without rank'
					ELSE 'rank ' || trim_scale(round(a.measure::numeric, 4)) END
				WHEN 'longest_idle' THEN CASE
					WHEN a.member IS NULL THEN NULL
					WHEN a.measure IS NULL THEN 'its first lead'
					ELSE trim_scale(a.measure::numeric) || ' decisions since its last lead' END
				ELSE a.method || ' ' || a.measure END,
			CASE WHEN a.candidates = a.team_size AND a.team_size = 1 THEN 'the only member could take it'
				WHEN a.candidates = a.team_size THEN 'all ' || a.team_size || ' members could take it'
				ELSE a.candidates || ' of ' || a.team_size || CASE a.team_size WHEN 1 THEN ' member' ELSE ' members' END || ' could take it' END) END,
		'; passed over: ' || nullif(concat_ws(', ',
			(SELECT string_agg(concat('"', p.entry ->> 'member', '" (', p.entry ->> 'detail', ')'), ', ' ORDER BY p.i)
				FROM jsonb_array_elements(a.passed_over) WITH ORDINALITY p (entry, i)),
			(SELECT string_agg(concat(r.value, CASE WHEN a.passed_over IS NOT NULL THEN ' more' END, ' ', r.key), ', ' ORDER BY r.key)
				FROM jsonb_each_text(a.passed_over_rest) r)), ''),
		CASE WHEN a.reason = 'ignore_limits' THEN '; limits were ignored'
			WHEN a.reason = 'overflow_team' THEN '; nobody of the rule''s own team could'
			WHEN a.reason NOT IN ('no_rule', 'no_member', 'nobody_available', 'unknown_member', 'unknown_team', 'assigned_by_hand', 'decide_at', 'not_ready',
				'sticky', 'duplicate', 'suppressed', 'score', 'criterion')
				THEN '; reason: ' || a.reason END,
		'; ' || a.detail,
		CASE WHEN a.is_test THEN '; a test lead, which counts nowhere' END) AS sentence,
	a.id AS assignment,
	NULL::text AS event,
	a.is_current,
	a.previous_id
FROM leadroute.assignment a
UNION ALL
SELECT e.id,
	e.at,
	coalesce(rt.name, frt.name),
	e.lead_key,
	concat(
		CASE e.kind
			WHEN 'released' THEN 'released' || coalesce(': "' || coalesce(m.name, fm.name) || '" has it no longer', '')
				|| CASE WHEN e.team_version IS NULL THEN '' ELSE ', its turn comes back' END
				|| CASE WHEN e.target_month IS NULL THEN '' ELSE ', it counts in the target no more' END
			WHEN 'load_changed' THEN format('it counts %s in the owner''s load', CASE WHEN e.load > 0 THEN e.load || ' more' ELSE -e.load || ' less' END)
			WHEN 'closed' THEN 'closed' || coalesce(' as "' || (e.payload ->> 'outcome') || '"', '')
			WHEN 'rekeyed' THEN 'its key changed to ' || coalesce(e.payload ->> 'key', '?')
			ELSE e.kind END,
		' (role "', e.role_name, '"', ', actor "' || e.actor || '"', ')'),
	e.assignment,
	e.kind,
	NULL,
	NULL
FROM leadroute.event e
LEFT JOIN leadroute.routed_table rt ON rt.id = e.routed_table
LEFT JOIN leadroute.member m ON m.id = e.member
LEFT JOIN leadroute.former_name frt ON frt.table_name = 'routed_table' AND frt.id = e.routed_table
LEFT JOIN leadroute.former_name fm ON fm.table_name = 'member' AND fm.id = e.member
WHERE e.lead_key IS NOT NULL AND e.kind NOT IN ('rule_error', 'criterion_error');
COMMENT ON VIEW leadroute.lead_history IS 'One row is a sentence about what was decided about a lead, or happened to it. leadroute.why reads it.';
COMMENT ON COLUMN leadroute.lead_history.id IS 'Number of the decision or event; they rise in the order in which it happened.';
COMMENT ON COLUMN leadroute.lead_history.at IS 'When.';
COMMENT ON COLUMN leadroute.lead_history.routed_table IS 'Attached table of the lead.';
COMMENT ON COLUMN leadroute.lead_history.lead_key IS 'Key of the lead as text; of an event, the one it had before.';
COMMENT ON COLUMN leadroute.lead_history.sentence IS 'What happened.';
COMMENT ON COLUMN leadroute.lead_history.assignment IS 'assignment.id of the decision, or of the one that the event is about.';
COMMENT ON COLUMN leadroute.lead_history.event IS 'event.kind. NULL: a decision.';
COMMENT ON COLUMN leadroute.lead_history.is_current IS 'Of a decision: whether it is what holds for the lead now. NULL: an event.';
COMMENT ON COLUMN leadroute.lead_history.previous_id IS 'Of a decision: the one that it took the place of, also when the lead had another key then. NULL: it was the first, or an event.';

-- Leads that wait for somebody to decide (rule.method manual).  What only some
-- ask for, the lead's columns and who could take it, is computed for them alone.
CREATE VIEW leadroute.triage AS
SELECT coalesce(ro.name, fro.name) AS router,
	coalesce(t.name, ft.name) AS team,
	t.lead_member,
	rt.name AS routed_table,
	p.lead_key,
	coalesce(r.name, fr.name) AS rule,
	p.entered_at AS since,
	j.score,
	j.source,
	j.value,
	coalesce(j.captured_at, CASE WHEN j.previous_id IS NULL THEN j.assigned_at END) AS captured_at,
	j.detail,
	leadroute.lead_data(rt.name, p.lead_key) AS lead,
	(SELECT jsonb_agg(to_jsonb(c) - 'i' ORDER BY c.i)
		FROM leadroute.triage_candidates(rt.name, p.lead_key)
			WITH ORDINALITY c (member, available, not_available_because, until, detail, load, capacity, i)) AS candidates,
	p.assignment
FROM leadroute.pool_entry p
JOIN leadroute.routed_table rt ON rt.id = p.routed_table
JOIN leadroute.journal j ON j.lead_key = p.lead_key AND j.routed_table = p.routed_table AND NOT j.superseded
LEFT JOIN leadroute.router ro ON ro.id = p.router
LEFT JOIN leadroute.team t ON t.id = p.team
LEFT JOIN leadroute.rule r ON r.id = p.rule
LEFT JOIN leadroute.former_name fro ON fro.table_name = 'router' AND fro.id = p.router
LEFT JOIN leadroute.former_name ft ON ft.table_name = 'team' AND ft.id = p.team
LEFT JOIN leadroute.former_name fr ON fr.table_name = 'rule' AND fr.id = p.rule
WHERE p.state = 'triage';
COMMENT ON VIEW leadroute.triage IS 'One row is a lead that waits for somebody to assign it (rule.method manual), with what there is to decide by.';
COMMENT ON COLUMN leadroute.triage.router IS 'Router that decided.';
COMMENT ON COLUMN leadroute.triage.team IS 'Team on whose triage list it is. NULL: the rule is for every member.';
COMMENT ON COLUMN leadroute.triage.lead_member IS 'Who decides for the team. NULL: nobody.';
COMMENT ON COLUMN leadroute.triage.routed_table IS 'Attached table of the lead.';
COMMENT ON COLUMN leadroute.triage.lead_key IS 'Key of the lead as text.';
COMMENT ON COLUMN leadroute.triage.rule IS 'Rule that put it on the list.';
COMMENT ON COLUMN leadroute.triage.since IS 'Since when it has been on it.';
COMMENT ON COLUMN leadroute.triage.score IS 'Score of the lead when it was put there. NULL: nothing scores it.';
COMMENT ON COLUMN leadroute.triage.source IS 'Where the lead came from. NULL: not known.';
COMMENT ON COLUMN leadroute.triage.value IS 'What the lead is worth. NULL: not known.';
COMMENT ON COLUMN leadroute.triage.captured_at IS 'When the lead was captured. NULL: not known.';
COMMENT ON COLUMN leadroute.triage.detail IS 'What else was found when it was decided. NULL: nothing.';
COMMENT ON COLUMN leadroute.triage.lead IS 'The lead, as far as the caller may SELECT it, as by leadroute.lead_data. NULL: he may not see it.';
COMMENT ON COLUMN leadroute.triage.candidates IS 'Members of the team, those that could take it now first, each as a row of leadroute.triage_candidates. NULL: there are none.';
COMMENT ON COLUMN leadroute.triage.assignment IS 'assignment.id of the decision to leave it to somebody.';

CREATE VIEW leadroute.my_triage WITH (security_barrier) AS
SELECT t.router, t.team, t.routed_table, t.lead_key, t.rule, t.since,
	CASE WHEN seen.lead IS NOT NULL THEN t.score END AS score,
	CASE WHEN seen.lead IS NOT NULL THEN t.source END AS source,
	CASE WHEN seen.lead IS NOT NULL THEN t.value END AS value,
	CASE WHEN seen.lead IS NOT NULL THEN t.captured_at END AS captured_at,
	CASE WHEN seen.lead IS NOT NULL THEN t.detail END AS detail,
	seen.lead, t.candidates, t.assignment
FROM leadroute.triage t
JOIN leadroute.member m ON (m.router, m.name) = (t.router, t.lead_member)
CROSS JOIN LATERAL (SELECT t.lead OFFSET 0) seen
WHERE m.active AND m.role_name = current_user;
COMMENT ON VIEW leadroute.my_triage IS 'The caller''s triage list: the rows of leadroute.triage of teams whose lead_member is active and has the caller''s role_name. leadroute.assign gives one to a member of the team. Of a lead that the caller may not SELECT (lead is NULL) nothing is told but that it waits, since when, by which rule, and who could take it.';
COMMENT ON COLUMN leadroute.my_triage.router IS 'Router that decided.';
COMMENT ON COLUMN leadroute.my_triage.team IS 'Team on whose triage list it is.';
COMMENT ON COLUMN leadroute.my_triage.routed_table IS 'Attached table of the lead.';
COMMENT ON COLUMN leadroute.my_triage.lead_key IS 'Key of the lead as text.';
COMMENT ON COLUMN leadroute.my_triage.rule IS 'Rule that put it on the list.';
COMMENT ON COLUMN leadroute.my_triage.since IS 'Since when it has been on it.';
COMMENT ON COLUMN leadroute.my_triage.score IS 'Score of the lead when it was put there. NULL: nothing scores it, or the caller may not see the lead.';
COMMENT ON COLUMN leadroute.my_triage.source IS 'Where the lead came from. NULL: not known, or the caller may not see the lead.';
COMMENT ON COLUMN leadroute.my_triage.value IS 'What the lead is worth. NULL: not known, or the caller may not see the lead.';
COMMENT ON COLUMN leadroute.my_triage.captured_at IS 'When the lead was captured. NULL: not known, or the caller may not see the lead.';
COMMENT ON COLUMN leadroute.my_triage.detail IS 'What else was found when it was decided. NULL: nothing, or the caller may not see the lead.';
COMMENT ON COLUMN leadroute.my_triage.lead IS 'The lead, as far as the caller may SELECT it. NULL: he may not see it.';
COMMENT ON COLUMN leadroute.my_triage.candidates IS 'Members of the team, those that could take it now first, each as a row of leadroute.triage_candidates. NULL: there are none.';
COMMENT ON COLUMN leadroute.my_triage.assignment IS 'assignment.id of the decision to leave it to the caller.';

CREATE VIEW leadroute.my_lead_history WITH (security_barrier) AS
SELECT h.id, h.at, h.routed_table, h.lead_key, h.sentence, h.assignment, h.event, h.is_current, h.previous_id
FROM leadroute.lead_history h
WHERE EXISTS (SELECT FROM leadroute.journal c
	JOIN leadroute.routed_table rt ON rt.id = c.routed_table
	JOIN leadroute.member m ON m.id = c.member
	WHERE NOT c.superseded AND c.lead_key = h.lead_key
	AND rt.name = h.routed_table AND m.role_name = current_user)
OR EXISTS (SELECT FROM leadroute.my_triage t WHERE (t.lead_key, t.routed_table) = (h.lead_key, h.routed_table) AND t.lead IS NOT NULL);
COMMENT ON VIEW leadroute.my_lead_history IS 'The rows of lead_history about leads that the caller owns now, whose member has the caller''s role_name, or that are on his triage list and that he may SELECT.';
COMMENT ON COLUMN leadroute.my_lead_history.id IS 'Number of the decision or event.';
COMMENT ON COLUMN leadroute.my_lead_history.at IS 'When.';
COMMENT ON COLUMN leadroute.my_lead_history.routed_table IS 'Attached table of the lead.';
COMMENT ON COLUMN leadroute.my_lead_history.lead_key IS 'Key of the lead as text.';
COMMENT ON COLUMN leadroute.my_lead_history.sentence IS 'What happened.';
COMMENT ON COLUMN leadroute.my_lead_history.assignment IS 'assignment.id of the decision, or of the one that the event is about.';
COMMENT ON COLUMN leadroute.my_lead_history.event IS 'event.kind. NULL: a decision.';
COMMENT ON COLUMN leadroute.my_lead_history.is_current IS 'Of a decision: whether it is what holds for the lead now. NULL: an event.';
COMMENT ON COLUMN leadroute.my_lead_history.previous_id IS 'Of a decision: the one that it took the place of, also when the lead had another key then. NULL: it was the first, or an event.';

-- Each part of it has an index: what is current and what has ended under the
-- key; what came before under another key, by previous_id (few leads change
-- their key); the events of all these, and of the key.
CREATE FUNCTION leadroute.why(lead_table text, key text) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0
SET jit = off
AS $$
DECLARE
	history text := CASE WHEN has_table_privilege('leadroute.lead_history', 'SELECT') THEN 'leadroute.lead_history'
		WHEN has_table_privilege('leadroute.my_lead_history', 'SELECT') THEN 'leadroute.my_lead_history' END;
	ids bigint[];
	earlier bigint[];
	under_key bigint[];
	before bigint;
BEGIN
	IF history IS NOT NULL THEN
		EXECUTE format('SELECT array_agg(h.id), array_agg(h.previous_id) FROM (
				SELECT c.id, c.previous_id FROM %1$s c WHERE c.lead_key = $1 AND c.routed_table = $2 AND c.is_current
				UNION ALL SELECT p.id, p.previous_id FROM %1$s p WHERE p.lead_key = $1 AND p.routed_table = $2 AND NOT p.is_current) h', history)
			INTO under_key, earlier USING why.key, why.lead_table;
		ids := under_key;
		FOREACH before IN ARRAY coalesce(earlier, '{}') LOOP
			WHILE before IS NOT NULL AND before <> ALL (ids) LOOP
				ids := ids || before;
				EXECUTE format('SELECT h.previous_id FROM %s h WHERE h.id = $1 AND NOT h.is_current', history)
					INTO before USING before;
			END LOOP;
		END LOOP;
		RETURN QUERY EXECUTE format('SELECT date_trunc(''second'', h.at)::text || '': '' || h.sentence FROM (
				SELECT c.id, c.at, c.sentence FROM %1$s c WHERE c.lead_key = $1 AND c.routed_table = $2 AND c.is_current
				UNION ALL SELECT p.id, p.at, p.sentence FROM %1$s p WHERE p.lead_key = $1 AND p.routed_table = $2 AND NOT p.is_current
				UNION ALL SELECT b.id, b.at, b.sentence FROM %1$s b WHERE b.id = ANY ($4) AND NOT b.is_current
				UNION ALL SELECT e.id, e.at, e.sentence FROM %1$s e WHERE e.event IS NOT NULL
					AND (e.assignment = ANY ($3) OR e.lead_key = $1 AND e.routed_table = $2)) h
			ORDER BY h.id', history)
			USING why.key, why.lead_table, ids, ids[coalesce(cardinality(under_key), 0) + 1:];
		IF FOUND OR history = 'leadroute.lead_history' THEN
			RETURN;
		END IF;
	END IF;
	RAISE EXCEPTION 'permission denied for lead % of table "%"', why.key, why.lead_table
		USING ERRCODE = 'insufficient_privilege',
			DETAIL = 'Its owner may ask, or who has it on his triage list and may SELECT it, whose role_name is the current role, and roles that may read leadroute.lead_history.',
			HINT = 'SELECT leadroute.grant_to(..., ''app'') or ''analyst'' gives that right.';
END
$$;
COMMENT ON FUNCTION leadroute.why(text, text) IS 'What was decided about a lead and what happened to it, a sentence each, oldest first, from the journal; times in the session''s time zone. No row: nothing is known of it. The owner of the lead may ask, who has it on his triage list and may SELECT it, and who may read lead_history. Error: the caller is neither.';

CREATE FUNCTION leadroute.key_text(key anyelement) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $$
BEGIN
	RETURN CASE WHEN num_nulls(key) = 0 THEN format('%s', key) END;
END
$$;
COMMENT ON FUNCTION leadroute.key_text(anyelement) IS 'A key as the journal writes it: its text under fixed settings; ROW(17, 4711) for a key of several columns.';

CREATE FUNCTION leadroute.why(lead_table text, key anyelement) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT s.sentence
		FROM leadroute.why(why.lead_table, leadroute.key_text(why.key)) s (sentence);
END
$$;
COMMENT ON FUNCTION leadroute.why(text, anyelement) IS 'The same with a key of any type; ROW(17, 4711) for a key of several columns.';

-- Of teams that nothing distributes by turns there is nothing to tell.
CREATE VIEW leadroute.rotation AS
SELECT u.router, u.team, n.member, n.weight, n.credit, n.next_in, n.not_available_because, n.until
FROM (SELECT r.router, r.team FROM leadroute.rule r
		WHERE r.enabled AND r.method = 'round_robin' AND num_nonnulls(r.team_expr, r.member_expr) = 0
	UNION
	SELECT r.router, r.overflow_team FROM leadroute.rule r
		WHERE r.enabled AND r.method = 'round_robin' AND r.overflow_team IS NOT NULL
	UNION
	SELECT ro.name, t.name
		FROM (SELECT sc.router, sc.team FROM leadroute.seat_counter() sc WHERE leadroute.is_preloaded() AND sc.credit <> 0 GROUP BY 1, 2 OFFSET 0) s
		JOIN leadroute.router ro ON ro.id = s.router
		LEFT JOIN leadroute.team t ON t.id = s.team
		WHERE s.team = 0 OR t.router = ro.name) u
CROSS JOIN LATERAL (SELECT nt.* FROM leadroute.next_turns(u.team, u.router) nt WHERE leadroute.is_preloaded() OFFSET 0) n;
COMMENT ON VIEW leadroute.rotation IS 'One row is a member''s place in the rotation of a team: of teams that rules distribute to by round_robin, or have. leadroute.next_turns says it of one team.';
COMMENT ON COLUMN leadroute.rotation.router IS 'Router.';
COMMENT ON COLUMN leadroute.rotation.team IS 'Team. NULL: every member of the router.';
COMMENT ON COLUMN leadroute.rotation.member IS 'Member.';
COMMENT ON COLUMN leadroute.rotation.weight IS 'Its weight there.';
COMMENT ON COLUMN leadroute.rotation.credit IS 'What it is owed, in leads; negative: what it has had in advance. The credits of a rotation, with those of former members, sum to 0.';
COMMENT ON COLUMN leadroute.rotation.next_in IS 'Which of the next leads is its next one, 1 being the next lead, if all of them fit everybody and nobody comes or goes meanwhile. NULL: it cannot have a lead now, or after very many only.';
COMMENT ON COLUMN leadroute.rotation.not_available_because IS 'inactive, away, closed, busy, full, cap or no_slot, in this team; caps with a condition or of a rule are not looked at. NULL: it can have a lead.';
COMMENT ON COLUMN leadroute.rotation.until IS 'When that ends (infinity: not known). NULL: it can have a lead, or nothing is known.';

CREATE VIEW leadroute.member_status AS
SELECT m.router,
	m.name AS member,
	m.active,
	w.why IS NULL AS available,
	w.why AS not_available_because,
	u.until,
	leadroute.passed_detail(CASE w.why WHEN 'inactive' THEN 1 WHEN 'away' THEN 2 WHEN 'full' THEN 3 WHEN 'closed' THEN 6 WHEN 'busy' THEN 7 WHEN 'cap' THEN 9 END,
		u.until, CASE w.why WHEN 'cap' THEN k.used ELSE l.load END::integer, CASE w.why WHEN 'cap' THEN k.max_leads ELSE m.capacity END::integer,
		k.cap, coalesce(m.timezone, sc.timezone, ro.timezone), now()) AS detail,
	l.load,
	m.capacity,
	CASE WHEN num_nulls(m.capacity, l.load) = 0 THEN greatest(m.capacity - l.load, 0) END AS open_capacity,
	ARRAY(SELECT tm.team FROM leadroute.team_member tm
		WHERE tm.router = m.router AND tm.member = m.name ORDER BY tm.team) AS teams,
	t.turns,
	k.limits,
	nullif(c.last_turn, 0) AS last_assignment,
	(SELECT count(*) FROM leadroute.team lt JOIN leadroute.pool_entry p ON p.team = lt.id AND p.state = 'triage'
		WHERE lt.router = m.router AND lt.lead_member = m.name) AS triage
FROM leadroute.member m
JOIN leadroute.router ro ON ro.name = m.router
LEFT JOIN leadroute.schedule sc ON sc.router = m.router AND sc.name = m.schedule
LEFT JOIN (
	SELECT n.router, n.member, jsonb_agg(jsonb_build_object('team', n.team, 'credit', round(n.credit::numeric, 6), 'next_in', n.next_in)
		ORDER BY n.team NULLS FIRST) AS turns
	FROM leadroute.rotation n
	GROUP BY n.router, n.member) t ON t.router = m.router AND t.member = m.name
LEFT JOIN (
	SELECT mc.member, mc.load, mc.last_turn, mc.busy FROM leadroute.member_counter() mc
	WHERE leadroute.is_preloaded()
	OFFSET 0) c ON c.member = m.id	-- not pulled up: the function is not called without the library
LEFT JOIN (
	SELECT al.router, al.member, coalesce(upper(r.during), 'infinity') AS until
	FROM (SELECT ab.router, ab.member, range_agg(ab.during) AS during
		FROM leadroute.absence ab WHERE ab.team IS NULL
		GROUP BY ab.router, ab.member) al,
	unnest(al.during) r (during)
	WHERE r.during @> now()) a ON a.router = m.router AND a.member = m.name
LEFT JOIN (
	-- of the caps that hold for every lead, the one that lasts longest
	SELECT cs.router, cs.member,
		jsonb_agg(jsonb_build_object('cap', cs.cap, 'used', cs.used, 'max_leads', cs.max_leads, 'remaining', cs.remaining,
			'until', CASE WHEN isfinite(cs.until) THEN cs.until END) ORDER BY cs.cap) AS limits,
		(array_agg(cs.cap ORDER BY cs.until DESC, cs.cap) FILTER (WHERE cs.reached))[1] AS cap,
		(array_agg(cs.used ORDER BY cs.until DESC, cs.cap) FILTER (WHERE cs.reached))[1] AS used,
		(array_agg(cs.max_leads ORDER BY cs.until DESC, cs.cap) FILTER (WHERE cs.reached))[1] AS max_leads,
		max(cs.until) FILTER (WHERE cs.reached) AS until
	FROM (SELECT r.name AS router, s.*, s.remaining = 0 AND kc.condition IS NULL AND kc.team IS NULL AND kc.rule IS NULL AS reached
		FROM (SELECT rr.name FROM leadroute.router rr WHERE leadroute.is_preloaded() OFFSET 0) r
		CROSS JOIN LATERAL leadroute.cap_status(r.name) s
		JOIN leadroute.cap kc ON kc.router = r.name AND kc.name = s.cap
		WHERE s.member IS NOT NULL) cs
	GROUP BY cs.router, cs.member) k ON k.router = m.router AND k.member = m.name
CROSS JOIN LATERAL (SELECT coalesce(c.load, CASE WHEN leadroute.is_preloaded() THEN 0 END) AS load) l
CROSS JOIN LATERAL (SELECT CASE
	WHEN NOT m.active THEN 'inactive'
	WHEN a.until IS NOT NULL THEN 'away'
	WHEN CASE WHEN m.schedule IS NOT NULL AND leadroute.is_preloaded()
		THEN NOT leadroute.is_open(member => m.name, router => m.router) END THEN 'closed'
	WHEN c.busy THEN 'busy'
	WHEN l.load >= m.capacity THEN 'full'
	WHEN k.cap IS NOT NULL THEN 'cap' END AS why) w
CROSS JOIN LATERAL (SELECT CASE
	WHEN w.why = 'closed' OR w.why = 'away' AND m.schedule IS NOT NULL AND leadroute.is_preloaded()
		THEN leadroute.available_from(m.name, router => m.router)
	WHEN w.why = 'away' THEN a.until
	WHEN w.why = 'cap' THEN k.until END AS until) u;
COMMENT ON VIEW leadroute.member_status IS 'One row is a member as it is now, open reservations of running transactions included.';
COMMENT ON COLUMN leadroute.member_status.router IS 'Router.';
COMMENT ON COLUMN leadroute.member_status.member IS 'Name of the member.';
COMMENT ON COLUMN leadroute.member_status.active IS 'false: gone for good.';
COMMENT ON COLUMN leadroute.member_status.available IS 'Whether it can receive a lead now. What is so for one team only (an absence, the hours of the team) does not count here.';
COMMENT ON COLUMN leadroute.member_status.not_available_because IS 'inactive, away, closed (off duty), busy, full or cap (a cap of its own for every lead is used up). NULL: it is available.';
COMMENT ON COLUMN leadroute.member_status.until IS 'When it comes who is away or closed: absences and working hours together; infinity: until resumed, or never; cap: when the window ends. NULL: neither.';
COMMENT ON COLUMN leadroute.member_status.detail IS 'Why it is not available, in prose; times are in its zone. NULL: it is available.';
COMMENT ON COLUMN leadroute.member_status.turns IS 'Its place in the rotation of each of its teams, [{"team", "credit", "next_in"}], as leadroute.rotation has it: what it is owed, in leads, and which of the next leads is its own; team null: every member of the router. NULL: it is in none, or the library is not preloaded.';
COMMENT ON COLUMN leadroute.member_status.limits IS 'The caps of its own, [{"cap", "used", "max_leads", "remaining", "until"}], as leadroute.cap_status has them; those with a condition, a team or a rule hold for some leads only. until null: a total. NULL: there are none, or the library is not preloaded.';
COMMENT ON COLUMN leadroute.member_status.load IS 'Open leads. NULL: the library is not preloaded.';
COMMENT ON COLUMN leadroute.member_status.capacity IS 'Most open leads at once. NULL: no limit.';
COMMENT ON COLUMN leadroute.member_status.open_capacity IS 'How many more it can take. NULL: no limit, or load is not known.';
COMMENT ON COLUMN leadroute.member_status.teams IS 'Its teams.';
COMMENT ON COLUMN leadroute.member_status.last_assignment IS 'assignment.id of the last lead that it received by a method. NULL: none.';
COMMENT ON COLUMN leadroute.member_status.triage IS 'Leads on the triage lists of the teams that it leads.';

CREATE VIEW leadroute.performance AS
SELECT r.name AS router, coalesce(t.name, ft.name) AS team, m.name AS member, p.team IS NULL AS all_leads, p.leads, p.responded, p.converted,
	p.response_rate, p.conversion_rate, CASE WHEN p.team IS NOT NULL THEN coalesce(m.tier, p.tier) END AS tier, m.tier IS NOT NULL AS tier_is_set, p.measured_at
FROM leadroute.measured p
JOIN leadroute.member m ON m.id = p.member
JOIN leadroute.router r ON r.id = p.router
LEFT JOIN leadroute.team t ON t.id = p.team
LEFT JOIN leadroute.former_name ft ON ft.table_name = 'team' AND ft.id = p.team;
COMMENT ON VIEW leadroute.performance IS 'One row is what a member has made of its leads lately, of one team or of all, as decisions know it.';
COMMENT ON COLUMN leadroute.performance.router IS 'Router.';
COMMENT ON COLUMN leadroute.performance.team IS 'Team. NULL: every member of the router, or all leads of the member (all_leads).';
COMMENT ON COLUMN leadroute.performance.member IS 'Member.';
COMMENT ON COLUMN leadroute.performance.all_leads IS 'Whether it is about all leads of the member, those given and moved by hand too. Never NULL.';
COMMENT ON COLUMN leadroute.performance.leads IS 'Leads received in the window: leadroute.measured_window, up to leadroute.measured_delay ago.';
COMMENT ON COLUMN leadroute.performance.responded IS 'Of these, responded while it had them.';
COMMENT ON COLUMN leadroute.performance.converted IS 'Of these, converted while it had them.';
COMMENT ON COLUMN leadroute.performance.response_rate IS 'Estimate of its response rate, shrunk towards the mean of the team (all_leads: of the router) by as much as few leads say little. NULL: nobody there has leads in the window.';
COMMENT ON COLUMN leadroute.performance.conversion_rate IS 'The same of its conversion rate.';
COMMENT ON COLUMN leadroute.performance.tier IS 'Its tier for method top_producer, 1 the best: member.tier, else as measured. NULL where all_leads.';
COMMENT ON COLUMN leadroute.performance.tier_is_set IS 'Whether member.tier says so. Never NULL.';
COMMENT ON COLUMN leadroute.performance.measured_at IS 'When it was measured.';

-- Each arm stands for itself: one thing that is broken must not hide the others.
CREATE VIEW leadroute.problem AS
SELECT 'error' AS severity, 'not_preloaded' AS what, 'the library' AS subject,
	'The server has not loaded leadroute at its start: leads are stored without owner.' AS detail,
	'Add leadroute to shared_preload_libraries and restart the server.' AS what_to_do,
	NULL::timestamptz AS since
WHERE NOT leadroute.is_preloaded()
UNION ALL
SELECT 'error', 'writer_missing', format('rule "%s" of router "%s"', r.name, r.router),
	format('Role "%s", with whose rights its expressions run, does not exist: the rule has nobody for any lead.', r.written_by),
	format('Read it, then take it over: SELECT * FROM leadroute.take_over(%L, %L);', r.router, r.name),
	NULL
FROM leadroute.rule r
WHERE r.enabled AND num_nonnulls(r.condition, r.team_expr, r.member_expr, r.member_condition, r.member_rank) > 0
AND r.written_by IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles w WHERE w.rolname = r.written_by)
UNION ALL
SELECT 'error', 'writer_missing', format('member "%s" of team "%s" of router "%s"', tm.member, tm.team, tm.router),
	format('Role "%s", with whose rights its condition runs, does not exist: no lead reaches the member there.', tm.written_by),
	'Read it, then take it over: leadroute.take_over().',
	NULL
FROM leadroute.team_member tm
WHERE tm.condition IS NOT NULL AND tm.written_by IS NOT NULL
AND NOT EXISTS (SELECT FROM pg_roles w WHERE w.rolname = tm.written_by)
UNION ALL
SELECT 'error', 'writer_missing', format('criterion "%s" of router "%s"', c.name, c.router),
	format('Role "%s", with whose rights it runs, does not exist: it says nothing of any lead.', c.written_by),
	'Read it, then take it over: leadroute.take_over().',
	NULL
FROM leadroute.criterion c
WHERE c.enabled AND c.written_by IS NOT NULL
AND NOT EXISTS (SELECT FROM pg_roles w WHERE w.rolname = c.written_by)
UNION ALL
SELECT 'error', 'writer_missing', format('table "%s"', rt.name),
	format('Role "%s", with whose rights its expressions run, does not exist: they are not evaluated.', rt.written_by),
	format('Take it over: UPDATE leadroute.routed_table SET written_by = current_user WHERE name = %L;', rt.name),
	NULL
FROM leadroute.routed_table rt
WHERE num_nonnulls(rt.router_expr, rt.closed_when, rt.responded_when, rt.converted_when, rt.accepted_when, rt.captured_at, rt.source, rt.value, rt.load, rt.ready_when) > 0 AND rt.written_by IS NOT NULL
AND NOT EXISTS (SELECT FROM pg_roles w WHERE w.rolname = rt.written_by)
UNION ALL
SELECT 'error', 'condition_invalid', format('rule "%s" of router "%s"', c.name, c.router),
	format('On table "%s": %s', c.routed_table, c.error),
	'Change its condition, or its routed_table; the rule does not match leads of that table.',
	NULL
FROM (SELECT r.name, r.router, rt.name AS routed_table,
		leadroute.condition_error(r.router, r.name, rt.name) AS error
	FROM leadroute.rule r
	JOIN leadroute.routed_table rt ON (r.routed_table = rt.name OR r.routed_table IS NULL)
		AND (rt.router = r.router OR rt.router IS NULL)
	JOIN pg_class cl ON cl.oid = rt.relation
	WHERE r.enabled AND r.condition IS NOT NULL
	OFFSET 0) c
WHERE c.error IS NOT NULL
UNION ALL
SELECT 'error', 'criterion_invalid', format('criterion "%s" of router "%s"', x.name, x.router),
	format('On table "%s": %s', x.routed_table, x.error),
	'Change it, or its routed_table; until then it says nothing of leads of that table.',
	NULL
FROM (SELECT c.name, c.router, rt.name AS routed_table,
		leadroute.criterion_error(c.router, c.name, rt.name) AS error
	FROM leadroute.criterion c
	JOIN leadroute.routed_table rt ON (c.routed_table = rt.name OR c.routed_table IS NULL)
		AND (rt.router = c.router OR rt.router IS NULL)
	JOIN pg_class cl ON cl.oid = rt.relation
	WHERE c.enabled
	OFFSET 0) x
WHERE x.error IS NOT NULL
UNION ALL
SELECT 'error', 'expression_invalid', format('table "%s"', x.name),
	format('Its %s: %s', x.column_name, x.error),
	CASE x.column_name WHEN 'router_expr' THEN 'Change it; until then leads of the table are not routed.'
		WHEN 'load' THEN 'Change it; until then each lead of the table counts 1.'
		WHEN 'captured_at' THEN 'Change it; until then leads of the table count as captured when they are decided.'
		WHEN 'source' THEN 'Change it; until then leads of the table have no source.'
		WHEN 'value' THEN 'Change it; until then leads of the table have no value.'
		WHEN 'ready_when' THEN 'Change it; until then no lead of the table waits to be ready.'
		ELSE format('Change it; until then no lead of the table counts as %s.', replace(x.column_name, '_when', '')) END,
	NULL
FROM (SELECT rt.name, k.column_name, leadroute.expression_error(rt.name, k.column_name) AS error
	FROM leadroute.routed_table rt
	JOIN pg_class cl ON cl.oid = rt.relation
	CROSS JOIN (VALUES ('router_expr'), ('closed_when'), ('responded_when'), ('converted_when'), ('accepted_when'), ('captured_at'), ('source'), ('value'), ('load'), ('ready_when')) k (column_name)
	OFFSET 0) x
WHERE x.error IS NOT NULL
UNION ALL
SELECT 'error', 'relation_gone', format('table "%s"', rt.name),
	'The table was dropped.',
	format('SELECT leadroute.detach(%L); or attach the new one by the same name.', rt.name),
	NULL
FROM leadroute.routed_table rt
WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = rt.relation)
UNION ALL
SELECT 'error', 'column_gone', format('table "%s"', rt.name),
	format('Column "%s" does not exist any more.', k.name),
	CASE WHEN k.name = rt.owner_column
		THEN format('Name the owner column: SELECT leadroute.attach(%L, ...);', rt.relation)
		ELSE format('Name the key: SELECT leadroute.attach(%L, %L, key_columns => ...);', rt.relation, rt.owner_column) END,
	NULL
FROM leadroute.routed_table rt
JOIN pg_class c ON c.oid = rt.relation
CROSS JOIN LATERAL unnest(rt.key_columns || rt.owner_column) k (name)
WHERE NOT EXISTS (SELECT FROM pg_attribute a
	WHERE a.attrelid = rt.relation AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped)
UNION ALL
SELECT 'warning', 'column_gone', format('table "%s"', rt.name),
	format('Column "%s" does not exist any more.', k.name),
	format('Name another one, or none: UPDATE leadroute.routed_table SET %s = NULL WHERE name = %L;', k.what, rt.name),
	NULL
FROM leadroute.routed_table rt
JOIN pg_class c ON c.oid = rt.relation
CROSS JOIN LATERAL (VALUES ('status_column', rt.status_column), ('score_column', rt.score_column)) k (what, name)
WHERE k.name IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute a
	WHERE a.attrelid = rt.relation AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped)
UNION ALL
SELECT 'error', 'triggers_wrong', format('table "%s"', s.routed_table),
	'Its triggers are not as they must be: ' || string_agg(s.trigger_name || ' ' || s.state, ', ' ORDER BY s.trigger_name) || '.',
	format('Attach it again: SELECT leadroute.attach(%L, %L);', s.relation, min(rt.owner_column)),
	NULL
FROM leadroute.trigger_status s
JOIN leadroute.routed_table rt ON rt.name = s.routed_table
WHERE s.state <> 'ok'
GROUP BY s.routed_table, s.relation
UNION ALL
-- A restore that has left configuration out, or of which errors were not read.
SELECT 'error', 'not_attached', format('table "%s"', t.tgrelid::regclass),
	'It has triggers of leadroute, and is not in leadroute.routed_table: its leads are stored without owner.',
	'Restore leadroute''s configuration and journal, as a superuser; or attach it: leadroute.attach().',
	NULL
FROM pg_trigger t
WHERE t.tgfoid = 'leadroute.lead_trigger()'::regprocedure
-- those of partitions come with their table's
AND t.tgparentid = 0
AND NOT EXISTS (SELECT FROM leadroute.routed_table rt WHERE rt.relation = t.tgrelid)
GROUP BY t.tgrelid
UNION ALL
SELECT 'warning', 'later_trigger', format('trigger "%s" of table %s', l.trigger_name, l.relation),
	'It runs after leadroute has decided: rules do not see what it sets.',
	format('Give it a name that sorts before "zz_leadroute_decide": ALTER TRIGGER %I ON %s RENAME TO ...', l.trigger_name, l.relation),
	NULL
FROM leadroute.later_trigger l
UNION ALL
SELECT 'warning', 'rule_error', format('rule "%s" of router "%s"', r.name, r.router),
	format('Reports in the last day, at most one a minute and session: %s; the last one, about lead %s: %s', count(*),
		(array_agg(e.lead_key ORDER BY e.id DESC))[1],
		(array_agg(e.payload ->> 'error' ORDER BY e.id DESC))[1]),
	'Change its condition so that it has a value for every lead; where it fails, the rule does not match.',
	min(e.at)
FROM leadroute.event e
JOIN leadroute.rule r ON e.payload @> jsonb_build_object('rule', r.id, 'version', r.version)
	AND (e.payload ->> 'rule')::integer = r.id
WHERE e.kind = 'rule_error' AND e.at > now() - interval '1 day' AND r.enabled
GROUP BY r.router, r.name
UNION ALL
SELECT 'warning', 'criterion_error', format('criterion "%s" of router "%s"', c.name, c.router),
	format('Reports in the last day, at most one a minute and session: %s; the last one, about lead %s: %s', count(*),
		(array_agg(e.lead_key ORDER BY e.id DESC))[1],
		(array_agg(e.payload ->> 'error' ORDER BY e.id DESC))[1]),
	'Change it so that it has a value for every lead; where it fails, it gives no points and stops nothing.',
	min(e.at)
FROM leadroute.event e
JOIN leadroute.router ro ON ro.id = e.router
JOIN leadroute.criterion c ON c.router = ro.name AND c.name = e.payload ->> 'criterion'
WHERE e.kind = 'criterion_error' AND e.at > now() - interval '1 day' AND c.enabled
GROUP BY c.router, c.name
UNION ALL
SELECT 'warning', 'held_too_long', format('table "%s"', rt.name),
	format('%s leads have been held for more than an hour, the oldest since %s.', count(*), date_trunc('second', min(p.entered_at))),
	'Ask leadroute.explain about one of them; add members, capacity or a rule without condition.',
	min(p.entered_at)
FROM leadroute.pool_entry p
JOIN leadroute.routed_table rt ON rt.id = p.routed_table
WHERE p.state = 'held' AND p.entered_at < now() - interval '1 hour'
GROUP BY rt.name
UNION ALL
SELECT 'warning', 'triage_too_long', format('team "%s" of router "%s"', t.name, t.router),
	format('%s leads have been on its triage list for more than a day, the oldest since %s.', count(*), date_trunc('second', min(p.entered_at))),
	format('SELECT * FROM leadroute.triage WHERE team = %L; and leadroute.assign.', t.name),
	min(p.entered_at)
FROM leadroute.pool_entry p
JOIN leadroute.team t ON t.id = p.team
WHERE p.state = 'triage' AND p.entered_at < now() - interval '1 day'
GROUP BY t.router, t.name
UNION ALL
SELECT 'warning', 'waits_too_long', format('table "%s"', rt.name),
	format(CASE WHEN p.available_from = 'infinity' THEN '%s leads have waited for more than a day to be ready (ready_when), the oldest since %s, and have no end to it.'
		ELSE '%s leads have waited to be ready for as long as ready_within says, the oldest since %s, and are not decided.' END,
		count(*), date_trunc('second', min(p.entered_at))),
	CASE WHEN p.available_from = 'infinity' THEN format('UPDATE leadroute.routed_table SET ready_within = ''1 hour'' WHERE name = %L; then they are decided as they are.', rt.name)
		ELSE 'Is their router enabled? See leadroute.worker_status, and the server''s log for what leadroute worker has met.' END,
	min(p.entered_at)
FROM leadroute.pool_entry p
JOIN leadroute.routed_table rt ON rt.id = p.routed_table
WHERE p.state = 'waiting'
AND (p.available_from < now() - interval '10 minutes' OR p.available_from = 'infinity' AND p.entered_at < now() - interval '1 day')
GROUP BY rt.name, p.available_from = 'infinity'
UNION ALL
SELECT 'warning', 'owner_inactive', format('member "%s" of router "%s"', m.name, m.router),
	format('It is inactive, and its open leads count %s.', c.load),
	format('SELECT * FROM leadroute.handover(%L); SET leadroute.router names the router.', m.name),
	NULL
FROM leadroute.member m
JOIN (SELECT mc.member, mc.load FROM leadroute.member_counter() mc WHERE leadroute.is_preloaded() OFFSET 0) c ON c.member = m.id
WHERE NOT m.active AND c.load > 0
UNION ALL
-- lint tells of it where a rule leaves leads to him
SELECT 'warning', 'lead_member_inactive', format('team "%s" of router "%s"', t.name, t.router),
	format('Its lead_member "%s" is inactive: nobody is there to decide for it.', t.lead_member),
	format('UPDATE leadroute.team SET lead_member = ... WHERE router = %L AND name = %L;', t.router, t.name),
	NULL
FROM leadroute.team t
JOIN leadroute.member m ON (m.router, m.name) = (t.router, t.lead_member)
WHERE NOT m.active
AND NOT EXISTS (SELECT FROM leadroute.rule r WHERE r.router = t.router AND r.team = t.name AND r.enabled AND r.method = 'manual')
UNION ALL
-- nothing is counted unless something was refused
SELECT 'error', 'memory_full', f.setting,
	format(CASE x.n WHEN 1 THEN '%2$s has no room for its counters in shared memory and receives no leads.'
		ELSE '%1$s have no room for their counters in shared memory and receive no leads, among them %2$s.' END,
		x.n || CASE f.setting WHEN 'leadroute.max_members' THEN ' active members' ELSE ' seats of members in teams' END, x.example),
	format('It is %s, all used. Set it to %s or more in postgresql.conf, and restart the server.', f.most, f.most + x.n),
	f.refused_since
FROM (SELECT o.* FROM leadroute.room() o WHERE leadroute.is_preloaded() OFFSET 0) f
CROSS JOIN LATERAL (
	SELECT count(*) AS n, min(m.who) AS example
	FROM (SELECT format('member "%s" of router "%s"', m.name, m.router) AS who
		FROM leadroute.member m
		WHERE f.refused_since IS NOT NULL AND f.setting = 'leadroute.max_members' AND m.active
		AND NOT EXISTS (SELECT FROM leadroute.member_counter() c WHERE c.member = m.id)
		UNION ALL
		SELECT format('member "%s" in team "%s" of router "%s"', m.name, t.name, t.router)
		FROM leadroute.team t
		JOIN leadroute.team_member tm ON (tm.router, tm.team) = (t.router, t.name)
		JOIN leadroute.member m ON (m.router, m.name) = (tm.router, tm.member)
		WHERE f.refused_since IS NOT NULL AND f.setting = 'leadroute.max_seats' AND m.active
		AND EXISTS (SELECT FROM leadroute.rule r WHERE r.router = t.router AND r.enabled
			AND (t.name IN (r.team, r.overflow_team) OR r.team_expr IS NOT NULL))
		AND NOT EXISTS (SELECT FROM leadroute.seat_counter() s WHERE (s.team, s.member) = (t.id, m.id))
		UNION ALL
		SELECT format('member "%s" among all of router "%s"', m.name, m.router)
		FROM leadroute.router ro
		JOIN leadroute.member m ON m.router = ro.name
		WHERE f.refused_since IS NOT NULL AND f.setting = 'leadroute.max_seats' AND m.active
		AND EXISTS (SELECT FROM leadroute.rule r WHERE r.router = ro.name AND r.enabled AND num_nonnulls(r.team, r.team_expr) = 0)
		AND NOT EXISTS (SELECT FROM leadroute.seat_counter() s WHERE (s.router, s.team, s.member) = (ro.id, 0, m.id))) m) x
WHERE x.n > 0
UNION ALL
SELECT 'warning', 'memory_full', f.setting,
	'The rotations of some teams have no room in shared memory: where not everybody can take every lead, they come further from exact shares, and big teams take longer.',
	format('It is %s, all used. Set it higher in postgresql.conf, and restart the server.', f.most),
	f.refused_since
FROM (SELECT o.* FROM leadroute.room() o WHERE leadroute.is_preloaded() OFFSET 0) f
WHERE f.setting = 'leadroute.max_teams' AND f.refused_since IS NOT NULL
UNION ALL
SELECT 'error', 'memory_full', f.setting,
	'Counters of some caps have no room in shared memory: what these caps concern, nobody gets.',
	format('It is %s, all used; those of deleted caps are free after a restart. Set it higher in postgresql.conf, and restart the server.', f.most),
	f.refused_since
FROM (SELECT o.* FROM leadroute.room() o WHERE leadroute.is_preloaded() OFFSET 0) f
WHERE f.setting = 'leadroute.max_caps' AND f.refused_since IS NOT NULL
UNION ALL
SELECT 'warning', 'cap_uncounted', format('cap "%s" of router "%s"', c.name, c.router),
	'Leads that came before it are not all counted: somebody had locked their table. It may let more leads through than it says.',
	'End who locks a lead table (see pg_locks); they are counted with one of the next leads.',
	NULL
FROM (SELECT o.id FROM leadroute.cap_uncounted() o (id) WHERE leadroute.is_preloaded() OFFSET 0) u
JOIN leadroute.cap c ON c.id = u.id
UNION ALL
SELECT 'warning', 'team_empty', format('rule "%s" of router "%s"', r.name, r.router),
	CASE WHEN r.team IS NULL THEN 'The router has no active member.'
		ELSE format('Team "%s" has no active member.', r.team) END,
	'Add members, or disable the rule.',
	NULL
FROM leadroute.rule r
WHERE r.enabled AND num_nonnulls(r.team_expr, r.member_expr) = 0
AND NOT EXISTS (SELECT FROM leadroute.member m
	WHERE m.router = r.router AND m.active
	AND (r.team IS NULL OR EXISTS (SELECT FROM leadroute.team_member tm
		WHERE tm.router = m.router AND tm.team = r.team AND tm.member = m.name)))
UNION ALL
SELECT 'warning', 'router_without_rules', format('router "%s"', ro.name),
	'It has no enabled rule: every lead is held.',
	format('INSERT INTO leadroute.rule (router, name) VALUES (%L, ''everyone'');', ro.name),
	NULL
FROM leadroute.router ro
WHERE ro.enabled
AND NOT EXISTS (SELECT FROM leadroute.rule r WHERE r.router = ro.name AND r.enabled)
UNION ALL
-- what has no arm here; a notice is no problem
SELECT l.severity, l.what,
	CASE WHEN l.rule IS NULL THEN format('router "%s"', ro.name) ELSE format('rule "%s" of router "%s"', l.rule, ro.name) END,
	l.detail, l.what_to_do, NULL
FROM leadroute.router ro
CROSS JOIN LATERAL leadroute.lint(ro.name) l
WHERE leadroute.is_preloaded() AND ro.enabled
AND l.severity <> 'notice' AND l.what NOT IN ('team_empty', 'condition_invalid', 'criterion_invalid')
UNION ALL
SELECT 'error', 'journal_trigger', format('trigger "%s" on %s', t.tgname, t.tgrelid::regclass),
	'It does not fire: leadroute writes this table directly.',
	'Drop it; leadroute.event is the feed of what happens.',
	NULL
FROM pg_trigger t
WHERE NOT t.tgisinternal AND t.tgname <> 'journal_written'
AND t.tgrelid IN ('leadroute.journal'::regclass, 'leadroute.event'::regclass,
	'leadroute.pool_entry'::regclass, 'leadroute.team_version'::regclass, 'leadroute.candidate_set'::regclass, 'leadroute.checkpoint'::regclass)
UNION ALL
SELECT 'error', 'journal_foreign_key', format('constraint "%s" of %s', c.conname, c.conrelid::regclass),
	'It is not checked: leadroute writes this table directly.',
	'Drop it.',
	NULL
FROM pg_constraint c
WHERE c.contype = 'f'
AND (c.conrelid IN ('leadroute.journal'::regclass, 'leadroute.event'::regclass,
		'leadroute.pool_entry'::regclass, 'leadroute.team_version'::regclass, 'leadroute.candidate_set'::regclass, 'leadroute.checkpoint'::regclass)
	OR c.confrelid IN ('leadroute.journal'::regclass, 'leadroute.event'::regclass,
		'leadroute.pool_entry'::regclass, 'leadroute.team_version'::regclass, 'leadroute.candidate_set'::regclass, 'leadroute.checkpoint'::regclass));
COMMENT ON VIEW leadroute.problem IS 'One row is something that is wrong now; none: nothing is known to be. Expressions are judged as they run, with the rights of their writers.';
COMMENT ON COLUMN leadroute.problem.severity IS 'error: leads are not decided as configured. warning: they may not be decided as meant.';
COMMENT ON COLUMN leadroute.problem.what IS 'Code: not_preloaded, writer_missing, condition_invalid, criterion_invalid, expression_invalid, relation_gone, column_gone, triggers_wrong, not_attached, later_trigger, rule_error, criterion_error, held_too_long, triage_too_long, waits_too_long, owner_inactive, lead_member_inactive, memory_full, cap_uncounted, team_empty, router_without_rules, target_invalid, contradiction, unreachable, covered, expired, percent_zero, no_catch_all, hours_never_meet, triage_unattended, test_when_invalid, timezone_unknown, nobody_qualifies, no_score, qualify_at_unreachable, qualify_at_always, criterion_never, criterion_useless, criterion_reads_score, score_missing, table_elsewhere, never_ready (see leadroute.lint), journal_trigger, journal_foreign_key.';
COMMENT ON COLUMN leadroute.problem.subject IS 'What it is about.';
COMMENT ON COLUMN leadroute.problem.detail IS 'What is wrong, in a sentence.';
COMMENT ON COLUMN leadroute.problem.what_to_do IS 'What helps; often a statement.';
COMMENT ON COLUMN leadroute.problem.since IS 'Since when. NULL: not known.';

-- Shares from the journal alone.  First the rows are counted by composition,
-- candidates and owner; only these counts are multiplied by members.
CREATE FUNCTION leadroute.fairness(since timestamptz DEFAULT now() - interval '30 days', until timestamptz DEFAULT now(), router text DEFAULT NULL)
RETURNS TABLE (router text, team text, member text, weight double precision, received bigint, exact_share double precision, deviation double precision)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH counted AS MATERIALIZED (
		SELECT j.router, j.team, j.team_version, j.candidates, j.accruing, j.candidate_set, j.member, count(*) AS n
		FROM leadroute.journal j
		WHERE j.turn AND j.assigned_at >= $1 AND j.assigned_at < $2
		AND ($3 IS NULL OR j.router = (SELECT ro.id FROM leadroute.router ro WHERE ro.name = $3))
		-- nor turns that were given back
		AND NOT EXISTS (SELECT FROM leadroute.event e WHERE e.assignment = j.id AND e.team_version IS NOT NULL)
		GROUP BY j.router, j.team, j.team_version, j.candidates, j.accruing, j.candidate_set, j.member),
	-- of a turn whose composition or set is not there nobody knows what was due to whom
	known AS (
		SELECT c.* FROM counted c
		WHERE (c.candidate_set IS NULL OR EXISTS (SELECT FROM leadroute.candidate_set s WHERE s.id = c.candidate_set))
		AND EXISTS (SELECT FROM leadroute.team_version v WHERE v.id = c.team_version)),
	expected AS (
		SELECT c.router, c.team, s.member, sum(c.n * s.share) AS share,
			(array_agg(s.weight ORDER BY c.team_version DESC))[1] AS weight
		FROM (SELECT c.router, c.team, c.team_version, coalesce(s.candidates, c.candidates) AS candidates,
				coalesce(s.accruing, c.accruing) AS accruing, sum(c.n)::double precision AS n
			FROM known c LEFT JOIN leadroute.candidate_set s ON s.id = c.candidate_set
			GROUP BY 1, 2, 3, 4, 5) c
		JOIN leadroute.team_version v ON v.id = c.team_version
		CROSS JOIN LATERAL (SELECT v.member[i] AS member, v.weight[i] AS weight,
				leadroute.share_of(c.candidates, i, v.weight, c.accruing) AS share
			FROM generate_series(1, cardinality(v.member)) i) s
		GROUP BY c.router, c.team, s.member),
	got AS (
		SELECT c.router, c.team, c.member, sum(c.n)::bigint AS n
		FROM known c GROUP BY 1, 2, 3)
	SELECT coalesce(ro.name, fro.name), coalesce(t.name, ft.name), coalesce(m.name, fm.name),
		e.weight, coalesce(g.n, 0), e.share, coalesce(g.n, 0) - e.share
	FROM expected e
	LEFT JOIN got g ON g.router = e.router AND g.team = e.team AND g.member = e.member
	LEFT JOIN leadroute.router ro ON ro.id = e.router
	LEFT JOIN leadroute.team t ON t.id = e.team
	LEFT JOIN leadroute.member m ON m.id = e.member
	LEFT JOIN leadroute.former_name fro ON fro.table_name = 'router' AND fro.id = e.router
	LEFT JOIN leadroute.former_name ft ON ft.table_name = 'team' AND ft.id = e.team
	LEFT JOIN leadroute.former_name fm ON fm.table_name = 'member' AND fm.id = e.member
	ORDER BY 1, 2 NULLS FIRST, 3;
END;
COMMENT ON FUNCTION leadroute.fairness(timestamptz, timestamptz, text) IS 'For each member of each team (NULL: every member of the router): weight in the last composition, leads received as turns of the rotation, the exact share that was due (the sum over these leads of weight by the weights of their candidates and of those accruing, see team.catch_up), and received minus share; from since until before until, of one router or (NULL) all. Leads given, adopted, moved by hand or decided under ignore_limits do not count, nor turns that were given back because the lead went to somebody else, nor those whose row of team_version or candidate_set is missing (leadroute.verify tells). An unknown router has no rows.';
CREATE VIEW leadroute.fairness AS
SELECT f.router, f.team, f.member, f.weight, f.received, f.exact_share, f.deviation
FROM leadroute.fairness(now() - interval '30 days', 'infinity') f;
COMMENT ON VIEW leadroute.fairness IS 'What leadroute.fairness() says of the last 30 days.';
COMMENT ON COLUMN leadroute.fairness.router IS 'Router.';
COMMENT ON COLUMN leadroute.fairness.team IS 'Team. NULL: every member of the router.';
COMMENT ON COLUMN leadroute.fairness.member IS 'Member.';
COMMENT ON COLUMN leadroute.fairness.weight IS 'Its weight in the last composition that decisions used.';
COMMENT ON COLUMN leadroute.fairness.received IS 'Leads received as turns of the rotation.';
COMMENT ON COLUMN leadroute.fairness.exact_share IS 'Leads that were due, exactly.';
COMMENT ON COLUMN leadroute.fairness.deviation IS 'received - exact_share.';

-- Attribution: whose was this lead when?  A row each time somebody has owned it.
CREATE FUNCTION leadroute.ownership(since timestamptz DEFAULT now() - interval '30 days', until timestamptz DEFAULT now(), router text DEFAULT NULL)
RETURNS TABLE (router text, routed_table text, lead_key text, member text, owned_since timestamptz, owned_until timestamptz, kind text, reason text, rule text, role_name text, actor text, hop smallint, assignment bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT a.router, a.routed_table, a.lead_key, a.member, a.assigned_at, a.ended_at, a.kind, a.reason, a.rule, a.role_name, a.actor, a.hop, a.id
	FROM leadroute.assignment a
	WHERE (a.member IS NOT NULL OR a.reason = 'unknown_member' AND a.kind IN ('given', 'manual'))
	AND NOT a.is_test AND a.assigned_at < $2 AND (a.ended_at IS NULL OR a.ended_at > $1)
	AND ($3 IS NULL OR a.router = $3)
	ORDER BY a.routed_table, a.lead_key, a.id;
END;
COMMENT ON FUNCTION leadroute.ownership(timestamptz, timestamptz, text) IS 'Who has owned which lead when, how it came to be and by whom, for attribution: one row each time somebody has owned it at any moment from since until before until, of one router or (NULL) all; member NULL: an owner that is no member. Test leads are left out. role_name and actor: who brought it about: inserted the lead, moved it, or had it routed. owned_until NULL: it lasts. Several rows of one lead follow each other without overlap. An unknown router has no rows.';
CREATE VIEW leadroute.ownership AS
SELECT o.router, o.routed_table, o.lead_key, o.member, o.owned_since, o.owned_until, o.kind, o.reason, o.rule, o.role_name, o.actor, o.hop, o.assignment
FROM leadroute.ownership(now() - interval '30 days', 'infinity') o;
COMMENT ON VIEW leadroute.ownership IS 'What leadroute.ownership() says of the last 30 days.';
COMMENT ON COLUMN leadroute.ownership.router IS 'Router.';
COMMENT ON COLUMN leadroute.ownership.routed_table IS 'Attached table of the lead.';
COMMENT ON COLUMN leadroute.ownership.lead_key IS 'Key of the lead as text, as it was when this ended, or is now.';
COMMENT ON COLUMN leadroute.ownership.member IS 'Who owned it. NULL: an owner that was no member.';
COMMENT ON COLUMN leadroute.ownership.owned_since IS 'From when on.';
COMMENT ON COLUMN leadroute.ownership.owned_until IS 'Until when: somebody else got it, it was released, or deleted. NULL: it lasts.';
COMMENT ON COLUMN leadroute.ownership.kind IS 'How he got it: assigned, given, adopted, reassigned, manual, duplicate.';
COMMENT ON COLUMN leadroute.ownership.reason IS 'Code of the reason, as in assignment. NULL: the method chose, or the owner was there already.';
COMMENT ON COLUMN leadroute.ownership.rule IS 'Rule that decided. NULL: none was concerned.';
COMMENT ON COLUMN leadroute.ownership.role_name IS 'Role that brought it about.';
COMMENT ON COLUMN leadroute.ownership.actor IS 'Who acted behind the role. NULL: not said.';
COMMENT ON COLUMN leadroute.ownership.hop IS 'Number of earlier owners of the lead.';
COMMENT ON COLUMN leadroute.ownership.assignment IS 'assignment.id';
