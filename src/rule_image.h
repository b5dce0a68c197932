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
 */
#ifndef LR_RULE_IMAGE_H
#define LR_RULE_IMAGE_H

#include "condition.h"
#include "rule_scope.h"

/* What the rest of the library knows of a rule. */
typedef struct LrRuleRow
{
	int32		id;
	int32		version;
	int32		priority;
	int32		team;			/* team.id; 0: every member */
	char		method;			/* LR_METHOD_… */
	char		overflow;		/* LR_OVERFLOW_… */
	LrRuleScope scope;
	const char *name;
	const char *condition;		/* NULL: every lead */
	const char *team_expr;		/* NULL: the team is fixed */
	const char *member_expr;	/* NULL: a team */
	const char *written_by;
	const char *search_path;
} LrRuleRow;

typedef uint32 LrOffset;		/* 0: nothing */

#define LR_RULE_EVALUATE	1	/* the checks are not all that it says */
#define LR_RULE_NEVER		2	/* can never be true */

typedef struct LrImageRule
{
	int32		id;
	int32		version;
	int32		priority;
	int32		team;
	char		method;
	char		overflow;
	uint16		flags;
	LrRuleScope scope;
	int32		nchecks;
	LrOffset	checks;			/* LrImageCheck[nchecks] */
	LrOffset	name;
	LrOffset	condition;
	LrOffset	team_expr;
	LrOffset	member_expr;
	LrOffset	written_by;		/* shared by rules, like search_path */
	LrOffset	search_path;
} LrImageRule;

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

/* A value or prefix of a column; LR_FILE_NULL has one without value. */
typedef struct LrImageEntry
{
	uint32		hash;
	uint32		len;			/* of a prefix */
	LrOffset	value;
	LrPosting	posting;
} LrImageEntry;

/*
 * An interval in terms of the column's distinct bounds, of which number i is
 * 2i and what lies between it and the next 2i + 1.  They stand by low, and
 * are an implicit balanced tree: the middle of a stretch is its root, `most`
 * the highest end below it.
 */
typedef struct LrImageInterval
{
	int32		low;
	int32		high;
	int32		most;
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
	uint32		mask;			/* number of buckets - 1 */
	LrOffset	buckets;		/* uint32[]: number of an entry + 1 */
	int32		nintervals;
	LrOffset	intervals;
	int32		nlengths;
	LrOffset	lengths;		/* PREFIX: uint32[], ascending */
} LrImageColumn;

typedef struct LrImage
{
	uint64		size;
	int32		nrules;
	LrOffset	rules;			/* LrImageRule[], by rank */
	LrOffset	by_id;			/* int32[]: ranks, by id */
	int32		ncolumns;
	LrOffset	columns;
	int32		ncalls;
	LrOffset	calls;
	int32		nrest;
	LrOffset	rest;			/* int32[] */
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

/* A constant of an image. */
static inline Datum
lr_image_value(const LrImage *image, LrOffset offset, bool byval)
{
	return byval ? *LR_IMAGE_AT(image, offset, Datum) :
		PointerGetDatum(LR_IMAGE_AT(image, offset, char));
}

/* The order in which rules are tried. */
extern int	lr_compare_rules(const LrImage *a, const LrImageRule *x,
							 const LrImage *b, const LrImageRule *y);

/* Rank of the rule of that id; -1: none. */
extern int	lr_image_find(const LrImage *image, int32 id);

/*
 * The ranks whose intervals contain a point (see LrImageInterval), in no
 * order; returns their number.  *found has *room places, and grows.
 */
extern int	lr_image_stab(const LrImage *image, const LrImageColumn *column,
						  int32 at, int32 **found, int *room);

/*
 * The entries that may have a hash, one after the other; *at starts at 0.
 * NULL: no more.
 */
extern const LrImageEntry *lr_image_bucket(const LrImage *image,
										   const LrImageColumn *column,
										   uint32 hash, uint32 *at);

/*
 * Building.  Everything until lr_image_finish lives in the current context of
 * lr_image_begin; what is added must stay until then.
 */
typedef struct LrImageBuilder LrImageBuilder;

extern LrImageBuilder *lr_image_begin(void);

/* condition NULL: it could not be analysed, and must be evaluated. */
extern void lr_image_add(LrImageBuilder *builder, const LrRuleRow *row,
						 const LrCondition *condition);

/* The rules of an image, filed as they are; dead: bitmap of those left out. */
extern void lr_image_add_all(LrImageBuilder *builder, const LrImage *image,
							 const uint8 *dead);

/* Other rules that leads will meet too: how often each place is taken there. */
extern void lr_image_beside(LrImageBuilder *builder, const LrImage *image);

/* The image, in one allocation of `where`. */
extern LrImage *lr_image_finish(LrImageBuilder *builder, MemoryContext where);

#endif							/* LR_RULE_IMAGE_H */
