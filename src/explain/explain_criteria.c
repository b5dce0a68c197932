/*
 * explain_criteria.c
 *	  What each criterion said of the lead; see explain.h.
 */
#include "postgres.h"

#include "decide/qualify.h"
#include "explain/condition_parts.h"
#include "explain/explain.h"

static const char *
says_words(const LrFinding *f)
{
	switch (f->says)
	{
		case LR_SAYS_TRUE:
			return "true";
		case LR_SAYS_ERROR:
			return "error";
		case LR_SAYS_OTHER_TABLE:
			return "other table";
		default:
			return "not true";
	}
}

/* What follows from it, for people. */
static char *
effect_words(const LrFinding *f, bool released)
{
	if (f->says == LR_SAYS_ERROR)
		return psprintf("%s; it does not count", f->error);
	switch (f->criterion->kind)
	{
		case LR_CRITERION_SCORE:
			return f->says == LR_SAYS_TRUE ?
				psprintf("%s points", lr_score_words(f->points)) :
				pstrdup("no points");
		case LR_CRITERION_REQUIRE:
			return pstrdup(f->says == LR_SAYS_TRUE ? "fulfilled" :
						   "not fulfilled: disqualified");
		case LR_CRITERION_DISQUALIFY:
			return pstrdup(f->says == LR_SAYS_TRUE ? "true: disqualified" :
						   "not true");
		default:
			return pstrdup(f->says != LR_SAYS_TRUE ? "not true" :
						   released ? "true, but it was released" :
						   "true: quarantined");
	}
}

/* An error's message may tell values: of columns that the caller may read only. */
static void
put_finding(LrOutput *out, const LrExplain *x, const LrFinding *f)
{
	const char *kind = lr_criterion_kinds[f->criterion->kind];
	LrFinding	told = *f;

	if (f->says == LR_SAYS_OTHER_TABLE)
		return;
	if (told.error != NULL && f->said_by != NULL &&
		!lr_expr_is_visible(f->said_by, x->table->desc, x->visible))
		told.error = "an error, about columns that you may not read";
	lr_line(out, "%s \"%s\": %s", kind, f->criterion->name, effect_words(&told, x->decision.verdict->released));
	lr_open(out, NULL, false);
	lr_put_text(out, "criterion", f->criterion->name);
	lr_put_text(out, "kind", kind);
	lr_put_text(out, "says", says_words(f));
	if (f->criterion->kind == LR_CRITERION_SCORE)
		lr_put_number(out, "points", f->points, 6);
	lr_put_text(out, "error", told.error);
	lr_close(out, false);
}

void
lr_explain_criteria(LrOutput *out, const LrExplain *x)
{
	const LrVerdict *v = x->decision.verdict;
	char	   *score;
	int			i;

	if (v == NULL)
		return;
	score = v->has_score ? psprintf(", score %s", lr_score_words(v->score)) : "";
	lr_line(out, "Judged: %s%s", lr_verdict_word(v), score);
	lr_open(out, "qualification", false);
	lr_put_text(out, "verdict", lr_verdict_word(v));
	if (v->has_score)
		lr_put_number(out, "score", v->score, 6);
	out->indent += 2;
	lr_open(out, "criteria", true);
	for (i = 0; i < v->n; i++)
		put_finding(out, x, &v->finding[i]);
	lr_close(out, true);
	out->indent -= 2;
	lr_close(out, false);
}
