/*
 * generated.h
 *	  Generated columns of lead tables, as stored expressions use them.
 *
 * The server computes them only after the BEFORE triggers.  What generates a
 * column is code of the table's owner: it is compiled and evaluated with the
 * owner's rights, apart from the expressions that use the column.
 */
#ifndef LR_GENERATED_H
#define LR_GENERATED_H

#include "expression/expr.h"
#include "lead/table.h"

typedef struct LrGenerated
{
	AttrNumber	attno;
	LrExpr	   *expr;
	char	   *broken;			/* why it has no value; NULL: it has */
} LrGenerated;

/*
 * Compiles what generates the columns that an expression uses, unless that has
 * been done; a mistake in it is no error.  rel is the table's relation.
 */
extern void lr_generated_need(LrTable *table, Relation rel,
							  const LrExpr *expr);

/*
 * Compiles an expression over leads of the table, as lr_compile_guarded does, in
 * this context, and what generates the columns that it uses.
 */
extern LrExpr *lr_compile_for_leads(LrTable *table, Relation rel,
									const char *text, LrExprKind kind,
									const char *written_by,
									const char *search_path, const char *what,
									char **broken);

/* The same for an expression of its row, as lr_compile_of_table does. */
extern LrExpr *lr_compile_table_for_leads(LrTable *table, Relation rel,
										  const char *text, LrExprKind kind,
										  const char *written_by,
										  const char *search_path,
										  const char *what, char **broken);

/* What generates a column; it has been compiled. */
extern LrGenerated *lr_generated_find(LrTable *table, AttrNumber attno);

/*
 * The tree of an expression with other nodes in the place of generated columns,
 * for the rule index: a row has no values of them when it is looked up.
 */
extern Expr *lr_generated_hidden(const LrExpr *expr);

#endif							/* LR_GENERATED_H */
