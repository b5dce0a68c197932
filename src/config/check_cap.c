/*
 * check_cap.c
 *	  Refusing a cap that cannot work; one that counts something else than
 *	  before begins anew.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/scan.h"
#include "config/check_row.h"
#include "leadroute.h"

/*
 * Whether a cap names another row of a table than before; one that was renamed
 * is the same.
 */
static bool
names_another(LrRow *row, const char *column_name, const char *index)
{
	LrScan		scan;
	bool		former_exists;

	if (!lr_row_differs(row, column_name))
		return false;
	if (lr_row_text(row, row->old, column_name) == NULL ||
		lr_row_text(row, row->new, column_name) == NULL)
		return true;
	lr_scan_begin_pair(&scan, column_name, index, "router",
					   lr_row_text(row, row->old, "router"), "name",
					   lr_row_text(row, row->old, column_name));
	former_exists = lr_scan_next(&scan);
	lr_scan_end(&scan);
	return former_exists;
}

/* Whether an UPDATE changes what a cap counts. */
static bool
counts_another(LrRow *row)
{
	return lr_row_changes_router(row) || names_another(row, "member", "member_pkey") ||
		names_another(row, "team", "team_pkey") ||
		names_another(row, "rule", "rule_pkey") ||
		lr_row_is_true(row, row->old, "each_member") !=
		lr_row_is_true(row, row->new, "each_member") ||
		lr_row_differs(row, "period") || lr_row_differs(row, "counts") ||
		lr_row_differs(row, "condition") || lr_row_differs(row, "timezone");
}

static TimestampTz
time_of(LrRow *row, HeapTuple tuple, const char *name)
{
	bool		isnull;
	Datum		value = lr_row_column(row, tuple, name, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

/*
 * What counts something else is another cap, and counts anew: it gets another
 * id, which was never used, and (unless it is given) another beginning.
 */
static void
begin_anew(LrRow *row)
{
	bool		since_given = time_of(row, row->old, "since") !=
		time_of(row, row->new, "since");
	int			attno[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (!since_given && !counts_another(row))
		return;
	attno[0] = SPI_fnumber(row->desc, "id");
	values[0] = Int32GetDatum((int32) nextval_internal(get_relname_relid("cap_id_seq",
																		 get_namespace_oid(LR_SCHEMA, false)),
													   false));
	attno[1] = SPI_fnumber(row->desc, "since");
	values[1] = TimestampTzGetDatum(since_given ? time_of(row, row->new, "since") :
									GetCurrentTransactionStartTimestamp());
	row->new = heap_modify_tuple_by_cols(row->new, row->desc, 2, attno, values,
										 nulls);
}

/* The attached table that a cap's rule is for; NULL: all. */
static char *
table_of_rule(LrRow *row)
{
	char	   *rule = lr_row_text(row, row->new, "rule");
	char	   *table = NULL;
	LrScan		scan;

	if (rule == NULL)
		return NULL;
	lr_scan_begin_pair(&scan, "rule", "rule_pkey", "router",
					   lr_row_text(row, row->new, "router"), "name", rule);
	if (lr_scan_next(&scan))
		table = lr_scan_text(&scan, "routed_table");
	lr_scan_end(&scan);
	return table;
}

void
lr_check_cap(LrRow *row)
{
	static const char *const periods[] = {
		"hour", "day", "week", "month", "total", NULL
	};
	static const char *const counts[] = {"leads", NULL};
	char	   *name = lr_row_text(row, row->new, "name");
	char	   *condition = lr_row_text(row, row->new, "condition");
	bool		no_leads;
	bool		no_amount;
	ListCell   *lc;

	if (name == NULL || lr_row_text(row, row->new, "router") == NULL)
		return;					/* NOT NULL says so */
	lr_check_word("period", lr_row_text(row, row->new, "period"), periods);
	lr_check_word("counts", lr_row_text(row, row->new, "counts"), counts);
	(void) lr_row_column(row, row->new, "max_leads", &no_leads);
	(void) lr_row_column(row, row->new, "max_amount", &no_amount);
	if (!no_amount)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("max_amount of cap \"%s\" is not in effect yet", name),
				 errhint("Leave it NULL, and set max_leads.")));
	if (no_leads)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("cap \"%s\" has no limit", name),
				 errhint("Set max_leads to the most leads in a period; 0 means none.")));
	if (lr_row_is_true(row, row->new, "each_member") &&
		lr_row_text(row, row->new, "member") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("cap \"%s\" names a member and is each member's own",
						name),
				 errhint("Leave member NULL, or let each_member be false.")));
	lr_check_zone(row, lr_row_text(row, row->new, "router"));
	lr_fill_writer(row, row->old == NULL || lr_row_differs(row, "condition"));
	if (row->old != NULL)
		begin_anew(row);
	if (condition == NULL)
		return;
	foreach(lc, lr_tables_of(lr_row_text(row, row->new, "router"), table_of_rule(row)))
		lr_check_expression(((LrAttached *) lfirst(lc))->relid, condition,
						 LR_EXPR_BOOL, row,
						 psprintf("condition of cap \"%s\"", name));
}
