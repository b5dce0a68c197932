/*
 * told.c
 *	  What a lead tells of itself for the journal; see told.h.
 *
 * A lead whose table says nothing, and that is decided once, has none of it in
 * its row: it was captured when it was decided.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "decide/decide.h"
#include "expression/evaluate.h"
#include "journal/journal.h"
#include "lead/told.h"
#include "leadroute.h"

LrTold *
lr_told_nothing(void)
{
	LrTold	   *told = (LrTold *) palloc0(sizeof(LrTold));
	int			i;

	for (i = 0; i < LR_TELLINGS; i++)
		told->isnull[i] = true;
	return told;
}

/* Takes in a value; what is no time or number that can be reckoned with is NULL. */
static void
take_in(LrTold *told, LrTelling what, Datum value)
{
	switch (what)
	{
		case LR_CAPTURED_AT:
			told->captured_at = DatumGetTimestampTz(value);
			told->isnull[what] = TIMESTAMP_NOT_FINITE(told->captured_at);
			break;
		case LR_SOURCE:
			told->source = TextDatumGetCString(value);
			told->isnull[what] = told->source[0] == '\0';
			break;
		default:
			told->value = PointerGetDatum(DatumGetNumericCopy(value));
			told->isnull[what] = numeric_is_nan(DatumGetNumeric(told->value)) ||
				numeric_is_inf(DatumGetNumeric(told->value));
			break;
	}
}

LrTold *
lr_told(LrTable *table, TupleTableSlot *row, char **detail)
{
	LrTold	   *told;
	int			i;

	if (!table->any_told)
		return NULL;
	told = lr_told_nothing();
	for (i = 0; i < LR_TELLINGS; i++)
	{
		LrEvaluation ev;
		bool		isnull;
		Datum		value;

		if (table->told[i] == NULL)
		{
			if (table->told_broken[i] != NULL)
				lr_add_detail(detail, lr_told_column[i], table->told_broken[i]);
			continue;
		}
		lr_evaluation_begin(&ev, table, row);
		lr_evaluate_generated(&ev, table->told[i], detail);
		value = lr_evaluate(&ev, table->told[i], &isnull);
		if (!isnull)
			take_in(told, i, value);
		lr_evaluation_end(&ev);
		told->said[i] = ev.error == NULL;
		if (ev.error != NULL)
			lr_add_detail(detail, lr_told_column[i], ev.error);
	}
	return told;
}

/* When the lead of a row was captured; false: nobody knows. */
static bool
was_captured(const LrCurrent *row, TimestampTz *at)
{
	*at = row->told.captured_at;
	if (!row->told.isnull[LR_CAPTURED_AT])
		return true;
	*at = row->at;
	return row->previous_id == 0 && row->kind != LR_KIND_ADOPTED;
}

void
lr_told_on(LrEntry *e, const LrCurrent *former)
{
	const LrTold *was = &former->told;
	LrTold	   *told = lr_told_nothing();

	if (e->told != NULL)
		*told = *e->told;
	if (told->isnull[LR_CAPTURED_AT])
		told->isnull[LR_CAPTURED_AT] = !was_captured(former, &told->captured_at);
	if (!told->said[LR_SOURCE])
	{
		told->isnull[LR_SOURCE] = was->isnull[LR_SOURCE];
		told->source = was->source;
	}
	if (!told->said[LR_VALUE])
	{
		told->isnull[LR_VALUE] = was->isnull[LR_VALUE];
		told->value = was->value;
	}
	if (e->closed)
		told->outcome = was->outcome;
	e->told = told;
}

static bool
same(const LrTold *a, const LrTold *b, LrTelling what)
{
	if (a->isnull[what] || b->isnull[what])
		return a->isnull[what] == b->isnull[what];
	switch (what)
	{
		case LR_CAPTURED_AT:
			return a->captured_at == b->captured_at;
		case LR_SOURCE:
			return strcmp(a->source, b->source) == 0;
		default:
			return DatumGetBool(DirectFunctionCall2(numeric_eq, a->value, b->value));
	}
}

bool
lr_told_differs(const LrTold *told, const LrCurrent *current,
				bool change[LR_TOLDS])
{
	bool		any = false;
	int			i;

	/* an UPDATE says nothing of it */
	change[LR_OUTCOME] = false;

	for (i = 0; i < LR_TELLINGS; i++)
	{
		change[i] = told != NULL && told->said[i] &&
			!(i == LR_CAPTURED_AT && told->isnull[i]) &&
			!same(told, &current->told, i);
		any |= change[i];
	}
	return any;
}
