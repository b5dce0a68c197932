-- Functions of the library, public ones first.

CREATE FUNCTION leadroute.version(OUT library text, OUT sql text) RETURNS record
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'lr_version';
COMMENT ON FUNCTION leadroute.version() IS 'Version of the loaded library and of the SQL objects.';

CREATE FUNCTION leadroute.route(lead_table text, key text) RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_route';
COMMENT ON FUNCTION leadroute.route(text, text) IS 'Decides a lead without owner that is in the table already. Returns the owner''s name; NULL: it has no owner (held, nobody, or not routed). A lead that has an owner keeps it. Error: unknown table or key; row-level security hides the lead from the caller, who is no manager.';
CREATE FUNCTION leadroute.route(lead_table text, key anyelement) RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_route';
COMMENT ON FUNCTION leadroute.route(text, anyelement) IS 'The same with a key of any type; ROW(17, 4711) for a key of several columns.';

CREATE FUNCTION leadroute.release(lead_table text, key text, reason text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_release';
COMMENT ON FUNCTION leadroute.release(text, text, text) IS 'Ends the quarantine of a lead by hand: it is decided anew, and criteria of kind quarantine have no say about it any more, also when it changes or waits. reason stands in the journal''s detail. Returns the owner''s name; NULL: it has none (nurture, disqualified, held, or lead_table or key is NULL). Error: unknown table or key; row-level security hides the lead from the caller, who is no manager; the lead is not quarantined.';
CREATE FUNCTION leadroute.release(lead_table text, key anyelement, reason text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_release';
COMMENT ON FUNCTION leadroute.release(text, anyelement, text) IS 'The same with a key of any type.';

CREATE FUNCTION leadroute.assign(lead_table text, key text, member text, reason text DEFAULT NULL, ignore_limits boolean DEFAULT false) RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_assign';
COMMENT ON FUNCTION leadroute.assign(text, text, text, text, boolean) IS 'Gives a lead to a member by hand, through the same journal (kind manual); moves the load, not the shares. Returns the member''s name. May be called by who manages members, and by roles that may UPDATE the owner column (not under row-level security); by the lead_member of a team for leads on its triage list, to members of the team, within their limits. Error: unknown table, key or member; the caller may not, or not beyond limits; the member is inactive, or (without ignore_limits) at its capacity or a cap.';
CREATE FUNCTION leadroute.assign(lead_table text, key anyelement, member text, reason text DEFAULT NULL, ignore_limits boolean DEFAULT false) RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_assign';
COMMENT ON FUNCTION leadroute.assign(text, anyelement, text, text, boolean) IS 'The same with a key of any type.';

CREATE FUNCTION leadroute.lead_data(lead_table text, key text) RETURNS jsonb
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'lr_lead_data';
COMMENT ON FUNCTION leadroute.lead_data(text, text) IS 'A lead as an object of those columns that the caller may SELECT, row security included. NULL: there is no such lead for him, he may not read its key, or an argument is NULL. Error: unknown table.';

CREATE FUNCTION leadroute.triage_candidates(lead_table text, key text, OUT member text, OUT available boolean, OUT not_available_because text, OUT until timestamptz, OUT detail text, OUT load bigint, OUT capacity integer) RETURNS SETOF record
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'lr_triage_candidates';
COMMENT ON FUNCTION leadroute.triage_candidates(text, text) IS 'Who of the team could take a lead that is on its triage list, as a method would see it: those that can first, by open leads to capacity or weight. not_available_because: word of the reason (leadroute.passed_name), until when it lasts (infinity: not known; NULL: not told), detail the same in prose; NULL: available. load: what is open. capacity NULL: no limit. No row: the lead is on no list, or on one that is not the caller''s: it is told to the lead_member of the team and to roles that may read leadroute.pool_entry. Error: unknown table.';

CREATE FUNCTION leadroute.respond(lead_table text, key text) RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_respond_sql';
COMMENT ON FUNCTION leadroute.respond(text, text) IS 'Notes that the owner of a lead has responded, under its present assignment, for tables without responded_when. Returns whether that is news. The owner may call it, whose role_name is the current role, and roles that may UPDATE the lead, as its table''s rights and row-level security say. Error: unknown table or key; responded_when is set; the lead has no owner.';
CREATE FUNCTION leadroute.respond(lead_table text, key anyelement) RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_respond_sql';
COMMENT ON FUNCTION leadroute.respond(text, anyelement) IS 'The same with a key of any type.';

CREATE FUNCTION leadroute.close(lead_table text, key text, outcome text DEFAULT NULL, value numeric DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_close_sql';
COMMENT ON FUNCTION leadroute.close(text, text, text, numeric) IS 'Closes a lead, for tables without closed_when: it counts in nobody''s load any more. outcome: what it came to, in the caller''s words; won or converted: it has become a customer (unless converted_when says that), any other: it has not. value: what it was worth. Of a lead that is closed already outcome and value are changed, where they are given; so too where closed_when has closed it. Returns whether anything is news. Who may: as respond. Error: unknown table or key; closed_when is set and not true; value is given and the table has SQL for it.';
CREATE FUNCTION leadroute.close(lead_table text, key anyelement, outcome text DEFAULT NULL, value numeric DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_close_sql';
COMMENT ON FUNCTION leadroute.close(text, anyelement, text, numeric) IS 'The same with a key of any type.';

CREATE FUNCTION leadroute.reopen(lead_table text, key text) RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_reopen_sql';
COMMENT ON FUNCTION leadroute.reopen(text, text) IS 'The lead is not closed after all: it counts in its owner''s load again, even beyond his capacity; what close has said of it is forgotten. Returns whether it was closed. Who may, and errors: as close.';
CREATE FUNCTION leadroute.reopen(lead_table text, key anyelement) RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_reopen_sql';
COMMENT ON FUNCTION leadroute.reopen(text, anyelement) IS 'The same with a key of any type.';

CREATE FUNCTION leadroute.handover(from_member text, to_member text DEFAULT NULL, only_open boolean DEFAULT true, ignore_limits boolean DEFAULT false, reason text DEFAULT NULL, OUT moved bigint, OUT without_owner bigint) RETURNS record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_handover';
COMMENT ON FUNCTION leadroute.handover(text, text, boolean, boolean, text) IS 'Moves the leads of a member of the default router, of all attached tables, all or none: to another member (kind manual, reason handover), or (to_member NULL) to whom the rules say, never back to the member (kind reassigned). only_open false: closed ones, too. reason: goes into the detail. moved: how many have another owner; without_owner: how many nobody could take by the rules: they wait as new ones would. Error: unknown member, to_member is inactive or (without ignore_limits) at its capacity or a cap.';

CREATE FUNCTION leadroute.forget(lead_table text, key text) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_forget';
COMMENT ON FUNCTION leadroute.forget(text, text) IS 'Erases a person from the journal and its companions: the details of all decisions about the lead, under whatever key it had, what its events tell, the keys by which the person is known again; and once the lead is deleted its key, for which forgotten-<number> stands then (as long as it is in its table the key stays, and a NOTICE says so). Who had it when, times, source, value and outcome stay: counts are the same. Not touched: the lead table itself, leadroute.suppression, what details of other leads say. Returns the number of rows erased or removed; 0: nothing is known of it. Reads all of leadroute.sticky_lead. Error: unknown table, or no key of it.';
CREATE FUNCTION leadroute.forget(lead_table text, key anyelement) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_forget';
COMMENT ON FUNCTION leadroute.forget(text, anyelement) IS 'The same with a key of any type.';

CREATE FUNCTION leadroute.explain(lead_table text, key text, format text DEFAULT 'text', rules integer DEFAULT 20, rule text DEFAULT NULL, members integer DEFAULT 20, timings boolean DEFAULT false) RETURNS SETOF text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_explain';
COMMENT ON FUNCTION leadroute.explain(text, text, text, integer, text, integer, boolean) IS 'What would be decided now for a lead of the table, without any effect: what becomes of each rule and of each member, and why. Of a condition that is not true: the parts (joined by AND) that are false, null or raise, with the lead''s values. format: text (one row a line) or json (one row). rules: how many are listed, those tried first; the others are counted by what became of them. rule: this rule alone, with all parts of its condition. members: how many of a team are listed. timings: microseconds for finding rules, evaluating conditions and choosing a member; the first call of a session compiles. NULL for any argument but rule: no row. The caller must be able to SELECT the lead''s key, row security included; values are shown of columns that he may SELECT. Error: unknown table, key, rule or format; the lead belongs to no router; rules or members is negative.';
CREATE FUNCTION leadroute.explain(lead_table text, key anyelement, format text DEFAULT 'text', rules integer DEFAULT 20, rule text DEFAULT NULL, members integer DEFAULT 20, timings boolean DEFAULT false) RETURNS SETOF text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_explain';
COMMENT ON FUNCTION leadroute.explain(text, anyelement, text, integer, text, integer, boolean) IS 'The same with a key of any type.';

CREATE FUNCTION leadroute.explain_lead(lead_table text, lead jsonb, format text DEFAULT 'text', rules integer DEFAULT 20, rule text DEFAULT NULL, members integer DEFAULT 20, timings boolean DEFAULT false) RETURNS SETOF text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_explain_lead';
COMMENT ON FUNCTION leadroute.explain_lead(text, jsonb, text, integer, text, integer, boolean) IS 'The same for a lead that does not exist yet: lead is an object of column names and values, as an INSERT would have them. Columns that are not in it have their default, or NULL where that is volatile (the output names them); generated columns are computed, a value given for one is ignored. Triggers and constraints of the table have no say. A lead without its key falls into no percent. Error: as explain; a key that is no column; a value that does not fit its column.';

CREATE FUNCTION leadroute.check_condition(lead_table text, condition text) RETURNS text
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_check_condition';
COMMENT ON FUNCTION leadroute.check_condition(text, text) IS 'NULL when the condition is valid for the table, else the error, without raising it. Error: unknown table.';

CREATE FUNCTION leadroute.condition_error(router text, rule text, lead_table text) RETURNS text
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lr_condition_error';
COMMENT ON FUNCTION leadroute.condition_error(text, text, text) IS 'The error of a rule''s condition over an attached table, judged with the rights and the search_path of its writer, whoever asks. NULL: it is valid; or there is no condition, no such rule or table, or its writer does not exist.';

CREATE FUNCTION leadroute.criterion_error(router text, criterion text, lead_table text) RETURNS text
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lr_criterion_error';
COMMENT ON FUNCTION leadroute.criterion_error(text, text, text) IS 'The same for a criterion: the error of its condition, else of its points.';

CREATE FUNCTION leadroute.expression_error(lead_table text, column_name text) RETURNS text
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lr_expression_error';
COMMENT ON FUNCTION leadroute.expression_error(text, text) IS 'The same for an expression of an attached table: router_expr, closed_when, responded_when, converted_when, accepted_when, captured_at, source, value, load or ready_when. Error: any other column_name.';

CREATE FUNCTION leadroute.sticky_key_error(router text, lead_table text) RETURNS text
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lr_sticky_key_error';
COMMENT ON FUNCTION leadroute.sticky_key_error(text, text) IS 'The same for a router''s sticky_key over an attached table: the error of the first expression that has one.';

CREATE FUNCTION leadroute.normalize_email(email text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_normalize_email';
COMMENT ON FUNCTION leadroute.normalize_email(text) IS 'An e-mail address in one form, for sticky_key: without blanks around it, without the name of Name <address>, letters A to Z in lower case, without a part from + on before the @, and without a dot at the end. Dots before the @ stay. NULL: it is no address: no or several @, nothing before or after it, blanks, quotes, commas or semicolons in it.';

CREATE FUNCTION leadroute.normalize_phone(phone text, country text DEFAULT NULL) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_normalize_phone';
COMMENT ON FUNCTION leadroute.normalize_phone(text, text) IS 'A phone number in one form, for sticky_key: + and digits (E.164) when it begins with + or 00 (with country 1: 011), or country is known: an ISO code of two letters or a calling code; the 0 (1, 8, 06) that is dialled before a national number goes. Without country a national number keeps its digits, and is another one than the same with +. Blanks, hyphens, dots, slashes, parentheses and what follows ext, x, #, a comma or a semicolon do not count, nor does (0) within a number. NULL: it is no number: other characters, fewer than 5 or more than 15 digits, one digit over and over. An unknown country counts as none.';

-- For criteria that quarantine what cannot be used.
CREATE FUNCTION leadroute.is_email(email text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_is_email';
COMMENT ON FUNCTION leadroute.is_email(text) IS 'Whether it has the form of an e-mail address: RFC 5321 and 5322 without comments, quoted strings and address literals; words with single dots, one @, a domain of two labels or more whose last one is no number; at most 64 octets before the @ and 254 in all; letters beyond ASCII as RFC 6531 allows. Blanks around it count. Whether the mailbox exists is not asked. NULL: email is.';
CREATE FUNCTION leadroute.is_phone(phone text, country text DEFAULT NULL) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN phone IS NOT NULL THEN coalesce(leadroute.normalize_phone(phone, country) ~ '^\+[1-9][0-9]{6,14}$', false) END;
COMMENT ON FUNCTION leadroute.is_phone(text, text) IS 'Whether it can be dialled from anywhere: leadroute.normalize_phone makes + and 7 to 15 digits of it (E.164), from an international number, or a national one whose country is given. Whether the number exists is not asked. NULL: phone is.';
CREATE FUNCTION leadroute.is_country(country text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_is_country';
COMMENT ON FUNCTION leadroute.is_country(text) IS 'Whether it is a code of ISO 3166-1, alpha-2 or alpha-3, in upper or lower case. NULL: country is.';
CREATE FUNCTION leadroute.is_postal(country text, postal text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_is_postal';
COMMENT ON FUNCTION leadroute.is_postal(text, text) IS 'Whether it has the form of a postal code of the country (a code as for is_country): 12345 or 12345-6789 in US, SW1A 1AA in GB. Letters in upper or lower case; the blank or hyphen in it may be left out. Whether the code is in use is not asked. NULL: the forms of that country are not known here (there are 58), it is no country, or an argument is NULL.';

CREATE FUNCTION leadroute.territory(map text, country text, region text, postal text) RETURNS text
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'lr_territory';
COMMENT ON FUNCTION leadroute.territory(text, text, text, text) IS 'Name of the team that has the most specific area of leadroute.territory with this place: of the router that decides, outside of a decision of the default one. region and postal may be NULL: not known. NULL: no area contains it, or map or country is NULL. For team_expr and conditions.';

CREATE FUNCTION leadroute.score() RETURNS double precision
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'lr_score';
COMMENT ON FUNCTION leadroute.score() IS 'Score of the lead that is being decided, by the criteria of its router: for expressions of rules, where no score_column is mapped. NULL: nothing scores it, or no lead is being decided.';

CREATE FUNCTION leadroute.lint(router text DEFAULT NULL, OUT severity text, OUT rule text, OUT what text, OUT detail text, OUT what_to_do text) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_lint';
COMMENT ON FUNCTION leadroute.lint(text) IS 'What is odd about the enabled rules of a router (NULL: the default one), its criteria, thresholds, sticky keys and working hours, and what its leads wait for, a row each; what can be proved only: no row is no promise that a rule is reached. rule is NULL for what is not about rules. error: condition_invalid, target_invalid (of team_expr, member_expr, member_condition or member_rank), timezone_unknown (this server does not know it), sticky_key_invalid, test_when_invalid, criterion_invalid. warning: contradiction (can never be true), unreachable (never gets a lead, for earlier rules take them all), covered (earlier, wider rules leave it only what nobody there can take), expired, percent_zero, team_empty, score_missing (reads leadroute.score(), and no lead has a score), table_elsewhere (it is for a lead table of another router), no_catch_all, hours_never_meet (members whose hours and those of a team do not meet), triage_unattended (method manual, and nobody decides: no lead_member, or one who is inactive or has no role_name), sticky_key_unused (no lead has one), nobody_qualifies (all leads of a table are disqualified or quarantined), no_score (qualify_at, and no criterion gives points), qualify_at_unreachable, qualify_at_always (every score reaches it), criterion_never (its condition can never be true), criterion_useless (its points are of leads that are disqualified), criterion_reads_score (it depends on the score, which it is part of), never_ready (ready_when is true of no lead). notice: fallback (as covered, by rules that are not wider), order_by_name (a narrower rule of the same priority comes first by its name only), criterion_redundant (keeps back nobody whom another one does not), criterion_same (scores the same leads as another one), criterion_zero (its points are 0), status_column_unused, score_column_unused (nothing is written there), waits_without_end (ready_when without ready_within), ready_within_unused, always_ready, ready_unseen (ready_when may become true while the lead stays as it is), not_compared (some comparisons were left out, for over a million pairs of rules share a value, a range or a column, or more than 100 rules would be needed together to cover one; or there are more than 500 criteria). Error: unknown router.';

CREATE FUNCTION leadroute.verify(OUT what text, OUT router text, OUT subject text, OUT expected text, OUT found text) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_verify';
COMMENT ON FUNCTION leadroute.verify() IS 'A row for each disagreement of lead tables, journal, and shared memory; none: all agrees. what: journal without lead; lead without journal (open, owned by a member, and no current row); owner (expected: what the journal says, NULL: nobody or no member); lead table (gone, or a column of it); load, last_turn, credit, credit sum (counters; expected: what the journal adds up to); candidate set, team version (rows of the journal refer to one that is missing: what was due to whom of these turns is not known, and leadroute.fairness leaves them out). Reads every lead with the rights of its table''s owner, and the whole journal. Shared memory is compared when no transaction with routed leads is open, else a NOTICE says so; LOCK TABLE leadroute.journal IN SHARE MODE first waits for that.';

CREATE FUNCTION leadroute.rebuild() RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_rebuild';
COMMENT ON FUNCTION leadroute.rebuild() IS 'Reloads all counters from the whole journal; routing waits meanwhile. Returns the number of rows read. Error while prepared transactions hold reservations.';

CREATE FUNCTION leadroute.owner_text(relation regclass, column_name text, value text) RETURNS text
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lr_owner_text_sql';
COMMENT ON FUNCTION leadroute.owner_text(regclass, text, text) IS 'Part of attach: a value as the column shows it. What the column''s domain checks is run with the rights of the table''s owner. Error: the column cannot hold it.';

-- Machinery: what the triggers on lead tables, the worker and the functions in
-- SQL call.  Each checks by itself who may.

CREATE FUNCTION leadroute.lead_trigger() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'lr_lead_trigger';
COMMENT ON FUNCTION leadroute.lead_trigger() IS 'Trigger function of attached tables, for every event; leadroute.attach installs it.';

CREATE FUNCTION leadroute.row_stored() RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_row_stored';
COMMENT ON FUNCTION leadroute.row_stored() IS 'Condition of the AFTER ROW trigger of attached tables: the server evaluates it right after it has stored the row, which confirms the reservation. Always false; does nothing when called anywhere else.';
GRANT EXECUTE ON FUNCTION leadroute.row_stored() TO PUBLIC;

CREATE FUNCTION leadroute.adopt(lead_table text) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_adopt';
COMMENT ON FUNCTION leadroute.adopt(text) IS 'Journals the open leads of an attached table that are owned by a member and not in the journal yet (kind adopted). Returns how many. attach and saving a member call it.';
CREATE FUNCTION leadroute.adopted() RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_adopted';
COMMENT ON FUNCTION leadroute.adopted() IS 'Part of attach: how many leads adopt has adopted in this session since this was last asked.';

CREATE FUNCTION leadroute.adopt_lead(lead_table text, key text) RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_adopt_key';
COMMENT ON FUNCTION leadroute.adopt_lead(text, text) IS 'Journals one open lead that is owned by a member and in the journal without one (kind adopted). Returns whether it did. The worker calls it for leads whose owner became a member while they were being stored. Error: unknown table.';

CREATE FUNCTION leadroute.release_table(lead_table text) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_release_table';
COMMENT ON FUNCTION leadroute.release_table(text) IS 'Ends all current assignments of a table (event released) and gives their load back. Returns how many. detach calls it.';

CREATE FUNCTION leadroute.release_missing(lead_table text) RETURNS bigint
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lr_release_missing';
COMMENT ON FUNCTION leadroute.release_missing(text) IS
'Ends the assignments of leads that are not in the table any more (event deleted) and gives their load back: after TRUNCATE, DETACH or DROP of a partition, or a DELETE that no trigger has seen. Reads the whole table and the whole journal, and locks the table against writers until the end of the transaction. Returns how many. Error: unknown table; one with a foreign partition; row-level security that would hide leads from the table''s owner.';

CREATE FUNCTION leadroute.member_counter(OUT member integer, OUT load bigint, OUT last_turn bigint, OUT busy boolean) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_member_counter';
COMMENT ON FUNCTION leadroute.member_counter() IS 'Counters of each member in shared memory: open load (open reservations included), the decision of its last lead (0: none), and whether it is on a call (leadroute.busy).';

CREATE FUNCTION leadroute.seat_counter(OUT router integer, OUT team integer, OUT member integer, OUT credit double precision, OUT target_month integer, OUT received integer, OUT received_before integer) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_seat_counter';
COMMENT ON FUNCTION leadroute.seat_counter() IS 'Credit of each seat of each rotation in shared memory, in leads: exact share minus received; target_month: the latest month in which it has received leads by_target (year * 12 + month - 1; 0: none), how many then (open reservations included), and in the month before. team 0: every member of the router.';

CREATE FUNCTION leadroute.next_turns(team text DEFAULT NULL, router text DEFAULT NULL, OUT member text, OUT weight double precision, OUT credit double precision, OUT next_in bigint, OUT not_available_because text, OUT until timestamptz) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_next_turns';
COMMENT ON FUNCTION leadroute.next_turns(text, text) IS 'Whose turn comes when in the rotation of a team (NULL: every member of the router) of a router (NULL: the default one), in the order of the team. credit: what is owed to the member, in leads; negative: what it has had in advance. next_in: which of the next leads is its next one (1: the next lead), if all of them fit everybody and nobody comes or goes meanwhile; NULL: it cannot have a lead now, or only after very many (5 million looks at members). not_available_because: as the codes of assignment.passed_over; caps with a condition or of a rule are not looked at; NULL: it can have one. until: when that ends, where it is known. Error: unknown team or router.';

CREATE FUNCTION leadroute.cap_status(router text DEFAULT NULL, OUT cap text, OUT member text, OUT since timestamptz, OUT until timestamptz, OUT used bigint, OUT max_leads bigint, OUT remaining bigint) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_cap_status';
COMMENT ON FUNCTION leadroute.cap_status(text) IS 'What the caps of a router (NULL: the default one) have counted in their present windows. member: of whom; NULL: the cap is not of one member. since, until: the window, its end not included; of a total: from when on it counts, and infinity. used: leads counted, open reservations included; NULL: not known, leadroute.max_caps is used up. remaining: how many more may come, not below 0. Error: unknown router.';

CREATE FUNCTION leadroute.cap_uncounted() RETURNS SETOF integer
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_cap_uncounted';
COMMENT ON FUNCTION leadroute.cap_uncounted() IS 'Ids of caps (cap.id; some may be deleted) whose count lacks leads that came before them, because somebody had locked a lead table when they were counted. They are counted again when a lead concerns the cap, at most every leadroute.held_retry_interval.';

CREATE FUNCTION leadroute.row_seen(relation oid, row_id tid) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED COST 2 AS 'MODULE_PATHNAME', 'lr_row_seen';
COMMENT ON FUNCTION leadroute.row_seen(oid, tid) IS 'For the library, which counts what came before a cap in serializable transactions. Error otherwise.';

CREATE FUNCTION leadroute.room(OUT setting text, OUT used integer, OUT most integer, OUT refused_since timestamptz) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_room';
COMMENT ON FUNCTION leadroute.room() IS 'Room in shared memory for counters: of members, of their seats in teams, of rotations, of caps. setting: says how many there can be on the whole server (most). used: by all databases. refused_since: when something of this database found no room for the first time since the server started; NULL: never. leadroute.problem says whom it concerns.';

CREATE FUNCTION leadroute.board(OUT router integer, OUT team integer, OUT members integer, OUT candidates integer, OUT picks bigint, OUT parts integer) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_board';
COMMENT ON FUNCTION leadroute.board() IS 'Big teams (leadroute.board_members) whose order is kept in shared memory, so that a lead costs no look at each member. router, team: ids; team 0: every member of the router. candidates: members that could take the last lead. picks: leads decided by it since it was put up; that happens again when members, weights or capacities change. parts: groups of members that rule.member_condition and team_member.condition have told apart since then; a lead fits all of a group or none.';

CREATE FUNCTION leadroute.rule_index(OUT database text, OUT router integer, OUT routed_table integer, OUT version bigint, OUT rules integer, OUT bytes bigint, OUT readers integer, OUT is_current boolean) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_rule_index';
COMMENT ON FUNCTION leadroute.rule_index() IS 'Images of rules that the sessions of the whole server share. database: NULL when it was dropped. router, routed_table: ids in that database. version: of the configuration it shows; sessions add later changes by themselves. bytes: memory it takes. readers: sessions that have it mapped. is_current: false = a newer one has replaced it, or it was given up; it is freed with its last reader.';

CREATE FUNCTION leadroute.is_preloaded() RETURNS boolean
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'lr_is_preloaded';
COMMENT ON FUNCTION leadroute.is_preloaded() IS 'Whether the server loaded the library at its start (shared_preload_libraries).';

CREATE FUNCTION leadroute.require_preload() RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_require_preload_sql';
COMMENT ON FUNCTION leadroute.require_preload() IS 'Error with the hint when the server did not load the library at its start.';

CREATE FUNCTION leadroute.share_of(candidates bytea, member_index integer, weight double precision[], accruing bytea DEFAULT NULL) RETURNS double precision
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_share_of';
COMMENT ON FUNCTION leadroute.share_of(bytea, integer, double precision[], bytea) IS 'Exact share of one lead that the member at member_index (from 1) of a team composition was due: weight over the sum of the weights of the candidates and of those accruing; 0 when it was neither. candidates NULL: all; accruing NULL: nobody.';

CREATE FUNCTION leadroute.checkpoint_now() RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_checkpoint_now';
COMMENT ON FUNCTION leadroute.checkpoint_now() IS 'Writes a checkpoint of the counters, as the worker does by itself. Returns its cut.';

CREATE FUNCTION leadroute.measure() RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'lr_measure_now';
COMMENT ON FUNCTION leadroute.measure() IS 'Measures all members now, as the worker does by itself (leadroute.measured_interval) while decisions use what is measured: method top_producer, response_rate and conversion_rate in expressions. Decisions use it from the commit on. Returns how many members have leads in the window.';

-- Codes.  The words are the public ones; the codes save space in the journal.

CREATE FUNCTION leadroute.kind_name(kind "char") RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE kind
	WHEN 'a' THEN 'assigned' WHEN 'g' THEN 'given' WHEN 'd' THEN 'adopted'
	WHEN 'r' THEN 'reassigned' WHEN 'm' THEN 'manual' WHEN 'h' THEN 'held'
	WHEN 'l' THEN 'released' WHEN 'n' THEN 'none'
	WHEN 'u' THEN 'duplicate' WHEN 's' THEN 'suppressed'
	WHEN 'w' THEN 'nurture' WHEN 'x' THEN 'disqualified'
	WHEN 'q' THEN 'quarantined' WHEN 't' THEN 'triage' END;
COMMENT ON FUNCTION leadroute.kind_name("char") IS 'Word for a code of journal.kind: a assigned, g given, d adopted, r reassigned, m manual, h held, l released, n none, u duplicate, s suppressed, w nurture, x disqualified, q quarantined, t triage.';

CREATE FUNCTION leadroute.method_name(method "char") RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE method
	WHEN 'r' THEN 'round_robin' WHEN 'l' THEN 'least_loaded'
	WHEN 'i' THEN 'longest_idle' WHEN 'x' THEN 'random'
	WHEN 't' THEN 'by_target' WHEN 'p' THEN 'top_producer' WHEN 'w' THEN 'waterfall'
	WHEN 'b' THEN 'best_match' WHEN 'm' THEN 'manual' END;
COMMENT ON FUNCTION leadroute.method_name("char") IS 'Word for a code of journal.method: r round_robin, l least_loaded, i longest_idle, x random, t by_target, p top_producer, w waterfall, b best_match, m manual.';

CREATE FUNCTION leadroute.passed_name(code integer) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_passed_name';
COMMENT ON FUNCTION leadroute.passed_name(integer) IS 'Word for a code of a reason why a member was passed over: inactive; away (absence); closed (not its working time, or its team''s); busy (on a call); full (capacity); cap; unfit (member_condition or the condition of its membership is not true); held_first (free again, and leads that are held come first); no_slot (leadroute.max_members, max_seats or max_caps is used up); bad_owner (the owner column cannot hold its owner_value any more); former (had this lead, and was parted from it by a release). NULL: unknown.';
CREATE FUNCTION leadroute.passed_entries(passed_over bigint[], OUT member integer, OUT code integer, OUT cap integer, OUT until timestamptz, OUT figure integer, OUT most integer, OUT members integer) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_passed_entries';
COMMENT ON FUNCTION leadroute.passed_entries(bigint[]) IS 'journal.passed_over, a row each entry: member.id, code of the reason (leadroute.passed_name), cap.id, until when it lasts (infinity: nobody knows; NULL: not told), figure and most (full: load and capacity; cap: counted and most; unfit: 1 member_condition, 2 its error, 3 team_member.condition), members: 1; or of members beyond leadroute.passed_over_limit (member is NULL) how many.';
CREATE FUNCTION leadroute.passed_detail(code integer, until timestamptz, figure integer, most integer, cap text, zone text, at timestamptz) RETURNS text
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'lr_passed_detail';
COMMENT ON FUNCTION leadroute.passed_detail(integer, timestamptz, integer, integer, text, text, timestamptz) IS 'The sentence for an entry of journal.passed_over: code, until, figure and most of leadroute.passed_entries, name of the cap (NULL: not known), time zone (NULL: the session''s), time of the decision (those in the next six days are named by the day of the week). NULL: the code is unknown.';
