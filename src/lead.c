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

#include "lead.h"
#include "trigger.h"

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

void
lr_lead_set_owner(LrTable *table, const char *key, Datum owner)
{
	Oid		   *types = (Oid *) palloc((table->nkeys + 1) * sizeof(Oid));
	Datum	   *values = (Datum *) palloc((table->nkeys + 1) * sizeof(Datum));
	char	   *where = lr_key_where(table, key, types, values);
	Form_pg_attribute att = TupleDescAttr(table->desc, table->owner - 1);
	char	   *query = psprintf("UPDATE %s AS lr_lead SET %s = $%d WHERE %s",
								 lr_lead_relation(table),
								 quote_identifier(NameStr(att->attname)),
								 table->nkeys + 1, where);

	types[table->nkeys] = table->owner_type;
	values[table->nkeys] = owner;
	lr_own_update_begin();
	if (SPI_execute_with_args(query, table->nkeys + 1, types, values, NULL,
							  false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not update lead table \"%s\"", table->name);
	lr_own_update_end();
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("the owner of lead %s in \"%s\" could not be set", key,
						table->name),
				 errdetail("A trigger or rule of the table suppressed the update.")));
}
