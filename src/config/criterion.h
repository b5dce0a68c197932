/*
 * criterion.h
 *	  Criteria of a router: reading them, and what each says of a lead.
 *
 * Criteria are read with their router, compiled for a lead table when its first
 * lead is judged, and evaluated like conditions of rules.  An error in one costs
 * that criterion, not the lead.
 */
#ifndef LR_CRITERION_H
#define LR_CRITERION_H

#include "expression/evaluate.h"

/* Decimals that a score has; in all files it is a multiple of 1 / this. */
#define LR_SCORE_UNITS	1000000.0

/* Most points of one criterion, either way. */
#define LR_MAX_POINTS	1e9

typedef enum LrCriterionKind
{
	LR_CRITERION_SCORE,
	LR_CRITERION_REQUIRE,
	LR_CRITERION_DISQUALIFY,
	LR_CRITERION_QUARANTINE
} LrCriterionKind;

typedef struct LrCriterion
{
	int			index;			/* in LrQualification.criterion */
	char	   *name;
	LrCriterionKind kind;
	char	   *condition;		/* NULL: every lead */
	char	   *points;			/* NULL: of another kind than score */
	char	   *routed_table;	/* NULL: all */
	char	   *written_by;
	char	   *search_path;
} LrCriterion;

/* How a router judges its leads. */
typedef struct LrQualification
{
	double		qualify_at;		/* NaN: no threshold */
	double		nurture_at;
	int			n;				/* enabled criteria */
	LrCriterion *criterion;		/* by name */
} LrQualification;

/* What a criterion says of a lead. */
typedef enum LrSays
{
	LR_SAYS_FALSE,				/* its condition is false or NULL */
	LR_SAYS_TRUE,
	LR_SAYS_ERROR,				/* condition or points raise, or are broken */
	LR_SAYS_OTHER_TABLE			/* it is for another table */
} LrSays;

typedef struct LrFinding
{
	const LrCriterion *criterion;
	LrSays		says;
	double		points;			/* of a score; 0 unless it says true */
	char	   *error;
	const LrExpr *said_by;		/* whose value or error it is; NULL: none */
} LrFinding;

/* The words of criterion.kind, by LrCriterionKind; ends with NULL. */
extern const char *const lr_criterion_kinds[];

/*
 * Reads how a router judges, from the row of router at which the scan stands;
 * NULL: it does not, every lead is qualified.
 */
struct LrScan;
extern LrQualification *lr_qualification_read(struct LrScan *scan,
											  const char *router);

/* What each criterion says, by index; *detail tells of errors. */
extern LrFinding *lr_criteria_judge(LrBinding *b, LrEvaluation *ev,
									char **detail);

/* Whether a finding is an error that nobody was told of lately, at this time. */
extern bool lr_criterion_reports(LrBinding *b, const LrFinding *finding,
								 TimestampTz now);

#endif							/* LR_CRITERION_H */
