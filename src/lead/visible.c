/*
 * visible.c
 *	  What a caller may see of a lead.  See visible.h.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rls.h"

#include "base/guc.h"
#include "lead/lead.h"
#include "lead/visible.h"

PG_FUNCTION_INFO_V1(lr_lead_data);

/*
 * Runs "SELECT what FROM the lead end" as the caller; the rows are SPI's.  Operators
 * and the table are qualified, so his search_path means nothing here.
 */
static void
select_lead(LrTable *table, const char *what, const char *key,
			const char *end)
{
	Oid		   *types = (Oid *) palloc(table->nkeys * sizeof(Oid));
	Datum	   *values = (Datum *) palloc(table->nkeys * sizeof(Datum));
	LrRights	rights;
	char	   *where;

	/* reading the key runs code of its type's owner */
	lr_lead_become(table, true, &rights);
	where = lr_key_where(table, key, types, values);
	lr_resign(&rights);
	if (SPI_execute_with_args(psprintf("SELECT %s FROM %s AS lr_lead WHERE %s%s",
									   what, lr_lead_relation(table), where, end),
							  table->nkeys, types, values, NULL, false,
							  1) != SPI_OK_SELECT)
		elog(ERROR, "could not read lead table \"%s\"", table->name);
}

bool
lr_lead_is_visible(LrTable *table, const char *key)
{
	select_lead(table, "", key, "");
	return SPI_processed > 0;
}

bool
lr_leads_hidden(LrTable *table)
{
	return check_enable_rls(table->relid, InvalidOid, true) == RLS_ENABLED;
}

void
lr_require_visible(LrTable *table, const char *key, const char *what_not)
{
	if (lr_lead_is_visible(table, key))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("lead table \"%s\" has no lead %s", table->name, key),
			 lr_leads_hidden(table) ?
			 errdetail("Leads that row-level security hides from you are not %s you.",
					   what_not) : 0));
}

bool
lr_may_update_lead(LrTable *table, const char *key, AttrNumber column)
{
	Oid			role = GetUserId();
	bool		may = pg_class_aclcheck(table->relid, role,
										ACL_UPDATE) == ACLCHECK_OK;

	if (!may && column == InvalidAttrNumber)
		may = pg_attribute_aclcheck_all(table->relid, role, ACL_UPDATE,
										ACLMASK_ANY) == ACLCHECK_OK;
	else if (!may)
		may = pg_attribute_aclcheck(table->relid, column, role,
									ACL_UPDATE) == ACLCHECK_OK;
	if (!may || !lr_leads_hidden(table))
		return may;
	if (!lr_may_read_key(table))
		return false;
	/* as the policies for SELECT and UPDATE say */
	select_lead(table, "", key, " FOR NO KEY UPDATE");
	return SPI_processed > 0;
}

bool
lr_may_read_key(LrTable *table)
{
	int			i;

	for (i = 0; i < table->nkeys; i++)
		if (pg_class_aclcheck(table->relid, GetUserId(),
							  ACL_SELECT) != ACLCHECK_OK &&
			pg_attribute_aclcheck(table->relid, table->key[i], GetUserId(),
								  ACL_SELECT) != ACLCHECK_OK)
			return false;
	return true;
}

bool *
lr_visible_columns(LrTable *table)
{
	bool	   *visible;
	int			i;

	if (pg_class_aclcheck(table->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return NULL;
	visible = (bool *) palloc(table->desc->natts * sizeof(bool));
	for (i = 0; i < table->desc->natts; i++)
		visible[i] = TupleDescAttr(table->desc, i)->attisdropped ||
			pg_attribute_aclcheck(table->relid, i + 1, GetUserId(),
								  ACL_SELECT) == ACLCHECK_OK;
	return visible;
}

/* The columns that the caller may read, as an object; for select_lead. */
static char *
as_object(LrTable *table)
{
	const bool *visible = lr_visible_columns(table);
	StringInfoData list;
	int			i;

	initStringInfo(&list);
	for (i = 0; i < table->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(table->desc, i);

		if (!att->attisdropped && (visible == NULL || visible[i]))
			appendStringInfo(&list, "%slr_lead.%s", list.len > 0 ? ", " : "",
							 quote_identifier(NameStr(att->attname)));
	}
	return psprintf("(SELECT pg_catalog.to_jsonb(lr_row.*) FROM (SELECT %s) AS lr_row)",
					list.data);
}

Datum
lr_lead_data(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	LrTable    *table;
	Datum		result = (Datum) 0;

	lr_require_preload();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  AccessShareLock);
	SPI_connect();
	if (lr_may_read_key(table))
	{
		select_lead(table, as_object(table), lr_key_argument(fcinfo, 1), "");
		if (SPI_processed > 0)
		{
			bool		isnull;
			Datum		object = SPI_getbinval(SPI_tuptable->vals[0],
											   SPI_tuptable->tupdesc, 1,
											   &isnull);
			MemoryContext old = MemoryContextSwitchTo(caller);

			result = PointerGetDatum(PG_DETOAST_DATUM_COPY(object));
			MemoryContextSwitchTo(old);
		}
	}
	SPI_finish();
	lr_table_unpin(table);
	if (result == (Datum) 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}
