/*
 * new_lead.c
 *	  A lead that does not exist yet, from jsonb, for explain_lead.
 *
 * The row is what an INSERT of the given columns would find before any trigger:
 * a column that is not given has its default, unless that is volatile (a
 * sequence, a random value): to compute it would not be without effect, or
 * would give another value than the INSERT.  Such a column is NULL.  Generated
 * columns are left out: they are computed when an expression uses them.
 *
 * Defaults and types are code of the table's owner and run with his rights, as
 * a restricted operation; only current_user in a default means who asks.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"

#include "explain/explain.h"

/* Edits between a key and a column's name that is suggested for it. */
#define MAX_EDITS	3

/* ---------- what is given ---------- */

/* The column's name that is most like a key; NULL: none is. */
static const char *
similar_column(TupleDesc desc, const char *key)
{
	const char *best = NULL;
	int			least = Min(MAX_EDITS, (int) strlen(key) / 2) + 1;
	int			i;

	if (strlen(key) >= NAMEDATALEN)
		return NULL;
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = NameStr(att->attname);
		int			distance;

		if (att->attisdropped)
			continue;
		distance = varstr_levenshtein(key, strlen(key), name, strlen(name),
									  1, 1, 1, true);
		if (distance < least)
		{
			least = distance;
			best = name;
		}
	}
	return best;
}

static AttrNumber
column_of(LrTable *table, const char *key)
{
	const char *similar;
	int			i;

	for (i = 0; i < table->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(table->desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), key) == 0)
			return att->attnum;
	}
	similar = similar_column(table->desc, key);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("lead table \"%s\" has no column \"%s\"", table->name, key),
			 similar != NULL ?
			 errhint("Perhaps you meant the column \"%s\".", similar) :
			 errhint("The keys of lead are names of columns, for example {\"country\": \"DE\"}.")));
}

static void
column_context(void *arg)
{
	errcontext("column \"%s\" of the lead", (const char *) arg);
}

/*
 * The value of one column from its JSON, as jsonb_populate_record reads it.
 * base is a row of NULLs: without it the server would check the domains of the
 * other columns too.
 */
static Datum
read_value(LrTable *table, AttrNumber attno, Datum base, JsonbValue *key,
		   JsonbValue *value, bool *isnull)
{
	Form_pg_attribute att = TupleDescAttr(table->desc, attno - 1);
	JsonbParseState *state = NULL;
	Oid			types[2] = {get_rel_type_id(table->relid), JSONBOID};
	Datum		args[2];
	ErrorContextCallback callback;
	JsonbValue *object;
	Datum		result;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_KEY, key);
	(void) pushJsonbValue(&state, WJB_VALUE, value);
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	args[0] = base;
	args[1] = JsonbPGetDatum(JsonbValueToJsonb(object));

	callback.callback = column_context;
	callback.arg = NameStr(att->attname);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	if (SPI_execute_with_args(psprintf("SELECT (pg_catalog.jsonb_populate_record($1, $2)).%s",
									   quote_identifier(NameStr(att->attname))),
							  2, types, args, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read column \"%s\"", NameStr(att->attname));
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						   isnull);
	if (!*isnull)
		result = datumCopy(result, att->attbyval, att->attlen);
	SPI_freetuptable(SPI_tuptable);
	error_context_stack = callback.previous;
	return result;
}

/* ---------- defaults ---------- */

static Node *
name_caller(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, SQLValueFunction))
	{
		SQLValueFunction *f = (SQLValueFunction *) node;

		if (f->op == SVFOP_CURRENT_ROLE || f->op == SVFOP_CURRENT_USER ||
			f->op == SVFOP_USER)
			return (Node *) makeConst(NAMEOID, -1, C_COLLATION_OID,
									  NAMEDATALEN,
									  DirectFunctionCall1(namein,
														  CStringGetDatum(GetUserNameFromId(*(Oid *) context, false))),
									  false, false);
	}
	return expression_tree_mutator(node, name_caller, context);
}

/* The default of a column; false: it is not computed. */
static bool
compute_default(Relation rel, AttrNumber attno, Oid caller, Datum *value,
				bool *isnull)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	Node	   *node;
	ExprContext *econtext;

	*value = (Datum) 0;
	*isnull = true;
	if (att->attidentity)
		return false;
	node = build_column_default(rel, attno);
	if (node == NULL)
		return true;
	node = name_caller(node, &caller);
	/* the planner sees through functions that are inlined */
	node = (Node *) expression_planner((Expr *) node);
	if (contain_volatile_functions(node))
		return false;
	econtext = CreateStandaloneExprContext();
	*value = ExecEvalExprSwitchContext(ExecInitExpr((Expr *) node, NULL),
									   econtext, isnull);
	if (!*isnull)
		*value = datumCopy(*value, att->attbyval, att->attlen);
	FreeExprContext(econtext, true);
	return true;
}

/* ---------- the row ---------- */

/*
 * Values from lead; sets given[].  What a column is generated by stands in the
 * relation's own descriptor alone.
 */
static void
read_given(LrTable *table, Relation rel, Jsonb *lead, Datum *values,
		   bool *isnull, bool *given)
{
	HeapTuple	tuple = heap_form_tuple(table->desc, values, isnull);
	Datum		base = heap_copy_tuple_as_datum(tuple, table->desc);
	JsonbIterator *it = JsonbIteratorInit(&lead->root);
	JsonbValue	key;
	JsonbValue	value;

	(void) JsonbIteratorNext(&it, &key, true);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		AttrNumber	attno = column_of(table,
									  pnstrdup(key.val.string.val,
											   key.val.string.len));

		(void) JsonbIteratorNext(&it, &value, true);
		given[attno - 1] = true;
		if (!TupleDescAttr(RelationGetDescr(rel), attno - 1)->attgenerated)
			values[attno - 1] = read_value(table, attno, base, &key, &value,
										   &isnull[attno - 1]);
	}
}

TupleTableSlot *
lr_new_lead(LrTable *table, Jsonb *lead, Oid caller, List **not_computed)
{
	TupleDesc	desc = table->desc;
	Datum	   *values = (Datum *) palloc0(desc->natts * sizeof(Datum));
	bool	   *isnull = (bool *) palloc(desc->natts * sizeof(bool));
	bool	   *given = (bool *) palloc0(desc->natts * sizeof(bool));
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
	Relation	rel;
	int			i;

	*not_computed = NIL;
	if (!JB_ROOT_IS_OBJECT(lead))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lead must be a JSON object"),
				 errhint("Its keys are names of columns, for example {\"country\": \"DE\"}.")));
	memset(isnull, true, desc->natts * sizeof(bool));
	rel = table_open(table->relid, AccessShareLock);
	read_given(table, rel, lead, values, isnull, given);
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);

		if (!given[i] && !att->attisdropped && !att->attgenerated &&
			!compute_default(rel, att->attnum, caller, &values[i], &isnull[i]))
			*not_computed = lappend(*not_computed, pstrdup(NameStr(att->attname)));
	}
	table_close(rel, AccessShareLock);
	ExecStoreHeapTuple(heap_form_tuple(desc, values, isnull), slot, false);
	return slot;
}
