/*
 * condition.c
 *	  What a condition says about single columns; see condition.h.
 *
 * Equality is taken from hash operator families, order from btree ones, both
 * across types where the family has the support functions (integer with
 * bigint, date with timestamp).  An operator that is not immutable (date with
 * timestamptz depends on the session's zone) is left alone, and so are
 * containers, whose support functions call those of their elements.
 *
 * Text: equality and order follow the collation, nondeterministic ones
 * included, since the families' own functions are asked.  A prefix is a
 * prefix of bytes, which holds for deterministic collations only; for others
 * LIKE is left to the expression itself.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "expression/expr.h"
#include "rule/condition.h"

/* A longer list of alternatives is left to the expression, which hashes it. */
#define MAX_CHECKS	16

/* What one comparison of a column with a constant says. */
typedef struct Atom
{
	LrCheck    *check;			/* NULL: must be evaluated as SQL */
	LrFiling   *filing;			/* NULL: no place in the index */
	bool		exact;			/* being there means that it is true */
} Atom;

/* What is known of one conjunct, or of one arm of an OR. */
typedef struct Finding
{
	bool		never;			/* cannot be true */
	List	   *checks;			/* alternatives; NIL: not expressible */
	bool		filable;
	List	   *filings;
	bool		exact;
} Finding;

static LrCondition *analyse_conjunction(List *nodes);

/* ---------- functions that may be called without compiling ---------- */

static bool
is_builtin(Oid func)
{
	return OidIsValid(func) && func < FirstNormalObjectId;
}

/* Built in, immutable, and knowing its argument types without an expression. */
static bool
is_plain_function(Oid func)
{
	return is_builtin(func) && func_strict(func) &&
		func_volatile(func) == PROVOLATILE_IMMUTABLE;
}

static bool
is_plain_type(Oid type)
{
	return type == ANYENUMOID ||
		(get_typtype(type) != TYPTYPE_PSEUDO && !type_is_array(type));
}

/* ---------- atoms ---------- */

/* A plain column, looking through changes of name only (varchar to text). */
static Var *
plain_column(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node && IsA(node, Var) && ((Var *) node)->varattno > 0 ?
		(Var *) node : NULL;
}

static void
set_constant(LrConstant *c, Datum value, Oid type, int16 len, bool byval)
{
	c->value = datumCopy(value, byval, len);
	c->type = type;
	c->len = len;
	c->byval = byval;
}

static LrFiling *
make_filing(LrFilingKind kind, AttrNumber attno, Oid collation)
{
	LrFiling   *f = (LrFiling *) palloc0(sizeof(LrFiling));

	f->kind = kind;
	f->attno = attno;
	f->collation = collation;
	return f;
}

/* Places under equality, where op is that of a hash operator family. */
static LrFiling *
file_equality(Oid op, Oid func, Oid collation, AttrNumber attno,
			  const LrConstant *constant)
{
	RegProcedure left;
	RegProcedure right;
	LrFiling   *f;

	if (!get_op_hash_functions(op, &left, &right) ||
		!is_plain_function(left) || !is_plain_function(right))
		return NULL;
	/* hashname knows of no collation */
	if (OidIsValid(collation) && !get_collation_isdeterministic(collation) &&
		(left != right || left == F_HASHNAME))
		return NULL;
	f = make_filing(LR_FILE_EQUAL, attno, collation);
	f->probe = left;
	f->order = right;
	f->equal = func;
	f->low = *constant;
	return f;
}

/* The btree family that op belongs to, with support for both types. */
static int
btree_strategy(Oid op, Oid *probe, Oid *order)
{
	CatCList   *list = SearchSysCacheList1(AMOPOPID, ObjectIdGetDatum(op));
	int			strategy = 0;
	int			i;

	for (i = 0; i < list->n_members && strategy == 0; i++)
	{
		Form_pg_amop amop = (Form_pg_amop) GETSTRUCT(&list->members[i]->tuple);

		if (amop->amopmethod != BTREE_AM_OID ||
			amop->amoppurpose != AMOP_SEARCH)
			continue;
		*probe = get_opfamily_proc(amop->amopfamily, amop->amoplefttype,
								   amop->amoprighttype, BTORDER_PROC);
		*order = get_opfamily_proc(amop->amopfamily, amop->amoprighttype,
								   amop->amoprighttype, BTORDER_PROC);
		if (is_plain_function(*probe) && is_plain_function(*order))
			strategy = amop->amopstrategy;
	}
	ReleaseSysCacheList(list);
	return strategy;
}

static LrFiling *
file_order(Oid op, Oid collation, AttrNumber attno, const LrConstant *constant)
{
	Oid			probe;
	Oid			order;
	int			strategy = btree_strategy(op, &probe, &order);
	LrFiling   *f;

	if (strategy == 0)
		return NULL;
	f = make_filing(LR_FILE_RANGE, attno, collation);
	f->probe = probe;
	f->order = order;
	if (strategy >= BTEqualStrategyNumber)
	{
		f->has_low = true;
		f->low = *constant;
		f->low_open = strategy == BTGreaterStrategyNumber;
	}
	if (strategy <= BTEqualStrategyNumber)
	{
		f->has_high = true;
		f->high = *constant;
		f->high_open = strategy == BTLessStrategyNumber;
	}
	return f;
}

/*
 * The literal beginning of a LIKE pattern; *rest: what follows it.  NULL: the
 * pattern ends in its escape character, which raises an error.
 */
static char *
like_prefix(const char *pattern, const char **rest)
{
	StringInfoData buf;
	const char *c;

	initStringInfo(&buf);
	for (c = pattern; *c != '\0' && *c != '%' && *c != '_'; c++)
	{
		if (*c == '\\' && *++c == '\0')
			return NULL;
		appendStringInfoChar(&buf, *c);
	}
	*rest = c;
	return buf.data;
}

static LrFiling *
file_prefix(Oid func, Oid collation, AttrNumber attno, Const *con, bool *exact)
{
	char	   *pattern;
	char	   *prefix;
	const char *rest = "%";
	LrFiling   *f;

	if ((func != F_TEXTLIKE && func != F_BPCHARLIKE &&
		 func != F_STARTS_WITH) ||
		con->consttype != TEXTOID || !OidIsValid(collation) ||
		!get_collation_isdeterministic(collation))
		return NULL;
	pattern = TextDatumGetCString(con->constvalue);
	prefix = func == F_STARTS_WITH ? pattern : like_prefix(pattern, &rest);
	if (prefix == NULL || prefix[0] == '\0')
		return NULL;
	*exact = rest[0] == '%' && rest[strspn(rest, "%")] == '\0';
	f = make_filing(LR_FILE_PREFIX, attno, collation);
	f->low.value = PointerGetDatum(cstring_to_text(prefix));
	f->low.type = TEXTOID;
	f->low.len = -1;
	return f;
}

/* func(column, constant), by operator op or (InvalidOid) as a function. */
static void
atom_of_call(Atom *atom, Oid op, Oid func, Oid collation, Node *left,
			 Var *var, Const *con)
{
	LrConstant	constant;

	memset(atom, 0, sizeof(*atom));
	if (!is_plain_function(func) || get_func_rettype(func) != BOOLOID ||
		(!OidIsValid(collation) && type_is_collatable(exprType(left))))
		return;
	if (OidIsValid(op))
	{
		Oid			left_type;
		Oid			right_type;

		op_input_types(op, &left_type, &right_type);
		if (!is_plain_type(left_type) || !is_plain_type(right_type))
			return;
	}
	set_constant(&constant, con->constvalue, con->consttype, con->constlen,
				 con->constbyval);
	if (lr_call_cannot_raise(func, list_make2(left, con), collation))
	{
		atom->check = (LrCheck *) palloc0(sizeof(LrCheck));
		atom->check->attno = var->varattno;
		atom->check->func = func;
		atom->check->collation = collation;
		atom->check->constant = constant;
	}
	atom->exact = true;
	if (OidIsValid(op))
		atom->filing = file_equality(op, func, collation, var->varattno,
									 &constant);
	if (atom->filing == NULL && OidIsValid(op))
		atom->filing = file_order(op, collation, var->varattno, &constant);
	if (atom->filing == NULL)
		atom->filing = file_prefix(func, collation, var->varattno, con,
								   &atom->exact);
}

/* column IS [NOT] NULL */
static void
atom_of_null(Atom *atom, Var *var, bool negated)
{
	memset(atom, 0, sizeof(*atom));
	atom->check = (LrCheck *) palloc0(sizeof(LrCheck));
	atom->check->attno = var->varattno;
	atom->check->negated = negated;
	atom->exact = true;
	if (!negated)
		atom->filing = make_filing(LR_FILE_NULL, var->varattno, InvalidOid);
}

/* boolean column = value */
static void
atom_of_bool(Atom *atom, Var *var, bool value)
{
	Const	   *con = (Const *) makeBoolConst(value, false);

	atom_of_call(atom, BooleanEqualOperator, F_BOOLEQ, InvalidOid,
				 (Node *) var, var, con);
}

/* ---------- conjuncts ---------- */

static void
start_finding(Finding *f)
{
	memset(f, 0, sizeof(*f));
	f->filable = f->exact = true;
}

/* Adds an alternative; checks stay complete or become NIL. */
static void
add_atom(Finding *f, const Atom *atom, bool first)
{
	if (atom->check != NULL && (first || f->checks != NIL) &&
		list_length(f->checks) < MAX_CHECKS)
		f->checks = lappend(f->checks, atom->check);
	else
		f->checks = NIL;
	if (atom->filing == NULL)
		f->filable = false;
	else
		f->filings = lappend(f->filings, atom->filing);
	f->exact &= atom->exact;
}

static void
find_nothing(Finding *f)
{
	memset(f, 0, sizeof(*f));
}

static void
find_atom(Finding *f, const Atom *atom)
{
	start_finding(f);
	add_atom(f, atom, true);
}

static void
find_never(Finding *f)
{
	start_finding(f);
	f->never = true;
}

static void
find_op(Finding *f, OpExpr *op)
{
	Oid			opno = op->opno;
	Node	   *left;
	Node	   *right;
	Var		   *var;
	Atom		atom;

	find_nothing(f);
	if (list_length(op->args) != 2)
		return;
	left = (Node *) linitial(op->args);
	right = (Node *) lsecond(op->args);
	if (IsA(left, Const))
	{
		Node	   *swap = left;

		left = right;
		right = swap;
		opno = get_commutator(opno);
	}
	var = plain_column(left);
	if (var == NULL || !IsA(right, Const) || !OidIsValid(opno))
		return;
	if (((Const *) right)->constisnull)
	{
		if (func_strict(get_opcode(opno)))
			find_never(f);
		return;
	}
	atom_of_call(&atom, opno, get_opcode(opno), op->inputcollid, left, var,
				 (Const *) right);
	find_atom(f, &atom);
}

static void
find_func(Finding *f, FuncExpr *func)
{
	Var		   *var;
	Atom		atom;

	find_nothing(f);
	if (list_length(func->args) != 2)
		return;
	var = plain_column((Node *) linitial(func->args));
	if (var == NULL || !IsA(lsecond(func->args), Const) ||
		func->funcid != F_STARTS_WITH)
		return;
	if (((Const *) lsecond(func->args))->constisnull)
	{
		find_never(f);
		return;
	}
	atom_of_call(&atom, InvalidOid, func->funcid, func->inputcollid,
				 (Node *) linitial(func->args), var,
				 (Const *) lsecond(func->args));
	find_atom(f, &atom);
}

/* column op ANY (constants) */
static void
find_any(Finding *f, ScalarArrayOpExpr *op)
{
	Node	   *left = (Node *) linitial(op->args);
	Var		   *var = plain_column(left);
	Const	   *array = (Const *) lsecond(op->args);
	ArrayType  *arr;
	Datum	   *element;
	bool	   *isnull;
	int			n;
	int			i;
	int16		len;
	bool		byval;
	char		align;
	bool		first = true;

	find_nothing(f);
	if (!op->useOr || var == NULL || !IsA(array, Const) ||
		!func_strict(get_opcode(op->opno)))
		return;
	find_never(f);
	if (array->constisnull)
		return;
	arr = DatumGetArrayTypeP(array->constvalue);
	get_typlenbyvalalign(ARR_ELEMTYPE(arr), &len, &byval, &align);
	deconstruct_array(arr, ARR_ELEMTYPE(arr), len, byval, align, &element,
					  &isnull, &n);
	for (i = 0; i < n; i++)
	{
		Const	   *con;
		Atom		atom;

		if (isnull[i])
			continue;
		if (!first && f->filable && f->checks == NIL &&
			((LrFiling *) linitial(f->filings))->kind == LR_FILE_EQUAL)
		{
			/* a long list: only the value differs */
			LrFiling   *filing = (LrFiling *) palloc(sizeof(LrFiling));

			*filing = *(LrFiling *) linitial(f->filings);
			set_constant(&filing->low, element[i], ARR_ELEMTYPE(arr), len,
						 byval);
			f->filings = lappend(f->filings, filing);
			continue;
		}
		con = makeConst(ARR_ELEMTYPE(arr), -1, op->inputcollid, len,
						element[i], false, byval);
		atom_of_call(&atom, op->opno, get_opcode(op->opno), op->inputcollid,
					 left, var, con);
		if (atom.filing == NULL && atom.check == NULL)
		{
			find_nothing(f);
			return;
		}
		f->never = false;
		add_atom(f, &atom, first);
		first = false;
	}
}

static void
find_not(Finding *f, Node *arg)
{
	Var		   *var = plain_column(arg);
	Atom		atom;

	find_nothing(f);
	if (var != NULL)
	{
		atom_of_bool(&atom, var, false);
		find_atom(f, &atom);
	}
	else if (IsA(arg, DistinctExpr))
	{
		/* IS NOT DISTINCT FROM a constant that is not NULL: plain equality */
		DistinctExpr *distinct = (DistinctExpr *) arg;
		Node	   *right = (Node *) lsecond(distinct->args);
		Node	   *left = (Node *) linitial(distinct->args);

		if ((IsA(right, Const) && !((Const *) right)->constisnull) ||
			(IsA(left, Const) && !((Const *) left)->constisnull))
			find_op(f, distinct);
	}
}

static void
find_boolean_test(Finding *f, BooleanTest *test)
{
	Var		   *var = plain_column((Node *) test->arg);
	bool		is = test->booltesttype == IS_TRUE ||
		test->booltesttype == IS_NOT_FALSE;
	Atom		atom;

	find_nothing(f);
	if (var == NULL)
		return;
	switch (test->booltesttype)
	{
		case IS_UNKNOWN:
		case IS_NOT_UNKNOWN:
			atom_of_null(&atom, var, test->booltesttype == IS_NOT_UNKNOWN);
			find_atom(f, &atom);
			return;
		default:
			atom_of_bool(&atom, var, is);
			find_atom(f, &atom);
	}
	if (test->booltesttype == IS_NOT_TRUE || test->booltesttype == IS_NOT_FALSE)
	{
		atom_of_null(&atom, var, false);
		add_atom(f, &atom, false);
	}
}

/*
 * How good a way to file is when nothing is known of the other rules: equal
 * values first, then prefixes, closed intervals, NULL, open intervals.
 */
static int
choice_rank(const LrChoice *choice)
{
	int			worst = 0;
	ListCell   *lc;

	foreach(lc, choice->filings)
	{
		LrFiling   *f = (LrFiling *) lfirst(lc);
		int			rank = f->kind == LR_FILE_EQUAL ? 1 :
			f->kind == LR_FILE_PREFIX ? 2 :
			f->kind == LR_FILE_NULL ? 4 :
			f->has_low && f->has_high ? 3 : 5;

		worst = Max(worst, rank);
	}
	return worst;
}

/* The arms of an OR: each must have a place, and all places are taken. */
static void
find_or(Finding *f, List *arms)
{
	ListCell   *lc;
	bool		expressible = true;
	bool		any = false;

	start_finding(f);
	foreach(lc, arms)
	{
		Node	   *arm = (Node *) lfirst(lc);
		LrCondition *c = analyse_conjunction(is_andclause(arm) ?
											 ((BoolExpr *) arm)->args :
											 list_make1(arm));
		LrChoice   *best = NULL;
		ListCell   *lc2;

		if (c->never)
		{
			/* false, or an error beside what is false: SQL tells which */
			if (list_length(c->conjuncts) > 1)
				expressible = f->exact = false;
			continue;
		}
		any = true;
		if (list_length(c->conjuncts) != 1 ||
			((LrConjunct *) linitial(c->conjuncts))->checks == NIL ||
			list_length(f->checks) >= MAX_CHECKS)
			expressible = false;
		else
			f->checks = list_concat(f->checks,
									((LrConjunct *) linitial(c->conjuncts))->checks);
		foreach(lc2, c->choices)
		{
			LrChoice   *choice = (LrChoice *) lfirst(lc2);

			if (best == NULL || choice_rank(choice) < choice_rank(best))
				best = choice;
		}
		if (best == NULL)
			f->filable = false;
		else
		{
			f->filings = list_concat(f->filings, best->filings);
			f->exact &= best->exact &&
				bms_num_members(best->covers) == list_length(c->conjuncts);
		}
	}
	f->never = !any;
	if (!expressible)
		f->checks = NIL;
}

static void
find(Finding *f, Node *node)
{
	Var		   *var = plain_column(node);
	Atom		atom;

	check_stack_depth();
	find_nothing(f);
	if (var != NULL && exprType(node) == BOOLOID)
	{
		atom_of_bool(&atom, var, true);
		find_atom(f, &atom);
	}
	else if (IsA(node, Const))
	{
		/* an always true conjunct has been folded away, or is all there is */
		Const	   *con = (Const *) node;

		if (con->constisnull || !DatumGetBool(con->constvalue))
			find_never(f);
	}
	else if (IsA(node, OpExpr))
		find_op(f, (OpExpr *) node);
	else if (IsA(node, ScalarArrayOpExpr))
		find_any(f, (ScalarArrayOpExpr *) node);
	else if (IsA(node, FuncExpr))
		find_func(f, (FuncExpr *) node);
	else if (IsA(node, BooleanTest))
		find_boolean_test(f, (BooleanTest *) node);
	else if (IsA(node, NullTest))
	{
		NullTest   *test = (NullTest *) node;

		var = plain_column((Node *) test->arg);
		if (var == NULL || test->argisrow)
			return;
		atom_of_null(&atom, var, test->nulltesttype == IS_NOT_NULL);
		find_atom(f, &atom);
	}
	else if (is_orclause(node))
		find_or(f, ((BoolExpr *) node)->args);
	else if (is_notclause(node))
		find_not(f, (Node *) linitial(((BoolExpr *) node)->args));
}

/* ---------- intervals ---------- */

static int
compare_bounds(const LrFiling *f, const LrConstant *a, const LrConstant *b)
{
	return DatumGetInt32(OidFunctionCall2Coll(f->order, f->collation,
											  a->value, b->value));
}

/* Narrows an interval to what another one leaves of it. */
static void
intersect(LrFiling *f, const LrFiling *g)
{
	if (g->has_low)
	{
		int			c = f->has_low ? compare_bounds(f, &g->low, &f->low) : 1;

		if (c > 0 || (c == 0 && g->low_open))
		{
			f->has_low = true;
			f->low = g->low;
			f->low_open = g->low_open;
		}
	}
	if (g->has_high)
	{
		int			c = f->has_high ? compare_bounds(f, &g->high, &f->high) : -1;

		if (c < 0 || (c == 0 && g->high_open))
		{
			f->has_high = true;
			f->high = g->high;
			f->high_open = g->high_open;
		}
	}
}

static bool
same_order(const LrFiling *f, const LrFiling *g)
{
	return f->attno == g->attno && f->collation == g->collation &&
		f->probe == g->probe && f->order == g->order;
}

/* Adds a choice; bounds of the same column become one interval. */
static void
add_choice(LrCondition *c, const Finding *f, int conjunct)
{
	LrChoice   *choice;
	ListCell   *lc;
	LrFiling   *only = list_length(f->filings) == 1 ?
		(LrFiling *) linitial(f->filings) : NULL;

	if (only != NULL && only->kind == LR_FILE_RANGE && f->exact)
	{
		foreach(lc, c->choices)
		{
			LrChoice   *other = (LrChoice *) lfirst(lc);
			LrFiling   *its = list_length(other->filings) == 1 ?
				(LrFiling *) linitial(other->filings) : NULL;

			if (its == NULL || its->kind != LR_FILE_RANGE || !other->exact ||
				!same_order(its, only))
				continue;
			intersect(its, only);
			other->covers = bms_add_member(other->covers, conjunct);
			return;
		}
	}
	choice = (LrChoice *) palloc0(sizeof(LrChoice));
	choice->covers = bms_make_singleton(conjunct);
	choice->exact = f->exact;
	choice->filings = f->filings;
	c->choices = lappend(c->choices, choice);
}

static LrCondition *
analyse_conjunction(List *nodes)
{
	LrCondition *c = (LrCondition *) palloc0(sizeof(LrCondition));
	ListCell   *lc;

	foreach(lc, nodes)
	{
		LrConjunct *conjunct = (LrConjunct *) palloc0(sizeof(LrConjunct));
		Finding		f;

		find(&f, (Node *) lfirst(lc));
		c->never |= f.never;
		conjunct->checks = f.checks;
		if (f.filable && !f.never)
			add_choice(c, &f, list_length(c->conjuncts));
		c->conjuncts = lappend(c->conjuncts, conjunct);
	}
	return c;
}

LrCondition *
lr_condition_analyse(Expr *tree)
{
	if (is_andclause(tree))
		return analyse_conjunction(((BoolExpr *) tree)->args);
	if (IsA(tree, Const) && !((Const *) tree)->constisnull &&
		DatumGetBool(((Const *) tree)->constvalue))
		return analyse_conjunction(NIL);
	return analyse_conjunction(list_make1(tree));
}
