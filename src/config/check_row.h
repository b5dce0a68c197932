/*
 * check_row.h
 *	  A configuration row as a BEFORE ROW trigger checks it, and what the
 *	  checks of several tables need.
 *
 * They run with the rights of whoever writes: that role is the one whose rights
 * an expression gets, so a name given for another is accepted only from who may
 * SET ROLE to it.  Expressions are checked against tables that carry the
 * triggers now: during a restore none does, and one bad rule must not lose all.
 *
 * Each function raises what is wrong, with a hint, and returns otherwise; a
 * value that NOT NULL will refuse is left to it.
 */
#ifndef LR_CHECK_ROW_H
#define LR_CHECK_ROW_H

#include "access/htup.h"
#include "commands/trigger.h"

#include "expression/expr.h"

/* The row being checked, and what is to be changed in it. */
typedef struct LrRow
{
	TriggerData *td;
	TupleDesc	desc;
	HeapTuple	old;			/* NULL: INSERT */
	HeapTuple	new;			/* NULL: DELETE */
} LrRow;

/* One attached table. */
typedef struct LrAttached
{
	char	   *name;
	Oid			relid;
	char	   *owner_column;
	char	   *nobody;			/* NULL: SQL NULL means it */
	char	   *search_path;	/* for code of the table's owner */
} LrAttached;

/* Columns by name, of the old or new version of the row. */
extern Datum lr_row_column(LrRow *row, HeapTuple tuple, const char *name,
						   bool *isnull);
extern char *lr_row_text(LrRow *row, HeapTuple tuple, const char *name);	/* NULL: it is */
extern bool lr_row_is_true(LrRow *row, HeapTuple tuple, const char *name);
extern void lr_row_set_text(LrRow *row, const char *name, const char *text);

/* Whether an UPDATE changes a column: of text; of any type. */
extern bool lr_row_differs(LrRow *row, const char *name);
extern bool lr_row_column_differs(LrRow *row, const char *name);

/* Whether it goes to another router; a router that is renamed is the same. */
extern bool lr_row_changes_router(LrRow *row);

/* Refuses to write in the name of a role that one may not become. */
extern void lr_check_writer(const char *writer);

/* Fills written_by and search_path when an expression is new or changed. */
extern void lr_fill_writer(LrRow *row, bool expression_changed);

/*
 * Tables with triggers whose leads this router (NULL: any) may decide, of
 * LrAttached; name: that one only.
 */
extern List *lr_tables_of(const char *router, const char *name);

/* Compiles an expression for the leads of a table, as the row's writer. */
extern void lr_check_expression(Oid relid, const char *text, LrExprKind kind,
								LrRow *row, const char *what);

/* The same for one of routed_table, see lr_expr_compile_of_table. */
extern void lr_check_expression_of_table(Oid relid, const char *text,
										 LrExprKind kind, LrRow *row,
										 const char *what);

/* Refuses a word that is not in the list, which ends with NULL. */
extern void lr_check_word(const char *column_name, const char *word,
						  const char *const *words);

/* Refuses a time zone that is not a named one. */
extern void lr_check_zone(LrRow *row, const char *router);

/*
 * The tables' own: check_rule.c, check_people.c, check_cap.c, check_criterion.c,
 * check_table.c, check_mapped.c.
 */
extern void lr_check_rule(LrRow *row);
extern void lr_check_member(LrRow *row);
extern void lr_check_team_member(LrRow *row);
extern void lr_check_schedule(LrRow *row);
extern void lr_check_absence(LrRow *row);
extern void lr_check_cap(LrRow *row);
extern void lr_check_criterion(LrRow *row);
extern void lr_check_thresholds(LrRow *row, const char *name);
extern void lr_check_routed_table(LrRow *row);
extern void lr_check_mapped(LrRow *row, Relation rel);

#endif							/* LR_CHECK_ROW_H */
