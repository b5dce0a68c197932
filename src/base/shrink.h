/*
 * shrink.h
 *	  Estimating rates from few trials.
 *
 * A member who has won three of three leads has not shown that it wins every
 * lead.  Its rate is taken for a draw from a beta distribution that the whole
 * group's counts tell about, and what it has done moves the estimate away from
 * the group's mean as far as it outweighs that: (hits + strength * mean) /
 * (n + strength).  This is the beta-binomial model with the moment estimators of
 *	  J. C. Kleinman: Proportions with extraneous variance: single and
 *	  independent samples.  Journal of the American Statistical Association 68
 *	  (1973), 46-54,
 * and empirical Bayes as in
 *	  G. Casella: An introduction to empirical Bayes data analysis.  The American
 *	  Statistician 39 (1985), 83-87.
 * strength is how many trials the group's mean counts for, LR_LEAST_STRENGTH at
 * least: in a small group one lucky member alone would make members look as if
 * they differed.  Where they do not differ more than chance would have them,
 * everybody's rate is the mean.
 */
#ifndef LR_SHRINK_H
#define LR_SHRINK_H

#define LR_LEAST_STRENGTH	20

/* A tier other than the middle needs so many trials. */
#define LR_LEAST_TRIALS		20

typedef struct LrTrials
{
	int64		n;
	int64		hits;
} LrTrials;

/* What a group's counts say of its members. */
typedef struct LrGroup
{
	double		mean;			/* NaN: there were no trials */
	double		strength;		/* infinity: members do not differ */
} LrGroup;

extern LrGroup lr_group(const LrTrials *trials, int n);

/* The estimate of a member's rate; NaN where the group has none. */
extern double lr_shrunk_rate(const LrGroup *group, const LrTrials *trials);

/*
 * 1: the member's rate is above the group's mean, with a probability of 95 %
 * (normal approximation of the beta distribution); 3: below it; else 2.
 */
extern int	lr_tier_of(const LrGroup *group, const LrTrials *trials);

#endif							/* LR_SHRINK_H */
