/*
 * lint.h
 *	  What is odd about a router's rules without being an error: what the parts
 *	  of lint share.
 *
 *	lint.c			reading and compiling the rules, what is reported
 *	lint_tables.c	the tables whose leads the router decides
 *	lint_places.c	which rules are compared with which
 *	lint_proof.c	proofs
 *	lint_hours.c	working hours
 *	lint_sticky.c	what leads are known by
 *	lint_criteria.c	criteria and thresholds
 *	lint_points.c	which scores are possible
 *	lint_triage.c	triage lists
 *	lint_ready.c	what new leads wait for
 */
#ifndef LR_LINT_H
#define LR_LINT_H

#include "funcapi.h"

#include "base/scan.h"
#include "rule/condition.h"
#include "config/config.h"
#include "expression/expr.h"
#include "rule/rule_image.h"

/* What is proved about a rule; each is worse than the one before. */
typedef enum LrProof
{
	LR_PROVED_NOTHING,
	LR_PROVED_FALLBACK,			/* gets what an equally wide rule passes on */
	LR_PROVED_COVERED,			/* gets what a wider rule passes on */
	LR_PROVED_UNREACHABLE,
	LR_PROVED_CONTRADICTION		/* can never be true */
} LrProof;

typedef struct LrLintRule
{
	int			place;			/* in the order in which rules are tried */
	int32		priority;
	char	   *name;
	char	   *condition;		/* NULL: every lead */
	char	   *routed_table;	/* NULL: all */
	char	   *team;			/* NULL: every member */
	bool		computed;		/* the lead says which team or member: */
	char	   *team_expr;		/* by one of these */
	char	   *member_expr;
	char	   *member_condition;
	char	   *member_rank;
	bool		selective;		/* leads that it matches may fit nobody there */
	bool		staffed;
	bool		next_rule;		/* overflow: next_rule */
	bool		manual;			/* method: somebody decides */
	bool		stops;			/* overflow: none, hold; or manual */
	char	   *written_by;
	char	   *search_path;
	LrRuleScope scope;
	/* over the table that is being looked at */
	bool		known;			/* it is for it, and the fields below are filled */
	bool		can_raise;
	bool		depends_on_writer;
	bool		reads_score;	/* calls leadroute.score() */
	bool		arms;			/* contains alternatives */
	List	   *clauses;		/* implicit AND; NIL: every lead */
	Bitmapset  *columns;
	LrCondition *condition_says;	/* NULL: every lead */
	List	   *arms_say;		/* of LrCondition: each alternative by itself */
	/* over all tables so far */
	bool		elsewhere;		/* it is for a table of another router */
	bool		looked_at;
	LrProof		proof;			/* what holds for all of them */
	char	   *because;		/* names of rules */
	char	   *broken;			/* error of its condition */
	char	   *target_broken;	/* error of team_expr, member_expr, member_condition
								 * or member_rank */
	struct LrLintRule *narrower;	/* of the same priority, tried before it */
} LrLintRule;

/* The rules of a router over one table. */
typedef struct LrLint
{
	ReturnSetInfo *rsinfo;
	LrRouter   *router;
	TimestampTz now;
	int			nrules;
	LrLintRule **rule;
	Relation	rel;
	MemoryContext context;		/* of this table */
	const LrImage *image;		/* of the known rules; ids: place + 1 */
	List	  **by_column;		/* rules that stand nowhere in it, by column */
	List	   *everywhere;		/* rules for every lead */
	int			ncandidates;
	LrLintRule **candidate;		/* room for all */
	int		   *seen_by;		/* place of the rule that saw it last, + 1 */
	int64		npairs;			/* compared so far, of all tables */
	int			ncut;			/* rules not compared with all */
} LrLint;

/*
 * One after the other, the attached tables whose leads the router decides, or
 * some of them.
 */
typedef struct LrLintTables
{
	LrScan		scan;			/* at its row, for other columns */
	const char *decided_by;
	/* of the table, in the context that was current */
	char	   *name;
	char	   *router;			/* NULL: each lead says which */
	Oid			relid;
} LrLintTables;

/* What a proof needs of an expression over the table that is being looked at. */
typedef struct LrLearned
{
	Expr	   *tree;
	bool		can_raise;		/* or reads a generated column */
	bool		depends_on_writer;
	bool		reads_score;	/* calls leadroute.score() */
	Bitmapset  *columns;
	/* of a condition */
	bool		never;			/* cannot be true */
	List	   *clauses;		/* implicit AND */
	LrCondition *says;
} LrLearned;

extern void lr_lint_tables_begin(LrLintTables *tables, const LrLint *lint);
extern bool lr_lint_tables_next(LrLintTables *tables);
extern void lr_lint_tables_end(LrLintTables *tables);

/*
 * Begins to look at the table: opens it as lint->rel, with a context.  false: it
 * is not there any more.
 */
extern bool lr_lint_table_begin(LrLint *lint, const LrLintTables *tables);
extern void lr_lint_table_end(LrLint *lint);

/*
 * Compiles an expression over the table and finds out what is needed of it, in
 * the table's context.  false: it is broken; *broken says why, in the context
 * that was current.
 */
extern bool lr_lint_learn(LrLint *lint, const char *text, LrExprKind kind,
						  const char *written_by, const char *search_path,
						  const char *what, LrLearned *learned, char **broken);

/* Whether clauses, which are an AND, can never be true together. */
extern bool lr_lint_never(List *clauses, const LrCondition *says);

/* In the order in which rules are tried. */
extern int	lr_lint_order(const void *a, const void *b);

/* Files the known rules of the table. */
extern void lr_lint_file(LrLint *lint);

/*
 * Fills candidate: the known rules that may be true wherever this one is,
 * earlier ones, or later ones of the same priority; in their order.  false:
 * there have been too many comparisons.
 */
extern bool lr_lint_meet(LrLint *lint, LrLintRule *rule, bool later);

/* Compares a rule with its candidates; false: not in every way. */
extern bool lr_lint_compare(LrLint *lint, LrLintRule *rule);

/*
 * Notes in later candidates of the same priority that the rule, narrower than
 * they are, is tried before them.
 */
extern void lr_lint_compare_names(LrLint *lint, LrLintRule *rule);

/* Reports something; rule: NULL for what is about no rule. */
extern void lr_lint_finding(LrLint *lint, const char *severity,
							const LrLintRule *rule, const char *what,
							char *detail, char *what_to_do);

/* Reports what is odd about working hours. */
extern void lr_lint_hours(LrLint *lint);

/* Reports what is odd about triage lists: of rules that are read. */
extern void lr_lint_triage(LrLint *lint);

/* Reports what is odd about what leads are known by. */
extern void lr_lint_sticky(LrLint *lint);

/* Reports what is odd about what new leads wait for. */
extern void lr_lint_ready(LrLint *lint);

/* Reports what is odd about criteria and thresholds. */
extern void lr_lint_criteria(LrLint *lint);

/* Reports that something is for a table of another router; rule as above. */
extern void lr_lint_elsewhere(LrLint *lint, const LrLintRule *rule,
							  const char *subject, const char *table);

/* Whether leads of the router get a score. */
extern bool lr_lint_has_scores(const LrRouter *router);

/* Bounds of what an expression gives; low > high: nothing but NULL. */
typedef struct LrBounds
{
	double		low;
	double		high;
	bool		null;			/* it may be NULL */
} LrBounds;

/* What a score criterion adds where it is asked: points, compiled as a number. */
extern LrBounds lr_lint_points(const LrLearned *points);

/* Keeps the least that is proved for any of the tables. */
extern void lr_lint_note(LrLintRule *rule, LrProof proof, char *because);

#endif							/* LR_LINT_H */
