/*
 * lead_state.c
 *	  The router of a lead, and what has happened to it.  See lead_state.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"

#include "expression/evaluate.h"
#include "lead/lead_state.h"

/* When one thing has happened. */
static TimestampTz
when_of(LrTable *table, TupleTableSlot *row, LrWhen what, char **detail)
{
	LrExpr	   *expr = table->when[what];
	bool		isnull;
	Datum		value;

	if (expr == NULL)
	{
		if (table->when_broken[what])
			lr_add_detail(detail, lr_when_column[what], table->when_broken[what]);
		return LR_NOT_YET;
	}
	(void) lr_evaluate_alone(table, row, expr, lr_when_column[what], &value,
							 &isnull, detail);
	if (isnull)
		return LR_NOT_YET;
	if (exprType((Node *) expr->tree) == TIMESTAMPTZOID)
		return DatumGetTimestampTz(value);
	return DatumGetBool(value) ? LR_SOME_TIME : LR_NOT_YET;
}

void
lr_lead_when(LrTable *table, TupleTableSlot *row, TimestampTz *when,
			 char **detail)
{
	int			i;

	for (i = 0; i < LR_WHENS; i++)
		when[i] = when_of(table, row, i, detail);
}

char *
lr_lead_router(LrTable *table, TupleTableSlot *row, char **detail)
{
	LrEvaluation ev;
	bool		isnull;
	Datum		value;
	char	   *name = NULL;

	if (table->router != NULL)
		return table->router;
	if (table->router_expr == NULL)
		return NULL;
	lr_evaluation_begin(&ev, table, row);
	lr_evaluate_generated(&ev, table->router_expr, detail);
	value = lr_evaluate(&ev, table->router_expr, &isnull);
	if (!isnull)
		name = TextDatumGetCString(value);
	lr_evaluation_end(&ev);
	if (ev.error)
		lr_add_detail(detail, "router_expr", ev.error);
	return name;
}
