/*
 * qualify.c
 *	  Qualification.  See qualify.h.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/json.h"

#include "decide/qualify.h"
#include "journal/journal.h"

PG_FUNCTION_INFO_V1(lr_score);

/* Criteria that a decision's detail names; of the others it says how many. */
#define MAX_NAMED	8

char *
lr_score_words(double score)
{
	char	   *text = psprintf("%.6f", score);
	char	   *end = text + strlen(text);

	while (end[-1] == '0')
		*--end = '\0';
	if (end[-1] == '.')
		*--end = '\0';
	return text;
}

const char *
lr_verdict_word(const LrVerdict *v)
{
	switch (v->kind)
	{
		case LR_KIND_NURTURE:
			return "nurture";
		case LR_KIND_DISQUALIFIED:
			return "disqualified";
		case LR_KIND_QUARANTINED:
			return "quarantined";
		default:
			return "qualified";
	}
}

const double *
lr_verdict_score(const LrVerdict *v)
{
	return v != NULL && v->has_score ? &v->score : NULL;
}

Datum
lr_score(PG_FUNCTION_ARGS)
{
	const double *score = lr_evaluated_score();

	if (score == NULL)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(*score);
}

/* ---------- what the criteria say ---------- */

/* Whether it keeps the lead back, as a quarantine or as another kind. */
static bool
stops(const LrFinding *f, bool quarantine)
{
	switch (f->criterion->kind)
	{
		case LR_CRITERION_QUARANTINE:
			return quarantine && f->says == LR_SAYS_TRUE;
		case LR_CRITERION_DISQUALIFY:
			return !quarantine && f->says == LR_SAYS_TRUE;
		case LR_CRITERION_REQUIRE:
			return !quarantine && f->says == LR_SAYS_FALSE;
		default:
			return false;
	}
}

/* Which criteria stop the lead; NULL: none does. */
static char *
stopped_by(const LrVerdict *v, bool quarantine)
{
	StringInfoData words;
	int			n = 0;
	int			i;

	initStringInfo(&words);
	for (i = 0; i < v->n; i++)
		if (stops(&v->finding[i], quarantine) && n++ < MAX_NAMED)
			appendStringInfo(&words, "%scriterion \"%s\" is %s",
							 n > 1 ? ", " : "", v->finding[i].criterion->name,
							 v->finding[i].says == LR_SAYS_TRUE ? "true" :
							 "not true");
	if (n > MAX_NAMED)
		appendStringInfo(&words, ", and %d more", n - MAX_NAMED);
	return n > 0 ? words.data : NULL;
}

static void
add_up(LrVerdict *v, const LrQualification *q)
{
	double		sum = 0;
	int			i;

	v->has_score = !isnan(q->qualify_at);
	for (i = 0; i < v->n; i++)
		if (v->finding[i].criterion->kind == LR_CRITERION_SCORE &&
			v->finding[i].says != LR_SAYS_OTHER_TABLE)
		{
			v->has_score = true;
			sum += v->finding[i].points;
		}
	v->score = rint(sum * LR_SCORE_UNITS) / LR_SCORE_UNITS;
}

static void
conclude(LrVerdict *v, const LrQualification *q, bool released)
{
	if (!released && (v->words = stopped_by(v, true)) != NULL)
	{
		v->kind = LR_KIND_QUARANTINED;
		v->reason = "criterion";
	}
	else if ((v->words = stopped_by(v, false)) != NULL)
	{
		v->kind = LR_KIND_DISQUALIFIED;
		v->reason = "criterion";
	}
	else if (!isnan(q->qualify_at) && v->score < q->qualify_at)
	{
		v->kind = v->score >= q->nurture_at ? LR_KIND_NURTURE :
			LR_KIND_DISQUALIFIED;
		v->reason = "score";
		v->words = psprintf("score %s is below %s", lr_score_words(v->score),
							lr_score_words(v->kind == LR_KIND_NURTURE ||
										isnan(q->nurture_at) ?
										q->qualify_at : q->nurture_at));
	}
}

/* Tells the event feed about errors of criteria, now and then. */
static void
report_errors(const LrDecideRequest *request, const LrVerdict *v)
{
	int			i;

	for (i = 0; i < v->n; i++)
	{
		const LrFinding *f = &v->finding[i];
		StringInfoData payload;

		if (!lr_criterion_reports(request->binding, f, request->now))
			continue;
		initStringInfo(&payload);
		appendStringInfoString(&payload, "{\"criterion\": ");
		escape_json(&payload, f->criterion->name);
		appendStringInfoString(&payload, ", \"error\": ");
		escape_json(&payload, f->error);
		appendStringInfoChar(&payload, '}');
		lr_event_add(LR_EVENT_CRITERION_ERROR, request->binding->router->id,
					 request->table->id, request->key, 0, 0, 0, payload.data);
	}
}

/* The rest of the decision sees the lead as it will be. */
static void
map_columns(LrDecideRequest *request, LrVerdict *v)
{
	LrStatusWord word = lr_status_of(v->kind);
	bool		ours = request->table->mapping->status.attno != 0 &&
		!request->status_set &&
		lr_status_is_ours(request->table, request->row, request->former_kind);

	lr_mapped_values(request->table, ours ? &word : NULL,
					 v->has_score ? &v->score : NULL, &v->mapped,
					 &request->detail);
	request->row = lr_mapped_slot(request->table, request->row, &v->mapped);
	v->row = request->row;
}

void
lr_qualify(LrDecideRequest *request)
{
	const LrQualification *q = request->binding->router->qualification;
	LrVerdict  *v = (LrVerdict *) palloc0(sizeof(LrVerdict));
	LrEvaluation ev;

	v->n = q->n;
	lr_evaluation_begin(&ev, request->table, request->row);
	ev.router = request->binding->router;
	v->finding = lr_criteria_judge(request->binding, &ev,
								   &request->detail);
	lr_evaluation_end(&ev);
	add_up(v, q);
	if (!request->qualified)
		conclude(v, q, request->released);
	v->released = request->released;
	if (request->table->mapping != NULL)
		map_columns(request, v);
	if (!request->dry_run)
		report_errors(request, v);
	request->verdict = v;
}

void
lr_verdict_note(const LrVerdict *v, LrDecision *decision)
{
	LrEntry    *e = &decision->entry;

	decision->verdict = v;
	e->has_score = v->has_score;
	e->score = v->score;
	e->released = v->released;
	if (v->kind == '\0')
		return;
	e->kind = v->kind;
	e->reason = v->reason;
	e->detail = e->detail == NULL ? v->words :
		psprintf("%s; %s", v->words, e->detail);
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
lr_says_so(const LrCurrent *current, const LrEntry *e)
{
	if (current->is_test != e->is_test || current->router != e->router)
		return false;
	if (current->kind == LR_KIND_TRIAGE && e->kind == LR_KIND_TRIAGE)
		return current->rule == e->rule && current->team == e->team;
	if (current->kind != e->kind || !lr_kept_back(e->kind))
		return current->kind == e->kind && current->waits == e->held.waits;
	return current->has_score == e->has_score &&
		(!e->has_score || current->score == e->score) &&
		same_text(current->reason, e->reason) &&
		same_text(current->detail, e->detail);
}
