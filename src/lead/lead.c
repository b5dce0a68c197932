/*
 * lead.c
 *	  Reading and updating stored leads.  See lead.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "lead/lead.h"
#include "lead/own_update.h"
#include "lead/trigger.h"

void
lr_lead_become(LrTable *table, bool to_read, LrRights *saved)
{
	lr_become(table->relowner, table->search_path, to_read, saved);
}

char *
lr_lead_relation(LrTable *table)
{
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(table->relid)),
												  get_rel_name(table->relid));

	return get_rel_relkind(table->relid) == RELKIND_PARTITIONED_TABLE ? name :
		psprintf("ONLY %s", name);
}

TupleTableSlot *
lr_lead_slot(LrTable *table, Datum row)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(row);
	HeapTuple	tuple = (HeapTuple) palloc0(HEAPTUPLESIZE);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(table->desc,
													&TTSOpsHeapTuple);

	tuple->t_len = HeapTupleHeaderGetDatumLength(header);
	tuple->t_data = header;
	ExecStoreHeapTuple(heap_copytuple(tuple), slot, false);
	return slot;
}

TupleTableSlot *
lr_lead_fetch(LrTable *table, const char *key, bool lock)
{
	Oid		   *types = (Oid *) palloc(table->nkeys * sizeof(Oid));
	Datum	   *values = (Datum *) palloc(table->nkeys * sizeof(Datum));
	char	   *where = lr_key_where(table, key, types, values);
	char	   *query = psprintf("SELECT lr_lead FROM %s AS lr_lead WHERE %s%s",
								 lr_lead_relation(table), where,
								 lock ? " FOR NO KEY UPDATE" : "");
	TupleTableSlot *slot = NULL;
	bool		isnull;

	if (SPI_execute_with_args(query, table->nkeys, types, values, NULL, false,
							  1) != SPI_OK_SELECT)
		elog(ERROR, "could not read lead table \"%s\"", table->name);
	if (SPI_processed > 0)
		slot = lr_lead_slot(table, SPI_getbinval(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, 1,
												 &isnull));
	SPI_freetuptable(SPI_tuptable);
	return slot;
}

/* One more column of an UPDATE. */
static void
set_column(LrTable *table, StringInfo set, AttrNumber attno, Oid *types,
		   Datum *values, int *n, Datum value)
{
	Form_pg_attribute att = TupleDescAttr(table->desc, attno - 1);

	types[*n] = att->atttypid;
	values[*n] = value;
	(*n)++;
	appendStringInfo(set, "%s%s = $%d", set->len > 0 ? ", " : "",
					 quote_identifier(NameStr(att->attname)), *n);
}

/* Runs the UPDATE of a lead that sets columns; error if no row was updated. */
static void
run_update(LrTable *table, const char *key, const char *set, const char *where,
		   int n, Oid *types, Datum *values)
{
	lr_own_update_begin();
	if (SPI_execute_with_args(psprintf("UPDATE %s AS lr_lead SET %s WHERE %s",
									   lr_lead_relation(table), set, where),
							  n, types, values, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not update lead table \"%s\"", table->name);
	lr_own_update_end();
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("the owner of lead %s in \"%s\" could not be set", key,
						table->name),
				 errdetail("A trigger or rule of the table suppressed the update.")));
}

void
lr_lead_update(LrTable *table, const char *key, const Datum *owner,
			   const LrMapped *mapped)
{
	Oid		   *types = (Oid *) palloc((table->nkeys + 3) * sizeof(Oid));
	Datum	   *values = (Datum *) palloc((table->nkeys + 3) * sizeof(Datum));
	char	   *where = lr_key_where(table, key, types, values);
	int			n = table->nkeys;
	StringInfoData set;

	initStringInfo(&set);
	if (owner != NULL)
		set_column(table, &set, table->owner, types, values, &n, *owner);
	if (mapped != NULL && mapped->has_status)
		set_column(table, &set, table->mapping->status.attno, types, values, &n,
				   mapped->status);
	if (mapped != NULL && mapped->has_score)
		set_column(table, &set, table->mapping->score.attno, types, values, &n,
				   mapped->score);
	if (set.len > 0)
		run_update(table, key, set.data, where, n, types, values);
}

void
lr_lead_clear_owner(LrTable *table, const char *key)
{
	Oid		   *types = (Oid *) palloc(table->nkeys * sizeof(Oid));
	Datum	   *values = (Datum *) palloc(table->nkeys * sizeof(Datum));
	Datum		nobody;

	if (!table->nobody_isnull)
	{
		nobody = lr_owner_datum(table, table->nobody);
		lr_lead_update(table, key, &nobody, NULL);
	}
	else
	{
		char	   *where = lr_key_where(table, key, types, values);

		run_update(table, key,
				   psprintf("%s = NULL",
							quote_identifier(NameStr(TupleDescAttr(table->desc, table->owner - 1)->attname))),
				   where, table->nkeys, types, values);
	}
}
