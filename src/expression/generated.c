/*
 * generated.c
 *	  Generated columns of lead tables; see generated.h.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/memutils.h"

#include "base/guard.h"
#include "expression/compile.h"
#include "expression/generated.h"

/* Arguments and result of a guarded compilation. */
typedef struct Generation
{
	Relation	rel;
	AttrNumber	attno;
	const char *search_path;
	LrExpr	   *expr;
} Generation;

static void
compile(void *arg)
{
	Generation *g = (Generation *) arg;

	g->expr = lr_expr_generated(g->rel, g->attno, g->search_path);
}

static LrGenerated *
find(LrTable *table, AttrNumber attno)
{
	ListCell   *lc;

	foreach(lc, table->generated)
	{
		LrGenerated *g = (LrGenerated *) lfirst(lc);

		if (g->attno == attno)
			return g;
	}
	return NULL;
}

LrGenerated *
lr_generated_find(LrTable *table, AttrNumber attno)
{
	LrGenerated *g = find(table, attno);

	if (g == NULL)
		elog(ERROR, "generated column %d of lead table \"%s\" was not compiled",
			 attno, table->name);
	return g;
}

void
lr_generated_need(LrTable *table, Relation rel, const LrExpr *expr)
{
	MemoryContext old = MemoryContextSwitchTo(table->context);
	int			attno = -1;

	while ((attno = bms_next_member(expr->generated, attno)) >= 0)
	{
		Generation	c = {rel, attno, table->search_path, NULL};
		LrGenerated *g;

		if (find(table, attno) != NULL)
			continue;
		g = (LrGenerated *) palloc0(sizeof(LrGenerated));
		g->attno = attno;
		g->broken = lr_guarded(compile, &c);
		g->expr = c.expr;
		table->generated = lappend(table->generated, g);
	}
	MemoryContextSwitchTo(old);
}

LrExpr *
lr_compile_for_leads(LrTable *table, Relation rel, const char *text,
					 LrExprKind kind, const char *written_by,
					 const char *search_path, const char *what, char **broken)
{
	LrExpr	   *expr = lr_compile_guarded(rel, text, kind, written_by,
										  search_path, what, broken);

	if (expr != NULL)
		lr_generated_need(table, rel, expr);
	return expr;
}

LrExpr *
lr_compile_table_for_leads(LrTable *table, Relation rel, const char *text,
						   LrExprKind kind, const char *written_by,
						   const char *search_path, const char *what,
						   char **broken)
{
	LrExpr	   *expr = lr_compile_of_table(rel, text, kind, written_by,
										   search_path, what, broken);

	if (expr != NULL)
		lr_generated_need(table, rel, expr);
	return expr;
}

static Node *
hide(Node *node, void *context)
{
	const LrExpr *expr = (const LrExpr *) context;
	Var		   *var = (Var *) node;
	Param	   *param;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Var) || var->varattno <= 0 ||
		!bms_is_member(var->varattno, expr->generated))
		return expression_tree_mutator(node, hide, context);
	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = var->varattno;
	param->paramtype = var->vartype;
	param->paramtypmod = var->vartypmod;
	param->paramcollid = var->varcollid;
	param->location = -1;
	return (Node *) param;
}

Expr *
lr_generated_hidden(const LrExpr *expr)
{
	if (expr->generated == NULL)
		return expr->tree;
	return (Expr *) hide((Node *) expr->tree, unconstify(LrExpr *, expr));
}
