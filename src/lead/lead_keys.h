/*
 * lead_keys.h
 *	  Statements over many stored leads at once, found by their keys.
 *
 * What a statement runs on and with whose rights, lead.h says.
 */
#ifndef LR_LEAD_KEYS_H
#define LR_LEAD_KEYS_H

#include "lib/stringinfo.h"
#include "utils/snapshot.h"

#include "lead/table.h"

/* Keys of leads, as values of the key columns. */
typedef struct LrKeys
{
	int			n;
	Datum	  **value;			/* by key column, then by lead */
} LrKeys;

/* A statement with its parameters, as it is put together. */
typedef struct LrKeyed
{
	StringInfoData text;
	int			n;
	Oid		   *type;
	Datum	   *value;
} LrKeyed;

/* Room for a parameter a key column, and two more. */
extern void lr_keyed_begin(LrKeyed *s, LrTable *table);

/* Adds an array as a parameter, as an argument of ROWS FROM. */
extern void lr_keyed_array(LrKeyed *s, Datum *values, int n, Oid type);

/* Adds "ROWS FROM (…) WITH ORDINALITY AS lr_key (k1, …, n)" of some leads. */
extern void lr_keyed_keys(LrKeyed *s, LrTable *table, const LrKeys *keys,
						  const int *at, int n);

/* Adds "lr_lead.a = lr_key.k1 AND …". */
extern void lr_keyed_join(LrKeyed *s, LrTable *table);

/*
 * Runs it, a SELECT.  A snapshot: reads what that sees, and nothing else; NULL:
 * as this transaction does.
 */
extern void lr_keyed_run(LrKeyed *s, LrTable *table, Snapshot snapshot);

/* The type of a key column. */
extern Oid	lr_key_type(const LrTable *table, int i);

/* The canonical key of a lead from the values of its key columns; and back. */
extern char *lr_key_of_values(LrTable *table, const Datum *values);
extern void lr_keys_of_text(LrTable *table, char **key, int n, LrKeys *keys);

#endif							/* LR_LEAD_KEYS_H */
