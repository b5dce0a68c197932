-- The journal and its companions: written by the library only, append-mostly.
--
-- The library writes these tables through the table access method, not
-- through SQL: triggers on them would not fire and foreign keys would not be
-- checked, so both are refused.  Every lead pays for one btree, the current
-- key; the rest is BRIN.

CREATE TABLE leadroute.journal (
	id				bigint NOT NULL,
	assigned_at		timestamptz NOT NULL,
	router			integer NOT NULL,
	routed_table	integer NOT NULL,
	rule			integer,
	rule_version	integer,
	team			integer,
	member			integer,
	load			integer NOT NULL,
	share			smallint NOT NULL,
	hop				smallint NOT NULL,
	kind			"char" NOT NULL,
	method			"char",
	turn			boolean NOT NULL,
	superseded		boolean NOT NULL,
	lead_key		text COLLATE "C" NOT NULL,
	role_name		text COLLATE "C" NOT NULL,
	team_version	bigint,
	measure			double precision,
	target_month	integer,
	candidates		bytea,
	accruing		bytea,
	passed_over		bigint[],
	passed_over_count integer,
	reason			text COLLATE "C",
	detail			text,
	actor			text,
	ended_at		timestamptz,
	closed_at		timestamptz,
	responded_at	timestamptz,
	converted_at	timestamptz,
	previous_id		bigint,
	caps			bigint[],
	score			double precision,
	accepted_at		timestamptz,
	captured_at		timestamptz,
	source			text,
	value			numeric,
	outcome			text,
	released		boolean,
	candidate_set	bigint,
	is_test			boolean
);
COMMENT ON TABLE leadroute.journal IS 'One row is a decision about a lead, in ids and codes; read it through the view leadroute.assignment. Appended by the library; only superseded, ended_at, closed_at, responded_at, converted_at, accepted_at, captured_at, source, value, outcome and (when a key changes) lead_key change later.';
COMMENT ON COLUMN leadroute.journal.id IS 'Number of the decision; rises in the order in which decisions were made.';
COMMENT ON COLUMN leadroute.journal.assigned_at IS 'When it was decided.';
COMMENT ON COLUMN leadroute.journal.router IS 'router.id';
COMMENT ON COLUMN leadroute.journal.routed_table IS 'routed_table.id';
COMMENT ON COLUMN leadroute.journal.rule IS 'rule.id. NULL: no rule was concerned.';
COMMENT ON COLUMN leadroute.journal.rule_version IS 'rule.version at the time.';
COMMENT ON COLUMN leadroute.journal.team IS 'team.id. 0: every member of the router. NULL: no team was concerned.';
COMMENT ON COLUMN leadroute.journal.member IS 'member.id of the owner. NULL: nobody, or an owner that is no member.';
COMMENT ON COLUMN leadroute.journal.load IS 'What it added to the member''s load.';
COMMENT ON COLUMN leadroute.journal.share IS '1: the lead has one owner.';
COMMENT ON COLUMN leadroute.journal.hop IS 'Number of earlier owners of the lead.';
COMMENT ON COLUMN leadroute.journal.kind IS 'Code of the kind, see leadroute.kind_name.';
COMMENT ON COLUMN leadroute.journal.method IS 'Code of the method, see leadroute.method_name. NULL: no method was used.';
COMMENT ON COLUMN leadroute.journal.turn IS 'true: it moved the credits of the team''s rotation.';
COMMENT ON COLUMN leadroute.journal.superseded IS 'true: a later row about the same lead is current, or the lead is gone.';
COMMENT ON COLUMN leadroute.journal.lead_key IS 'Key of the lead as text; of several columns in the form of a row: (17,4711).';
COMMENT ON COLUMN leadroute.journal.role_name IS 'Role that inserted or changed the lead.';
COMMENT ON COLUMN leadroute.journal.team_version IS 'team_version.id: who was in the team, with which weights. NULL: no method was used.';
COMMENT ON COLUMN leadroute.journal.measure IS 'What the method compared, for the chosen member: round_robin: its credit in leads before the decision; least_loaded: its load ratio; longest_idle: decisions since its last lead (NULL: never had one); random: the draw in [0, 1); by_target: what it had received in the month by its target (NULL: it has none); top_producer: its tier; waterfall: its place in the team, from 1; best_match: its rank (NULL: it has none).';
COMMENT ON COLUMN leadroute.journal.target_month IS 'Method by_target: the calendar month, in the router''s time zone, in which it counts as received: year * 12 + month - 1. NULL: any other method, or nobody got it.';
COMMENT ON COLUMN leadroute.journal.candidates IS 'Who could take it: bit i (least significant first) is the i-th member of team_version. NULL: see candidate_set, else all of them.';
COMMENT ON COLUMN leadroute.journal.accruing IS 'Who was not there and was owed a share of it (team.catch_up), as in candidates. NULL: see candidate_set, else nobody.';
COMMENT ON COLUMN leadroute.journal.passed_over IS 'Four numbers for each member that was due before the chosen one, read by leadroute.passed_entries; those beyond leadroute.passed_over_limit are counted there by reason. NULL: nobody.';
COMMENT ON COLUMN leadroute.journal.passed_over_count IS 'How many were passed over; more than passed_over holds when it exceeds leadroute.passed_over_limit. NULL: none.';
COMMENT ON COLUMN leadroute.journal.reason IS 'Code of the reason. NULL: the method chose.';
COMMENT ON COLUMN leadroute.journal.detail IS 'The reason in prose, and what went wrong in rules. NULL: nothing to add.';
COMMENT ON COLUMN leadroute.journal.actor IS 'Who acted behind the role (setting leadroute.actor). NULL: not said.';
COMMENT ON COLUMN leadroute.journal.ended_at IS 'When the assignment ended. NULL: it lasts.';
COMMENT ON COLUMN leadroute.journal.closed_at IS 'When the lead was closed. NULL: it is open.';
COMMENT ON COLUMN leadroute.journal.responded_at IS 'When its owner responded (routed_table.responded_when), under this row. NULL: not, or not under this row.';
COMMENT ON COLUMN leadroute.journal.converted_at IS 'When the lead became a customer (routed_table.converted_when), under this row. NULL: not, or not under this row.';
COMMENT ON COLUMN leadroute.journal.previous_id IS 'id of the row about the same lead that this one superseded, under whatever key the lead had then. NULL: it is the first.';
COMMENT ON COLUMN leadroute.journal.caps IS 'Caps under which it counted, each a number: cap.id * 2^32, plus 2^31 where each member has the cap for itself, plus the window: minutes from 2000-01-01 00:00 UTC to its beginning, 1 for a total. NULL: none.';
COMMENT ON COLUMN leadroute.journal.score IS 'Score of the lead by the router''s criteria when it was decided. NULL: nothing scores it, or it was not judged (its owner was given or set by hand).';
COMMENT ON COLUMN leadroute.journal.accepted_at IS 'When its owner accepted it (routed_table.accepted_when), under this row. NULL: not, or not under this row.';
COMMENT ON COLUMN leadroute.journal.captured_at IS 'When the lead was captured. NULL: when it was decided, if the row is its first; else not known.';
COMMENT ON COLUMN leadroute.journal.source IS 'Where the lead came from. NULL: not known.';
COMMENT ON COLUMN leadroute.journal.value IS 'What the lead is worth, by the table''s own SQL or leadroute.close. NULL: not known.';
COMMENT ON COLUMN leadroute.journal.outcome IS 'What it came to, in the words of leadroute.close. NULL: not said.';
COMMENT ON COLUMN leadroute.journal.released IS 'true: a quarantine of the lead was ended by hand (leadroute.release), so criteria of kind quarantine have no say about it. NULL: not.';
COMMENT ON COLUMN leadroute.journal.candidate_set IS 'candidate_set.id, which says who could take it, instead of candidates and accruing. NULL: these say it.';
COMMENT ON COLUMN leadroute.journal.is_test IS 'true: a test lead (router.test_when): the row moves nothing. NULL: not.';
-- The key first: what differs most is compared first.
CREATE UNIQUE INDEX journal_current ON leadroute.journal (lead_key leadroute.key_ops, routed_table, share) WHERE NOT superseded;
-- New leads do not pay for it: a row enters when it ends.
CREATE INDEX journal_past ON leadroute.journal (lead_key leadroute.key_ops, routed_table) WHERE superseded;
CREATE INDEX journal_order ON leadroute.journal USING brin (id, assigned_at) WITH (pages_per_range = 64);

CREATE TABLE leadroute.event (
	id				bigint NOT NULL,
	at				timestamptz NOT NULL,
	kind			text COLLATE "C" NOT NULL,
	router			integer NOT NULL,
	routed_table	integer,
	assignment		bigint,
	member			integer,
	load			integer NOT NULL,
	lead_key		text COLLATE "C",
	role_name		text COLLATE "C" NOT NULL,
	actor			text,
	payload			jsonb,
	team			integer,
	team_version	bigint,
	candidates		bytea,
	accruing		bytea,
	caps			bigint[],
	target_month	integer,
	candidate_set	bigint
);
COMMENT ON TABLE leadroute.event IS 'One row is something that happened to a lead after its decision, or to a rule. Appended by the library.';
COMMENT ON COLUMN leadroute.event.id IS 'Number, from the same counter as the journal''s.';
COMMENT ON COLUMN leadroute.event.at IS 'When.';
COMMENT ON COLUMN leadroute.event.kind IS 'closed, reopened, load_changed, released (the owner lost it), deleted, rekeyed, rule_error, criterion_error, route_failed (route_all could not update the lead), offboarded (of a member, not of a lead: the leads of a member who is inactive were handed over; payload: to_member, reason).';
COMMENT ON COLUMN leadroute.event.router IS 'router.id';
COMMENT ON COLUMN leadroute.event.routed_table IS 'routed_table.id. NULL: none concerned.';
COMMENT ON COLUMN leadroute.event.assignment IS 'journal.id concerned. NULL: none.';
COMMENT ON COLUMN leadroute.event.member IS 'member.id concerned. NULL: none.';
COMMENT ON COLUMN leadroute.event.load IS 'What it added to the member''s load; negative: given back.';
COMMENT ON COLUMN leadroute.event.lead_key IS 'Key of the lead as text. NULL: none concerned.';
COMMENT ON COLUMN leadroute.event.role_name IS 'Role that did it.';
COMMENT ON COLUMN leadroute.event.actor IS 'Who acted behind the role. NULL: not said.';
COMMENT ON COLUMN leadroute.event.payload IS 'Whatever else belongs to the kind: rekeyed: {"key": new key}; closed (by leadroute.close): {"outcome": its word}; rule_error: {"rule": id, "error": message}; criterion_error: {"criterion": name, "error": message}; route_failed: {"error": message}.';
COMMENT ON COLUMN leadroute.event.team IS 'team.id of the rotation in which the assignment''s turn was given back to the member: all shares of the lead are as though it had not been distributed; or in whose target it counts no more. 0: every member. NULL: neither.';
COMMENT ON COLUMN leadroute.event.team_version IS 'The assignment''s team_version, where a turn was given back.';
COMMENT ON COLUMN leadroute.event.candidates IS 'The assignment''s candidates, where a turn was given back. NULL: see candidate_set, else all of team_version.';
COMMENT ON COLUMN leadroute.event.accruing IS 'The assignment''s accruing, where a turn was given back. NULL: see candidate_set, else nobody.';
COMMENT ON COLUMN leadroute.event.target_month IS 'The assignment''s target_month, where it counts in the target of its owner no more: given back to the month that it was counted in. NULL: it was not counted, or still is.';
COMMENT ON COLUMN leadroute.event.caps IS 'Caps under which the lead counts no more, as in journal.caps. NULL: none.';
COMMENT ON COLUMN leadroute.event.candidate_set IS 'The assignment''s candidate_set, where a turn was given back.';
CREATE INDEX event_order ON leadroute.event USING brin (id, at) WITH (pages_per_range = 64);
-- New leads write no events: these cost only what happens later.
CREATE INDEX event_assignment ON leadroute.event (assignment);
CREATE INDEX event_lead ON leadroute.event (lead_key, routed_table);

CREATE TABLE leadroute.pool_entry (
	routed_table	integer NOT NULL,
	lead_key		text COLLATE "C" NOT NULL,
	router			integer NOT NULL,
	rule			integer,
	team			integer,
	state			text NOT NULL DEFAULT 'held',
	assignment		bigint NOT NULL,
	entered_at		timestamptz NOT NULL,
	line			bigint,
	way				bigint,
	available_from	timestamptz,
	PRIMARY KEY (routed_table, lead_key)
);
COMMENT ON TABLE leadroute.pool_entry IS 'One row is a lead that waits. Held leads wait for somebody to become eligible, and the worker decides them again. Those in triage wait for somebody to assign them; others wait to be ready (routed_table.ready_when).';
COMMENT ON COLUMN leadroute.pool_entry.routed_table IS 'routed_table.id';
COMMENT ON COLUMN leadroute.pool_entry.lead_key IS 'Key of the lead as text.';
COMMENT ON COLUMN leadroute.pool_entry.router IS 'router.id';
COMMENT ON COLUMN leadroute.pool_entry.rule IS 'rule.id of the first rule that would have had it, or that put it on the triage list. NULL: no rule matched.';
COMMENT ON COLUMN leadroute.pool_entry.team IS 'team.id of that rule. 0: every member. NULL: no rule matched.';
COMMENT ON COLUMN leadroute.pool_entry.state IS 'held; waiting: to be ready; triage: on the triage list of the team (0: of none).';
COMMENT ON COLUMN leadroute.pool_entry.assignment IS 'journal.id of the decision that it waits; the order of arrival.';
COMMENT ON COLUMN leadroute.pool_entry.entered_at IS 'When it entered this state.';
COMMENT ON COLUMN leadroute.pool_entry.line IS 'Leads with the same one wait for the same, in the order of assignment: rule.id * 2^32 + team.id (of a rule that names a member: + 2^31 + member.id). NULL: no rule has members for it, or it is in triage.';
COMMENT ON COLUMN leadroute.pool_entry.way IS 'Hash of all rules and teams that it was offered to, and of the members whom it fits: when nobody could take one of those with the same way just now, nobody can take the others. NULL: it says more than that who can.';
COMMENT ON COLUMN leadroute.pool_entry.available_from IS 'When the worker looks at a lead that waits to be ready: it decides it then, if it has waited for routed_table.ready_within. infinity: it waits without end. NULL: it is held.';
-- The library adds rows to it that have a value there.
CREATE INDEX pool_entry_waiting ON leadroute.pool_entry (available_from) WHERE available_from IS NOT NULL;
CREATE INDEX pool_entry_line ON leadroute.pool_entry (line, assignment);

CREATE TABLE leadroute.team_version (
	id		bigint NOT NULL,
	router	integer NOT NULL,
	team	integer NOT NULL,
	hash	bigint NOT NULL,
	member	integer[] NOT NULL,
	weight	double precision[] NOT NULL
);
COMMENT ON TABLE leadroute.team_version IS 'One row is a composition of a team that decisions have used. Appended by the library.';
COMMENT ON COLUMN leadroute.team_version.id IS 'Number, from the same counter as the journal''s.';
COMMENT ON COLUMN leadroute.team_version.router IS 'router.id';
COMMENT ON COLUMN leadroute.team_version.team IS 'team.id. 0: every member of the router.';
COMMENT ON COLUMN leadroute.team_version.hash IS 'Hash of member and weight, to find it again.';
COMMENT ON COLUMN leadroute.team_version.member IS 'member.id, in the published order of the team.';
COMMENT ON COLUMN leadroute.team_version.weight IS 'Weight of each.';
CREATE INDEX team_version_find ON leadroute.team_version (router, team, hash);
CREATE INDEX team_version_id ON leadroute.team_version (id);

CREATE TABLE leadroute.candidate_set (
	id				bigint NOT NULL,
	team_version	bigint NOT NULL,
	hash			bigint NOT NULL,
	size			integer NOT NULL,
	candidates		bytea NOT NULL,
	accruing		bytea
);
COMMENT ON TABLE leadroute.candidate_set IS 'One row is who of a team could take a lead, of a set that came often enough (leadroute.candidate_set_after). The same set may have several rows. Appended by the library.';
COMMENT ON COLUMN leadroute.candidate_set.id IS 'Number, from the same counter as the journal''s.';
COMMENT ON COLUMN leadroute.candidate_set.team_version IS 'team_version.id: the team that it is of.';
COMMENT ON COLUMN leadroute.candidate_set.hash IS 'Hash of candidates and accruing, to find it again.';
COMMENT ON COLUMN leadroute.candidate_set.size IS 'How many could take it.';
COMMENT ON COLUMN leadroute.candidate_set.candidates IS 'Who could take it: bit i (least significant first) is the i-th member of team_version; zero bytes at the end are left out.';
COMMENT ON COLUMN leadroute.candidate_set.accruing IS 'Who was not there and was owed a share (team.catch_up), as in candidates. NULL: nobody.';
CREATE INDEX candidate_set_find ON leadroute.candidate_set (team_version, hash);
CREATE INDEX candidate_set_id ON leadroute.candidate_set (id);

CREATE TABLE leadroute.checkpoint (
	cut			bigint NOT NULL PRIMARY KEY,
	taken_at	timestamptz NOT NULL DEFAULT clock_timestamp(),
	member		integer[] NOT NULL,
	load		bigint[] NOT NULL,
	last_turn	bigint[] NOT NULL,
	seat_router	integer[] NOT NULL,
	seat_team	integer[] NOT NULL,
	seat_member	integer[] NOT NULL,
	seat_credit	bigint[] NOT NULL,
	seat_month	integer[] NOT NULL,
	seat_received			integer[] NOT NULL,
	seat_received_before	integer[] NOT NULL,
	cap			bigint[] NOT NULL,
	cap_member	integer[] NOT NULL,
	cap_used	bigint[] NOT NULL,
	cap_earlier	bigint[] NOT NULL,
	cap_until	bigint[] NOT NULL,
	late_from	bigint NOT NULL
);
COMMENT ON TABLE leadroute.checkpoint IS 'One row is the state of all counters after every decision and event with id <= cut. Written by the worker; spares a restart the reading of the whole journal. Not dumped.';
COMMENT ON COLUMN leadroute.checkpoint.cut IS 'Every decision and event up to this id is contained.';
COMMENT ON COLUMN leadroute.checkpoint.taken_at IS 'When it was written.';
COMMENT ON COLUMN leadroute.checkpoint.member IS 'member.id of each load and last_turn.';
COMMENT ON COLUMN leadroute.checkpoint.load IS 'Open load of each member.';
COMMENT ON COLUMN leadroute.checkpoint.last_turn IS 'journal.id of the last lead each member received by a method; 0: none.';
COMMENT ON COLUMN leadroute.checkpoint.seat_router IS 'router.id of each seat in a rotation.';
COMMENT ON COLUMN leadroute.checkpoint.seat_team IS 'team.id of each seat; 0: every member of the router.';
COMMENT ON COLUMN leadroute.checkpoint.seat_member IS 'member.id of each seat.';
COMMENT ON COLUMN leadroute.checkpoint.seat_credit IS 'Credit of each seat, in 2^-40 leads.';
COMMENT ON COLUMN leadroute.checkpoint.seat_month IS 'Latest journal.target_month of each seat; 0: it has received nothing by_target.';
COMMENT ON COLUMN leadroute.checkpoint.seat_received IS 'Leads received by_target in that month.';
COMMENT ON COLUMN leadroute.checkpoint.seat_received_before IS 'Leads received by_target in the month before.';
COMMENT ON COLUMN leadroute.checkpoint.cap IS 'Cap and window of each count, as in journal.caps; of a counter the two last ones.';
COMMENT ON COLUMN leadroute.checkpoint.cap_member IS 'member.id of each; 0: not of one member.';
COMMENT ON COLUMN leadroute.checkpoint.cap_used IS 'Leads counted.';
COMMENT ON COLUMN leadroute.checkpoint.cap_earlier IS 'Leads of the window that came before the cap; -1: not known.';
COMMENT ON COLUMN leadroute.checkpoint.cap_until IS 'End of the window, microseconds since 2000; 0: not known.';
COMMENT ON COLUMN leadroute.checkpoint.late_from IS 'First journal.id that the worker had yet to look at, since members had come or gone while leads were being stored; 0: none.';

CREATE TABLE leadroute.sticky_lead (
	id				bigint NOT NULL,
	at				timestamptz NOT NULL,
	key				uuid NOT NULL,
	router			integer NOT NULL,
	routed_table	integer NOT NULL,
	member			integer,
	lead_key		text COLLATE "C" NOT NULL
);
COMMENT ON TABLE leadroute.sticky_lead IS 'One row is a lead under one of its keys (router.sticky_key), by which later leads of the same person find its owner. Appended by the library, for routers with sticky_key only.';
COMMENT ON COLUMN leadroute.sticky_lead.id IS 'journal.id of the decision.';
COMMENT ON COLUMN leadroute.sticky_lead.at IS 'When it was decided; windows begin here.';
COMMENT ON COLUMN leadroute.sticky_lead.key IS 'First 16 bytes of the SHA-256 of the key, in the database''s encoding: encode(substr(sha256(convert_to(key, ''UTF8'')), 1, 16), ''hex'')::uuid.';
COMMENT ON COLUMN leadroute.sticky_lead.router IS 'router.id';
COMMENT ON COLUMN leadroute.sticky_lead.routed_table IS 'routed_table.id';
COMMENT ON COLUMN leadroute.sticky_lead.member IS 'member.id of the owner that was decided; followed while the transaction is open, later it is the present owner. NULL: nobody.';
COMMENT ON COLUMN leadroute.sticky_lead.lead_key IS 'Key of the lead as text.';
CREATE INDEX sticky_lead_find ON leadroute.sticky_lead (key, router, id DESC);

CREATE TABLE leadroute.measured (
	router			integer NOT NULL,
	team			integer,
	member			integer NOT NULL,
	leads			bigint NOT NULL,
	responded		bigint NOT NULL,
	converted		bigint NOT NULL,
	response_rate	double precision,
	conversion_rate	double precision,
	tier			integer,
	measured_at		timestamptz NOT NULL,
	CONSTRAINT measured_key UNIQUE NULLS NOT DISTINCT (router, team, member)
);
COMMENT ON TABLE leadroute.measured IS 'One row is what a member has made of its leads, of one team or of all; read it through the view leadroute.performance. Written by the worker and by leadroute.measure. Not dumped.';
COMMENT ON COLUMN leadroute.measured.router IS 'router.id';
COMMENT ON COLUMN leadroute.measured.team IS 'team.id. 0: every member of the router. NULL: all leads of the member, those given and moved by hand too.';
COMMENT ON COLUMN leadroute.measured.member IS 'member.id';
COMMENT ON COLUMN leadroute.measured.leads IS 'Assignments in the window (leadroute.measured_window, up to leadroute.measured_delay ago): by rule, given, by hand.';
COMMENT ON COLUMN leadroute.measured.responded IS 'Of these, responded under the assignment.';
COMMENT ON COLUMN leadroute.measured.converted IS 'Of these, converted under the assignment.';
COMMENT ON COLUMN leadroute.measured.response_rate IS 'Estimate of its response rate, shrunk towards the mean of the team, or of the router. NULL: nobody there has leads in the window.';
COMMENT ON COLUMN leadroute.measured.conversion_rate IS 'The same of its conversion rate.';
COMMENT ON COLUMN leadroute.measured.tier IS 'For method top_producer: 1: its conversion rate is above the team''s mean with a probability of 95 %; 3: below it; 2: neither, or less than 20 leads. NULL where team is.';
COMMENT ON COLUMN leadroute.measured.measured_at IS 'When.';

-- Not dumped: a restored or copied extension is another incarnation.
CREATE TABLE leadroute.incarnation (
	only_row	boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
	id			bigint NOT NULL
);
COMMENT ON TABLE leadroute.incarnation IS 'A random number made by CREATE EXTENSION, so that shared memory never mistakes one installation for another.';
COMMENT ON COLUMN leadroute.incarnation.only_row IS 'There is one row.';
COMMENT ON COLUMN leadroute.incarnation.id IS 'The number.';
INSERT INTO leadroute.incarnation (id)
	SELECT ('x' || substr(replace(gen_random_uuid()::text, '-', ''), 17))::bit(64)::bigint;

-- The library's own writing fires no triggers: these see a restore.
CREATE FUNCTION leadroute.journal_written() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'lr_journal_written';
COMMENT ON FUNCTION leadroute.journal_written() IS 'Trigger: SQL has written the journal (a restore); the counters are loaded again from all of it when the transaction has committed, and held leads wait until leads are routed again or leadroute.rebuild is called.';
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['journal', 'event', 'team_version', 'candidate_set', 'pool_entry']
	LOOP
		EXECUTE format('CREATE TRIGGER journal_written AFTER INSERT%s ON leadroute.%I
			FOR EACH STATEMENT EXECUTE FUNCTION leadroute.journal_written()',
			CASE WHEN t <> 'pool_entry' THEN ' OR UPDATE OR DELETE OR TRUNCATE' END, t);
		EXECUTE format('ALTER TABLE leadroute.%I ENABLE ALWAYS TRIGGER journal_written', t);
	END LOOP;
END
$$;

SELECT pg_extension_config_dump('leadroute.journal', '');
SELECT pg_extension_config_dump('leadroute.event', '');
SELECT pg_extension_config_dump('leadroute.pool_entry', '');
SELECT pg_extension_config_dump('leadroute.team_version', '');
SELECT pg_extension_config_dump('leadroute.candidate_set', '');
SELECT pg_extension_config_dump('leadroute.sticky_lead', '');
