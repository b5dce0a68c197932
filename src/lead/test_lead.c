/*
 * test_lead.c
 *	  Test leads.  See test_lead.h.
 *
 * The expression runs as those of rules do: with the rights and under the
 * search_path of its writer, compiled once a binding.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/rel.h"

#include "config/router_sql.h"
#include "expression/evaluate.h"
#include "expression/generated.h"
#include "lead/test_lead.h"
#include "roster/reserve.h"

typedef struct LrCompiledTest
{
	LrExpr	   *expr;			/* NULL: broken */
	char	   *broken;			/* why; NULL: it is not */
} LrCompiledTest;

static void
compile(LrTable *table, LrBinding *b)
{
	const LrTestWhen *t = b->router->test_when;
	Relation	rel = table_open(table->relid, AccessShareLock);
	MemoryContext old = MemoryContextSwitchTo(b->context);
	LrCompiledTest *test = (LrCompiledTest *) palloc0(sizeof(LrCompiledTest));

	test->expr = lr_compile_for_leads(table, rel, t->expr, LR_EXPR_BOOL,
									  t->written_by, t->search_path,
									  "test_when", &test->broken);
	MemoryContextSwitchTo(old);
	table_close(rel, AccessShareLock);
	b->test = test;
}

bool
lr_test_when_is_true(LrTable *table, LrBinding *b, TupleTableSlot *row,
					 char **detail)
{
	LrEvaluation ev;
	const char *error;
	bool		isnull = true;
	Datum		value = BoolGetDatum(false);

	if (b->test == NULL)
		compile(table, b);
	error = b->test->broken;
	if (b->test->expr != NULL)
	{
		lr_evaluation_begin(&ev, table, row);
		ev.router = b->router;
		lr_evaluate_generated(&ev, b->test->expr, detail);
		value = lr_evaluate(&ev, b->test->expr, &isnull);
		lr_evaluation_end(&ev);
		error = ev.error;
	}
	if (error != NULL)
		lr_add_detail(detail, "test_when", error);
	return error == NULL && !isnull && DatumGetBool(value);
}

void
lr_test_decided(LrDecision *d)
{
	LrEntry    *e = &d->entry;

	memset(&d->reservation, 0, sizeof(d->reservation));
	d->reservation.member_slot = LR_NO_SLOT;
	d->reservation.last_turn = -1;
	e->id = d->reservation.id = lr_reserve_id();
	e->load = 0;
	e->turn = false;
	e->month = 0;
	e->ncaps = 0;
	e->team_version = 0;
	e->candidates = e->accruing = NULL;
	d->sticky = NULL;
	d->trials = NIL;
}
