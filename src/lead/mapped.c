/*
 * mapped.c
 *	  Columns of the lead that receive what the criteria say.  See mapped.h.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/owner_rights.h"
#include "base/scan.h"
#include "decide/qualify.h"
#include "expression/evaluate.h"
#include "expression/expr.h"
#include "lead/mapped.h"

const char *const lr_status_word[LR_STATUS_WORDS] = {
	[LR_STATUS_QUALIFIED] = "qualified",
	[LR_STATUS_NURTURE] = "nurture",
	[LR_STATUS_DISQUALIFIED] = "disqualified",
	[LR_STATUS_QUARANTINED] = "quarantined",
};

/* A CHECK constraint that reads a mapped column. */
typedef struct MappedCheck
{
	char	   *name;
	ExprState  *state;
} MappedCheck;

LrStatusWord
lr_status_of(char kind)
{
	switch (kind)
	{
		case LR_KIND_NURTURE:
			return LR_STATUS_NURTURE;
		case LR_KIND_DISQUALIFIED:
			return LR_STATUS_DISQUALIFIED;
		case LR_KIND_QUARANTINED:
			return LR_STATUS_QUARANTINED;
		default:
			return LR_STATUS_QUALIFIED;
	}
}

/* ---------- values from words ---------- */

/* A text to be read as a value of a column. */
typedef struct Input
{
	LrTable    *table;
	const LrColumn *column;
	char	   *text;
	Datum		value;
} Input;

/* As the table's owner: the type's constraints may be code of his. */
static void
read_input(void *arg)
{
	Input	   *in = (Input *) arg;
	LrRights	rights;
	Oid			function;
	Oid			param;

	lr_become(in->table->relowner, in->table->search_path, true, &rights);
	getTypeInputInfo(in->column->type, &function, &param);
	in->value = OidInputFunctionCall(function, in->text, param,
									 in->column->typmod);
	lr_resign(&rights);
}

/* NULL: *value is it; else why the column cannot hold it. */
static char *
value_of(LrTable *table, const LrColumn *column, const char *text,
		 Datum *value)
{
	Input		in = {table, column, unconstify(char *, text), (Datum) 0};
	char	   *error = lr_guarded(read_input, &in);

	*value = in.value;
	return error;
}

/* A score in the type of its column; the same as value_of. */
static char *
score_value(LrTable *table, const LrColumn *column, double score, Datum *value)
{
	switch (column->type)
	{
		case INT4OID:
			if (fabs(rint(score)) > PG_INT32_MAX)
				break;
			*value = Int32GetDatum((int32) rint(score));
			return NULL;
		case INT8OID:
			*value = Int64GetDatum((int64) rint(score));
			return NULL;
		case FLOAT8OID:
			*value = Float8GetDatum(score);
			return NULL;
		case FLOAT4OID:
			*value = Float4GetDatum((float4) score);
			return NULL;
		default:
			break;
	}
	switch (getBaseType(column->type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return value_of(table, column, psprintf("%.0f", rint(score)), value);
		default:
			return value_of(table, column, lr_score_words(score), value);
	}
}

/* ---------- reading ---------- */

static void
find_column(LrTable *table, LrScan *scan, Relation rel, const char *what,
			LrColumn *column)
{
	Form_pg_attribute att;

	column->name = lr_scan_text(scan, what);
	column->attno = column->name == NULL ? 0 :
		Max(get_attnum(table->relid, column->name), 0);
	if (column->attno == 0)
		return;
	att = TupleDescAttr(RelationGetDescr(rel), column->attno - 1);
	/* it was refused when saved, and has changed since */
	if (att->attgenerated != '\0')
	{
		column->attno = 0;
		return;
	}
	column->type = att->atttypid;
	column->typmod = att->atttypmod;
	column->len = att->attlen;
	column->byval = att->attbyval;
}

/* The value of a default that does not depend on anything. */
static void
read_default(LrMapping *m, Relation rel)
{
	Node	   *node = build_column_default(rel, m->status.attno);

	if (node == NULL)
		return;
	node = (Node *) expression_planner((Expr *) node);
	if (!IsA(node, Const) || ((Const *) node)->constisnull)
		return;
	m->has_default = true;
	m->default_value = datumCopy(((Const *) node)->constvalue, m->status.byval,
								 m->status.len);
}

LrMapping *
lr_mapping_read(LrTable *table, LrScan *scan, Relation rel)
{
	LrMapping  *m = (LrMapping *) palloc0(sizeof(LrMapping));
	int			i;

	find_column(table, scan, rel, "status_column", &m->status);
	find_column(table, scan, rel, "score_column", &m->score);
	if (m->status.attno != 0)
	{
		for (i = 0; i < LR_STATUS_WORDS; i++)
			m->refused[i] = value_of(table, &m->status, lr_status_word[i],
									 &m->word[i]);
		read_default(m, rel);
	}
	return m->status.attno == 0 && m->score.attno == 0 ? NULL : m;
}

/* Whether a constraint reads a mapped column, and none that is not computed yet. */
static bool
concerns(const LrLeaf *leaf, Relation rel, Node *check)
{
	Bitmapset  *columns = NULL;
	bool		ours;
	int			i = -1;

	pull_varattnos(check, 1, &columns);
	ours = (leaf->status > 0 &&
			bms_is_member(leaf->status - FirstLowInvalidHeapAttributeNumber,
						  columns)) ||
		(leaf->score > 0 &&
		 bms_is_member(leaf->score - FirstLowInvalidHeapAttributeNumber,
					   columns));
	while (ours && (i = bms_next_member(columns, i)) >= 0)
	{
		AttrNumber	attno = i + FirstLowInvalidHeapAttributeNumber;

		if (attno <= 0 ||
			TupleDescAttr(RelationGetDescr(rel), attno - 1)->attgenerated != '\0')
			ours = false;
	}
	return ours;
}

List *
lr_mapping_checks(LrTable *table, const LrLeaf *leaf, Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	MemoryContext old = MemoryContextSwitchTo(table->context);
	List	   *checks = NIL;
	int			i;

	for (i = 0; constr != NULL && i < constr->num_check; i++)
	{
		Node	   *node = (Node *) stringToNode(constr->check[i].ccbin);
		MappedCheck *check;

		if (!concerns(leaf, rel, node))
			continue;
		check = (MappedCheck *) palloc(sizeof(MappedCheck));
		check->name = pstrdup(constr->check[i].ccname);
		check->state = lr_expr_state(expression_planner((Expr *) node));
		checks = lappend(checks, check);
	}
	MemoryContextSwitchTo(old);
	return checks;
}

/* ---------- writing ---------- */

static bool
same(const LrColumn *column, Datum a, Datum b)
{
	return datum_image_eq(a, b, column->byval, column->len);
}

bool
lr_status_is_ours(const LrTable *table, TupleTableSlot *row, char kind)
{
	const LrMapping *m = table->mapping;
	bool		isnull;
	Datum		value = slot_getattr(row, m->status.attno, &isnull);
	LrStatusWord word = lr_status_of(kind);

	return isnull || (m->has_default && same(&m->status, value, m->default_value)) ||
		(kind != '\0' && m->refused[word] == NULL &&
		 same(&m->status, value, m->word[word]));
}

static void
tell(char **detail, const LrColumn *column, const char *why)
{
	lr_add_detail(detail, psprintf("column \"%s\"", column->name), why);
}

void
lr_mapped_values(LrTable *table, const LrStatusWord *status,
				 const double *score, LrMapped *values, char **detail)
{
	const LrMapping *m = table->mapping;
	char	   *refused;

	memset(values, 0, sizeof(*values));
	if (status != NULL && m->status.attno != 0)
	{
		values->has_status = m->refused[*status] == NULL;
		values->status = m->word[*status];
		if (!values->has_status)
			tell(detail, &m->status, m->refused[*status]);
	}
	if (score != NULL && m->score.attno != 0)
	{
		refused = score_value(table, &m->score, *score, &values->score);
		values->has_score = refused == NULL;
		if (refused != NULL)
			tell(detail, &m->score, refused);
	}
}

static bool
differs(const LrColumn *column, TupleTableSlot *row, Datum value)
{
	bool		isnull;
	Datum		now = slot_getattr(row, column->attno, &isnull);

	return isnull || !same(column, now, value);
}

TupleTableSlot *
lr_mapped_slot(LrTable *table, TupleTableSlot *row, const LrMapped *values)
{
	const LrMapping *m = table->mapping;
	bool		status = values->has_status &&
		differs(&m->status, row, values->status);
	bool		score = values->has_score &&
		differs(&m->score, row, values->score);
	TupleTableSlot *copy;

	if (!status && !score)
		return row;
	copy = lr_copy_row(table, row);
	if (status)
	{
		copy->tts_values[m->status.attno - 1] = values->status;
		copy->tts_isnull[m->status.attno - 1] = false;
	}
	if (score)
	{
		copy->tts_values[m->score.attno - 1] = values->score;
		copy->tts_isnull[m->score.attno - 1] = false;
	}
	return copy;
}

/* Constraints over a row. */
typedef struct Trial
{
	List	   *checks;
	TupleTableSlot *slot;
	char	   *violated;		/* the first that is false; NULL: none */
} Trial;

static void
try_checks(void *arg)
{
	Trial	   *t = (Trial *) arg;
	/* not the table's: a function in a constraint may store leads, too */
	ExprContext *econtext = CreateStandaloneExprContext();
	ListCell   *lc;

	econtext->ecxt_scantuple = t->slot;
	foreach(lc, t->checks)
	{
		MappedCheck *check = (MappedCheck *) lfirst(lc);
		bool		isnull;
		Datum		value = ExecEvalExprSwitchContext(check->state, econtext,
													  &isnull);

		if (!isnull && !DatumGetBool(value))
		{
			t->violated = check->name;
			break;
		}
	}
	FreeExprContext(econtext, true);
}

/* Why constraints refuse a row; NULL: they do not. */
static char *
refused_by(const LrLeaf *leaf, Relation rel, HeapTuple row)
{
	Trial		t = {leaf->checks, NULL, NULL};
	char	   *error;

	if (leaf->checks == NIL)
		return NULL;
	t.slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsHeapTuple);
	ExecStoreHeapTuple(row, t.slot, false);
	error = lr_guarded(try_checks, &t);
	ExecDropSingleTupleTableSlot(t.slot);
	return error != NULL ? error : t.violated == NULL ? NULL :
		psprintf("violates check constraint \"%s\"", t.violated);
}

/* The row with some of the values; without any of them: itself. */
static HeapTuple
with_values(const LrLeaf *leaf, Relation rel, HeapTuple row,
			const LrMapped *values, bool status, bool score,
			const Datum *owner)
{
	int			attno[3];
	Datum		value[3];
	bool		isnull[3] = {false, false, false};
	int			n = 0;

	if (owner != NULL)
	{
		attno[n] = leaf->owner;
		value[n++] = *owner;
	}
	if (status)
	{
		attno[n] = leaf->status;
		value[n++] = values->status;
	}
	if (score)
	{
		attno[n] = leaf->score;
		value[n++] = values->score;
	}
	return n == 0 ? row :
		heap_modify_tuple_by_cols(row, RelationGetDescr(rel), n, attno, value,
								  isnull);
}

static void
tell_decision(LrDecision *decision, MemoryContext context,
			  const LrColumn *column, const char *why)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	char	   *detail = unconstify(char *, decision->entry.detail);

	tell(&detail, column, why);
	decision->entry.detail = detail;
	MemoryContextSwitchTo(old);
}

/* Takes out what constraints refuse; what the row had is refused for its own sake. */
static void
fit(const LrMapping *m, const LrLeaf *leaf, Relation rel, HeapTuple row,
	const Datum *owner, LrMapped *values, LrDecision *decision,
	MemoryContext context)
{
	bool		status = values->has_status;
	bool		score = values->has_score;
	char	   *why;

	if ((!status && !score) || leaf->checks == NIL ||
		(why = refused_by(leaf, rel, with_values(leaf, rel, row, values, status,
												 score, owner))) == NULL)
		return;
	if (status && score &&
		refused_by(leaf, rel, with_values(leaf, rel, row, values, true, false,
										  owner)) == NULL)
		values->has_score = false;
	else if (status && score &&
			 refused_by(leaf, rel, with_values(leaf, rel, row, values, false,
											   true, owner)) == NULL)
		values->has_status = false;
	else
		values->has_status = values->has_score = false;
	if (status && !values->has_status)
		tell_decision(decision, context, &m->status, why);
	if (score && !values->has_score)
		tell_decision(decision, context, &m->score, why);
}

HeapTuple
lr_mapped_row(LrTable *table, LrLeaf *leaf, Relation rel, HeapTuple row,
			  const LrMapped *values, const Datum *owner,
			  LrDecision *decision, MemoryContext context)
{
	LrMapped	fitting = *values;

	fit(table->mapping, leaf, rel, row, owner, &fitting, decision, context);
	return with_values(leaf, rel, row, &fitting, fitting.has_status,
					   fitting.has_score, owner);
}

void
lr_mapped_stored(LrTable *table, TupleTableSlot *row, const Datum *owner,
				 LrMapped *values, LrDecision *decision)
{
	const LrMapping *m = table->mapping;
	Relation	rel = table_open(table->relid, NoLock);

	values->has_status &= differs(&m->status, row, values->status);
	values->has_score &= differs(&m->score, row, values->score);
	fit(m, lr_table_leaf(table, rel), rel, ExecCopySlotHeapTuple(row), owner,
		values, decision, CurrentMemoryContext);
	table_close(rel, NoLock);
}

/* One column of it. */
static HeapTuple
taken_back(const LrColumn *column, AttrNumber attno, Relation rel,
		   HeapTuple old, HeapTuple new, Datum value)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			number = attno;
	bool		old_null;
	bool		new_null;
	Datum		before = heap_getattr(old, attno, desc, &old_null);
	Datum		after = heap_getattr(new, attno, desc, &new_null);

	if (new_null || !same(column, after, value) ||
		(!old_null && same(column, before, value)))
		return new;
	return heap_modify_tuple_by_cols(new, desc, 1, &number, &before, &old_null);
}

HeapTuple
lr_mapped_taken_back(LrTable *table, const LrLeaf *leaf, Relation rel,
					 HeapTuple old, HeapTuple new, const LrMapped *values)
{
	const LrMapping *m = table->mapping;

	if (values->has_status)
		new = taken_back(&m->status, leaf->status, rel, old, new, values->status);
	if (values->has_score)
		new = taken_back(&m->score, leaf->score, rel, old, new, values->score);
	return new;
}

/* ---------- written back unread ---------- */

static bool
is_set(AttrNumber attno, const Bitmapset *columns)
{
	return attno != 0 &&
		bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, columns);
}

bool
lr_mapped_is_unread(LrTable *table, const LrLeaf *leaf, Relation rel,
					const Bitmapset *columns, HeapTuple old, HeapTuple new)
{
	TupleDesc	desc = RelationGetDescr(rel);

	return is_set(leaf->score, columns) &&
		!heap_attisnull(old, leaf->score, desc) &&
		heap_attisnull(new, leaf->score, desc);
}

/* Whether a new status is what a row has from the start, over a word of ours. */
static bool
is_first_status(const LrMapping *m, AttrNumber attno, TupleDesc desc,
				HeapTuple old, HeapTuple new)
{
	bool		isnull;
	Datum		value = heap_getattr(new, attno, desc, &isnull);
	int			i;

	if (!isnull &&
		!(m->has_default && same(&m->status, value, m->default_value)))
		return false;
	value = heap_getattr(old, attno, desc, &isnull);
	for (i = 0; !isnull && i < LR_STATUS_WORDS; i++)
		if (m->refused[i] == NULL && same(&m->status, value, m->word[i]))
			return true;
	return false;
}

HeapTuple
lr_mapped_kept(LrTable *table, const LrLeaf *leaf, Relation rel,
			   const Bitmapset *columns, HeapTuple old, HeapTuple new)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			attno[2];
	Datum		value[2];
	bool		isnull[2];
	int			n = 0;
	int			i;

	if (is_set(leaf->status, columns) &&
		is_first_status(table->mapping, leaf->status, desc, old, new))
		attno[n++] = leaf->status;
	if (is_set(leaf->score, columns))
		attno[n++] = leaf->score;
	for (i = 0; i < n; i++)
		value[i] = heap_getattr(old, attno[i], desc, &isnull[i]);
	return n == 0 ? new :
		heap_modify_tuple_by_cols(new, desc, n, attno, value, isnull);
}
