/*
 * compile.h
 *	  Stored expressions compiled where a mistake in them must not stop a lead.
 */
#ifndef LR_COMPILE_H
#define LR_COMPILE_H

#include "expression/expr.h"

/*
 * Compiles an expression; a mistake in it, or a column that is gone by now,
 * must not stop the lead.  NULL: *broken says why.
 */
extern LrExpr *lr_compile_guarded(Relation rel, const char *text,
								  LrExprKind kind, const char *written_by,
								  const char *search_path, const char *what,
								  char **broken);

/* The same for the expressions of routed_table, see lr_expr_compile_of_table. */
extern LrExpr *lr_compile_of_table(Relation rel, const char *text,
								   LrExprKind kind, const char *written_by,
								   const char *search_path, const char *what,
								   char **broken);

/*
 * Whether the role that wrote an expression exists and may read all columns of
 * the lead; if not, compiling it tells whether it is disabled.
 */
extern bool lr_compile_writer_reads(Oid relid, const char *written_by);

#endif							/* LR_COMPILE_H */
