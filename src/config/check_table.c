/*
 * check_table.c
 *	  Refusing a row of routed_table that cannot work.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/clock.h"
#include "config/check_row.h"
#include "lead/table.h"

static void
refuse_relation(Relation rel, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" cannot be routed", RelationGetRelationName(rel)),
			 errdetail("%s", detail),
			 errhint("Use leadroute.attach, which says what is needed.")));
}

/* What a row written without attach must not get wrong. */
static void
check_relation(LrRow *row, Relation rel)
{
	bool		isnull;
	ArrayType  *names = DatumGetArrayTypeP(lr_row_column(row, row->new, "key_columns",
												  &isnull));
	Datum	   *key;
	bool	   *nulls;
	int			n;
	int			i;

	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		refuse_relation(rel, "It is not a table.");
	if (IsCatalogRelation(rel))
		refuse_relation(rel, "It belongs to the system.");
	if (SPI_fnumber(RelationGetDescr(rel),
					lr_row_text(row, row->new, "owner_column")) <= 0)
		refuse_relation(rel, psprintf("It has no column \"%s\".",
									  lr_row_text(row, row->new, "owner_column")));
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &key, &nulls, &n);
	if (n == 0)
		refuse_relation(rel, "It needs a key.");
	for (i = 0; i < n; i++)
		if (nulls[i] || SPI_fnumber(RelationGetDescr(rel),
									TextDatumGetCString(key[i])) <= 0)
			refuse_relation(rel, "A key column is missing.");
}

static void
check_ready_within(LrRow *row)
{
	bool		isnull;
	Datum		within = lr_row_column(row, row->new, "ready_within", &isnull);

	if (isnull || lr_interval_length(DatumGetIntervalP(within)) > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("invalid ready_within of lead table \"%s\"",
					lr_row_text(row, row->new, "name")),
			 errhint("It is longer than 0, for example '15 minutes'; NULL: leads wait without end. To wait for nothing set ready_when to NULL.")));
}

void
lr_check_routed_table(LrRow *row)
{
	char	   *router_expr = lr_row_text(row, row->new, "router_expr");
	bool		isnull;
	Oid			relid = DatumGetObjectId(lr_row_column(row, row->new, "relation",
												&isnull));
	Relation	rel;
	bool		no_keys;
	bool		changed;
	int			i;

	(void) lr_row_column(row, row->new, "key_columns", &no_keys);
	if (isnull || no_keys || lr_row_text(row, row->new, "name") == NULL ||
		lr_row_text(row, row->new, "owner_column") == NULL)
		return;					/* NOT NULL says so */
	if (row->old != NULL && lr_row_differs(row, "name"))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the name of an attached table does not change"),
				 errhint("leadroute.detach it and attach it under the other name.")));
	lr_check_word("decide_at", lr_row_text(row, row->new, "decide_at"),
				  lr_decide_at_word);
	check_ready_within(row);
	changed = row->old == NULL || lr_row_differs(row, "router_expr");
	for (i = 0; i < LR_WHENS; i++)
		changed |= row->old != NULL && lr_row_differs(row, lr_when_column[i]);
	for (i = 0; i < LR_TELLINGS; i++)
		changed |= row->old != NULL && lr_row_differs(row, lr_told_column[i]);
	changed |= row->old != NULL &&
		(lr_row_differs(row, "load") || lr_row_differs(row, "ready_when"));
	lr_fill_writer(row, changed);
	rel = try_relation_open(relid, AccessShareLock);
	if (rel == NULL)
		return;					/* restored before its table */
	check_relation(row, rel);
	lr_check_mapped(row, rel);
	relation_close(rel, AccessShareLock);
	if (router_expr != NULL)
		lr_check_expression_of_table(relid, router_expr, LR_EXPR_TEXT, row,
									 "router_expr");
	for (i = 0; i < LR_WHENS; i++)
	{
		char	   *text = lr_row_text(row, row->new, lr_when_column[i]);

		if (text != NULL)
			lr_check_expression_of_table(relid, text, LR_EXPR_WHEN, row,
										 lr_when_column[i]);
	}
	for (i = 0; i < LR_TELLINGS; i++)
	{
		char	   *text = lr_row_text(row, row->new, lr_told_column[i]);

		if (text != NULL)
			lr_check_expression(relid, text, lr_told_kind[i], row,
								lr_told_column[i]);
	}
	if (lr_row_text(row, row->new, "ready_when") != NULL)
		lr_check_expression_of_table(relid,
									 lr_row_text(row, row->new, "ready_when"),
									 LR_EXPR_BOOL, row, "ready_when");
	if (lr_row_text(row, row->new, "load") != NULL)
		lr_check_expression_of_table(relid, lr_row_text(row, row->new, "load"),
									 LR_EXPR_NUMBER, row, "load");
}
