/*
 * explain_members.c
 *	  What became of each member of a team; see explain.h.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "decide/qualify.h"
#include "explain/condition_parts.h"
#include "explain/explain.h"
#include "rule/method_words.h"

/* Until when, for programs; NULL: not known. */
static char *
until_text(const LrPassedOver *p)
{
	return p->until == 0 || p->until == DT_NOEND ? NULL :
		pstrdup(timestamptz_to_str(p->until));
}

/* Which part of a condition keeps the i-th of the team from it; NULL: not told. */
static const char *
unfit_part(const LrExplain *x, const LrTrial *trial, int i)
{
	const LrPassedOver *p = &trial->pick->all[i].state;
	const LrTeam *team = trial->rule->team;

	if (p->why != LR_PASSED_UNFIT)
		return NULL;
	if (p->a == LR_UNFIT_TEAM)
		return team->reach[team->reach_of[i]].condition;
	return lr_member_part(x->table, x->binding, trial->rule, p->member, x->row,
						  lr_verdict_score(x->decision.verdict), x->visible);
}

/* Why the i-th of the team cannot take the lead, in words. */
static char *
passed_words(const LrExplain *x, const LrTrial *trial, int i)
{
	const LrPassedOver *p = &trial->pick->all[i].state;
	char	   *words = lr_passed_sentence(p,
										   lr_cap_name(x->request.binding->router,
													   p->cap),
										   pg_get_timezone_name(p->member->local),
										   x->request.now);
	const char *part = unfit_part(x, trial, i);

	return part == NULL ? words : psprintf("%s: %s", words, part);
}

static void
put_member(LrOutput *out, const LrExplain *x, const LrTrial *trial, int i)
{
	const LrCandidate *c = &trial->pick->all[i];
	bool		chosen = i == trial->pick->chosen;
	char	   *words = passed_words(x, trial, i);

	if (c->state.why == LR_CAN)
		lr_line(out, "%s \"%s\": share %.4f, %s, %lld open%s",
				chosen ? "->" : "  ", c->member->name, c->share,
				lr_measure_words(trial->rule->method, c->has_measure,
								 c->measure), (long long) c->load,
				c->member->capacity >= 0 ?
				psprintf(" of %d", c->member->capacity) : "");
	else
		lr_line(out, "   \"%s\": %s", c->member->name, words);
	lr_open(out, NULL, false);
	lr_put_text(out, "member", c->member->name);
	lr_put_bool(out, "can", c->state.why == LR_CAN);
	lr_put_bool(out, "chosen", chosen);
	lr_put_text(out, "code", lr_passed_word(c->state.why));
	lr_put_text(out, "detail", words);
	lr_put_text(out, "until", until_text(&c->state));
	lr_put_number(out, "share", c->share, 6);
	if (c->has_measure)
		lr_put_number(out, "measure", c->measure, 6);
	else
		lr_put_text(out, "measure", NULL);
	lr_put_int(out, "load", c->load);
	if (c->member->capacity >= 0)
		lr_put_int(out, "capacity", c->member->capacity);
	else
		lr_put_text(out, "capacity", NULL);
	lr_close(out, false);
}

/* How many members are not listed, by what became of them. */
static void
put_rest(LrOutput *out, const int *rest)
{
	StringInfoData buf;
	int			why;

	initStringInfo(&buf);
	lr_open(out, "members_not_listed", false);
	for (why = 0; why < LR_PASSED_CODES; why++)
	{
		const char *word = lr_passed_word(why);

		if (rest[why] == 0)
			continue;
		lr_put_int(out, word != NULL ? word : "can", rest[why]);
		appendStringInfo(&buf, "%s%d %s", buf.len > 0 ? ", " : "", rest[why],
						 lr_passed_they(why));
	}
	lr_close(out, false);
	if (buf.len > 0)
		lr_line(out, "   not listed: %s", buf.data);
}

/* The team of a trial, and its members. */
static void
put_team(LrOutput *out, const LrExplain *x, const LrTrial *trial)
{
	const LrTeam *team = trial->rule->team;
	const LrPick *pick = trial->pick;
	int			rest[LR_PASSED_CODES] = {0};
	int			left = x->max_members - (pick->chosen >= 0);
	int			i;

	lr_put_text(out, "team", team->id < 0 ? NULL : team->name);
	lr_put_text(out, "method", lr_method_words(trial->rule->method)->word);
	if (team->n > 0 && team->id < 0)
		lr_line(out, "member \"%s\"", team->name);
	else if (team->n > 0)
		lr_line(out, "%s, %s: %d of %d %s can take it",
				team->name ? psprintf("team \"%s\"", team->name) :
				"every member", lr_method_words(trial->rule->method)->word,
				pick->candidates, team->n,
				team->n == 1 ? "member" : "members");
	lr_put_text(out, "measured", lr_method_words(trial->rule->method)->measured);
	lr_put_int(out, "candidates", pick->candidates);
	lr_open(out, "members", true);
	for (i = 0; i < team->n; i++)
	{
		if (i == pick->chosen || left > 0)
			put_member(out, x, trial, i);
		else
			rest[pick->all[i].state.why]++;
		left -= i != pick->chosen;
	}
	lr_close(out, true);
	put_rest(out, rest);
}

static const char *
overflow_word(char overflow)
{
	switch (overflow)
	{
		case LR_OVERFLOW_IGNORE_LIMITS:
			return "ignore_limits";
		case LR_OVERFLOW_NONE:
			return "none";
		case LR_OVERFLOW_TEAM:
			return "team";
		case LR_OVERFLOW_HOLD:
			return "hold";
		default:
			return "next_rule";
	}
}

/* What the rule's overflow makes of nobody being able to take it. */
static const char *
overflow_words(char overflow)
{
	switch (overflow)
	{
		case LR_OVERFLOW_IGNORE_LIMITS:
			return "ignore_limits: capacities do not count";
		case LR_OVERFLOW_NONE:
			return "none: the lead stays without owner";
		case LR_OVERFLOW_TEAM:
			return "team: it is offered to overflow_team";
		case LR_OVERFLOW_HOLD:
			return "hold: the lead is held, no later rule is tried";
		default:
			return "next_rule: later rules are tried";
	}
}

static void
put_overflow(LrOutput *out, const LrExplain *x, const LrTrial *trial)
{
	char		overflow = trial->rule->overflow;
	bool		ignored = trial->tried == LR_TRIED_CHOSEN &&
		x->decision.entry.reason != NULL;

	lr_put_text(out, "overflow", overflow_word(overflow));
	if (trial->tried == LR_TRIED_NOBODY || ignored)
		lr_line(out, "Overflow: %s", overflow_words(overflow));
	if (trial->beyond == NULL)
		return;
	lr_open(out, "overflow_team", false);
	put_team(out, x, trial->beyond);
	lr_close(out, false);
}

void
lr_explain_members(LrOutput *out, const LrExplain *x, const LrTrial *trial)
{
	put_team(out, x, trial);
	put_overflow(out, x, trial);
}
