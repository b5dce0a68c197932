/*
 * assign.c
 *	  Leads given to a member by hand; see stored.h.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/acting.h"
#include "base/clock.h"
#include "base/guc.h"
#include "call/by_hand.h"
#include "cap/cap.h"
#include "config/people.h"
#include "config/permitted.h"
#include "decide/sticky.h"
#include "decide/take.h"
#include "lead/lead.h"
#include "lead/test_lead.h"
#include "lead/visible.h"
#include "leadroute.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_assign);

/*
 * Reserves one lead's load for a member; error when it is at its capacity, or
 * a cap is reached.
 */
static void
take_by_hand(const LrRouter *router, LrMember *m, int load, bool ignore_limits,
			 const LrCapCheck *caps, LrReservation *r)
{
	LrDatabase *db = lr_database();
	LrPassedOver reached = {0};
	int64		open = 0;
	bool		full = false;

	lr_settle_prepared(db);
	memset(r, 0, sizeof(*r));
	r->member_slot = lr_slot_of_member(m);
	r->load = load;
	r->last_turn = -1;
	lr_reserve_prepare(NULL, 0);
	if (caps != NULL)
		lr_reserve_prepare_caps(caps->n);
	lr_lock_counters(db, caps);
	if (m->slot != LR_NO_SLOT)
	{
		open = lr_member_slots[m->slot].load + lr_reserve_released(m->slot);
		full = !ignore_limits && m->capacity >= 0 && load > 0 &&
			open + load > m->capacity;
		r->last_turn = lr_member_slots[m->slot].last_turn;
	}
	if (caps != NULL && !ignore_limits)
		lr_cap_reached_by(caps, 0, &reached);
	if (!full && reached.why == LR_CAN)
	{
		if (caps != NULL)
			lr_caps_reserve(caps, 0, r);
		r->id = lr_next_id(db);
		lr_caps_decided(db, router, r->id);
		lr_reserve_apply(r, 1);
	}
	LWLockRelease(db->lock);
	if (full)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("member \"%s\" is at its capacity", m->name),
				 errdetail("It has %lld open leads of at most %d.",
						   (long long) open, m->capacity),
				 errhint("Who manages members, or may UPDATE the owner column, may pass ignore_limits => true to assign the lead all the same.")));
	if (reached.why != LR_CAN)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("member \"%s\" is at a cap", m->name),
				 errdetail("It has %s.", lr_cap_sentence(caps, &reached)),
				 errhint("Who manages members, or may UPDATE the owner column, may pass ignore_limits => true to assign the lead all the same.")));
}

LrMember *
lr_member_for_assign(LrBinding *b, const char *name)
{
	LrMember   *m = lr_member_by_name(b->router, name);

	if (m == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("router \"%s\" has no member \"%s\"", b->router->name,
						name)));
	lr_people_accept(b->router);
	if (!m->active)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("member \"%s\" is inactive", name),
				 errhint("UPDATE leadroute.member SET active = true, or choose another member.")));
	if (b->usable && !b->usable[m->index])
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the owner column cannot hold the owner value of member \"%s\"",
						name)));
	return m;
}

void
lr_assign_stored(LrTable *table, LrBinding *b, const LrFacts *facts, LrMember *m,
				 bool ignore_limits, bool duplicate, const char *reason,
				 const char *words, Oid updater)
{
	LrReservation r;
	LrRights	rights;
	LrEntry		e = {0};
	LrLeadCaps *caps;
	Datum		owner;
	char	   *detail = NULL;

	e.at = lr_now();
	e.is_test = lr_is_test(table, b, facts->row, &detail);
	/* a duplicate, or a test, counts in nothing */
	if (duplicate || e.is_test)
		lr_take(b->router, m, 0, false, NULL, &r);
	else
	{
		caps = lr_caps_judge_row(table, b, facts->row, e.at, &detail);
		take_by_hand(b->router, m, facts->closed ? 0 : facts->load, ignore_limits,
					 lr_caps_of_member(caps, m), &r);
	}
	lr_caps_note(&e, &r);
	e.id = r.id;
	e.router = b->router->id;
	e.routed_table = table->id;
	e.lead_key = facts->key;
	e.kind = duplicate ? LR_KIND_DUPLICATE : LR_KIND_MANUAL;
	e.team = -1;
	e.member = m->id;
	e.load = r.load;
	e.closed = facts->closed;
	e.told = facts->told;
	e.reason = reason;
	e.detail = words != NULL ? words : detail;
	owner = lr_binding_owner(table, b, m);
	if (OidIsValid(updater))
		lr_become(updater, table->search_path, false, &rights);
	lr_lead_update(table, facts->key, &owner, NULL);
	if (OidIsValid(updater))
		lr_resign(&rights);
	(void) lr_outcome_decided(&e);
	if (b->router->matching != NULL && !duplicate && !e.is_test)
		lr_sticky_note(table, b, facts->row, facts->key, e.id, e.at, m->id);
}

/* A lead by hand. */
typedef struct Assignment
{
	LrTable    *table;
	Oid			caller;
	bool		may_any;		/* any lead, to anybody */
	Oid			updater;		/* see lr_assign_stored */
	const char *key;
	const char *member;
	const char *reason;
	bool		ignore_limits;
} Assignment;

/*
 * Who may: who manages members, and who could set the owner column himself, of
 * this lead.
 * The lead_member of a team gives what is on its list to the team's members:
 * returns its id; 0: any lead, and anybody.  Nobody learns of a lead that is not
 * his to give.
 */
static int32
permitted_team(const Assignment *a, const LrFacts *facts)
{
	LrTable    *table = a->table;
	LrCurrent	current;

	if (a->may_any)
		return 0;
	if (facts != NULL && lr_journal_current(table->id, facts->key, &current) &&
		current.kind == LR_KIND_TRIAGE && !current.closed && !current.is_test &&
		lr_leads_team(a->caller, current.team))
		return current.team;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to assign lead %s of table \"%s\"", a->key,
					table->name),
			 errdetail("Roles that may UPDATE its column \"%s\" may, who manages members, and the lead_member of the team on whose triage list the lead is, whose role_name is the current role.",
					   NameStr(TupleDescAttr(table->desc, table->owner - 1)->attname))));
	return 0;
}

/*
 * Who decides for a team gives to its members, and learns of nobody else, not
 * even whether there is one of that name.
 */
static void
require_membership(LrBinding *b, int32 team_id, const char *member)
{
	LrTeam	   *team = lr_team_by_id(b->router, team_id);
	int			i;

	for (i = 0; team != NULL && i < team->n; i++)
		if (strcmp(team->member[i]->name, member) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("member \"%s\" is not in team \"%s\"", member,
					team != NULL ? team->name : "?"),
			 errhint("The lead_member of a team gives leads of its triage list to the members of that team.")));
}

/*
 * The lead, locked; NULL: it is not there.  Who has no right to it waits for
 * nobody and locks nothing: of a lead_member's lead the right is looked at
 * before it is locked, and again as it is then.
 */
static TupleTableSlot *
permitted_lead(const Assignment *a, LrFacts *facts, int32 *team)
{
	LrTable    *table = a->table;
	TupleTableSlot *row;

	if (!a->may_any)
	{
		row = lr_lead_fetch(table, a->key, false);
		if (row != NULL)
			lr_facts(table, row, facts);
		(void) permitted_team(a, row != NULL ? facts : NULL);
	}
	row = lr_lead_fetch(table, a->key, true);
	if (row != NULL)
		lr_stored_facts(table, row, true, facts);
	*team = permitted_team(a, row != NULL ? facts : NULL);
	return row;
}

static void
assign_lead(const Assignment *a)
{
	LrTable    *table = a->table;
	LrFacts		facts;
	LrBinding  *b;
	LrMember   *m;
	int32		team;

	if (permitted_lead(a, &facts, &team) == NULL)
		lr_no_such_lead(table, a->key);
	b = facts.router != NULL ? lr_table_bind(table, facts.router) : NULL;
	if (b == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("lead %s of \"%s\" belongs to no router", a->key,
						table->name)));
	if (team != 0)
	{
		require_membership(b, team, a->member);
		if (a->ignore_limits)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to assign a lead beyond the limits of member \"%s\"",
							a->member),
					 errdetail("A lead_member gives leads within capacity and caps."),
					 errhint("Leave out ignore_limits, or ask who manages members.")));
	}
	m = lr_member_for_assign(b, a->member);
	if (facts.owner == NULL || strcmp(facts.owner, b->owner_text[m->index]) != 0)
		lr_assign_stored(table, b, &facts, m, a->ignore_limits, false,
						 "assigned_by_hand", a->reason, a->updater);
	lr_binding_unpin(b);
}

Datum
lr_assign(PG_FUNCTION_ARGS)
{
	Assignment	a;
	LrRights	rights;

	lr_require_preload();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("lead_table, key and member must not be null")));
	a.table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
							RowExclusiveLock);
	a.key = lr_key_argument(fcinfo, 1);
	a.member = text_to_cstring(PG_GETARG_TEXT_PP(2));
	a.reason = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	a.ignore_limits = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	a.caller = GetUserId();
	lr_act_as(a.caller);
	SPI_connect();
	a.may_any = lr_manages_members(a.caller);
	a.updater = InvalidOid;
	if (!a.may_any && lr_may_update_lead(a.table, a.key, a.table->owner))
	{
		a.may_any = true;
		/* his policies say what the lead may become, too */
		if (lr_leads_hidden(a.table))
			a.updater = a.caller;
	}
	lr_lead_become(a.table, false, &rights);
	assign_lead(&a);
	SPI_finish();
	lr_resign(&rights);
	lr_act_end();
	lr_table_unpin(a.table);
	PG_RETURN_TEXT_P(cstring_to_text(a.member));
}
