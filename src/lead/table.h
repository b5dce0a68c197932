/*
 * table.h
 *	  Attached lead tables: their layout, keys and owners.
 */
#ifndef LR_TABLE_H
#define LR_TABLE_H

#include "datatype/timestamp.h"
#include "nodes/execnodes.h"
#include "storage/lockdefs.h"

#include "config/config.h"
#include "expression/expr.h"

typedef struct LrTable LrTable;

typedef struct LrBinding LrBinding;

/* When new leads are decided, see postpone.h: routed_table.decide_at. */
typedef enum LrDecideAt
{
	LR_AT_INSERT,
	LR_AT_COMMIT,
	LR_AT_WORKER
} LrDecideAt;

/* Its words; ends with NULL. */
extern const char *const lr_decide_at_word[];

/* What becomes of a lead, as its table says by SQL over its row. */
typedef enum LrWhen
{
	LR_CLOSED,
	LR_RESPONDED,
	LR_CONVERTED,
	LR_ACCEPTED,
	LR_WHENS
} LrWhen;

/* Of what has not happened, and of what has, without saying when. */
#define LR_NOT_YET		DT_NOEND
#define LR_SOME_TIME	DT_NOBEGIN

/* The columns of routed_table: closed_when, … */
extern const char *const lr_when_column[LR_WHENS];

/* What else a lead tells of itself, for the journal: see told.h. */
typedef enum LrTelling
{
	LR_CAPTURED_AT,
	LR_SOURCE,
	LR_VALUE,
	LR_TELLINGS
} LrTelling;

/* Their columns of routed_table, and what these give. */
extern const char *const lr_told_column[LR_TELLINGS];
extern const LrExprKind lr_told_kind[LR_TELLINGS];

/* How the canonical text of a key column is made. */
typedef enum LrKeyKind
{
	LR_KEY_INT2,
	LR_KEY_INT4,
	LR_KEY_INT8,
	LR_KEY_TEXT,
	LR_KEY_CHAR,				/* trailing blanks say nothing */
	LR_KEY_NUMERIC,				/* nor do trailing zeros */
	LR_KEY_OTHER
} LrKeyKind;

/* A partition (or the table itself) whose rows arrive. */
typedef struct LrLeaf
{
	Oid			relid;
	struct AttrMap *map;		/* to the root's layout; NULL: same layout */
	AttrNumber	owner;			/* attribute number here */
	AttrNumber	status;			/* so these; 0: not mapped */
	AttrNumber	score;
	List	   *checks;			/* see mapped.h */
} LrLeaf;

struct LrTable
{
	MemoryContext context;
	int			pins;
	bool		dropped;
	uint64		config_checked;
	uint64		relation_checked;
	uint64		expression_checked;
	uint64		definition;		/* see lr_table_definition */
	uint64		read_rights;	/* see readable.h */
	ItemPointerData row_tid;	/* of routed_table, to notice changes */
	TransactionId row_xmin;

	int32		id;
	char	   *name;
	Oid			relid;			/* the root */
	Oid			relowner;		/* its owner */
	char	   *search_path;	/* for code of the owner, see owner_rights.h */
	TupleDesc	desc;			/* of the root, copied */
	char	   *router;			/* NULL: router_expr */
	LrExpr	   *router_expr;
	int			nkeys;
	AttrNumber *key;
	LrKeyKind  *key_kind;
	Oid		   *key_output;
	AttrNumber	owner;
	Oid			owner_type;
	int32		owner_typmod;
	Oid			owner_input;
	Oid			owner_ioparam;
	Oid			owner_output;
	bool		owner_is_domain;	/* reading a value runs code of its owner */
	bool		owner_byval;
	int16		owner_len;
	bool		nobody_isnull;
	char	   *nobody;			/* canonical text */
	LrExpr	   *when[LR_WHENS]; /* NULL: none, or broken */
	bool		any_when;		/* one is there, or broken */
	LrExpr	   *told[LR_TELLINGS]; /* the same */
	bool		any_told;
	bool		protect_owner;	/* see before_update.h */
	LrDecideAt	decide_at;
	struct LrReady *ready;		/* see ready.h; NULL: its leads do not wait */
	bool		postpones;		/* some leads are not decided in their INSERT */
	int			nreroute;
	AttrNumber *reroute;		/* columns of reroute_on that exist */
	bool		has_load;		/* so is load */
	LrExpr	   *load;			/* NULL: none, or broken */
	struct LrMapping *mapping;	/* see mapped.h; NULL: no such columns */
	char	   *load_broken;
	char	   *broken;			/* why its leads cannot be routed; NULL: they can */
	bool		warned;			/* that it is broken */
	char	   *router_broken;	/* errors of these expressions; NULL: none */
	char	   *when_broken[LR_WHENS];
	char	   *told_broken[LR_TELLINGS];
	ExprContext *econtext;
	List	   *leaves;
	List	   *bindings;
	List	   *generated;		/* of LrGenerated, see generated.h */
};

/* The table of that name, pinned; NULL: not attached, or its relation is gone. */
extern LrTable *lr_table_pin(const char *name);
extern void lr_table_unpin(LrTable *table);

/*
 * A hash of all that decides what an expression over the relation means, and
 * of the relation itself.
 */
extern uint64 lr_table_definition(Relation rel);

/*
 * How the rows of a relation relate to the table.  Error if it is neither the
 * table nor a partition of it: leadroute.lead_trigger can be put anywhere.
 */
extern LrLeaf *lr_table_leaf(LrTable *table, Relation rel);

/*
 * A row in the root's layout: the slot itself or a conversion of it, in this
 * context and for as long as the slot has the row.
 */
extern TupleTableSlot *lr_table_root_row(LrTable *table, LrLeaf *leaf,
										 TupleTableSlot *slot);

/* The canonical key of a row in the root's layout, in this context. */
extern char *lr_table_key(LrTable *table, TupleTableSlot *row);

/* The canonical text of the owner; NULL: nobody. */
extern char *lr_table_owner(LrTable *table, TupleTableSlot *row);

/*
 * A value of the owner column from its text; raises if it cannot hold it.
 * The constraints of a domain are checked with the rights of the table's owner.
 */
extern Datum lr_owner_datum(LrTable *table, const char *owner_value);

/* Canonical text of an owner value, whatever the session's settings. */
extern char *lr_owner_text(LrTable *table, Datum value);

/* Canonical text of any value, whatever the session's settings. */
extern char *lr_canonical_output(Oid output, Datum value);

/* Key text as given by a caller: text, or any type. */
extern char *lr_key_argument(FunctionCallInfo fcinfo, int arg);

/* The values of the key columns that a key text stands for. */
extern void lr_key_values(LrTable *table, const char *key, Oid *types,
						  Datum *values);

/* A WHERE clause over the key columns, with these as parameters. */
extern char *lr_key_where(LrTable *table, const char *key, Oid *types,
						  Datum *values);

/* The same for a trigger; NULL also where it cannot be routed. */
extern LrTable *lr_table_pin_sound(const char *name);

/* Whether a relation carries our triggers now. */
extern bool lr_has_triggers(Oid relid);

/* Whether the table has SQL that says when this has happened to a lead. */
static inline bool
lr_table_says(const LrTable *table, LrWhen what)
{
	return table->when[what] != NULL || table->when_broken[what] != NULL;
}

/* A pinned table or an error that says it is not attached, or dropped. */
extern LrTable *lr_table_require(const char *name);

/*
 * The same two with the relation locked, as it is under the lock and with all
 * that is committed by then: for whoever reads or writes leads outside of a
 * trigger.
 */
extern LrTable *lr_table_lock(const char *name, LOCKMODE mode);
extern LrTable *lr_table_lock_sound(const char *name, LOCKMODE mode);

/* Error if a statement on rel is none on the table. */
extern void lr_table_require_root(LrTable *table, Relation rel);

#endif							/* LR_TABLE_H */
