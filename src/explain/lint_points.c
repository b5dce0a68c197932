/*
 * lint_points.c
 *	  Which scores are possible: bounds of what an expression gives, as far as
 *	  constants in it say so.  See lint.h.
 *
 * What is not understood has no bounds but those that all points have; so a
 * bound is never too narrow.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/numeric.h"

#include "config/criterion.h"
#include "explain/lint.h"

static LrBounds bounds_of(Node *node);

static const LrBounds nothing = {INFINITY, -INFINITY, true};
static const LrBounds anything = {-INFINITY, INFINITY, true};

/* Casts to a wider type of number, which keep what is less less. */
static bool
is_widening(Oid func)
{
	switch (func)
	{
		case F_INT4_INT2:
		case F_INT8_INT2:
		case F_INT8_INT4:
		case F_NUMERIC_INT2:
		case F_NUMERIC_INT4:
		case F_NUMERIC_INT8:
		case F_FLOAT8_INT2:
		case F_FLOAT8_INT4:
		case F_FLOAT8_INT8:
		case F_FLOAT8_FLOAT4:
		case F_FLOAT8_NUMERIC:
			return true;
		default:
			return false;
	}
}

static LrBounds
of_constant(const Const *c)
{
	LrBounds	b = nothing;
	double		value;

	if (c->constisnull)
		return b;
	switch (c->consttype)
	{
		case INT2OID:
			value = DatumGetInt16(c->constvalue);
			break;
		case INT4OID:
			value = DatumGetInt32(c->constvalue);
			break;
		case INT8OID:
			value = (double) DatumGetInt64(c->constvalue);
			break;
		case FLOAT4OID:
			value = DatumGetFloat4(c->constvalue);
			break;
		case FLOAT8OID:
			value = DatumGetFloat8(c->constvalue);
			break;
		case NUMERICOID:
			value = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
													   c->constvalue));
			break;
		default:
			return anything;
	}
	if (isnan(value))
		return anything;
	b.low = b.high = value;
	b.null = false;
	return b;
}

static LrBounds
either(LrBounds a, LrBounds b)
{
	a.low = Min(a.low, b.low);
	a.high = Max(a.high, b.high);
	a.null |= b.null;
	return a;
}

static LrBounds
of_case(const CaseExpr *c)
{
	LrBounds	b = c->defresult == NULL ? nothing :
		bounds_of((Node *) c->defresult);
	ListCell   *lc;

	foreach(lc, c->args)
		b = either(b, bounds_of((Node *) lfirst_node(CaseWhen, lc)->result));
	return b;
}

/* COALESCE, LEAST and GREATEST are NULL only if all of their arguments are. */
static LrBounds
of_any(List *args)
{
	LrBounds	b = nothing;
	bool		null = true;
	ListCell   *lc;

	foreach(lc, args)
	{
		LrBounds	arg = bounds_of((Node *) lfirst(lc));

		null &= arg.null;
		b = either(b, arg);
	}
	b.null = null;
	return b;
}

/* An argument that is never NULL bounds LEAST from above, GREATEST from below. */
static LrBounds
of_extreme(const MinMaxExpr *m)
{
	LrBounds	b = of_any(m->args);
	ListCell   *lc;

	foreach(lc, m->args)
	{
		LrBounds	arg = bounds_of((Node *) lfirst(lc));

		if (arg.null)
			continue;
		if (m->op == IS_LEAST)
			b.high = Min(b.high, arg.high);
		else
			b.low = Max(b.low, arg.low);
	}
	return b;
}

static LrBounds
bounds_of(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Const:
			return of_constant((Const *) node);
		case T_RelabelType:
			return bounds_of((Node *) ((RelabelType *) node)->arg);
		case T_FuncExpr:
			if (is_widening(((FuncExpr *) node)->funcid))
				return bounds_of((Node *) linitial(((FuncExpr *) node)->args));
			return anything;
		case T_CaseExpr:
			return of_case((CaseExpr *) node);
		case T_CoalesceExpr:
			return of_any(((CoalesceExpr *) node)->args);
		case T_MinMaxExpr:
			return of_extreme((MinMaxExpr *) node);
		default:
			return anything;
	}
}

/* Points out of range, and those that raise, add nothing; so does NULL. */
LrBounds
lr_lint_points(const LrLearned *points)
{
	LrBounds	b = bounds_of((Node *) points->tree);
	bool		zero = points->can_raise || b.null ||
		b.low < -LR_MAX_POINTS || b.high > LR_MAX_POINTS;

	/* NULL and what is no number all the time */
	if (IsA(points->tree, Const) && isinf(b.high))
		b.low = b.high = 0;
	if (b.low > LR_MAX_POINTS || b.high < -LR_MAX_POINTS || b.low > b.high)
		b.low = b.high = 0;
	b.low = rint(Max(b.low, -LR_MAX_POINTS) * LR_SCORE_UNITS) / LR_SCORE_UNITS;
	b.high = rint(Min(b.high, LR_MAX_POINTS) * LR_SCORE_UNITS) / LR_SCORE_UNITS;
	if (zero)
	{
		b.low = Min(b.low, 0);
		b.high = Max(b.high, 0);
	}
	return b;
}
