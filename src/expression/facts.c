/*
 * facts.c
 *	  What expressions know of a member; see facts.h.
 *
 * A column of leadroute.member_facts is the column of that name of
 * leadroute.member; others are what is measured, and are filled in here.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/generation.h"
#include "base/scan.h"
#include "expression/expr.h"
#include "expression/facts.h"
#include "roster/measured.h"

/* The number of a column; 0: there is none. */
static AttrNumber
column_of(TupleDesc desc, const char *name)
{
	int			i;

	for (i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i + 1;
	return 0;
}

/* Takes over the row of leadroute.member at a scan. */
static void
read_member(LrFacts *facts, LrScan *scan, Datum *value, bool *isnull)
{
	int			i;

	for (i = 0; i < facts->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(facts->desc, i);

		isnull[i] = true;
		if (column_of(scan->desc, NameStr(att->attname)) == 0)
			continue;
		value[i] = lr_scan_datum(scan, NameStr(att->attname), &isnull[i]);
		if (!isnull[i] && att->attlen == -1)
			value[i] = PointerGetDatum(PG_DETOAST_DATUM_COPY(value[i]));
		else if (!isnull[i])
			value[i] = datumCopy(value[i], att->attbyval, att->attlen);
	}
}

static LrFacts *
read_facts(LrRouter *router)
{
	LrFacts    *facts = (LrFacts *) palloc0(sizeof(LrFacts));
	Relation	rel = relation_open(lr_relid("member_facts"), AccessShareLock);
	LrScan		scan;
	int			i;

	facts->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	relation_close(rel, AccessShareLock);
	facts->open_leads = column_of(facts->desc, "open_leads");
	facts->response_rate = column_of(facts->desc, "response_rate");
	facts->conversion_rate = column_of(facts->desc, "conversion_rate");
	facts->slot = MakeSingleTupleTableSlot(facts->desc, &TTSOpsVirtual);
	facts->value = (Datum **) palloc((router->nmembers + 1) * sizeof(Datum *));
	facts->isnull = (bool **) palloc((router->nmembers + 1) * sizeof(bool *));
	for (i = 0; i < router->nmembers; i++)
	{
		facts->value[i] = (Datum *) palloc0(facts->desc->natts * sizeof(Datum));
		facts->isnull[i] = (bool *) palloc(facts->desc->natts);
		memset(facts->isnull[i], true, facts->desc->natts);
	}
	lr_scan_begin(&scan, "member", "member_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrMember   *m = lr_member_by_name(router, lr_scan_text(&scan, "name"));

		if (m != NULL)
			read_member(facts, &scan, facts->value[m->index],
						facts->isnull[m->index]);
	}
	lr_scan_end(&scan);
	return facts;
}

void
lr_facts_need(LrRouter *router)
{
	MemoryContext context;
	MemoryContext old;
	LrFacts    *facts;

	if (router->facts != NULL)
		return;
	/* an error on the way leaves nothing in the router */
	context = AllocSetContextCreate(CurrentMemoryContext, "leadroute members",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	facts = read_facts(router);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, router->context);
	router->facts = facts;
}

/* A column of the slot, if there is one. */
static void
fill(TupleTableSlot *slot, AttrNumber column, Datum value, bool isnull)
{
	if (column == 0)
		return;
	slot->tts_values[column - 1] = value;
	slot->tts_isnull[column - 1] = isnull;
}

/* The columns of a member that an expression reads; 0: all. */
static bool
note_columns(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) && ((Var *) node)->varno == LR_MEMBER_VARNO)
	{
		Bitmapset **columns = (Bitmapset **) context;

		*columns = bms_add_member(*columns, ((Var *) node)->varattno);
	}
	return expression_tree_walker(node, note_columns, context);
}

void
lr_facts_read_by(Node *node, bool *live, bool *measured)
{
	Relation	rel = relation_open(lr_relid("member_facts"), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	Bitmapset  *columns = NULL;

	(void) note_columns(node, &columns);
	*live = bms_is_member(0, columns) ||
		bms_is_member(column_of(desc, "open_leads"), columns);
	*measured = bms_is_member(0, columns) ||
		bms_is_member(column_of(desc, "response_rate"), columns) ||
		bms_is_member(column_of(desc, "conversion_rate"), columns);
	relation_close(rel, AccessShareLock);
}

TupleTableSlot *
lr_facts_row(LrRouter *router, LrMember *m)
{
	LrFacts    *facts = router->facts;
	TupleTableSlot *slot = facts->slot;
	LrMeasured	measured;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, facts->value[m->index],
		   facts->desc->natts * sizeof(Datum));
	memcpy(slot->tts_isnull, facts->isnull[m->index], facts->desc->natts);
	lr_measured(lr_database(), m, &measured);
	fill(slot, facts->open_leads, Int64GetDatum(measured.open_leads),
		 lr_slot_of_member(m) == LR_NO_SLOT);
	fill(slot, facts->response_rate, Float8GetDatum(measured.response_rate),
		 isnan(measured.response_rate));
	fill(slot, facts->conversion_rate, Float8GetDatum(measured.conversion_rate),
		 isnan(measured.conversion_rate));
	return ExecStoreVirtualTuple(slot);
}
