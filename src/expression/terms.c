/*
 * terms.c
 *	  Taking an expression over lead and member apart; see terms.h.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

#include "base/owner_rights.h"
#include "expression/facts.h"
#include "expression/terms.h"

/* The terms found so far. */
typedef struct Apart
{
	List	   *lead;
	List	   *member;
} Apart;

/* Which rows a part reads; and whether it stands for itself. */
typedef struct Reads
{
	bool		lead;
	bool		member;
	bool		bound;			/* to a CASE around it */
} Reads;

static bool
note_reads(Node *node, void *context)
{
	Reads	   *reads = (Reads *) context;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		reads->lead |= ((Var *) node)->varno == LR_LEAD_VARNO;
		reads->member |= ((Var *) node)->varno == LR_MEMBER_VARNO;
	}
	else if (IsA(node, CaseTestExpr))
		reads->bound = true;
	return expression_tree_walker(node, note_reads, context);
}

/* A column in the place of a term, which is added to the others. */
static Node *
term_column(List **terms, int varno, Node *term)
{
	ListCell   *lc;
	int			attno = 0;

	foreach(lc, *terms)
		if (equal(lfirst(lc), term))
			attno = foreach_current_index(lc) + 1;
	if (attno == 0)
	{
		*terms = lappend(*terms, term);
		attno = list_length(*terms);
	}
	return (Node *) makeVar(varno, attno, exprType(term), exprTypmod(term),
							exprCollation(term), 0);
}

static Node *
take_apart(Node *node, void *context)
{
	Apart	   *apart = (Apart *) context;
	Reads		reads = {0};

	if (node == NULL)
		return NULL;
	/* no values, but parts of what has one */
	if (IsA(node, List) || IsA(node, CaseWhen))
		return expression_tree_mutator(node, take_apart, context);
	(void) note_reads(node, &reads);
	if (reads.lead != reads.member && !reads.bound && lr_expr_is_plain(node))
		return reads.lead ? term_column(&apart->lead, OUTER_VAR, node) :
			term_column(&apart->member, LR_MEMBER_VARNO, node);
	return expression_tree_mutator(node, take_apart, context);
}

static void
make_list(LrTermList *list, List *terms)
{
	TupleDesc	desc = CreateTemplateTupleDesc(list_length(terms));
	ListCell   *lc;

	list->n = list_length(terms);
	list->state = (ExprState **) palloc((list->n + 1) * sizeof(ExprState *));
	foreach(lc, terms)
	{
		Node	   *term = (Node *) lfirst(lc);
		int			i = foreach_current_index(lc);

		list->state[i] = lr_expr_state((Expr *) term);
		TupleDescInitEntry(desc, i + 1, NULL, exprType(term),
						   exprTypmod(term), 0);
		TupleDescInitEntryCollation(desc, i + 1, exprCollation(term));
	}
	list->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
}

LrTerms *
lr_terms_make(LrExpr *expr)
{
	LrTerms    *terms;
	Apart		apart = {NIL, NIL};
	LrRights	rights;
	bool		live;

	lr_facts_read_by((Node *) expr->tree, &live, &expr->measured);
	if (live)
		return NULL;
	terms = (LrTerms *) palloc0(sizeof(LrTerms));
	terms->rest = *expr;
	terms->rest.tree = (Expr *) take_apart((Node *) expr->tree, &apart);
	/* the executor looks now who may call the functions: that is the writer */
	lr_become(expr->writer, NULL, true, &rights);
	terms->rest.state = lr_expr_state(terms->rest.tree);
	terms->immutable = !contain_mutable_functions((Node *) terms->rest.tree);
	make_list(&terms->lead, apart.lead);
	make_list(&terms->member, apart.member);
	lr_resign(&rights);
	return terms;
}

void
lr_key_add(StringInfo key, Datum value, bool isnull, bool byval, int16 len)
{
	appendStringInfoChar(key, isnull ? 'n' : 'v');
	if (isnull)
		return;
	if (byval)
		appendBinaryStringInfo(key, (char *) &value, sizeof(Datum));
	else if (len > 0)
		appendBinaryStringInfo(key, DatumGetPointer(value), len);
	else
	{
		struct varlena *v = len == -1 ? PG_DETOAST_DATUM_PACKED(value) : NULL;
		const char *data = v ? VARDATA_ANY(v) : DatumGetCString(value);
		uint32		size = v ? VARSIZE_ANY_EXHDR(v) : strlen(data);

		appendBinaryStringInfo(key, (char *) &size, sizeof(size));
		appendBinaryStringInfo(key, data, size);
	}
}

void
lr_terms_compute(LrTermList *list, ExprContext *econtext, StringInfo key)
{
	TupleTableSlot *slot = list->slot;
	TupleDesc	desc = slot->tts_tupleDescriptor;
	MemoryContext old;
	int			i;

	ExecClearTuple(slot);
	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	for (i = 0; i < list->n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		slot->tts_values[i] = ExecEvalExpr(list->state[i], econtext,
										   &slot->tts_isnull[i]);
		lr_key_add(key, slot->tts_values[i], slot->tts_isnull[i], att->attbyval,
				   att->attlen);
	}
	MemoryContextSwitchTo(old);
	ExecStoreVirtualTuple(slot);
}
