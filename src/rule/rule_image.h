/*
 * rule_image.h
 *	  Rules of one router over one table, and their index, in one piece of
 *	  memory without a pointer in it.
 *
 * Every reference is an offset from the start, so an image means the same
 * wherever it is mapped.  It is never changed once it is finished.  Rules are
 * numbered in the order in which they are tried (their rank).
 *
 * Postings: where all rules stand that are filed under one place; ascending
 * ranks.  Each rule stands under all places of one choice (condition.h), or
 * in `rest`, which is tried always.  So a rule that can be true for a lead is
 * always among the postings of the lead's values.
 *
 * A large image is in no cache, and what a lead costs under many rules is how
 * many lines of memory it waits for.  So what is needed to find an entry, or to
 * refuse a rule, stands in the entry or the rule itself, as far as there is room
 * (`inlined`), which is one line; an offset may lead there or elsewhere.
 *
 * The layout is the contract between those who write an image (rule_build.h)
 * and those who search it (rule_index.h), who may be different backends of one
 * server: so nothing in it may depend on the backend.  It is never stored, and
 * may change with the library, which both have from the same start of the
 * server.
 */
#ifndef LR_RULE_IMAGE_H
#define LR_RULE_IMAGE_H

#include "common/hashfn.h"
#include "fmgr.h"

#include "rule/condition.h"
#include "rule/rule_scope.h"

typedef uint32 LrOffset;		/* 0: nothing */

#define LR_IMAGE_LINE	64		/* what is searched begins at a line of memory */

#define LR_RULE_EVALUATE	1	/* the checks are not all that it says */
#define LR_RULE_NEVER		2	/* can never be true */
#define LR_RULE_PLAIN		4	/* the row says all that a decision needs, as long
								 * as its writer exists */

/* Writers that an image numbers; rules of others are not plain. */
#define LR_MAX_WRITERS		64

/* What trying a rule needs; the rest is in LrImageMore. */
typedef struct LrImageRule
{
	int32		id;
	int32		version;
	LrOffset	name;
	int32		team;
	char		method;
	char		overflow;
	uint16		flags;
	LrOffset	scope;			/* LrRuleScope; 0: lr_rule_unlimited */
	uint16		nchecks;
	uint16		writer;			/* PLAIN: number of whom the condition needs */
	LrOffset	checks;			/* LrImageCheck[nchecks] */
	char		inlined[32];	/* checks and their values */
} LrImageRule;

StaticAssertDecl(sizeof(LrImageRule) == 64,
				 "a rule of an image fills one line of memory");

typedef struct LrImageMore
{
	int32		priority;
	int32		overflow_team;
	LrOffset	condition;
	LrOffset	team_expr;
	LrOffset	member_expr;
	LrOffset	member_condition;
	LrOffset	member_rank;
	LrOffset	written_by;		/* shared by rules, like search_path */
	LrOffset	search_path;
} LrImageMore;

/* A function that checks call. */
typedef struct LrImageCall
{
	AttrNumber	attno;
	int16		len;			/* of the constants */
	bool		byval;
	bool		negated;
	Oid			func;			/* InvalidOid: IS [NOT] NULL */
	Oid			collation;
	Oid			type;
} LrImageCall;

typedef struct LrImageCheck
{
	uint16		call;
	bool		last;			/* of the alternatives of a conjunct */
	LrOffset	value;
} LrImageCheck;

/* Ranks under one place; one of them stands in `first` itself. */
typedef struct LrPosting
{
	int32		n;
	int32		first;			/* n > 1: offset of int32[n] */
} LrPosting;

/*
 * A value or prefix of a column; LR_FILE_NULL has one without value.  They stand
 * where their hash says, or in the next free place; some are always free.
 */
typedef struct LrImageEntry
{
	uint32		hash;
	LrOffset	value;
	LrPosting	posting;		/* of none: the place is free */
	char		inlined[16];	/* the value */
} LrImageEntry;

StaticAssertDecl(sizeof(LrImageEntry) == 32, "no entry is in two lines of memory");

/*
 * An interval in terms of the column's distinct bounds, of which number i is
 * 2i and what lies between it and the next 2i + 1, and before the first -1.
 * They stand by low; `back` is the last one before it that is not empty and ends
 * later (for an empty one, low > high: that is not empty), so all between the two
 * end before a point that this one ends before.  Where one leads back to
 * another, that one contains it: so there are no more steps back, one after the
 * other, than intervals overlap.
 */
#define LR_IMAGE_STEP		16
#define LR_IMAGE_LOWEST		PG_INT32_MIN	/* low of one without a low end */
#define LR_IMAGE_HIGHEST	PG_INT32_MAX

typedef struct LrImageInterval
{
	int32		low;
	int32		high;
	int32		back;			/* -1: none */
	int32		rank;
} LrImageInterval;

/* All places of one kind on one column. */
typedef struct LrImageColumn
{
	AttrNumber	attno;
	uint8		kind;			/* LrFilingKind */
	bool		byval;
	int16		len;
	Oid			type;			/* of the constants */
	Oid			collation;
	Oid			probe;
	Oid			order;
	Oid			equal;
	int32		nentries;		/* RANGE: bounds */
	LrOffset	entries;		/* LrImageEntry[]; RANGE: LrOffset[] or Datum[] */
	uint32		mask;			/* places for entries - 1 */
	LrOffset	steps;			/* RANGE: every LR_IMAGE_STEP-th bound, once more */
	int32		nintervals;
	LrOffset	intervals;
	LrOffset	begun;			/* RANGE: int32[]: how many have a low up to -1, 0, … */
	int32		nlengths;
	LrOffset	lengths;		/* PREFIX: uint32[], ascending */
} LrImageColumn;

typedef struct LrImage
{
	uint64		size;
	int32		nrules;
	LrOffset	rules;			/* LrImageRule[], by rank */
	LrOffset	more;			/* LrImageMore[], by rank */
	LrOffset	by_id;			/* int32[]: ranks, by id */
	int32		ncolumns;
	LrOffset	columns;
	int32		ncalls;
	LrOffset	calls;
	bool		has_members;	/* some rule has SQL over members */
	int32		nrest;
	LrOffset	rest;			/* int32[] */
	int32		nwriters;
	LrOffset	writers;		/* LrOffset[]: their names; the first, 0, is nobody */
} LrImage;

#define LR_IMAGE_AT(image, offset, type) \
	((type *) ((char *) (image) + (offset)))
#define LR_IMAGE_TEXT(image, offset) \
	((offset) != 0 ? (const char *) (image) + (offset) : NULL)

static inline const LrImageRule *
lr_image_rule(const LrImage *image, int rank)
{
	return LR_IMAGE_AT(image, image->rules, LrImageRule) + rank;
}

static inline const LrImageMore *
lr_image_more(const LrImage *image, int rank)
{
	return LR_IMAGE_AT(image, image->more, LrImageMore) + rank;
}

static inline const char *
lr_image_name(const LrImage *image, int rank)
{
	return LR_IMAGE_AT(image, lr_image_rule(image, rank)->name, char);
}

static inline const LrRuleScope *
lr_image_scope(const LrImage *image, const LrImageRule *rule)
{
	return rule->scope == 0 ? &lr_rule_unlimited :
		LR_IMAGE_AT(image, rule->scope, LrRuleScope);
}

/* A constant of an image. */
static inline Datum
lr_image_value(const LrImage *image, LrOffset offset, bool byval)
{
	return byval ? *LR_IMAGE_AT(image, offset, Datum) :
		PointerGetDatum(LR_IMAGE_AT(image, offset, char));
}

/* Number of steps over n bounds. */
static inline int
lr_image_steps(int n)
{
	return (n + LR_IMAGE_STEP - 1) / LR_IMAGE_STEP;
}

/* The last interval that begins at a point or before; -1: none. */
static inline int
lr_image_begun(const LrImage *image, const LrImageColumn *column, int32 at)
{
	return LR_IMAGE_AT(image, column->begun, int32)[Max(at, -1) + 1] - 1;
}

/* The ranks of a posting, n of them. */
static inline const int32 *
lr_posting_ranks(const LrImage *image, const LrPosting *posting)
{
	return posting->n == 1 ? &posting->first :
		LR_IMAGE_AT(image, (LrOffset) posting->first, int32);
}

/* Bound number i of a RANGE column. */
static inline Datum
lr_image_bound(const LrImage *image, const LrImageColumn *column, int i)
{
	return column->byval ? LR_IMAGE_AT(image, column->entries, Datum)[i] :
		lr_image_value(image, LR_IMAGE_AT(image, column->entries, LrOffset)[i],
					   false);
}

/* What a PREFIX entry is found by. */
static inline uint32
lr_prefix_hash(const char *data, uint32 len)
{
	return hash_bytes((const unsigned char *) data, len);
}

/*
 * The order in which rules are tried: by priority, those without a condition
 * after the others, then by name.
 */
static inline int
lr_rule_order(int32 priority_a, bool conditional_a, const char *name_a,
			  int32 priority_b, bool conditional_b, const char *name_b)
{
	if (priority_a != priority_b)
		return priority_a < priority_b ? -1 : 1;
	if (conditional_a != conditional_b)
		return conditional_a ? -1 : 1;
	return strcmp(name_a, name_b);
}

/* The same for rules of images, by rank. */
extern int	lr_compare_rules(const LrImage *a, int x, const LrImage *b, int y);

/* For qsort: ids or ranks, ascending. */
extern int	lr_compare_int32(const void *a, const void *b);

/* Whether two columns hold places of one kind, found by the same calls. */
extern bool lr_image_same_column(const LrImageColumn *a,
								 const LrImageColumn *b);

/* The column of an image that is the same; NULL: it has none. */
extern const LrImageColumn *lr_image_column(const LrImage *image,
											const LrImageColumn *like);

/* Rank of the rule of that id; -1: none. */
extern int	lr_image_find(const LrImage *image, int32 id);

/*
 * Where a value lies among the bounds of a RANGE column (see
 * LrImageInterval); compare: value with bound.  The same in two parts: the first
 * asks for the lines that the second needs, and gives what it starts from.
 */
extern int32 lr_image_locate(const LrImage *image, const LrImageColumn *column,
							 FmgrInfo *compare, Datum value);
extern int	lr_image_step(const LrImage *image, const LrImageColumn *column,
						  FmgrInfo *compare, Datum value);
extern int32 lr_image_locate_from(const LrImage *image,
								  const LrImageColumn *column,
								  FmgrInfo *compare, Datum value, int step);

/*
 * The ranks whose intervals contain a point (see LrImageInterval), in no
 * order; returns their number.  *found has *room places, and grows.
 */
extern int	lr_image_stab(const LrImage *image, const LrImageColumn *column,
						  int32 at, int32 **found, int *room);

/* Where the entries of a hash begin. */
static inline const LrImageEntry *
lr_image_place(const LrImage *image, const LrImageColumn *column, uint32 hash)
{
	return LR_IMAGE_AT(image, column->entries, LrImageEntry) +
		(hash & column->mask);
}

/*
 * The entries that may have a hash, one after the other; *at starts at 0.
 * NULL: no more.
 */
static inline const LrImageEntry *
lr_image_bucket(const LrImage *image, const LrImageColumn *column,
				uint32 hash, uint32 *at)
{
	const LrImageEntry *entry = lr_image_place(image, column, hash + (*at)++);

	return entry->posting.n == 0 ? NULL : entry;
}

/* All entries, in no order; *at starts at 0.  NULL: no more. */
static inline const LrImageEntry *
lr_image_entry(const LrImage *image, const LrImageColumn *column, uint32 *at)
{
	while (*at <= column->mask)
	{
		const LrImageEntry *entry = lr_image_place(image, column, (*at)++);

		if (entry->posting.n != 0)
			return entry;
	}
	return NULL;
}

/* Whether a bitmap over ranks (NULL: empty) has one of them. */
static inline bool
lr_rank_is_in(const uint8 *bitmap, int rank)
{
	return bitmap != NULL && (bitmap[rank / 8] & (1 << (rank % 8))) != 0;
}

#endif							/* LR_RULE_IMAGE_H */
