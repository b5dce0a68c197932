-- Who may do what.
--
-- PUBLIC may use nothing of the schema: there is no USAGE on it.  The role
-- that inserts leads needs nothing either: triggers need no EXECUTE, and
-- row_stored(), the condition of one, is PUBLIC's.

CREATE FUNCTION leadroute.grant_to(role text, profile text) RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	reads text[] := '{assignment,lead_history,member_status,rotation,member_facts,performance,problem,fairness,trigger_status,later_trigger,ownership,progress,triage}';
	records text[] := '{journal,event,pool_entry,team_version,candidate_set,former_name}';
	settings text[] := '{router,routed_table,schedule,holiday,member,team,team_member,rule,cap,criterion,territory,suppression}';
	-- export_config tells who is away
	io text[] := '{config_table,export_config}';
	asks text[] := '{why,key_text}';
	explains text[] := '{explain,explain_lead}';
	computes text[] := '{fairness,ownership,member_counter,seat_counter,next_turns,cap_status,cap_uncounted,room,condition_error,criterion_error,expression_error,sticky_key_error,check_condition,rule_at,lint,territory,is_open,next_opening,working_time,available_from,local_days,progress_entry,lead_data,triage_candidates}';
	selects text[] := '{}';
	writes text[] := '{}';
	calls text[] := '{}';
	f regprocedure;
BEGIN
	IF grant_to.role IS NULL OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = grant_to.role) THEN
		RAISE EXCEPTION 'role "%" does not exist', grant_to.role
			USING ERRCODE = 'undefined_object';
	ELSIF NOT pg_has_role((SELECT e.extowner FROM pg_extension e WHERE e.extname = 'leadroute'), 'USAGE') THEN
		RAISE EXCEPTION 'permission denied to grant a profile'
			USING ERRCODE = 'insufficient_privilege',
				DETAIL = 'Only the owner of the extension and superusers may.';
	END IF;

	CASE grant_to.profile
		WHEN 'rep' THEN
			selects := '{my_status,my_lead_history,my_triage}';
			writes := '{my_absence}';
			calls := asks || '{pause,resume,away,busy,absence_of,local_days,respond,close,reopen,assign,lead_data,triage_candidates}'::text[];
		WHEN 'app' THEN
			selects := '{lead_history}';
			calls := asks || explains || '{route,release,respond,close,reopen}'::text[];
		WHEN 'analyst' THEN
			selects := reads || records || settings;
			calls := asks || explains || computes;
		WHEN 'manager' THEN
			selects := reads || records || settings;
			writes := '{absence,schedule,holiday,member,team,team_member,suppression}';
			calls := asks || explains || computes || io || '{pause,resume,away,busy,absence_of,route,route_all,release,assign,handover,offboard,respond,close,reopen}'::text[];
		WHEN 'admin' THEN
			selects := reads || records || '{config_state,config_history,checkpoint,sticky_lead,measured}'::text[];
			writes := settings || '{absence}'::text[];
			calls := asks || explains || computes || io || '{pause,resume,away,busy,absence_of,route,route_all,release,assign,handover,offboard,respond,close,reopen}'::text[]
				|| '{await_editors,import_config,import_config_under,import_rows,import_routed_table,prune_config,check_document_rows,document_error,document_place,same_key,keyed_rows,take_over}'::text[]
				|| '{board,rule_index,attach,attach_under,finish_attach,only_renamed,check_relation,key_of,check_owner_column,owner_text,detach,lead_trigger,adopt,adopted,release_table,release_missing,forget_keys,renew_keys,verify,rebuild,checkpoint_now,measure,forget}'::text[];
		WHEN 'backup' THEN
			SELECT array_agg(c.relname) INTO selects FROM pg_class c
				WHERE c.relnamespace = 'leadroute'::regnamespace AND c.relkind = 'r';
			EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA leadroute TO %I', grant_to.role);
		ELSE
			RAISE EXCEPTION 'unknown profile "%"', grant_to.profile
				USING ERRCODE = 'invalid_parameter_value',
					HINT = 'Profiles are rep, app, analyst, manager, admin and backup.';
	END CASE;

	EXECUTE format('GRANT USAGE ON SCHEMA leadroute TO %I', grant_to.role);
	IF cardinality(selects) > 0 THEN
		EXECUTE format('GRANT SELECT ON %s TO %I',
			(SELECT string_agg(format('leadroute.%I', r.name), ', ') FROM unnest(selects) r (name)), grant_to.role);
	END IF;
	IF cardinality(writes) > 0 THEN
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I',
			(SELECT string_agg(format('leadroute.%I', r.name), ', ') FROM unnest(writes) r (name)), grant_to.role);
	END IF;
	FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
		WHERE p.pronamespace = 'leadroute'::regnamespace AND p.proname = ANY (calls)
	LOOP
		EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', f, grant_to.role);
	END LOOP;
	RETURN format('role "%s" has profile "%s"', grant_to.role, grant_to.profile);
END
$$;
COMMENT ON FUNCTION leadroute.grant_to(text, text) IS
'Gives a role the rights of a profile; returns a sentence. rep: pause and resume itself, say when it is away or busy, ask why it has a lead, and as lead_member of a team assign what is on its triage list; it is known by member.role_name. app: ask why about every lead, explain those that it may SELECT, route and release stored ones, respond, close and reopen those that it may UPDATE; inserting leads needs no right. analyst: read all decisions, views and configuration, explain leads that it may SELECT; not why somebody is away. manager: what an analyst may, and write members, teams, schedules, absences and suppressions, export the configuration, route, assign and hand over leads. admin: write and import all configuration, attach and detach tables that it owns, verify, rebuild and forget. backup: read all tables and sequences, for pg_dump; to be given again after an update of the extension. A role may have several. Error: unknown role or profile; the caller does not own the extension.';

DO $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT p.oid::regprocedure AS name FROM pg_proc p
		WHERE p.pronamespace = 'leadroute'::regnamespace
		AND p.proname NOT IN (
			-- say nothing about leads and change nothing
			'version', 'default_router', 'is_preloaded', 'require_preload', 'row_stored',
			'condition', 'filter_node', 'filter_test', 'filter_list', 'filter_pattern', 'filter_constant', 'filter_error',
			'score', 'share_of', 'normalize_email', 'normalize_phone', 'is_email', 'is_phone', 'is_country', 'is_postal', 'kind_name', 'method_name', 'passed_name', 'passed_entries', 'passed_detail')
	LOOP
		EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', f.name);
	END LOOP;
END
$$;

-- Monitoring.
GRANT USAGE ON SCHEMA leadroute TO pg_monitor;
GRANT SELECT ON leadroute.member_status, leadroute.rotation, leadroute.problem, leadroute.progress TO pg_monitor;
GRANT EXECUTE ON FUNCTION leadroute.member_counter(), leadroute.seat_counter(), leadroute.next_turns(text, text), leadroute.cap_status(text), leadroute.cap_uncounted(), leadroute.room(), leadroute.is_open(text, timestamptz, text, text, text),
	leadroute.available_from(text, text, timestamptz, text), leadroute.condition_error(text, text, text),
	leadroute.criterion_error(text, text, text), leadroute.expression_error(text, text), leadroute.lint(text), leadroute.progress_entry() TO pg_monitor;
