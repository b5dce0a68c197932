/*
 * lead_keys.c
 *	  Statements over many stored leads.  See lead_keys.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "lead/lead_keys.h"

/* ---------- statements ---------- */

static ArrayType *
array_of(Datum *values, int n, Oid type)
{
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(type, &len, &byval, &align);
	return construct_array(values, n, type, len, byval, align);
}

/* The array type of a column's type. */
static Oid
array_type(Oid type)
{
	Oid			array = get_array_type(type);

	return OidIsValid(array) ? array : get_array_type(getBaseType(type));
}

void
lr_keyed_begin(LrKeyed *s, LrTable *table)
{
	initStringInfo(&s->text);
	s->n = 0;
	s->type = (Oid *) palloc((table->nkeys + 2) * sizeof(Oid));
	s->value = (Datum *) palloc((table->nkeys + 2) * sizeof(Datum));
}

void
lr_keyed_array(LrKeyed *s, Datum *values, int n, Oid type)
{
	appendStringInfo(&s->text, "%spg_catalog.unnest($%d)",
					 s->n > 0 ? ", " : "", s->n + 1);
	s->type[s->n] = array_type(type);
	s->value[s->n++] = PointerGetDatum(array_of(values, n, type));
}

Oid
lr_key_type(const LrTable *table, int i)
{
	return TupleDescAttr(table->desc, table->key[i] - 1)->atttypid;
}

void
lr_keyed_join(LrKeyed *s, LrTable *table)
{
	int			i;

	for (i = 0; i < table->nkeys; i++)
		appendStringInfo(&s->text, "%slr_lead.%s OPERATOR(pg_catalog.=) lr_key.k%d",
						 i > 0 ? " AND " : "",
						 quote_identifier(NameStr(TupleDescAttr(table->desc,
																table->key[i] - 1)->attname)),
						 i + 1);
}

void
lr_keyed_keys(LrKeyed *s, LrTable *table, const LrKeys *keys, const int *at,
			  int n)
{
	Datum	   *values = (Datum *) palloc(n * sizeof(Datum));
	int			i;
	int			k;

	appendStringInfoString(&s->text, "ROWS FROM (");
	for (k = 0; k < table->nkeys; k++)
	{
		for (i = 0; i < n; i++)
			values[i] = keys->value[k][at[i]];
		lr_keyed_array(s, values, n, lr_key_type(table, k));
	}
	appendStringInfoString(&s->text, ") WITH ORDINALITY AS lr_key (");
	for (k = 0; k < table->nkeys; k++)
		appendStringInfo(&s->text, "k%d, ", k + 1);
	appendStringInfoString(&s->text, "n)");
	pfree(values);
}

/*
 * Planned for any number of keys, which makes it look for each by the index:
 * planned for these it would at times read the whole table, which is wrong in
 * the next batch again.
 */
void
lr_keyed_run(LrKeyed *s, LrTable *table, Snapshot snapshot)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(s->text.data, s->n, s->type,
										  CURSOR_OPT_GENERIC_PLAN);

	if (plan == NULL ||
		(snapshot == NULL ?
		 SPI_execute_plan(plan, s->value, NULL, false, 0) :
		 SPI_execute_snapshot(plan, s->value, NULL, snapshot, InvalidSnapshot,
							  true, false, 0)) != SPI_OK_SELECT)
		elog(ERROR, "could not read or update lead table \"%s\"", table->name);
	SPI_freeplan(plan);
}

/* ---------- keys ---------- */

char *
lr_key_of_values(LrTable *table, const Datum *values)
{
	TupleTableSlot *row = MakeSingleTupleTableSlot(table->desc,
												   &TTSOpsVirtual);
	int			i;

	memset(row->tts_isnull, true, table->desc->natts * sizeof(bool));
	for (i = 0; i < table->nkeys; i++)
	{
		row->tts_values[table->key[i] - 1] = values[i];
		row->tts_isnull[table->key[i] - 1] = false;
	}
	return lr_table_key(table, ExecStoreVirtualTuple(row));
}

void
lr_keys_of_text(LrTable *table, char **key, int n, LrKeys *keys)
{
	Oid		   *types = (Oid *) palloc(table->nkeys * sizeof(Oid));
	Datum	   *values = (Datum *) palloc(table->nkeys * sizeof(Datum));
	int			i;
	int			k;

	keys->n = n;
	keys->value = (Datum **) palloc(table->nkeys * sizeof(Datum *));
	for (k = 0; k < table->nkeys; k++)
		keys->value[k] = (Datum *) palloc(n * sizeof(Datum));
	for (i = 0; i < n; i++)
	{
		lr_key_values(table, key[i], types, values);
		for (k = 0; k < table->nkeys; k++)
			keys->value[k][i] = values[k];
	}
}
