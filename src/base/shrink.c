/*
 * shrink.c
 *	  Estimating rates from few trials.  See shrink.h.
 */
#include "postgres.h"

#include <math.h>

#include "utils/float.h"

#include "base/shrink.h"

/* Beyond this many standard deviations lie 5 % of a normal distribution. */
#define ONE_SIDED_95	1.6449

/*
 * Kleinman's estimate of gamma = 1 / (strength + 1), with the numbers of trials
 * as weights; not above 0: members do not differ more than by chance.
 */
static double
gamma_of(const LrTrials *trials, int n, double total, double mean)
{
	double		chance = mean * (1 - mean);
	double		scatter = 0;
	double		squares = 0;
	int			with = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		double		m = (double) trials[i].n;
		double		off;

		if (trials[i].n == 0)
			continue;
		off = trials[i].hits / m - mean;
		scatter += m * off * off;
		squares += m * m;
		with++;
	}
	if (with < 2 || chance <= 0 ||
		total - squares / total - (with - 1) <= 0)
		return 0;
	return (scatter - chance * (with - 1)) /
		(chance * (total - squares / total - (with - 1)));
}

LrGroup
lr_group(const LrTrials *trials, int n)
{
	LrGroup		group = {get_float8_nan(), get_float8_infinity()};
	double		total = 0;
	double		hits = 0;
	double		gamma;
	int			i;

	for (i = 0; i < n; i++)
	{
		total += trials[i].n;
		hits += trials[i].hits;
	}
	if (total == 0)
		return group;
	group.mean = hits / total;
	gamma = gamma_of(trials, n, total, group.mean);
	if (gamma > 0)
		group.strength = Max(LR_LEAST_STRENGTH, 1 / gamma - 1);
	return group;
}

double
lr_shrunk_rate(const LrGroup *group, const LrTrials *trials)
{
	if (isinf(group->strength) || isnan(group->mean))
		return group->mean;
	return (trials->hits + group->strength * group->mean) /
		(trials->n + group->strength);
}

int
lr_tier_of(const LrGroup *group, const LrTrials *trials)
{
	double		rate = lr_shrunk_rate(group, trials);
	double		margin;

	if (trials->n < LR_LEAST_TRIALS || isinf(group->strength) || isnan(rate))
		return 2;
	margin = ONE_SIDED_95 * sqrt(rate * (1 - rate) /
								 (trials->n + group->strength + 1));
	return rate - margin > group->mean ? 1 : rate + margin < group->mean ? 3 : 2;
}
