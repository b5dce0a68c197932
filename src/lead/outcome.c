/*
 * outcome.c
 *	  UPDATE, DELETE and TRUNCATE of leads: who lost it, who has it now, is it
 *	  open.
 *
 * Whoever changes a lead's row holds its lock, which serialises everything
 * here per lead.  The journal's current row says what leadroute believes;
 * old and new row say what has happened.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "base/generation.h"
#include "base/owner_rights.h"
#include "cap/cap.h"
#include "config/config.h"
#include "decide/decide.h"
#include "decide/qualify.h"
#include "decide/take.h"
#include "lead/adopt.h"
#include "lead/lead.h"
#include "lead/lead_state.h"
#include "lead/outcome.h"
#include "lead/test_lead.h"
#include "roster/reserve.h"

void
lr_facts(LrTable *table, TupleTableSlot *row, LrFacts *facts)
{
	char	   *detail = NULL;

	facts->key = lr_table_key(table, row);
	facts->owner = lr_table_owner(table, row);
	facts->router = lr_lead_router(table, row, &detail);
	lr_lead_when(table, row, facts->when, &detail);
	facts->closed = facts->when[LR_CLOSED] != LR_NOT_YET;
	facts->load = lr_lead_load(table, row, &detail);
	facts->told = NULL;
	facts->row = row;
}

void
lr_facts_told(LrTable *table, TupleTableSlot *row, LrFacts *facts)
{
	char	   *detail = NULL;

	lr_facts(table, row, facts);
	facts->told = lr_told(table, row, &detail);
}

void
lr_facts_closed(LrTable *table, LrFacts *facts, const LrCurrent *current)
{
	if (lr_table_says(table, LR_CLOSED))
		return;
	facts->closed = current->closed;
	facts->when[LR_CLOSED] = current->closed ? current->closed_at : LR_NOT_YET;
}

bool
lr_column_differs(TupleDesc desc, AttrNumber attno, TupleTableSlot *old,
				  TupleTableSlot *new)
{
	Form_pg_attribute att = TupleDescAttr(desc, attno - 1);
	bool		old_null;
	bool		new_null;
	Datum		a = slot_getattr(old, attno, &old_null);
	Datum		b = slot_getattr(new, attno, &new_null);

	if (old_null || new_null)
		return old_null != new_null;
	return !datum_image_eq(a, b, att->attbyval, att->attlen);
}

bool
lr_facts_may_differ(LrTable *table, TupleTableSlot *old, TupleTableSlot *new)
{
	int			i;

	if (table->any_when || table->any_told || table->has_load ||
		table->router == NULL ||
		lr_column_differs(table->desc, table->owner, old, new))
		return true;
	for (i = 0; i < table->nkeys; i++)
		if (lr_column_differs(table->desc, table->key[i], old, new))
			return true;
	return false;
}

bool
lr_had_owner(const LrCurrent *current)
{
	return !lr_waits(current->kind) && current->kind != LR_KIND_NONE &&
		current->kind != LR_KIND_RELEASED &&
		current->kind != LR_KIND_SUPPRESSED && !lr_kept_back(current->kind);
}

bool
lr_has_load(const LrCurrent *current)
{
	return current->member != 0 && current->kind != LR_KIND_DUPLICATE &&
		!current->is_test;
}

/*
 * Somebody else has the lead now: under caps it does not count any more.  The
 * transaction has been given an id, by which a counter that it finds here is known
 * to be in use (cap_free.h).
 */
static void
give_back_caps(const LrCurrent *current)
{
	LrDatabase *db = lr_database();
	int			i;

	for (i = 0; i < current->ncaps; i++)
	{
		int64		tag = current->caps[i];
		int			slot = lr_cap_slot_find(db, LR_CAP_TAG_CAP(tag),
											LR_CAP_TAG_EACH(tag) ?
											current->member : 0);

		if (slot != LR_NO_SLOT)
			lr_reserve_give_back_cap(slot, LR_CAP_TAG_KEY(tag));
	}
	if (current->ncaps > 0)
		lr_place_freed();
}

/*
 * Gives the load of an open assignment back, with its event; to_others: its
 * turn in the rotation and its places under caps, too, since the lead goes to
 * somebody else.  One that is deleted or closed, or whose table is detached,
 * was received all the same.
 */
static void
give_back(int32 routed_table, const char *key, const LrCurrent *current,
		  const char *kind, bool to_others)
{
	int			load = 0;

	if (to_others && current->turn != NULL)
		lr_give_turn_back(current->router, current->member, current->turn);
	if (lr_has_load(current) && !current->closed)
	{
		load = -lr_assignment_load(current->id, current->load);
		lr_reserve_load(lr_member_slot(lr_database(), current->member), load);
		lr_place_freed();
	}
	lr_event_ended(kind, routed_table, key, current, load, to_others);
	if (to_others)
		give_back_caps(current);
}

bool
lr_outcome_end(int32 routed_table, const char *key, LrCurrent *current,
			   const char *kind, bool to_others, TimestampTz at)
{
	if (!lr_journal_current(routed_table, key, current))
		return false;
	lr_journal_end(routed_table, key, current, at);
	give_back(routed_table, key, current, kind, to_others);
	return true;
}

bool
lr_outcome_decided(LrEntry *e)
{
	LrCurrent	current;

	if (lr_journal_current(e->routed_table, e->lead_key, &current))
	{
		/* a lead that is held again stays where it is, in its order */
		if (e->member == 0 && lr_says_so(&current, e))
		{
			if (e->kind == LR_KIND_HELD && !e->is_test)
				lr_journal_held_again(e, current.id);
			return false;
		}
		e->hop = current.hop + lr_had_owner(&current);
		e->previous_id = current.id;
		e->released |= current.released && current.router == e->router;
		lr_told_on(e, &current);
		if (current.member != 0)
			(void) lr_outcome_end(e->routed_table, e->lead_key, &current,
								  LR_EVENT_RELEASED, true, e->at);
		else
			lr_journal_end(e->routed_table, e->lead_key, &current, e->at);
		if (e->kind == LR_KIND_ASSIGNED && e->hop > 0)
			e->kind = LR_KIND_REASSIGNED;
	}
	lr_journal_add(e);
	lr_journal_flush();
	return true;
}

/*
 * Whether the journal says already who has the lead now: leadroute has decided it
 * in the UPDATE itself (redecide.h).
 */
static bool
journal_agrees(LrTable *table, const LrFacts *new, const LrCurrent *current)
{
	LrBinding  *b = new->router != NULL ?
		lr_table_bind_people(table, new->router) : NULL;
	LrMember   *m;
	bool		agrees;

	if (b == NULL)
		return false;
	m = new->owner != NULL ? lr_binding_member(table, b, new->owner) : NULL;
	agrees = current->router == b->router->id &&
		(new->owner != NULL ? m != NULL && m->id == current->member :
		 current->member == 0 && !lr_had_owner(current));
	lr_binding_unpin(b);
	return agrees;
}

/*
 * The owner was changed by hand, in the app's own UPDATE.  A lead without owner
 * that is another router's now, and was not decided in the UPDATE (it is closed,
 * or the router disabled), waits until it can be.
 */
static void
owner_changed(LrTable *table, const LrFacts *old, const LrFacts *new,
			  bool known, LrCurrent *current)
{
	LrBinding  *b = new->router != NULL ?
		lr_table_bind_people(table, new->router) : NULL;
	LrMember   *m = NULL;
	LrReservation r;
	LrEntry		e = {0};
	TimestampTz when[LR_WHENS];
	int			i;
	LrLeadCaps *caps;
	char	   *detail = NULL;
	bool		is_test;

	e.at = lr_now();
	/* what had happened before is not to the credit of the new owner */
	for (i = 0; i < LR_WHENS; i++)
		when[i] = i == LR_CLOSED || old->when[i] != new->when[i] ?
			new->when[i] : LR_NOT_YET;
	if (b != NULL && new->owner != NULL)
		m = lr_binding_member(table, b, new->owner);
	if (known)
	{
		lr_journal_end(table->id, new->key, current, e.at);
		if (current->member != 0)
			give_back(table->id, new->key, current, LR_EVENT_RELEASED, true);
	}
	if (b != NULL)
	{
		/* of a lead that has moved to another partition the row is not known */
		is_test = new->row != NULL ?
			lr_is_test(table, b, new->row, &detail) : known && current->is_test;
		caps = m == NULL || is_test ? NULL :
			lr_caps_judge_row(table, b, new->row, e.at, &detail);
		lr_take(b->router, m,
				m != NULL && !new->closed && !is_test ? new->load : 0, !is_test,
				lr_caps_of_member(caps, m), &r);
		lr_caps_note(&e, &r);
		e.detail = detail;
		e.id = r.id;
		e.router = b->router->id;
		e.routed_table = table->id;
		e.lead_key = new->key;
		e.kind = new->owner != NULL ? LR_KIND_MANUAL :
			old->owner != NULL ? LR_KIND_RELEASED : LR_KIND_HELD;
		if (e.kind == LR_KIND_HELD)
		{
			e.reason = "undecided";
			e.held.again = true;
		}
		e.team = -1;
		e.member = m != NULL ? m->id : 0;
		e.load = r.load;
		e.hop = known ? current->hop + lr_had_owner(current) : 0;
		e.closed = new->closed;
		e.when = when;
		e.previous_id = known ? current->id : 0;
		e.told = new->told;
		e.is_test = is_test;
		if (known)
			lr_told_on(&e, current);
		if (new->owner != NULL && m == NULL)
		{
			e.reason = "unknown_member";
			e.detail = psprintf("owner %s is no member", new->owner);
		}
		lr_journal_add(&e);
		lr_binding_unpin(b);
	}
	lr_journal_flush();
}

void
lr_outcome_count(LrTable *table, const char *key, const LrCurrent *current,
				 bool closed, int open_load, const char *payload)
{
	int			load = 0;

	if (lr_has_load(current))
	{
		load = closed ? -lr_assignment_load(current->id, current->load) :
			open_load;
		lr_reserve_load(lr_member_slot(lr_database(), current->member), load);
		if (closed)
			lr_place_freed();
	}
	lr_event_add(closed ? LR_EVENT_CLOSED : LR_EVENT_REOPENED,
				 current->router, table->id, key, current->id,
				 current->member, load, payload);
}

/*
 * Something has happened to the lead, or has not after all.  Closed, and what
 * the lead tells of itself, is what the journal does not know yet; the others
 * are what this UPDATE has brought about: to the credit of who has the lead now.
 */
static void
things_happened(LrTable *table, const LrFacts *old, const LrFacts *new,
				const LrCurrent *current)
{
	bool		change[LR_WHENS];
	bool		told_change[LR_TOLDS];
	bool		any = lr_told_differs(new->told, current, told_change);
	int			i;

	for (i = 0; i < LR_WHENS; i++)
	{
		change[i] = i == LR_CLOSED && current->closed != new->closed;
		/* nor does it know another time */
		change[i] |= old->when[i] != new->when[i] &&
			(i != LR_CLOSED || new->closed);
		any |= change[i];
	}
	if (!any)
		return;
	lr_journal_happened(table->id, new->key, current, new->when, change,
						lr_now(), new->told, told_change);
	if (current->closed != new->closed)
		lr_outcome_count(table, new->key, current, new->closed, new->load, NULL);
	lr_journal_flush();
}

/*
 * An open lead counts something else than before.  Whoever changes that may
 * bring the load above the owner's capacity.
 */
static void
load_changed(LrTable *table, const LrFacts *new, const LrCurrent *current)
{
	int			change;

	if (!table->has_load || !lr_has_load(current) || current->closed ||
		new->closed)
		return;
	change = new->load - lr_assignment_load(current->id, current->load);
	if (change == 0)
		return;
	lr_reserve_load(lr_member_slot(lr_database(), current->member), change);
	if (change < 0)
		lr_place_freed();
	lr_event_add(LR_EVENT_LOAD_CHANGED, current->router, table->id, new->key,
				 current->id, current->member, change, NULL);
	lr_journal_flush();
}

/* Whether there is a lead with that key now. */
static bool
lead_exists(LrTable *table, const char *key)
{
	LrRights	rights;
	bool		exists;

	lr_lead_become(table, true, &rights);
	SPI_connect();
	exists = lr_lead_fetch(table, key, false) != NULL;
	SPI_finish();
	lr_resign(&rights);
	return exists;
}

/*
 * Whether the current row of a key is another lead's, which was stored after
 * the one of the event had left the key and before the event.
 */
static bool
is_taken(LrTable *table, const char *key)
{
	return lr_journal_had_conflict() && lead_exists(table, key);
}

void
lr_outcome_changed(LrTable *table, LrFacts *old, LrFacts *new)
{
	LrCurrent	current;
	bool		known;
	bool		decided;
	bool		owner_differs = (old->owner == NULL) != (new->owner == NULL) ||
		(old->owner != NULL && strcmp(old->owner, new->owner) != 0);
	bool		key_differs = strcmp(old->key, new->key) != 0;

	/* the same value is somebody else's in another router */
	owner_differs |= (old->router == NULL) != (new->router == NULL) ||
		(old->router != NULL && strcmp(old->router, new->router) != 0);
	if (!owner_differs && !key_differs && !table->any_when &&
		!table->any_told && !table->has_load)
		return;
	known = lr_journal_current(table->id, old->key, &current);
	/* decided in this UPDATE, under the key that it has now */
	decided = !known && key_differs &&
		lr_journal_current(table->id, new->key, &current) &&
		journal_agrees(table, new, &current);
	known |= decided;
	if (known)
	{
		lr_facts_closed(table, old, &current);
		lr_facts_closed(table, new, &current);
	}
	/* another router's, and decided by none: nothing ends or begins */
	if (!known && old->owner == NULL && new->owner == NULL)
		owner_differs = false;
	if (known && key_differs && !decided && is_taken(table, old->key))
	{
		/* its row has ended: it begins anew with the owner that it has */
		known = false;
		owner_differs = true;
	}
	else if (known && key_differs && !decided)
	{
		lr_journal_rekey(table->id, old->key, &current, new->key);
		lr_journal_flush();
		known = lr_journal_current(table->id, new->key, &current);
	}
	if (owner_differs && known && journal_agrees(table, new, &current))
		owner_differs = false;
	if (owner_differs)
		owner_changed(table, old, new, known, &current);
	else if (known)
	{
		things_happened(table, old, new, &current);
		load_changed(table, new, &current);
	}
	/* closed leads are not adopted: now that it is open, it may have to be */
	if (!owner_differs && old->closed && !new->closed &&
		(!known || (current.member == 0 && lr_had_owner(&current))) &&
		lr_adopt_lead(table, new))
		lr_journal_flush();
}

/*
 * A statement may delete a lead and insert another one under the same key; by
 * the time of its AFTER triggers the current row is the new lead's, and the
 * old one's has ended in a conflict.
 */
void
lr_outcome_deleted(LrTable *table, const LrFacts *old)
{
	LrCurrent	current;

	if (!lr_journal_current(table->id, old->key, &current) ||
		is_taken(table, old->key))
		return;
	lr_journal_end(table->id, old->key, &current, lr_now());
	give_back(table->id, old->key, &current, LR_EVENT_DELETED, false);
	lr_journal_flush();
}

/* Keys of all current rows of a table; reads the whole journal. */
static List *
current_keys(int32 routed_table)
{
	Relation	rel = table_open(lr_relid("journal"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	AttrNumber	key_column = get_attnum(RelationGetRelid(rel), "lead_key");
	ScanKeyData key[2];
	SysScanDesc sys;
	HeapTuple	tuple;
	List	   *keys = NIL;

	ScanKeyInit(&key[0], get_attnum(RelationGetRelid(rel), "routed_table"),
				BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(routed_table));
	ScanKeyInit(&key[1], get_attnum(RelationGetRelid(rel), "superseded"),
				BTEqualStrategyNumber, F_BOOLEQ, BoolGetDatum(false));
	sys = systable_beginscan(rel, InvalidOid, false, SnapshotSelf, 2, key);
	while ((tuple = systable_getnext(sys)) != NULL)
	{
		bool		isnull;

		keys = lappend(keys,
					   TextDatumGetCString(heap_getattr(tuple, key_column, desc,
														&isnull)));
	}
	systable_endscan(sys);
	table_close(rel, NoLock);
	return keys;
}

int64
lr_outcome_end_all(int32 routed_table, const char *kind)
{
	List	   *keys;
	ListCell   *lc;
	int64		n = 0;

	lr_journal_flush();
	keys = current_keys(routed_table);
	foreach(lc, keys)
	{
		LrCurrent	current;

		if (lr_journal_current(routed_table, (char *) lfirst(lc), &current))
		{
			lr_journal_end(routed_table, (char *) lfirst(lc), &current,
						   lr_now());
			give_back(routed_table, (char *) lfirst(lc), &current, kind, false);
			n++;
		}
	}
	lr_journal_flush();
	return n;
}
