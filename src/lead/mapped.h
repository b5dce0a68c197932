/*
 * mapped.h
 *	  Columns of the lead that receive what the criteria say of it:
 *	  routed_table.status_column and score_column.
 *
 * The lead comes before its status: a column that cannot hold what it should
 * (a word that an enum lacks, a number out of range, a CHECK constraint) keeps
 * what it has, and the decision's detail tells.  A status that the application
 * has set itself stays: leadroute writes only where it finds NULL, the column's
 * default, or the word that it has written itself.  The score column is
 * leadroute's own.  An application that writes back what it had before leadroute
 * wrote has set nothing, see before_update.c.
 */
#ifndef LR_MAPPED_H
#define LR_MAPPED_H

#include "lead/table.h"

struct LrScan;

/* Words of a status. */
typedef enum LrStatusWord
{
	LR_STATUS_QUALIFIED,
	LR_STATUS_NURTURE,
	LR_STATUS_DISQUALIFIED,
	LR_STATUS_QUARANTINED,
	LR_STATUS_WORDS
} LrStatusWord;

extern const char *const lr_status_word[LR_STATUS_WORDS];

/* The word for a kind of decision; of all kinds that are not kept back: qualified. */
extern LrStatusWord lr_status_of(char kind);

typedef struct LrColumn
{
	AttrNumber	attno;			/* in the root's layout; 0: none is mapped */
	char	   *name;
	Oid			type;
	int32		typmod;
	int16		len;
	bool		byval;
} LrColumn;

typedef struct LrMapping
{
	LrColumn	status;
	LrColumn	score;
	Datum		word[LR_STATUS_WORDS];
	char	   *refused[LR_STATUS_WORDS];	/* why the column cannot hold it; NULL: it can */
	bool		has_default;	/* of status, a value that is always the same */
	Datum		default_value;
} LrMapping;

/* Values to be written; by reference ones live where they were made. */
typedef struct LrMapped
{
	bool		has_status;
	Datum		status;
	bool		has_score;
	Datum		score;
} LrMapped;

/* The mapped columns of a row of routed_table, in this context; NULL: none. */
extern LrMapping *lr_mapping_read(LrTable *table, struct LrScan *scan,
								  Relation rel);

/* CHECK constraints of a leaf that read mapped columns, in the table's context. */
extern List *lr_mapping_checks(LrTable *table, const LrLeaf *leaf,
							   Relation rel);

/*
 * Whether the status in a row is not the application's: NULL, the default, or
 * the word of the kind that the lead has in the journal ('\0': none yet).
 */
extern bool lr_status_is_ours(const LrTable *table, TupleTableSlot *row,
							  char kind);

/* What to write of a status (where it may be) and a score (where there is one). */
extern void lr_mapped_values(LrTable *table, const LrStatusWord *status,
							 const double *score, LrMapped *values,
							 char **detail);

/* A row (in the root's layout) as it will be with them; itself: none differs. */
extern TupleTableSlot *lr_mapped_slot(LrTable *table, TupleTableSlot *row,
									  const LrMapped *values);

/*
 * A row of a leaf with them and with the owner (NULL: it stays as it is), as far
 * as CHECK constraints let it; in this context.  The decision's detail tells
 * what they refuse, in its own context.
 */
struct LrDecision;
extern HeapTuple lr_mapped_row(LrTable *table, LrLeaf *leaf, Relation rel,
							   HeapTuple row, const LrMapped *values,
							   const Datum *owner, struct LrDecision *decision,
							   MemoryContext context);

/*
 * A new row of a leaf with what the old one has where it has these values and
 * the old one has not.
 */
extern HeapTuple lr_mapped_taken_back(LrTable *table, const LrLeaf *leaf,
									  Relation rel, HeapTuple old,
									  HeapTuple new, const LrMapped *values);

/*
 * Whether a statement, which sets these columns, writes NULL over a score: so does
 * an application that has not read the lead since leadroute wrote it.
 */
extern bool lr_mapped_is_unread(LrTable *table, const LrLeaf *leaf,
								Relation rel, const Bitmapset *columns,
								HeapTuple old, HeapTuple new);

/*
 * A new row of a leaf with what the old one has, where such a statement sets
 * the score, or NULL or the default over a word of leadroute's.
 */
extern HeapTuple lr_mapped_kept(LrTable *table, const LrLeaf *leaf,
								Relation rel, const Bitmapset *columns,
								HeapTuple old, HeapTuple new);

/*
 * What of them is to be written into a stored lead (in the root's layout, which
 * the caller has locked): what differs, as far as CHECK constraints let it.
 */
extern void lr_mapped_stored(LrTable *table, TupleTableSlot *row,
							 const Datum *owner, LrMapped *values,
							 struct LrDecision *decision);

#endif							/* LR_MAPPED_H */
