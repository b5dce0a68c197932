/*
 * rule_draft.h
 *	  What is known of rules while their image is built: shared by the files
 *	  that rule_build.h names, and by nobody else.
 *
 * Invariants
 * - A place stands in the list of its choice and in that of its column, which
 *	 has it whether it is taken or not.
 * - Only a choice whose places all have a column is a rule's; so a rule is
 *	 under all places of the one chosen, or in `rest`.
 * - rank is set, and rules are in its order, once everything is collected;
 *	 places are taken after that, and only then is anything written.
 */
#ifndef LR_RULE_DRAFT_H
#define LR_RULE_DRAFT_H

#include "fmgr.h"

#include "rule/rule_build.h"
#include "rule/rule_bytes.h"

/* Kinds of places on columns, and calls, that one image may have. */
#define LR_MAX_COLUMNS		256
#define LR_MAX_CALLS		4096

/* One place that a rule may be, or is, filed under. */
typedef struct LrDraftPlace
{
	struct LrDraftPlace *next;	/* of the same choice */
	struct LrDraftRule *rule;
	int			column;
	bool		taken;
	uint32		hash;
	int32		low;			/* see LrImageInterval and lr_draft_bounds */
	int32		high;
	LrFiling	filing;
} LrDraftPlace;

typedef struct LrDraftChoice
{
	struct LrDraftChoice *next;
	const LrChoice *from;		/* NULL: of an image */
	LrDraftPlace *places;
} LrDraftChoice;

typedef struct LrDraftRule
{
	LrRuleRow	row;
	int			rank;
	uint16		flags;
	const LrCondition *condition;	/* NULL: of an image, or not analysed */
	const LrImage *image;		/* where it comes from; NULL: it is new */
	const LrImageRule *from;
	bool		unfiled;		/* of an image, and there is no room for it */
	LrDraftChoice *choices;
	LrDraftChoice *chosen;		/* NULL: in rest */
} LrDraftRule;

typedef struct LrDraftColumn
{
	LrImageColumn head;			/* what it will be, without what it holds */
	FmgrInfo	order_fn;		/* head.order */
	int			n;
	int			room;
	LrDraftPlace **places;
	uint32		mask;
	int32	   *crowd;			/* by hash: how many ask for it */
	int32	   *lows;			/* RANGE: ends, sorted */
	int32	   *highs;
} LrDraftColumn;

struct LrImageBuilder
{
	int			nrules;
	int			room;
	LrDraftRule **rules;
	int			ncolumns;
	LrDraftColumn columns[LR_MAX_COLUMNS];
	int			ncalls;
	int			calls_room;
	LrImageCall *calls;
	const LrImage *beside;
	int			nwriters;
	LrOffset	writers[LR_MAX_WRITERS];
	LrBytes		bytes;
};

/* A distinct bound of a RANGE column. */
typedef struct LrDraftBound
{
	const LrConstant *constant;
	int32	   *where;			/* used while they are numbered */
	int			step;
} LrDraftBound;

/* ---------- collecting (rule_draft.c) ---------- */

/* A new rule, empty. */
extern LrDraftRule *lr_draft_rule(LrImageBuilder *builder);

/* Adds a place to a choice; false: there is no room for its column. */
extern bool lr_draft_place(LrImageBuilder *builder, LrDraftRule *rule,
						   LrDraftChoice *choice, const LrFiling *filing);

/*
 * Numbers the distinct bounds of the places of a RANGE column, all or those
 * taken, and says the ends of these places in them.  Returns the bounds in
 * order; the caller frees them.
 */
extern LrDraftBound *lr_draft_bounds(LrDraftColumn *column, bool taken_only,
									 int *nbounds);

/* ---------- choosing (rule_choose.c) ---------- */

/* Takes the places of one choice of each rule. */
extern void lr_draft_choose(LrImageBuilder *builder);

/* ---------- writing (rule_places.c) ---------- */

/* Writes the places taken on a column, and the column to where it stands. */
extern void lr_draft_write_column(LrImageBuilder *builder,
								  LrDraftColumn *column, LrOffset at);

#endif							/* LR_RULE_DRAFT_H */
