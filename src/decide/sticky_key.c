/*
 * sticky_key.c
 *	  What a lead is known by; see sticky_key.h.
 *
 * The expressions run as those of rules do: with the rights and under the
 * search_path of their writer, compiled once a binding, an error costs the key
 * and not the lead.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "config/router_sql.h"
#include "decide/sticky_key.h"
#include "expression/evaluate.h"
#include "expression/generated.h"

/* The expressions of a router over one table. */
typedef struct LrCompiledKeys
{
	LrExpr	   *expr[LR_MAX_STICKY_KEYS];	/* NULL: broken */
	char	   *broken[LR_MAX_STICKY_KEYS]; /* why; NULL: it is not */
} LrCompiledKeys;

static void
compile(LrTable *table, LrBinding *b)
{
	const LrMatching *m = b->router->matching;
	Relation	rel = table_open(table->relid, AccessShareLock);
	MemoryContext old = MemoryContextSwitchTo(b->context);
	LrCompiledKeys *keys = (LrCompiledKeys *) palloc0(sizeof(LrCompiledKeys));
	int			i;

	for (i = 0; i < m->n; i++)
		keys->expr[i] = lr_compile_for_leads(table, rel, m->expr[i],
											 LR_EXPR_TEXT, m->written_by,
											 m->search_path,
											 psprintf("sticky_key %d", i + 1),
											 &keys->broken[i]);
	MemoryContextSwitchTo(old);
	table_close(rel, AccessShareLock);
	b->keys = keys;
}

static void
hash_key(const char *value, uint8 *key)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];

	if (context == NULL || pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) value,
							 strlen(value)) < 0 ||
		pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not hash a sticky key");
	pg_cryptohash_free(context);
	memcpy(key, digest, LR_KEY_BYTES);
}

static void
add_key(LrLeadKeys *keys, const char *value, int said_by)
{
	int			i;

	for (i = 0; i < keys->n; i++)
		if (strcmp(keys->value[i], value) == 0)
			return;
	keys->value[keys->n] = value;
	keys->said_by[keys->n] = said_by;
	hash_key(value, keys->key[keys->n++]);
}

LrLeadKeys *
lr_lead_keys(LrTable *table, LrBinding *b, TupleTableSlot *row, char **detail)
{
	const LrMatching *m = b->router->matching;
	LrLeadKeys *keys = (LrLeadKeys *) palloc0(sizeof(LrLeadKeys));
	LrEvaluation ev;
	int			i;

	if (b->keys == NULL)
		compile(table, b);
	lr_evaluation_begin(&ev, table, row);
	ev.router = b->router;
	for (i = 0; i < m->n; i++)
	{
		LrExpr	   *expr = b->keys->expr[i];
		const char *error = b->keys->broken[i];
		bool		isnull = true;
		Datum		value = (Datum) 0;

		if (expr != NULL)
		{
			lr_evaluate_generated(&ev, expr, detail);
			value = lr_evaluate(&ev, expr, &isnull);
			error = ev.error;
		}
		if (error != NULL)
			lr_add_detail(detail, psprintf("sticky_key %d", i + 1), error);
		else if (!isnull)
		{
			char	   *words = TextDatumGetCString(value);

			if (words[0] != '\0')
				add_key(keys, words, i);
		}
	}
	lr_evaluation_end(&ev);
	return keys;
}
