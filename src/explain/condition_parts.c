/*
 * condition_parts.c
 *	  The parts of a rule's condition over a lead; see condition_parts.h.
 *
 * The text is split by the server's own lexer at each AND outside of brackets
 * and CASE that does not belong to a BETWEEN; not at all where there is an OR
 * at that level, which binds less.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "common/keywords.h"
#include "optimizer/optimizer.h"
#include "parser/parser.h"
#include "parser/scanner.h"
#include "utils/rel.h"

#include "base/value_text.h"
#include "explain/condition_parts.h"
#include "expression/facts.h"
#include "expression/generated.h"

/* Columns of a part whose values are shown. */
#define MAX_VALUES	8

/* ---------- text ---------- */

/* The lexer's number for a keyword. */
static int
keyword(const char *word)
{
	return ScanKeywordTokens[ScanKeywordLookup(word, &ScanKeywords)];
}

/* condition from first, up to but not including last, without blanks. */
static char *
stretch(const char *condition, int first, int last)
{
	while (first < last && isspace((unsigned char) condition[first]))
		first++;
	while (last > first && isspace((unsigned char) condition[last - 1]))
		last--;
	return pnstrdup(condition + first, last - first);
}

/* A condition taken apart at its top level's AND, as text. */
static List *
split_condition(const char *condition)
{
	const int	word_and = keyword("and");
	const int	word_or = keyword("or");
	const int	word_between = keyword("between");
	const int	word_case = keyword("case");
	const int	word_end = keyword("end");
	core_yy_extra_type extra;
	core_YYSTYPE value;
	YYLTYPE		at;
	core_yyscan_t scanner;
	List	   *parts = NIL;
	int			depth = 0;
	int			betweens = 0;
	int			first = 0;
	int			last = 0;
	int			token;
	bool		ored = false;

	scanner = scanner_init(condition, &extra, &ScanKeywords, ScanKeywordTokens);
	/* as it is compiled, see settings.c */
	extra.backslash_quote = BACKSLASH_QUOTE_SAFE_ENCODING;
	extra.standard_conforming_strings = true;
	extra.escape_string_warning = false;
	while ((token = core_yylex(&value, &at, scanner)) != 0)
	{
		/* x.end names a column */
		if (last == '.')
			token = '*';
		last = token;
		if (token == '(' || token == '[' || token == word_case)
			depth++;
		else if (token == ')' || token == ']' || token == word_end)
			depth--;
		else if (depth > 0)
			continue;
		else if (token == word_or)
			ored = true;
		else if (token == word_between)
			betweens++;
		else if (token == word_and && betweens > 0)
			betweens--;
		else if (token == word_and)
		{
			parts = lappend(parts, stretch(condition, first, at));
			first = at + strlen("and");
		}
	}
	scanner_finish(scanner);
	if (ored)
		return list_make1(stretch(condition, 0, strlen(condition)));
	return lappend(parts, stretch(condition, first, strlen(condition)));
}

/* ---------- columns ---------- */

/* The columns that an expression reads. */
static Bitmapset *
columns_of(const LrExpr *expr, TupleDesc desc)
{
	Bitmapset  *numbers = NULL;
	Bitmapset  *columns = NULL;
	int			i = -1;

	pull_varattnos((Node *) expr->tree, 1, &numbers);
	while ((i = bms_next_member(numbers, i)) >= 0)
	{
		int			attno = i + FirstLowInvalidHeapAttributeNumber;

		/* a whole row reads them all */
		if (attno == 0)
			return bms_add_range(NULL, 1, desc->natts);
		columns = bms_add_member(columns, attno);
	}
	return columns;
}

bool
lr_expr_is_visible(const LrExpr *expr, TupleDesc desc, const bool *visible)
{
	Bitmapset  *columns = visible != NULL ? columns_of(expr, desc) : NULL;
	int			attno = -1;

	while ((attno = bms_next_member(columns, attno)) >= 0)
		if (!visible[attno - 1])
			return false;
	return true;
}

/* What the columns of an expression are in the row that is evaluated. */
static List *
values_of(LrEvaluation *ev, const LrExpr *expr)
{
	TupleDesc	desc = ev->table->desc;
	Bitmapset  *columns = columns_of(expr, desc);
	List	   *values = NIL;
	int			attno = -1;

	while ((attno = bms_next_member(columns, attno)) >= 0 &&
		   list_length(values) < MAX_VALUES)
	{
		bool		isnull;
		Datum		value;

		if (TupleDescAttr(desc, attno - 1)->attisdropped)
			continue;
		value = slot_getattr(ev->econtext->ecxt_scantuple, attno, &isnull);
		values = lappend(values, lr_column_text(desc, attno, value, isnull));
	}
	return values;
}

/* ---------- evaluating ---------- */

/* member: NULL, or the row that the expression is about beside the lead. */
static void
evaluate_part(LrPart *part, LrEvaluation *ev, LrExpr *expr,
			  TupleTableSlot *member)
{
	char	   *detail = NULL;
	bool		isnull;
	Datum		value;

	lr_evaluate_generated(ev, expr, &detail);
	value = lr_evaluate_member(ev, expr, member, &isnull);
	part->error = ev->error;
	part->truth = part->error != NULL ? LR_RAISES : isnull ? LR_UNKNOWN :
		DatumGetBool(value) ? LR_TRUE : LR_FALSE;
	part->values = values_of(ev, expr);
}

/* The parts of a rule's condition, or of its member_condition for a member. */
static List *
parts_of(LrTable *table, LrBinding *b, const LrRule *rule,
		 LrMember *member, TupleTableSlot *row, const double *score,
		 const bool *visible)
{
	const char *text = member ? rule->member_condition : rule->condition;
	LrExprKind	kind = member ? LR_EXPR_MEMBER : LR_EXPR_BOOL;
	char	   *what = psprintf("%s of rule \"%s\"",
								member ? "member_condition" : "condition",
								rule->name);
	Relation	rel;
	LrEvaluation ev;
	List	   *parts = NIL;
	ListCell   *lc;
	bool		decided = false;
	bool		hidden = false;

	if (text == NULL)
		return NIL;
	rel = table_open(table->relid, AccessShareLock);
	lr_evaluation_begin(&ev, table, row);
	ev.router = b->router;
	ev.score = score;
	foreach(lc, split_condition(text))
	{
		LrPart	   *part = (LrPart *) palloc0(sizeof(LrPart));
		LrExpr	   *expr;

		part->text = (char *) lfirst(lc);
		part->truth = LR_NOT_EVALUATED;
		part->hidden = hidden;
		parts = lappend(parts, part);
		if (decided)
			continue;
		expr = lr_compile_for_leads(table, rel, part->text, kind,
									rule->written_by, rule->search_path, what,
									&part->error);
		if (expr == NULL)
			part->truth = LR_RAISES;
		else
		{
			evaluate_part(part, &ev, expr, member == NULL ? NULL :
						  lr_facts_row(b->router, member));
			/* whether later ones are evaluated would tell of this one */
			hidden |= !lr_expr_is_visible(expr, table->desc, visible);
			part->hidden = hidden;
		}
		decided = part->truth == LR_FALSE || part->truth == LR_RAISES;
	}
	lr_evaluation_end(&ev);
	table_close(rel, AccessShareLock);
	return parts;
}

List *
lr_condition_parts(LrTable *table, LrBinding *b, const LrRule *rule,
				   TupleTableSlot *row, const double *score,
				   const bool *visible)
{
	return parts_of(table, b, rule, NULL, row, score, visible);
}

char *
lr_member_part(LrTable *table, LrBinding *b, const LrRule *rule,
			   LrMember *member, TupleTableSlot *row,
			   const double *score, const bool *visible)
{
	StringInfoData buf;
	ListCell   *lc;
	ListCell   *lv;

	initStringInfo(&buf);
	foreach(lc, parts_of(table, b, rule, member, row, score, visible))
	{
		const LrPart *part = (const LrPart *) lfirst(lc);

		if (part->hidden)
			return NULL;
		if (part->truth == LR_TRUE)
			continue;
		appendStringInfo(&buf, "%s is %s", part->text,
						 part->truth == LR_UNKNOWN ? "null" :
						 part->truth == LR_RAISES ? "an error" : "false");
		if (part->error != NULL)
			appendStringInfo(&buf, ", %s", part->error);
		foreach(lv, part->values)
			appendStringInfo(&buf, "%s%s", lv == list_head(part->values) ?
							 " with " : ", ", (char *) lfirst(lv));
		return buf.data;
	}
	return NULL;
}
