/*
 * table.c
 *	  Attached lead tables: layout, keys, owners.
 *
 * An LrTable is built from its row of routed_table and the relation's current
 * layout, and thrown away when either changes; a frame pins the one it began
 * with.
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tupconvert.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/generation.h"
#include "base/owner_rights.h"
#include "base/pin.h"
#include "base/scan.h"
#include "config/config.h"
#include "expression/generated.h"
#include "expression/readable.h"
#include "lead/binding.h"
#include "lead/mapped.h"
#include "lead/ready.h"
#include "lead/table.h"

const char *const lr_when_column[LR_WHENS] = {
	[LR_CLOSED] = "closed_when",
	[LR_RESPONDED] = "responded_when",
	[LR_CONVERTED] = "converted_when",
	[LR_ACCEPTED] = "accepted_when",
};

const char *const lr_told_column[LR_TELLINGS] = {
	[LR_CAPTURED_AT] = "captured_at",
	[LR_SOURCE] = "source",
	[LR_VALUE] = "value",
};

const LrExprKind lr_told_kind[LR_TELLINGS] = {
	[LR_CAPTURED_AT] = LR_EXPR_TIME,
	[LR_SOURCE] = LR_EXPR_TEXT,
	[LR_VALUE] = LR_EXPR_AMOUNT,
};

const char *const lr_decide_at_word[] = {"insert", "commit", "worker", NULL};

static List *tables = NIL;

/* ---------- building ---------- */

static LrKeyKind
key_kind(Oid type)
{
	switch (type)
	{
		case INT2OID:
			return LR_KEY_INT2;
		case INT4OID:
			return LR_KEY_INT4;
		case INT8OID:
			return LR_KEY_INT8;
		case TEXTOID:
		case VARCHAROID:
			return LR_KEY_TEXT;
		case BPCHAROID:
			return LR_KEY_CHAR;
		case NUMERICOID:
			return LR_KEY_NUMERIC;
		default:
			return LR_KEY_OTHER;
	}
}

static AttrNumber
attribute(LrTable *table, const char *name)
{
	AttrNumber	attno = get_attnum(table->relid, name);

	if (attno <= 0 && table->broken == NULL)
		table->broken = psprintf("column \"%s\" of lead table \"%s\" does not exist any more",
								 name, table->name);
	return attno;
}

static void
read_keys(LrTable *table, LrScan *scan)
{
	bool		isnull;
	ArrayType  *names = DatumGetArrayTypeP(lr_scan_datum(scan, "key_columns",
														 &isnull));
	Datum	   *element;
	bool	   *nulls;
	int			i;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &element, &nulls,
					  &table->nkeys);
	table->key = (AttrNumber *) palloc(table->nkeys * sizeof(AttrNumber));
	table->key_kind = (LrKeyKind *) palloc(table->nkeys * sizeof(LrKeyKind));
	table->key_output = (Oid *) palloc(table->nkeys * sizeof(Oid));
	for (i = 0; i < table->nkeys; i++)
	{
		AttrNumber	attno = attribute(table, TextDatumGetCString(element[i]));
		bool		varlena;
		Oid			type;

		if (attno <= 0)
			return;
		/* added anew since: what a key is made of must be known before the row */
		if (get_attgenerated(table->relid, attno) != '\0' &&
			table->broken == NULL)
			table->broken = psprintf("key column \"%s\" of lead table \"%s\" is generated",
									 TextDatumGetCString(element[i]),
									 table->name);
		type = getBaseType(TupleDescAttr(table->desc, attno - 1)->atttypid);
		table->key[i] = attno;
		table->key_kind[i] = key_kind(type);
		getTypeOutputInfo(type, &table->key_output[i], &varlena);
	}
}

static LrDecideAt
read_decide_at(LrScan *scan)
{
	const char *word = lr_scan_text(scan, "decide_at");
	int			at = LR_AT_INSERT;

	while (lr_decide_at_word[at] != NULL &&
		   strcmp(lr_decide_at_word[at], word) != 0)
		at++;
	return lr_decide_at_word[at] != NULL ? (LrDecideAt) at : LR_AT_INSERT;
}

/* reroute_on; a column that has gone since cannot change. */
static void
read_reroute(LrTable *table, LrScan *scan)
{
	bool		isnull;
	Datum		names = lr_scan_datum(scan, "reroute_on", &isnull);
	Datum	   *element;
	bool	   *nulls;
	int			n;
	int			i;

	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false,
					  TYPALIGN_INT, &element, &nulls, &n);
	table->reroute = (AttrNumber *) palloc(n * sizeof(AttrNumber));
	for (i = 0; i < n; i++)
	{
		AttrNumber	attno = nulls[i] ? InvalidAttrNumber :
			get_attnum(table->relid, TextDatumGetCString(element[i]));

		if (attno > 0)
			table->reroute[table->nreroute++] = attno;
	}
}

static void
read_owner(LrTable *table, LrScan *scan)
{
	Form_pg_attribute att;
	char	   *nobody;
	bool		varlena;

	table->owner = attribute(table, lr_scan_text(scan, "owner_column"));
	if (table->owner <= 0)
		return;
	att = TupleDescAttr(table->desc, table->owner - 1);
	table->owner_type = att->atttypid;
	table->owner_typmod = att->atttypmod;
	table->owner_is_domain = get_typtype(att->atttypid) == TYPTYPE_DOMAIN;
	table->owner_byval = att->attbyval;
	table->owner_len = att->attlen;
	getTypeInputInfo(table->owner_type, &table->owner_input,
					 &table->owner_ioparam);
	getTypeOutputInfo(getBaseType(table->owner_type), &table->owner_output,
					  &varlena);
	nobody = lr_scan_text(scan, "nobody");
	table->nobody_isnull = nobody == NULL;
	if (nobody != NULL)
		table->nobody = lr_owner_text(table, lr_owner_datum(table, nobody));
}

static void
read_expressions(LrTable *table, LrScan *scan, Relation rel)
{
	char	   *written_by = lr_scan_text(scan, "written_by");
	char	   *search_path = lr_scan_text(scan, "search_path");
	char	   *text = lr_scan_text(scan, "router_expr");
	int			i;

	if (text != NULL)
		table->router_expr = lr_compile_table_for_leads(table, rel, text,
														LR_EXPR_TEXT, written_by,
														search_path,
														"router_expr",
														&table->router_broken);
	for (i = 0; i < LR_WHENS; i++)
	{
		text = lr_scan_text(scan, lr_when_column[i]);
		if (text == NULL)
			continue;
		table->any_when = true;
		table->when[i] = lr_compile_table_for_leads(table, rel, text,
													LR_EXPR_WHEN, written_by,
													search_path,
													lr_when_column[i],
													&table->when_broken[i]);
	}
	for (i = 0; i < LR_TELLINGS; i++)
	{
		text = lr_scan_text(scan, lr_told_column[i]);
		if (text == NULL)
			continue;
		table->any_told = true;
		table->told[i] = lr_compile_for_leads(table, rel, text,
											  lr_told_kind[i], written_by,
											  search_path, lr_told_column[i],
											  &table->told_broken[i]);
	}
	text = lr_scan_text(scan, "load");
	if (text != NULL)
	{
		table->has_load = true;
		table->load = lr_compile_table_for_leads(table, rel, text,
												 LR_EXPR_NUMBER, written_by,
												 search_path, "load",
												 &table->load_broken);
	}
	table->ready = lr_ready_read(table, scan, rel);
	table->postpones = table->ready != NULL ||
		table->decide_at == LR_AT_WORKER;
}

uint64
lr_table_definition(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData buf;
	uint64		hash;
	int			i;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%u %u %c", RelationGetRelid(rel),
					 rel->rd_rel->relowner, rel->rd_rel->relkind);
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		appendStringInfo(&buf, " %s %u %d %u %d %d", NameStr(att->attname),
						 att->atttypid, att->atttypmod, att->attcollation,
						 att->attgenerated, att->attisdropped);
	}
	for (i = 0; desc->constr != NULL && i < desc->constr->num_defval; i++)
		appendStringInfoString(&buf, desc->constr->defval[i].adbin);
	for (i = 0; desc->constr != NULL && i < desc->constr->num_check; i++)
		appendStringInfoString(&buf, desc->constr->check[i].ccbin);
	hash = hash_bytes_extended((const unsigned char *) buf.data, buf.len, 0);
	pfree(buf.data);
	return hash;
}

/* Builds a table from its row of routed_table; NULL: its relation is gone. */
static LrTable *
build_table(LrScan *scan)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "leadroute table",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	LrTable    *table = (LrTable *) palloc0(sizeof(LrTable));
	bool		isnull;
	Relation	rel;

	table->context = context;
	table->relid = DatumGetObjectId(lr_scan_datum(scan, "relation", &isnull));
	table->relation_checked = lr_relation_generation();
	table->expression_checked = lr_expression_generation();
	lr_watch_relation(table->relid);
	rel = try_relation_open(table->relid, AccessShareLock);
	if (rel == NULL)
	{
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		return NULL;
	}
	table->row_tid = scan->tuple->t_self;
	table->row_xmin = HeapTupleHeaderGetRawXmin(scan->tuple->t_data);
	table->id = lr_scan_int(scan, "id", 0);
	table->name = lr_scan_text(scan, "name");
	table->router = lr_scan_text(scan, "router");
	table->relowner = rel->rd_rel->relowner;
	table->search_path = lr_safe_path(lr_scan_text(scan, "search_path"));
	table->protect_owner = DatumGetBool(lr_scan_datum(scan, "protect_owner",
													  &isnull));
	table->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	table->definition = lr_table_definition(rel);
	table->read_rights = lr_read_rights(table->relid);
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		table->broken = psprintf("\"%s\" is not a table any more", table->name);
	read_keys(table, scan);
	read_owner(table, scan);
	read_reroute(table, scan);
	table->mapping = lr_mapping_read(table, scan, rel);
	table->decide_at = read_decide_at(scan);
	table->econtext = CreateStandaloneExprContext();
	if (table->broken == NULL)
		read_expressions(table, scan, rel);
	relation_close(rel, AccessShareLock);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	return table;
}

/* ---------- the cache ---------- */

static void
release_if_unused(LrTable *table)
{
	if (!table->dropped || table->pins > 0)
		return;
	lr_bindings_free(table);
	MemoryContextDelete(table->context);
}

static void
drop_table(LrTable *table)
{
	tables = list_delete_ptr(tables, table);
	table->dropped = true;
	release_if_unused(table);
}

static LrTable *
cached_table(const char *name)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		LrTable    *table = (LrTable *) lfirst(lc);

		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

/* Whether the row of routed_table is still the one the table was built from. */
static bool
row_unchanged(LrTable *table)
{
	LrScan		scan;
	bool		same;

	lr_scan_begin(&scan, "routed_table", "routed_table_pkey", "name",
				  table->name);
	same = lr_scan_next(&scan) &&
		ItemPointerEquals(&scan.tuple->t_self, &table->row_tid) &&
		HeapTupleHeaderGetRawXmin(scan.tuple->t_data) == table->row_xmin;
	lr_scan_end(&scan);
	return same;
}

/*
 * After an invalidation of some lead table or partition, VACUUM's or ANALYZE's
 * for example: whether this table is still what it was.
 */
static bool
definition_unchanged(LrTable *table)
{
	uint64		generation = lr_relation_generation();
	Relation	rel;
	bool		same;

	/* layouts of partitions are kept too */
	if (table->leaves != NIL &&
		((LrLeaf *) linitial(table->leaves))->relid != table->relid)
		return false;
	if (lr_reads_by_column(table->relid))
		return false;
	rel = try_relation_open(table->relid, AccessShareLock);
	same = rel != NULL && lr_table_definition(rel) == table->definition &&
		lr_read_rights(table->relid) == table->read_rights;
	if (rel != NULL)
		relation_close(rel, AccessShareLock);
	if (same)
		table->relation_checked = generation;
	return same;
}

static void
give_back(void *table)
{
	((LrTable *) table)->pins--;
	release_if_unused((LrTable *) table);
}

LrTable *
lr_table_pin(const char *name)
{
	LrTable    *table = cached_table(name);
	uint64		config = lr_config_generation();

	if (table != NULL)
	{
		bool		stale = table->expression_checked != lr_expression_generation() ||
			(table->relation_checked != lr_relation_generation() &&
			 !definition_unchanged(table));

		if (!stale && table->config_checked != config)
		{
			stale = !row_unchanged(table);
			table->config_checked = config;
		}
		if (stale)
		{
			drop_table(table);
			table = NULL;
		}
	}
	if (table == NULL)
	{
		LrScan		scan;
		MemoryContext old;

		lr_scan_begin(&scan, "routed_table", "routed_table_pkey", "name", name);
		if (lr_scan_next(&scan))
			table = build_table(&scan);
		lr_scan_end(&scan);
		if (table == NULL)
			return NULL;
		table->config_checked = config;
		old = MemoryContextSwitchTo(CacheMemoryContext);
		tables = lappend(tables, table);
		MemoryContextSwitchTo(old);
	}
	lr_pin_add(table, give_back);
	table->pins++;
	return table;
}

void
lr_table_unpin(LrTable *table)
{
	lr_pin_remove(table);
	give_back(table);
}

/*
 * The table for a trigger, pinned; NULL: rows pass as they are.  A table whose
 * columns have gone is told about once a session.
 */
LrTable *
lr_table_pin_sound(const char *name)
{
	static bool warned = false;
	LrTable    *table = lr_table_pin(name);

	if (table == NULL && !warned)
	{
		warned = true;
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("leads are stored without owner: \"%s\" is not in leadroute.routed_table",
						name),
				 errhint("Restore leadroute's configuration, or run leadroute.attach on the table.")));
	}
	if (table == NULL || table->broken == NULL)
		return table;
	if (!table->warned)
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("leads are stored without a decision: %s",
						table->broken),
				 errhint("Run leadroute.attach again with the columns that the table has now.")));
	table->warned = true;
	lr_table_unpin(table);
	return NULL;
}

/* Whether a table is attached by that name; it may have been dropped since. */
static bool
is_attached(const char *name)
{
	LrScan		scan;
	bool		attached;

	lr_scan_begin(&scan, "routed_table", "routed_table_pkey", "name", name);
	attached = lr_scan_next(&scan);
	lr_scan_end(&scan);
	return attached;
}

LrTable *
lr_table_require(const char *name)
{
	LrTable    *table = lr_table_pin(name);

	if (table == NULL && is_attached(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("lead table \"%s\" has been dropped", name),
				 errhint("leadroute.detach cleans up after it; leadroute.attach of a new table by the same name takes its place.")));
	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("lead table \"%s\" is not attached", name),
				 errhint("SELECT name FROM leadroute.routed_table shows those that are; leadroute.attach adds one.")));
	if (table->broken != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s", table->broken),
				 errhint("Run leadroute.attach again with the columns that the table has now.")));
	return table;
}

/*
 * Lock first, look then: what was built before the lock may be of a layout
 * that has changed while we waited for it.
 */
static LrTable *
lock_table(const char *name, LOCKMODE mode, LrTable *(*pin) (const char *))
{
	for (;;)
	{
		LrTable    *table = pin(name);
		Oid			relid;

		if (table == NULL)
			return NULL;
		relid = table->relid;
		lr_table_unpin(table);
		LockRelationOid(relid, mode);
		lr_config_accept();
		table = pin(name);
		if (table == NULL || table->relid == relid)
			return table;
		lr_table_unpin(table);
		UnlockRelationOid(relid, mode);
	}
}

LrTable *
lr_table_lock(const char *name, LOCKMODE mode)
{
	return lock_table(name, mode, lr_table_require);
}

LrTable *
lr_table_lock_sound(const char *name, LOCKMODE mode)
{
	return lock_table(name, mode, lr_table_pin_sound);
}

bool
lr_has_triggers(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	bool		found = false;
	int			i;

	if (rel == NULL)
		return false;
	for (i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
		if (strcmp(rel->trigdesc->triggers[i].tgname,
				   "zz_leadroute_decide") == 0)
			found = true;
	relation_close(rel, AccessShareLock);
	return found;
}

/* ---------- rows ---------- */

static void
refuse_other_relation(LrTable *table, Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
			 errmsg("table \"%s\" is not lead table \"%s\"",
					RelationGetRelationName(rel), table->name),
			 errdetail("It has a trigger that calls leadroute.lead_trigger for that table."),
			 errhint("Drop the trigger; leadroute.attach makes those that a lead table needs.")));
}

void
lr_table_require_root(LrTable *table, Relation rel)
{
	if (RelationGetRelid(rel) != table->relid)
		refuse_other_relation(table, rel);
}

/* Where a leaf has the columns that receive status and score. */
static void
map_leaf(LrTable *table, LrLeaf *leaf, Relation rel)
{
	const LrMapping *m = table->mapping;

	if (m->status.attno != 0)
		leaf->status = get_attnum(leaf->relid, m->status.name);
	if (m->score.attno != 0)
		leaf->score = get_attnum(leaf->relid, m->score.name);
	leaf->checks = lr_mapping_checks(table, leaf, rel);
}

LrLeaf *
lr_table_leaf(LrTable *table, Relation rel)
{
	ListCell   *lc;
	MemoryContext old;
	LrLeaf	   *leaf;

	foreach(lc, table->leaves)
	{
		leaf = (LrLeaf *) lfirst(lc);
		if (leaf->relid == RelationGetRelid(rel))
			return leaf;
	}
	if (RelationGetRelid(rel) != table->relid &&
		!(rel->rd_rel->relispartition &&
		  list_member_oid(get_partition_ancestors(RelationGetRelid(rel)),
						  table->relid)))
		refuse_other_relation(table, rel);
	old = MemoryContextSwitchTo(table->context);
	leaf = (LrLeaf *) palloc0(sizeof(LrLeaf));
	leaf->relid = RelationGetRelid(rel);
	lr_watch_relation(leaf->relid);
	leaf->owner = table->owner;
	if (leaf->relid != table->relid)
	{
		const char *owner = NameStr(TupleDescAttr(table->desc, table->owner - 1)->attname);

		leaf->map = build_attrmap_by_name_if_req(RelationGetDescr(rel),
												 table->desc
#if PG_VERSION_NUM >= 160000
												 ,false
#endif
			);
		leaf->owner = get_attnum(leaf->relid, owner);
	}
	if (table->mapping != NULL)
		map_leaf(table, leaf, rel);
	table->leaves = lappend(table->leaves, leaf);
	MemoryContextSwitchTo(old);
	return leaf;
}

TupleTableSlot *
lr_table_root_row(LrTable *table, LrLeaf *leaf, TupleTableSlot *slot)
{
	if (leaf->map == NULL)
		return slot;
	return execute_attr_map_slot(leaf->map, slot,
								 MakeSingleTupleTableSlot(table->desc,
														  &TTSOpsVirtual));
}
