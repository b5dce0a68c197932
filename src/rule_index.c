/*
 * rule_index.c
 *	  Which rules can match a lead at all; see rule_index.h.
 *
 * Lives in one backend, with the compiled rules.  Only operators that are the
 * equality of the column type's default hash operator class count, so that
 * equal values have equal hashes; what the index leaves is evaluated in full,
 * so a collision costs time and never decides.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "nodes/nodeFuncs.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "rule_index.h"

/* Rules filed under one value (by hash) of one column. */
typedef struct Posting
{
	uint32		hash;
	bool		used;
	int			n;
	int			room;
	int		   *rule;			/* ascending */
} Posting;

/* All postings of one column under one collation. */
typedef struct ColumnIndex
{
	AttrNumber	attno;
	Oid			collation;
	FmgrInfo	hash;
	int			used;
	int			size;			/* power of 2 */
	Posting    *posting;
} ColumnIndex;

struct LrRuleIndex
{
	MemoryContext context;
	int			ncolumns;
	ColumnIndex column[LR_MAX_POSTINGS - 1];
	int			nrest;
	int			rest_room;
	int		   *rest;			/* rules that are always tried */
};

LrRuleIndex *
lr_rule_index_make(int n)
{
	LrRuleIndex *index = (LrRuleIndex *) palloc0(sizeof(LrRuleIndex));

	index->context = CurrentMemoryContext;
	index->rest_room = Max(n, 8);
	index->rest = (int *) palloc(index->rest_room * sizeof(int));
	return index;
}

/* ---------- building ---------- */

static Posting *
find_posting(ColumnIndex *column, uint32 hash)
{
	uint32		b = hash;

	for (;; b++)
	{
		Posting    *p = &column->posting[b & (column->size - 1)];

		if (!p->used || p->hash == hash)
			return p;
	}
}

static void
grow_column(ColumnIndex *column)
{
	Posting    *old = column->posting;
	int			old_size = column->size;
	int			i;

	column->size = Max(64, old_size * 2);
	column->posting = (Posting *) palloc0(column->size * sizeof(Posting));
	for (i = 0; i < old_size; i++)
		if (old[i].used)
			*find_posting(column, old[i].hash) = old[i];
	if (old)
		pfree(old);
}

static void
post(ColumnIndex *column, uint32 hash, int rule)
{
	Posting    *p;

	if (column->used * 2 >= column->size)
		grow_column(column);
	p = find_posting(column, hash);
	if (!p->used)
	{
		p->used = true;
		p->hash = hash;
		p->room = 4;
		p->rule = (int *) palloc(p->room * sizeof(int));
		column->used++;
	}
	/* two values of one IN list may share a hash */
	if (p->n > 0 && p->rule[p->n - 1] == rule)
		return;
	if (p->n == p->room)
		p->rule = (int *) repalloc(p->rule, (p->room *= 2) * sizeof(int));
	p->rule[p->n++] = rule;
}

static ColumnIndex *
column_index(LrRuleIndex *index, AttrNumber attno, Oid collation, Oid hash)
{
	int			i;

	for (i = 0; i < index->ncolumns; i++)
		if (index->column[i].attno == attno &&
			index->column[i].collation == collation &&
			index->column[i].hash.fn_oid == hash)
			return &index->column[i];
	if (index->ncolumns == (int) lengthof(index->column))
		return NULL;
	i = index->ncolumns++;
	index->column[i].attno = attno;
	index->column[i].collation = collation;
	fmgr_info_cxt(hash, &index->column[i].hash, index->context);
	return &index->column[i];
}

/* A plain column, looking through changes of name only (varchar to text). */
static Var *
plain_column(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node && IsA(node, Var) && ((Var *) node)->varattno > 0 ?
		(Var *) node : NULL;
}

/*
 * Whether op is the equality under which values of type are hashed, by a
 * function of the server that raises nothing.
 */
static bool
is_hash_equality(Oid op, Oid collation, Oid type, Oid *hash)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR |
											  TYPECACHE_HASH_PROC);

	*hash = entry->hash_proc;
	return OidIsValid(op) && entry->eq_opr == op && OidIsValid(*hash) &&
		*hash < FirstNormalObjectId &&
		(OidIsValid(collation) || !type_is_collatable(type));
}

static uint32
hash_value(ColumnIndex *column, Datum value)
{
	return DatumGetUInt32(FunctionCall1Coll(&column->hash, column->collation,
											value));
}

/* Files under col = const. */
static bool
file_equality(LrRuleIndex *index, int rule, OpExpr *op)
{
	Node	   *left;
	Node	   *right;
	Var		   *var;
	ColumnIndex *column;
	Oid			hash;

	if (list_length(op->args) != 2)
		return false;
	left = (Node *) linitial(op->args);
	right = (Node *) lsecond(op->args);
	if (IsA(left, Const))
	{
		Node	   *swap = left;

		left = right;
		right = swap;
	}
	var = plain_column(left);
	if (var == NULL || !IsA(right, Const) ||
		exprType(left) != exprType(right) ||
		!is_hash_equality(op->opno, op->inputcollid, exprType(left), &hash))
		return false;
	if (((Const *) right)->constisnull)
		return true;			/* never true: nowhere to be found */
	column = column_index(index, var->varattno, op->inputcollid, hash);
	if (column == NULL)
		return false;
	post(column, hash_value(column, ((Const *) right)->constvalue), rule);
	return true;
}

/* Files under col IN (consts), that is col = ANY (array). */
static bool
file_in_list(LrRuleIndex *index, int rule, ScalarArrayOpExpr *op)
{
	Var		   *var;
	Const	   *array;
	ColumnIndex *column;
	ArrayType  *arr;
	Datum	   *element;
	bool	   *isnull;
	int			n;
	int			i;
	int16		len;
	bool		byval;
	char		align;
	Oid			hash;

	var = plain_column((Node *) linitial(op->args));
	array = (Const *) lsecond(op->args);
	if (!op->useOr || var == NULL || !IsA(array, Const) || array->constisnull)
		return false;
	arr = DatumGetArrayTypeP(array->constvalue);
	if (ARR_ELEMTYPE(arr) != exprType((Node *) linitial(op->args)) ||
		!is_hash_equality(op->opno, op->inputcollid, ARR_ELEMTYPE(arr),
						  &hash))
		return false;
	column = column_index(index, var->varattno, op->inputcollid, hash);
	if (column == NULL)
		return false;
	get_typlenbyvalalign(ARR_ELEMTYPE(arr), &len, &byval, &align);
	deconstruct_array(arr, ARR_ELEMTYPE(arr), len, byval, align, &element,
					  &isnull, &n);
	for (i = 0; i < n; i++)
		if (!isnull[i])
			post(column, hash_value(column, element[i]), rule);
	return true;
}

static bool
file_conjunct(LrRuleIndex *index, int rule, Node *node)
{
	if (IsA(node, OpExpr))
		return file_equality(index, rule, (OpExpr *) node);
	if (IsA(node, ScalarArrayOpExpr))
		return file_in_list(index, rule, (ScalarArrayOpExpr *) node);
	return false;
}

void
lr_rule_index_add(LrRuleIndex *index, int i, Expr *tree)
{
	MemoryContext old = MemoryContextSwitchTo(index->context);
	ListCell   *lc;
	bool		filed = false;

	if (tree != NULL && is_andclause(tree))
	{
		foreach(lc, ((BoolExpr *) tree)->args)
			if (!filed)
				filed = file_conjunct(index, i, (Node *) lfirst(lc));
	}
	else if (tree != NULL)
		filed = file_conjunct(index, i, (Node *) tree);
	if (!filed)
	{
		if (index->nrest == index->rest_room)
			index->rest = (int *) repalloc(index->rest,
										   (index->rest_room *= 2) * sizeof(int));
		index->rest[index->nrest++] = i;
	}
	MemoryContextSwitchTo(old);
}

/* ---------- searching ---------- */

void
lr_rule_search_begin(LrRuleSearch *search, LrRuleIndex *index,
					 TupleTableSlot *row)
{
	int			i;

	search->n = 0;
	if (index->nrest > 0)
	{
		search->at[0] = index->rest;
		search->end[0] = index->rest + index->nrest;
		search->n = 1;
	}
	for (i = 0; i < index->ncolumns; i++)
	{
		ColumnIndex *column = &index->column[i];
		Posting    *p;
		bool		isnull;
		Datum		value = slot_getattr(row, column->attno, &isnull);

		if (isnull || column->size == 0)
			continue;
		p = find_posting(column, hash_value(column, value));
		if (!p->used)
			continue;
		search->at[search->n] = p->rule;
		search->end[search->n] = p->rule + p->n;
		search->n++;
	}
}

int
lr_rule_search_next(LrRuleSearch *search)
{
	int			best = -1;
	int			i;

	for (i = 0; i < search->n; i++)
		if (search->at[i] < search->end[i] &&
			(best < 0 || *search->at[i] < *search->at[best]))
			best = i;
	return best < 0 ? -1 : *search->at[best]++;
}
