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
 *
 * What a statement writes is known by the columns that it sets, not by the
 * values: an object mapper writes all columns of an object that it has.  Columns
 * that other triggers change do not count.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "before_update.h"
#include "frame.h"
#include "leadroute.h"
#include "move.h"
#include "outcome.h"
#include "trigger.h"

/* One row that is being updated. */
typedef struct Update
{
	TriggerData *td;
	LrTable    *table;
	LrLeaf	   *leaf;
	TupleTableSlot *old;		/* in the root's layout */
	TupleTableSlot *new;
	char	   *old_owner;		/* canonical; NULL: nobody */
	char	   *new_owner;
} Update;

/* Whether the statement sets the owner and no other column. */
static bool
sets_owner_alone(const Update *u)
{
	TupleDesc	desc = RelationGetDescr(u->td->tg_relation);
	int			column = -1;

	while ((column = bms_next_member(u->td->tg_updatedcols, column)) >= 0)
	{
		AttrNumber	attno = column + FirstLowInvalidHeapAttributeNumber;

		/* what is computed from the owner follows it */
		if (attno != u->leaf->owner && attno > 0 &&
			!TupleDescAttr(desc, attno - 1)->attgenerated)
			return false;
	}
	return true;
}

/*
 * Whether the owner is what leadroute chose for the row that was not stored:
 * EXCLUDED is that row as our BEFORE trigger left it (it may have another key,
 * where the conflict is about another column).  An owner that the app itself gave
 * in the INSERT is meant.  The chosen one's turn is free at once.
 */
static bool
is_copied_from_excluded(const Update *u, LrFrame *frame)
{
	LrDecision *d;
	const char *chosen;

	if (frame == NULL || !frame->pending.active || frame->pending.move != NULL)
		return false;
	d = &frame->pending.decision;
	if (d->entry.kind == LR_KIND_GIVEN ||
		!lr_frame_is_conflict(u->td->tg_relation, u->td->tg_newslot))
		return false;
	chosen = d->member == NULL ? NULL :
		frame->binding->owner_text[d->member->index];
	lr_frame_discard(frame);
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
		u->new_owner == NULL && !sets_owner_alone(u) &&
		!InNoForceRLSOperation() && !lr_is_own_update() &&
		lr_lead_router(u->table, u->new, &detail) != NULL;
}

/* The row with the owner that it had. */
static HeapTuple
with_old_owner(const Update *u)
{
	TupleDesc	desc = RelationGetDescr(u->td->tg_relation);
	int			attno = u->leaf->owner;
	bool		isnull;
	Datum		value = heap_getattr(u->td->tg_trigtuple, attno, desc, &isnull);

	return heap_modify_tuple_by_cols(u->td->tg_newtuple, desc, 1, &attno,
									 &value, &isnull);
}

/* The steps, for a row whose owner column is written anew. */
static HeapTuple
owner_written(Update *u, LrFrame *frame)
{
	u->old = lr_table_root_row(u->table, u->leaf, u->td->tg_trigslot);
	u->new = lr_table_root_row(u->table, u->leaf, u->td->tg_newslot);
	u->old_owner = lr_table_owner(u->table, u->old);
	u->new_owner = lr_table_owner(u->table, u->new);
	if (is_copied_from_excluded(u, frame) || is_written_unread(u))
		return with_old_owner(u);
	return u->td->tg_newtuple;
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

	u.td = td;
	u.table = frame != NULL ? frame->table : lr_table_pin_sound(name);
	if (u.table == NULL)
		return result;
	u.leaf = lr_table_leaf(u.table, rel);
	if ((frame != NULL && frame->pending.active) ||
		lr_column_differs(RelationGetDescr(rel), u.leaf->owner,
						  td->tg_trigslot, td->tg_newslot))
		result = owner_written(&u, frame);
	if (rel->rd_rel->relispartition)
		lr_move_expect(frame, rel, td->tg_trigslot, td->tg_newslot);
	if (frame == NULL)
		lr_table_unpin(u.table);
	return result;
}
