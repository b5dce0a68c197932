/*
 * expr.h
 *	  Stored SQL expressions: from text to something that can be evaluated.
 */
#ifndef LR_EXPR_H
#define LR_EXPR_H

#include "nodes/bitmapset.h"
#include "nodes/execnodes.h"
#include "utils/relcache.h"

typedef enum LrExprKind
{
	LR_EXPR_BOOL,				/* must be boolean */
	LR_EXPR_TEXT,				/* any type, compared as text */
	LR_EXPR_WHEN,				/* boolean, or timestamptz: then and when */
	LR_EXPR_NUMBER,				/* any number, as float8 */
	LR_EXPR_AMOUNT,				/* any number, as numeric */
	LR_EXPR_TIME,				/* timestamptz */
	LR_EXPR_MEMBER,				/* over lead and member, must be boolean */
	LR_EXPR_RANK				/* over lead and member, a number as float8 */
} LrExprKind;

/* Range table entries of expressions: Var.varno in LrExpr.tree. */
#define LR_LEAD_VARNO	1
#define LR_MEMBER_VARNO	2		/* the columns of leadroute.member_facts */

/* Whether expressions of a kind are about a member, too. */
static inline bool
lr_expr_over_members(LrExprKind kind)
{
	return kind == LR_EXPR_MEMBER || kind == LR_EXPR_RANK;
}

/* A compiled expression; lives in the context that was current. */
typedef struct LrExpr
{
	Expr	   *tree;			/* planned */
	ExprState  *state;
	Oid			writer;			/* role with whose rights it runs */
	char	   *search_path;	/* set while it runs; NULL: not needed */
	Bitmapset  *generated;		/* generated columns of the lead that it uses */
	bool		folded;			/* holds what functions outside pg_catalog were
								 * computed or inlined to */
	bool		switch_user;	/* depends on who runs it */
	bool		can_raise;		/* may raise an error while evaluated */
	bool		measured;		/* it reads measures of members, see terms.h */
} LrExpr;

/*
 * Compiles an expression over the columns of rel, which is also called lead,
 * with the rights of writer and under search_path.  Names alone are columns of
 * rel; those of the member are written member.…, whatever rel and its columns
 * are called.  what names it in messages ("condition of rule
 * \"x\"").  Raises an error, with the position in the text, when it cannot, or
 * when the writer may not read a column that it names.
 */
extern LrExpr *lr_expr_compile(Relation rel, const char *text, LrExprKind kind,
							   Oid writer, const char *search_path,
							   const char *what);

/*
 * The same for the expressions of routed_table, which only the owner of rel
 * may write: they go on when the table gets another owner.
 */
extern LrExpr *lr_expr_compile_of_table(Relation rel, const char *text,
										LrExprKind kind, Oid writer,
										const char *search_path,
										const char *what);

/*
 * What generates a column of rel, with the rights of the table's owner under
 * search_path.
 */
extern LrExpr *lr_expr_generated(Relation rel, AttrNumber attno,
								 const char *search_path);

/*
 * Evaluates over the lead in econtext->ecxt_scantuple and the member (see
 * facts.h) in ecxt_innertuple.  May raise if can_raise; the caller's
 * subtransaction then restores user and settings.
 */
extern Datum lr_expr_eval(LrExpr *expr, ExprContext *econtext, bool *isnull);

/* A call of func with args under collation raises no error, whatever the values. */
extern bool lr_call_cannot_raise(Oid func, List *args, Oid collation);

/*
 * Whether a part of an expression has one value for one state of the rows, and
 * gives it without an error and without anybody's rights.
 */
extern bool lr_expr_is_plain(Node *node);

/* A planned expression ready to be evaluated; a member is the inner row. */
extern ExprState *lr_expr_state(Expr *tree);

#endif							/* LR_EXPR_H */
