/*
 * before_update.c
 *	  What may become of a stored lead's owner in the UPDATE of its row.
 *
 * One function a step; they look at the row as the app wrote it and agree on
 * the owner that is stored:
 *	  conflict	ON CONFLICT DO UPDATE copies the owner that leadroute chose for
 *				the row that was not stored: the stored lead keeps its own
 *	  protect	nobody, written among other columns, is what the app still
 *				believes (routed_table.protect_owner): the owner stays
 *	  decide	the lead is decided anew (redecide.h): its owner was taken away, or
 *				a column has changed that routed_table.reroute_on names, or it was
 *				not qualified and anything has changed, or it has no owner and belongs
 *				to another router now; and the statement does not say itself whose it
 *				is
 * Status and score (mapped.h) are copied from EXCLUDED as little as the owner is.  An
 * app that writes nobody, or no score, over what it has not read has not read the
 * status either: where it then writes NULL or the column's default over a word of
 * leadroute's, that stays; any other status is meant.
 *
 * What a statement writes is known by the columns that it sets, not by the
 * values: an object mapper writes all columns of an object that it has.  Columns
 * that other triggers change do not count.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "decide/qualify.h"
#include "lead/before_update.h"
#include "lead/frame.h"
#include "lead/lead_state.h"
#include "lead/mapped.h"
#include "lead/move.h"
#include "lead/outcome.h"
#include "lead/own_update.h"
#include "lead/redecide.h"
#include "lead/trigger.h"
#include "leadroute.h"

/* One row that is being updated. */
typedef struct Update
{
	TriggerData *td;
	LrTable    *table;
	LrLeaf	   *leaf;
	HeapTuple	row;			/* what is to be stored */
	TupleTableSlot *old;		/* in the root's layout */
	TupleTableSlot *new;
	char	   *old_owner;		/* canonical; NULL: nobody */
	char	   *new_owner;		/* what is to be stored */
} Update;

/*
 * Whether the statement sets a column beside the owner, or beside the owner and
 * what is mapped.
 */
static bool
sets_another(const Update *u, bool but_mapped)
{
	TupleDesc	desc = RelationGetDescr(u->td->tg_relation);
	int			column = -1;

	while ((column = bms_next_member(u->td->tg_updatedcols, column)) >= 0)
	{
		AttrNumber	attno = column + FirstLowInvalidHeapAttributeNumber;

		if (attno <= 0 || attno == u->leaf->owner ||
			(but_mapped && (attno == u->leaf->status || attno == u->leaf->score)))
			continue;
		/* what is computed from the owner follows it */
		if (!TupleDescAttr(desc, attno - 1)->attgenerated)
			return true;
	}
	return false;
}

/*
 * Whether the owner is what leadroute chose for the row that was not stored:
 * EXCLUDED is that row as our BEFORE trigger left it (it may have another key,
 * where the conflict is about another column).  An owner that the app itself gave
 * in the INSERT is meant.  The turn and the place of whose row it was, are free at
 * once, also for the stored lead.
 */
static bool
is_copied_from_excluded(const Update *u, LrFrame *frame)
{
	LrDecision *d;
	const char *chosen;
	bool		given;

	if (!frame->pending.active || frame->pending.move != NULL ||
		!lr_frame_is_conflict(u->td->tg_relation, u->td->tg_newslot))
		return false;
	d = &frame->pending.decision;
	given = d->entry.kind == LR_KIND_GIVEN;
	chosen = d->member == NULL ? NULL :
		frame->binding->owner_text[d->member->index];
	lr_frame_discard(frame);
	if (given)
		return false;
	if (chosen == NULL || u->new_owner == NULL)
		return chosen == u->new_owner;
	return strcmp(chosen, u->new_owner) == 0;
}

/*
 * Whether nobody is written by an app that has not read the owner.  What
 * a foreign key does to its rows (ON DELETE SET NULL of several columns) is meant:
 * the row would refer to what is gone.
 */
static bool
is_written_unread(const Update *u)
{
	char	   *detail = NULL;

	return u->table->protect_owner && u->old_owner != NULL &&
		u->new_owner == NULL && sets_another(u, false) &&
		!InNoForceRLSOperation() &&
		lr_lead_router(u->table, u->new, &detail) != NULL;
}

/* The row with another value in its owner column. */
static HeapTuple
with_owner(const Update *u, Datum value, bool isnull)
{
	int			attno = u->leaf->owner;

	return heap_modify_tuple_by_cols(u->row,
									 RelationGetDescr(u->td->tg_relation), 1,
									 &attno, &value, &isnull);
}

static HeapTuple
with_old_owner(const Update *u)
{
	bool		isnull;
	Datum		value = heap_getattr(u->td->tg_trigtuple, u->leaf->owner,
									 RelationGetDescr(u->td->tg_relation),
									 &isnull);

	return with_owner(u, value, isnull);
}

/* A column of reroute_on that has changed; NULL: none has. */
static const char *
changed_column(const Update *u)
{
	LrTable    *table = u->table;
	int			i;

	for (i = 0; i < table->nreroute; i++)
		if (lr_column_differs(table->desc, table->reroute[i], u->old, u->new))
			return NameStr(TupleDescAttr(table->desc,
										 table->reroute[i] - 1)->attname);
	return NULL;
}

/* Whether the UPDATE changes anything. */
static bool
changes_anything(const Update *u)
{
	TupleDesc	desc = u->table->desc;
	int			i;

	for (i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			TupleDescAttr(desc, i)->attgenerated == '\0' &&
			lr_column_differs(desc, i + 1, u->old, u->new))
			return true;
	return false;
}

/* Whether it sets the status to something: that is the application's from now on. */
static bool
sets_status(const Update *u)
{
	AttrNumber	attno = u->table->mapping != NULL ?
		u->table->mapping->status.attno : 0;

	return attno != 0 && !slot_attisnull(u->new, attno) &&
		lr_column_differs(u->table->desc, attno, u->old, u->new);
}

/* Whether the lead is to be decided anew, and why. */
static bool
is_to_be_decided(const Update *u, LrAgain *again)
{
	const char *column;

	memset(again, 0, sizeof(*again));
	again->status_set = sets_status(u);
	again->released = u->old_owner != NULL && u->new_owner == NULL;
	if (again->released)
		return true;
	column = u->old_owner == NULL ? u->new_owner == NULL ? changed_column(u) :
		NULL : strcmp(u->old_owner, u->new_owner) == 0 ? changed_column(u) :
		NULL;
	if (column != NULL)
		again->detail = psprintf("column \"%s\" has changed", column);
	again->changed = column == NULL && u->old_owner == NULL &&
		u->new_owner == NULL && changes_anything(u);
	return column != NULL || again->changed;
}

/* The row with what is decided. */
static HeapTuple
decided(Update *u, LrFrame *frame, const LrAgain *again)
{
	LrUpdatedRow row;
	LrRedecision result;

	row.leaf = u->leaf;
	row.tid = &u->td->tg_trigtuple->t_self;
	row.old = u->old;
	row.new = u->new;
	row.must_have_owner = u->table->nobody_isnull &&
		TupleDescAttr(RelationGetDescr(u->td->tg_relation),
					  u->leaf->owner - 1)->attnotnull;
	row.last_word = lr_has_last_word(u->td);
	if (!lr_redecide(frame, &row, again, &result))
		return u->row;
	if (result.sets_owner)
		u->row = with_owner(u, result.owner, result.isnull);
	if (result.decision->verdict == NULL || u->table->mapping == NULL)
		return u->row;
	return lr_mapped_row(u->table, u->leaf, u->td->tg_relation, u->row,
						 &result.decision->verdict->mapped, NULL,
						 result.decision, result.context);
}

/* The row to be stored, in the root's layout. */
static TupleTableSlot *
row_to_store(const Update *u)
{
	TupleTableSlot *slot = u->td->tg_newslot;

	if (u->row != u->td->tg_newtuple)
	{
		slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(u->td->tg_relation)),
										&TTSOpsHeapTuple);
		ExecStoreHeapTuple(u->row, slot, false);
	}
	return lr_table_root_row(u->table, u->leaf, slot);
}

/*
 * Status and score that are copied from EXCLUDED, which has them as leadroute set
 * them: the stored lead keeps its own.
 */
static void
take_back_excluded(Update *u, LrFrame *frame)
{
	const LrDecision *d = &frame->pending.decision;

	if (frame->pending.active && frame->pending.move == NULL &&
		d->verdict != NULL && u->table->mapping != NULL &&
		lr_frame_is_conflict(u->td->tg_relation, u->td->tg_newslot))
		u->row = lr_mapped_taken_back(u->table, u->leaf, u->td->tg_relation,
									  u->td->tg_trigtuple, u->row,
									  &d->verdict->mapped);
}

/* Status and score stay where the app has not read them. */
static void
keep_unread(Update *u, bool owner_unread)
{
	Relation	rel = u->td->tg_relation;
	HeapTuple	old = u->td->tg_trigtuple;
	char	   *detail = NULL;

	if (u->table->mapping == NULL || !u->table->protect_owner ||
		!sets_another(u, true) || InNoForceRLSOperation() ||
		!(owner_unread ||
		  (lr_mapped_is_unread(u->table, u->leaf, rel, u->td->tg_updatedcols,
							   old, u->row) &&
		   lr_lead_router(u->table, u->new, &detail) != NULL)))
		return;
	u->row = lr_mapped_kept(u->table, u->leaf, rel, u->td->tg_updatedcols, old,
							u->row);
	u->new = row_to_store(u);
}

/* The steps, for a row in which they may have something to do. */
static HeapTuple
look_at_row(Update *u, LrFrame *frame)
{
	LrAgain		again;
	bool		unread = false;

	u->row = u->td->tg_newtuple;
	take_back_excluded(u, frame);
	u->old = lr_table_root_row(u->table, u->leaf, u->td->tg_trigslot);
	u->new = row_to_store(u);
	u->old_owner = lr_table_owner(u->table, u->old);
	u->new_owner = lr_table_owner(u->table, u->new);
	if (is_copied_from_excluded(u, frame) || (unread = is_written_unread(u)))
	{
		u->new_owner = u->old_owner;
		u->row = with_old_owner(u);
	}
	keep_unread(u, unread);
	return is_to_be_decided(u, &again) ? decided(u, frame, &again) : u->row;
}

/*
 * Whether it may be a lead that was not qualified, and is judged, or that waits
 * to be ready; cheap for one that has an owner.
 */
static bool
may_become_decided(const Update *u)
{
	LrTable    *table = u->table;
	LrRouter   *router;
	bool		judges;

	if (table->nobody_isnull ?
		!slot_attisnull(u->td->tg_trigslot, u->leaf->owner) :
		lr_table_owner(table, lr_table_root_row(table, u->leaf,
												u->td->tg_trigslot)) != NULL)
		return false;
	if (table->ready != NULL || table->router == NULL)
		return true;			/* the row says by whom */
	router = lr_router_pin(table->router);
	if (router == NULL)
		return false;
	judges = router->qualification != NULL;
	lr_router_unpin(router);
	return judges;
}

/* Whether there may be something to do; cheap. */
static bool
concerns(const Update *u, const LrFrame *frame)
{
	TupleDesc	desc = RelationGetDescr(u->td->tg_relation);

	return u->table->nreroute > 0 ||
		(frame != NULL && frame->pending.active) ||
		lr_column_differs(desc, u->leaf->owner, u->td->tg_trigslot,
						  u->td->tg_newslot) ||
		(u->leaf->score != 0 &&
		 lr_column_differs(desc, u->leaf->score, u->td->tg_trigslot,
						   u->td->tg_newslot)) || may_become_decided(u);
}

HeapTuple
lr_before_update(TriggerData *td, const char *name)
{
	Relation	rel = td->tg_relation;
	HeapTuple	result = td->tg_newtuple;
	/* only partitions can lose a row to each other */
	LrFrame    *frame = rel->rd_rel->relispartition ? lr_frame_get(name) :
		lr_frame_find(name);
	Update		u = {0};

	/* the row before this one was to move, and was not stored */
	if (frame != NULL && frame->pending.active && frame->pending.move != NULL)
		lr_frame_discard(frame);
	u.td = td;
	u.table = frame != NULL ? frame->table : lr_table_pin_sound(name);
	if (u.table == NULL)
		return result;
	u.leaf = lr_table_leaf(u.table, rel);
	if (concerns(&u, frame) && !lr_is_own_update())
	{
		if (frame == NULL)
		{
			lr_table_unpin(u.table);
			frame = lr_frame_get(name);
			u.table = frame->table;
			if (u.table == NULL)
				return result;
			u.leaf = lr_table_leaf(u.table, rel);
		}
		result = look_at_row(&u, frame);
	}
	if (rel->rd_rel->relispartition)
		lr_move_expect(frame, rel, &td->tg_trigtuple->t_self, td->tg_trigslot,
					   td->tg_newslot);
	if (frame == NULL)
		lr_table_unpin(u.table);
	return result;
}
