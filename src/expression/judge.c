/*
 * judge.c
 *	  Whether an expression is valid, without raising an error: for user
 *	  interfaces, lint and the view problem.
 */
#include "postgres.h"

#include "access/relation.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/guard.h"
#include "base/scan.h"
#include "config/router_sql.h"
#include "expression/expr.h"
#include "lead/table.h"

PG_FUNCTION_INFO_V1(lr_check_condition);
PG_FUNCTION_INFO_V1(lr_condition_error);
PG_FUNCTION_INFO_V1(lr_criterion_error);
PG_FUNCTION_INFO_V1(lr_expression_error);
PG_FUNCTION_INFO_V1(lr_sticky_key_error);

/* An expression to be compiled for an attached table. */
typedef struct Judged
{
	Oid			relid;
	LrExprKind	kind;
	char	   *text;			/* NULL: there is none */
	char	   *written_by;
	char	   *search_path;
	char	   *what;
	bool		of_table;		/* of routed_table */
} Judged;

static void
try_compile(void *arg)
{
	Judged	   *j = (Judged *) arg;
	Relation	rel = try_relation_open(j->relid, AccessShareLock);
	Oid			writer;

	if (rel == NULL)
		return;
	writer = get_role_oid(j->written_by, false);
	(void) (j->of_table ?
			lr_expr_compile_of_table(rel, j->text, j->kind, writer,
									 j->search_path, j->what) :
			lr_expr_compile(rel, j->text, j->kind, writer, j->search_path,
							j->what));
	relation_close(rel, AccessShareLock);
}

/* NULL: it is valid, or there is nothing to judge. */
static char *
judge_one(Judged *j)
{
	/* a writer who does not exist is another problem */
	if (j->text == NULL || j->written_by == NULL ||
		!OidIsValid(get_role_oid(j->written_by, true)))
		return NULL;
	return lr_guarded(try_compile, j);
}

static Datum
judge(FunctionCallInfo fcinfo, Judged *j)
{
	char	   *error = judge_one(j);

	if (error == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(error));
}

Datum
lr_check_condition(PG_FUNCTION_ARGS)
{
	LrTable    *table;
	Judged		j = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	table = lr_table_require(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	j.relid = table->relid;
	lr_table_unpin(table);
	j.kind = LR_EXPR_BOOL;
	j.text = text_to_cstring(PG_GETARG_TEXT_PP(1));
	j.written_by = GetUserNameFromId(GetUserId(), false);
	j.search_path = pstrdup(GetConfigOption("search_path", false, false));
	j.what = "condition";
	return judge(fcinfo, &j);
}

/* The relation that is attached by a name, and a column of its row. */
static Oid
attached_relation(const char *name, LrScan *scan)
{
	bool		isnull;

	lr_scan_begin(scan, "routed_table", "routed_table_pkey", "name", name);
	if (!lr_scan_next(scan))
		return InvalidOid;
	return DatumGetObjectId(lr_scan_datum(scan, "relation", &isnull));
}

/*
 * Stored expressions are judged as they will run: with the rights and the
 * search_path of their writer, whoever asks.
 */
Datum
lr_condition_error(PG_FUNCTION_ARGS)
{
	Judged		j = {0};
	LrScan		scan;

	j.relid = attached_relation(text_to_cstring(PG_GETARG_TEXT_PP(2)), &scan);
	lr_scan_end(&scan);
	lr_scan_begin_pair(&scan, "rule", "rule_pkey",
					   "router", text_to_cstring(PG_GETARG_TEXT_PP(0)),
					   "name", text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (lr_scan_next(&scan))
	{
		j.kind = LR_EXPR_BOOL;
		j.text = lr_scan_text(&scan, "condition");
		j.written_by = lr_scan_text(&scan, "written_by");
		j.search_path = lr_scan_text(&scan, "search_path");
		j.what = "condition";
	}
	lr_scan_end(&scan);
	return judge(fcinfo, &j);
}

/* What an expression of routed_table must give; false: there is none. */
static bool
expression_kind(const char *column_name, LrExprKind *kind)
{
	int			i;

	for (i = 0; i < LR_WHENS; i++)
		if (strcmp(column_name, lr_when_column[i]) == 0)
		{
			*kind = LR_EXPR_WHEN;
			return true;
		}
	for (i = 0; i < LR_TELLINGS; i++)
		if (strcmp(column_name, lr_told_column[i]) == 0)
		{
			*kind = lr_told_kind[i];
			return true;
		}
	*kind = strcmp(column_name, "load") == 0 ? LR_EXPR_NUMBER :
		strcmp(column_name, "ready_when") == 0 ? LR_EXPR_BOOL : LR_EXPR_TEXT;
	return *kind != LR_EXPR_TEXT || strcmp(column_name, "router_expr") == 0;
}

Datum
lr_criterion_error(PG_FUNCTION_ARGS)
{
	Judged		condition = {0};
	Judged		points;
	LrScan		scan;
	char	   *error;

	condition.relid = attached_relation(text_to_cstring(PG_GETARG_TEXT_PP(2)),
										&scan);
	lr_scan_end(&scan);
	lr_scan_begin_pair(&scan, "criterion", "criterion_pkey",
					   "router", text_to_cstring(PG_GETARG_TEXT_PP(0)),
					   "name", text_to_cstring(PG_GETARG_TEXT_PP(1)));
	points = condition;
	if (lr_scan_next(&scan))
	{
		condition.kind = LR_EXPR_BOOL;
		condition.text = lr_scan_text(&scan, "condition");
		condition.written_by = lr_scan_text(&scan, "written_by");
		condition.search_path = lr_scan_text(&scan, "search_path");
		condition.what = "condition";
		points = condition;
		points.kind = LR_EXPR_NUMBER;
		points.text = lr_scan_text(&scan, "points");
		points.what = "points";
	}
	lr_scan_end(&scan);
	error = judge_one(&condition);
	if (error != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(error));
	return judge(fcinfo, &points);
}

Datum
lr_expression_error(PG_FUNCTION_ARGS)
{
	char	   *column_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	LrExprKind	kind;
	bool		known = expression_kind(column_name, &kind);
	Judged		j = {0};
	LrScan		scan;

	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid column_name \"%s\"", column_name),
				 errhint("Valid words: router_expr, closed_when, responded_when, converted_when, accepted_when, captured_at, source, value, load, ready_when.")));
	j.relid = attached_relation(text_to_cstring(PG_GETARG_TEXT_PP(0)), &scan);
	if (OidIsValid(j.relid))
	{
		j.kind = kind;
		j.text = lr_scan_text(&scan, column_name);
		j.written_by = lr_scan_text(&scan, "written_by");
		j.search_path = lr_scan_text(&scan, "search_path");
		j.what = column_name;
		j.of_table = true;
	}
	lr_scan_end(&scan);
	return judge(fcinfo, &j);
}

Datum
lr_sticky_key_error(PG_FUNCTION_ARGS)
{
	LrMatching *m = NULL;
	Judged		j = {0};
	char	   *error;
	LrScan		scan;
	int			i;

	j.relid = attached_relation(text_to_cstring(PG_GETARG_TEXT_PP(1)), &scan);
	lr_scan_end(&scan);
	lr_scan_begin(&scan, "router", "router_pkey", "name",
				  text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (lr_scan_next(&scan))
		m = lr_matching_read(&scan);
	lr_scan_end(&scan);
	for (i = 0; m != NULL && i < m->n; i++)
	{
		j.kind = LR_EXPR_TEXT;
		j.text = m->expr[i];
		j.written_by = m->written_by;
		j.search_path = m->search_path;
		j.what = psprintf("sticky_key %d", i + 1);
		error = judge_one(&j);
		if (error != NULL)
			PG_RETURN_TEXT_P(cstring_to_text(error));
	}
	PG_RETURN_NULL();
}
