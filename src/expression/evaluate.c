/*
 * evaluate.c
 *	  Evaluating stored expressions over one lead; see evaluate.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "base/guard.h"
#include "expression/evaluate.h"
#include "expression/generated.h"
#include "rule/territory.h"

/*
 * Nest level of the evaluation that is going on; 0: none.  States and contexts
 * of expressions are shared by all leads of the backend, so an expression must
 * not lead to another lead's decision.
 */
static int	evaluating_nest = 0;

/*
 * For leadroute.score(), which is called by guarded expressions only: set for
 * each of them, and put back also when it raises.
 */
static const double *evaluated_score = NULL;

const double *
lr_evaluated_score(void)
{
	return evaluated_score;
}

bool
lr_evaluating(void)
{
	return evaluating_nest > 0;
}

void
lr_evaluating_abort(int nest)
{
	if (evaluating_nest >= nest)
		evaluating_nest = 0;
}

void
lr_evaluation_begin(LrEvaluation *ev, LrTable *table, TupleTableSlot *row)
{
	ev->table = table;
	ev->router = NULL;
	ev->score = NULL;
	ev->generated = NULL;
	ev->econtext = table->econtext;
	ev->econtext->ecxt_scantuple = row;
	ev->econtext->ecxt_innertuple = NULL;
	ev->econtext->ecxt_outertuple = NULL;
	ResetExprContext(ev->econtext);
	ev->context = CurrentMemoryContext;
	ev->owner = CurrentResourceOwner;
	ev->open = false;
	ev->error = NULL;
}

void
lr_evaluation_end(LrEvaluation *ev)
{
	if (!ev->open)
		return;
	ReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(ev->context);
	CurrentResourceOwner = ev->owner;
	ev->open = false;
}

static Datum
evaluate_guarded(LrEvaluation *ev, LrExpr *expr, bool *isnull)
{
	const LrRouter *outer_router = lr_territory_router(ev->router);
	const double *outer_score = evaluated_score;
	volatile Datum value = (Datum) 0;
	volatile bool null = true;
	int			outer = evaluating_nest;

	if (!ev->open)
	{
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(ev->context);
		ev->open = true;
	}
	evaluating_nest = GetCurrentTransactionNestLevel();
	evaluated_score = ev->score;
	PG_TRY();
	{
		bool		result_null;

		value = lr_expr_eval(expr, ev->econtext, &result_null);
		null = result_null;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(ev->context);
		error = CopyErrorData();
		FlushErrorState();
		/* also when it goes on: who catches it must find its own level */
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(ev->context);
		CurrentResourceOwner = ev->owner;
		ev->open = false;
		evaluating_nest = outer;
		evaluated_score = outer_score;
		(void) lr_territory_router(outer_router);
		if (lr_error_is_fatal(error->sqlerrcode))
			ReThrowError(error);
		ev->error = pstrdup(error->message);
		FreeErrorData(error);
	}
	PG_END_TRY();
	evaluating_nest = outer;
	evaluated_score = outer_score;
	(void) lr_territory_router(outer_router);
	*isnull = null;
	return value;
}

Datum
lr_evaluate(LrEvaluation *ev, LrExpr *expr, bool *isnull)
{
	ev->error = NULL;
	/* once the subtransaction is open, all run guarded: it must be closed */
	if (!expr->can_raise && !ev->open)
		return lr_expr_eval(expr, ev->econtext, isnull);
	return evaluate_guarded(ev, expr, isnull);
}

Datum
lr_evaluate_member(LrEvaluation *ev, LrExpr *expr, TupleTableSlot *member,
				   bool *isnull)
{
	ev->econtext->ecxt_innertuple = member;
	return lr_evaluate(ev, expr, isnull);
}

void
lr_add_detail(char **detail, const char *what, const char *error)
{
	char	   *add = psprintf("%s: %s", what, error);

	/* two expressions may have met the same */
	if (*detail != NULL && strstr(*detail, add) != NULL)
		return;
	*detail = *detail == NULL ? add : psprintf("%s; %s", *detail, add);
}

TupleTableSlot *
lr_copy_row(LrTable *table, TupleTableSlot *row)
{
	TupleTableSlot *copy = MakeSingleTupleTableSlot(table->desc,
													&TTSOpsVirtual);

	slot_getallattrs(row);
	memcpy(copy->tts_values, row->tts_values,
		   table->desc->natts * sizeof(Datum));
	memcpy(copy->tts_isnull, row->tts_isnull,
		   table->desc->natts * sizeof(bool));
	return ExecStoreVirtualTuple(copy);
}

void
lr_evaluate_generated(LrEvaluation *ev, const LrExpr *expr, char **detail)
{
	LrTable    *table = ev->table;
	int			attno = -1;

	while ((attno = bms_next_member(expr->generated, attno)) >= 0)
	{
		LrGenerated *g = lr_generated_find(table, attno);
		Form_pg_attribute att = TupleDescAttr(table->desc, attno - 1);
		const char *error = g->broken;
		TupleTableSlot *row;
		bool		isnull = true;
		Datum		value = (Datum) 0;

		if (bms_is_member(attno, ev->generated))
			continue;
		if (ev->generated == NULL)
			ev->econtext->ecxt_scantuple = lr_copy_row(table, ev->econtext->ecxt_scantuple);
		ev->generated = bms_add_member(ev->generated, attno);
		if (error == NULL)
		{
			value = lr_evaluate(ev, g->expr, &isnull);
			error = ev->error;
		}
		if (error != NULL)
			lr_add_detail(detail, psprintf("column \"%s\"", NameStr(att->attname)),
					   error);
		row = ev->econtext->ecxt_scantuple;
		row->tts_isnull[attno - 1] = isnull;
		row->tts_values[attno - 1] = isnull ? (Datum) 0 :
			datumCopy(value, att->attbyval, att->attlen);
	}
}

bool
lr_evaluate_alone(LrTable *table, TupleTableSlot *row, LrExpr *expr,
				  const char *what, Datum *value, bool *isnull, char **detail)
{
	LrEvaluation ev;

	lr_evaluation_begin(&ev, table, row);
	lr_evaluate_generated(&ev, expr, detail);
	*value = lr_evaluate(&ev, expr, isnull);
	lr_evaluation_end(&ev);
	if (ev.error != NULL)
		lr_add_detail(detail, what, ev.error);
	return ev.error == NULL;
}
