/*
 * method_words.c
 *	  The methods as people write and read them.  See method_words.h.
 *
 * In SQL the same is said by leadroute.method_name and leadroute.measure_detail.
 */
#include "postgres.h"

#include "rule/method_words.h"
#include "leadroute.h"

static const LrMethodWords methods[] = {
	{LR_METHOD_ROUND_ROBIN, "round_robin", "credit", "credit %.*f", 3,
	"not measured"},
	{LR_METHOD_LEAST_LOADED, "least_loaded", "load ratio", "load ratio %.*f", 3,
	"not measured"},
	/* what is counted are decisions up to this one */
	{LR_METHOD_LONGEST_IDLE, "longest_idle", "decisions since the last lead",
	"%.*f decisions since its last lead", 0, "never had a lead"},
	{LR_METHOD_BY_TARGET, "by_target", "received by target",
	"%.*f of its target", 3, "no target"},
	{LR_METHOD_TOP_PRODUCER, "top_producer", "tier", "tier %.*f", 0,
	"not measured"},
	{LR_METHOD_WATERFALL, "waterfall", "place", "place %.*f", 0,
	"not measured"},
	{LR_METHOD_BEST_MATCH, "best_match", "rank", "rank %.*f", 3, "no rank"},
	{LR_METHOD_RANDOM, "random", "draw", "draw %.*f", 3, "not measured"},
	/* nobody is chosen: this is shown to who decides */
	{LR_METHOD_MANUAL, "manual", "load ratio", "load ratio %.*f", 3,
	"not measured"},
};

static const char *words[lengthof(methods) + 1];

const LrMethodWords *
lr_method_words(char code)
{
	int			i;

	for (i = 0; i < (int) lengthof(methods); i++)
		if (methods[i].code == code)
			return &methods[i];
	return &methods[0];
}

char
lr_method_code(const char *word)
{
	int			i;

	for (i = 0; i < (int) lengthof(methods); i++)
		if (strcmp(methods[i].word, word) == 0)
			return methods[i].code;
	return methods[0].code;
}

const char *const *
lr_method_list(void)
{
	int			i;

	for (i = 0; i < (int) lengthof(methods); i++)
		words[i] = methods[i].word;
	return words;
}

char *
lr_measure_words(char method, bool has_measure, double measure)
{
	const LrMethodWords *m = lr_method_words(method);

	if (!has_measure)
		return pstrdup(m->unmeasured);
	if (method == LR_METHOD_LONGEST_IDLE && measure == 1)
		return pstrdup("1 decision since its last lead");
	return psprintf(m->one, m->digits, measure);
}
