/*
 * cap_judge.c
 *	  Judging stored leads by a cap's condition.  See cap_judge.h.
 *
 * This may happen while a lead of the same table is being decided.  Expressions
 * of that lead have been evaluated in the table's context, and go on in it
 * afterwards: here they have one of their own.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/guard.h"
#include "base/scan.h"
#include "cap/cap_judge.h"
#include "expression/compile.h"
#include "expression/evaluate.h"
#include "lead/lead.h"
#include "lead/lead_keys.h"

void
lr_cap_judge_begin(LrCapJudge *judge, const LrRouter *router, const LrCap *cap)
{
	memset(judge, 0, sizeof(*judge));
	judge->router = router;
	judge->cap = cap;
	judge->context = AllocSetContextCreate(CurrentMemoryContext,
										   "leadroute leads under a cap",
										   ALLOCSET_DEFAULT_SIZES);
}

static void
leave_table(LrCapJudge *judge)
{
	if (judge->table != NULL)
		lr_table_unpin(judge->table);
	if (OidIsValid(judge->relid))
		UnlockRelationOid(judge->relid, AccessShareLock);
	judge->table = NULL;
	judge->relid = InvalidOid;
	judge->condition = NULL;
}

void
lr_cap_judge_end(LrCapJudge *judge)
{
	leave_table(judge);
	MemoryContextDelete(judge->context);
}

/* The table of that name, pinned; NULL: its leads cannot be read. */
static LrTable *
pin_readable(const char *name)
{
	LrTable    *table = lr_table_pin(name);

	if (table != NULL && table->broken != NULL)
	{
		lr_table_unpin(table);
		table = NULL;
	}
	return table;
}

/* Which table that is; InvalidOid: it is attached no more. */
static Oid
relation_of(const char *name)
{
	LrScan		scan;
	Oid			relid = InvalidOid;
	bool		isnull;

	lr_scan_begin(&scan, "routed_table", "routed_table_pkey", "name", name);
	if (lr_scan_next(&scan))
		relid = DatumGetObjectId(lr_scan_datum(&scan, "relation", &isnull));
	lr_scan_end(&scan);
	return relid;
}

/*
 * Turns to a table.  Its leads are read for somebody else's lead, who must not
 * wait for whoever keeps this table for himself: so it is not looked at before it is
 * locked.
 */
static void
enter_table(LrCapJudge *judge, const char *name)
{
	LrTable    *table;
	Relation	rel;
	char	   *broken;
	Oid			relid = relation_of(name);

	leave_table(judge);
	if (!OidIsValid(relid))
		return;
	if (!ConditionalLockRelationOid(relid, AccessShareLock))
	{
		judge->locked = true;
		return;
	}
	judge->relid = relid;
	table = pin_readable(name);
	if (table == NULL || table->relid != relid)
	{
		if (table != NULL)
			lr_table_unpin(table);
		judge->locked |= table != NULL;
		return;
	}
	judge->table = table;
	rel = table_open(relid, NoLock);
	judge->condition = lr_compile_guarded(rel, judge->cap->condition,
										  LR_EXPR_BOOL, judge->cap->written_by,
										  judge->cap->search_path,
										  psprintf("condition of cap \"%s\"",
												   judge->cap->name), &broken);
	table_close(rel, NoLock);
}

/* The rows of leads that are there: their places in at, from 1, and they. */
static SPITupleTable *
read_rows(LrTable *table, const LrKeys *keys, const int *at, int n)
{
	LrKeyed		s;

	lr_keyed_begin(&s, table);
	appendStringInfoString(&s.text, "SELECT lr_key.n, lr_lead FROM ");
	lr_keyed_keys(&s, table, keys, at, n);
	appendStringInfo(&s.text, " JOIN %s AS lr_lead ON ",
					 lr_lead_relation(table));
	lr_keyed_join(&s, table);
	lr_keyed_run(&s, table, IsolationIsSerializable() ? SnapshotSelf :
				 GetLatestSnapshot());
	return SPI_tuptable;
}

static bool
is_true_for(LrCapJudge *judge, TupleTableSlot *row, const LrCapLead *lead)
{
	LrEvaluation ev;
	bool		isnull;
	Datum		value;

	lr_evaluation_begin(&ev, judge->table, row);
	ev.router = judge->router;
	ev.score = lead->has_score ? &lead->score : NULL;
	value = lr_evaluate(&ev, judge->condition, &isnull);
	lr_evaluation_end(&ev);
	return ev.error == NULL && !isnull && DatumGetBool(value);
}

/*
 * Judges the leads whose places are in at; those that are not found are there
 * afterwards: how many.
 */
static int
judge_rows(LrCapJudge *judge, const LrKeys *keys, LrCapLead *lead, int *at,
		   int n, bool *is_true)
{
	LrTable    *table = judge->table;
	SPITupleTable *found = read_rows(table, keys, at, n);
	bool	   *is_there = (bool *) palloc0(n * sizeof(bool));
	int			left = 0;
	int			k;
	uint64		i;

	for (i = 0; i < found->numvals; i++)
	{
		bool		isnull;
		TupleTableSlot *row;

		CHECK_FOR_INTERRUPTS();
		k = (int) DatumGetInt64(SPI_getbinval(found->vals[i], found->tupdesc, 1,
											  &isnull)) - 1;
		row = lr_lead_slot(table, SPI_getbinval(found->vals[i], found->tupdesc,
												2, &isnull));
		is_true[at[k]] = is_true_for(judge, row, &lead[at[k]]);
		is_there[k] = true;
		ExecDropSingleTupleTableSlot(row);
	}
	SPI_freetuptable(found);
	for (k = 0; k < n; k++)
		if (!is_there[k])
			at[left++] = at[k];
	return left;
}

/* Leads of the table that it is at. */
static void
judge_leads(LrCapJudge *judge, LrCapLead *lead, int n, bool *is_true)
{
	LrTable    *table = judge->table;
	ExprContext *econtext = table->econtext;
	char	  **key = (char **) palloc(n * sizeof(char *));
	int		   *at = (int *) palloc(n * sizeof(int));
	LrKeys		keys;
	LrRights	rights;
	int			left = n;
	int			i;

	for (i = 0; i < n; i++)
	{
		key[i] = lead[i].key;
		at[i] = i;
	}
	lr_keys_of_text(table, key, n, &keys);
	lr_lead_become(table, true, &rights);
	PG_TRY();
	{
		table->econtext = CreateStandaloneExprContext();
		left = judge_rows(judge, &keys, lead, at, left, is_true);
		/* a row that is updated may escape a look without a snapshot, not two */
		if (left > 0 && IsolationIsSerializable())
			(void) judge_rows(judge, &keys, lead, at, left, is_true);
		FreeExprContext(table->econtext, true);
	}
	PG_FINALLY();
	{
		table->econtext = econtext;
	}
	PG_END_TRY();
	lr_resign(&rights);
}

typedef struct Judging
{
	LrCapJudge *judge;
	LrCapLead  *lead;
	int			n;
	bool	   *is_true;
} Judging;

static void
judge_these(void *arg)
{
	Judging    *j = (Judging *) arg;

	judge_leads(j->judge, j->lead, j->n, j->is_true);
}

void
lr_cap_judge(LrCapJudge *judge, LrCapLead *lead, int n, bool *is_true)
{
	Judging		j = {judge, NULL, 0, NULL};
	MemoryContext old;
	int			first;
	int			next;

	if (n <= 0)
		return;
	memset(is_true, false, n * sizeof(bool));
	for (first = 0; first < n; first = next)
	{
		for (next = first + 1; next < n &&
			 strcmp(lead[next].table, lead[first].table) == 0; next++)
			;
		if (judge->table == NULL ||
			strcmp(judge->table->name, lead[first].table) != 0)
			enter_table(judge, lead[first].table);
		if (judge->condition == NULL)
			continue;
		old = MemoryContextSwitchTo(judge->context);
		j.lead = lead + first;
		j.n = next - first;
		j.is_true = is_true + first;
		/*
		 * A table that cannot be read, by its policies or keys of another type,
		 * stops no lead of another one.
		 */
		if (lr_guarded_reading(judge_these, &j) != NULL)
			memset(j.is_true, false, j.n * sizeof(bool));
		MemoryContextSwitchTo(old);
		MemoryContextReset(judge->context);
	}
}
