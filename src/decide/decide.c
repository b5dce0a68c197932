/*
 * decide.c
 *	  From a lead's row to its owner: rule, candidates, pick, reservation.
 *
 * match.c says whether a rule takes the lead, trial.c keeps what is told of that;
 * here rules are tried in their order, and what a team or overflow says is
 * written into the decision.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "common/hashfn.h"

#include "calendar/month.h"
#include "decide/decide.h"
#include "decide/held.h"
#include "decide/match.h"
#include "decide/qualify.h"
#include "decide/ranking.h"
#include "decide/sticky.h"
#include "decide/trial.h"
#include "expression/evaluate.h"
#include "lead/test_lead.h"
#include "roster/measured.h"

/* Counts the time since the last lap for what was done meanwhile. */
static inline void
lap(const LrDecideRequest *request, LrLap what)
{
	LrLaps	   *laps = request->laps;
	instr_time	now;
	instr_time	passed;

	if (laps == NULL)
		return;
	INSTR_TIME_SET_CURRENT(now);
	passed = now;
	INSTR_TIME_SUBTRACT(passed, laps->last);
	if (what != LR_LAP_NONE)
		laps->seconds[what] += INSTR_TIME_GET_DOUBLE(passed);
	laps->last = now;
}

/* ---------- trying rules ---------- */

/* Tells what an expression over members has raised for one of them. */
static void
note_member_error(const LrDecideRequest *request, LrBoundRule *bound,
				  LrRule *rule, const char *error, LrDecision *decision)
{
	if (error == NULL)
		return;
	lr_trial_note(decision, rule, error);
	if (bound != NULL)
		lr_trial_report(request, bound, error);
}

/*
 * Whom of the rule's team the lead fits, and by best_match who goes first; errors
 * cost members, or their rank, not the lead.
 */
static void
find_fitting(const LrDecideRequest *request, LrEvaluation *ev,
			 LrBoundRule *bound, LrRule *rule, LrFitting *fitting,
			 LrDecision *decision)
{
	char	   *detail = unconstify(char *, decision->entry.detail);

	memset(fitting, 0, sizeof(*fitting));
	if (rule->member_condition != NULL || rule->team->nreach > 0)
	{
		lr_fitting_find(ev, request->binding,
						rule->member_condition != NULL ? bound : NULL,
						rule->team, request->dry_run, fitting, &detail);
		decision->entry.detail = detail;
		note_member_error(request, bound, rule, fitting->error, decision);
	}
	if (rule->method == LR_METHOD_BEST_MATCH)
	{
		detail = unconstify(char *, decision->entry.detail);
		fitting->ranking = lr_ranking_find(ev, request->binding, bound,
										   rule->team, request->dry_run,
										   &detail);
		decision->entry.detail = detail;
		note_member_error(request, bound, rule, fitting->ranking->error,
						  decision);
	}
}

void
lr_pick_from(const LrDecideRequest *request, LrRule *rule,
			 const LrFitting *fitting, bool ignore_limits, bool in_line,
			 const LrLeadCaps *caps, LrPick *pick)
{
	LrPickRequest r = {0};

	r.db = lr_database();
	r.router = request->binding->router;
	r.team = rule->team;
	r.method = rule->method == LR_METHOD_MANUAL ? LR_METHOD_LEAST_LOADED :
		rule->method;
	r.ignore_limits = ignore_limits;
	r.keeps_turns = rule->keeps_turns;
	r.dry_run = request->dry_run;
	r.in_line = in_line;
	r.load = request->load;
	if (rule->method == LR_METHOD_BY_TARGET)
		r.month = lr_month(request->binding->router, request->now);
	else if (rule->method == LR_METHOD_TOP_PRODUCER && !request->dry_run)
		lr_measured_want(r.db);
	r.usable = request->binding->usable;
	r.without = request->without;
	if (fitting != NULL)
	{
		r.fitting = fitting->fits;
		r.set = fitting->set;
		r.reached = fitting->reached;
		r.raised = fitting->raised;
		r.ranking = fitting->ranking;
	}
	r.people = request->binding->router->people_seen;
	r.now = request->now;
	r.caps = lr_caps_of_team(caps, rule->id, rule->team);
	r.seed = hash_bytes_extended((const unsigned char *) request->key,
								 strlen(request->key), request->table->id);
	if (!request->dry_run && rule->team->id >= 0)
		(void) lr_team_version(rule->team);
	lr_pick(&r, pick);
}

/* Who was passed over; of those beyond the limit how many, by reason. */
static void
note_passed_over(LrEntry *e, const LrPick *pick)
{
	int64	   *numbers;
	LrPassedOver others = {0};
	int			i;

	e->npassed = pick->npassed;
	e->passed_over = NULL;
	if (pick->passed_count == 0)
		return;
	numbers = e->passed_over =
		(int64 *) palloc((pick->npassed + LR_PASSED_CODES) * LR_PASSED_NUMBERS *
						 sizeof(int64));
	for (i = 0; i < pick->npassed; i++, numbers += LR_PASSED_NUMBERS)
		lr_passed_numbers(&pick->passed[i], 0, numbers);
	if (pick->passed_count == pick->npassed)
		return;
	for (i = 0; i < LR_PASSED_CODES; i++)
	{
		others.why = (LrPassed) i;
		if (pick->passed_rest[i] == 0)
			continue;
		lr_passed_numbers(&others, pick->passed_rest[i], numbers);
		numbers += LR_PASSED_NUMBERS;
		e->npassed++;
	}
}

/* Fills the journal entry from a rule and what its team said. */
static void
note_pick(const LrDecideRequest *request, LrRule *rule, LrPick *pick,
		  LrDecision *decision)
{
	LrEntry    *e = &decision->entry;

	e->rule = rule->id;
	e->rule_version = rule->version;
	e->team = rule->team->id;
	e->method = rule->team->id >= 0 ? rule->method : '\0';
	e->team_version = rule->team->version;
	e->passed_count = pick->passed_count;
	note_passed_over(e, pick);
	e->candidates = pick->candidates == rule->team->n ? NULL :
		pick->reservation.candidates;
	e->accruing = pick->reservation.accruing;
	e->candidate_bytes = (rule->team->n + 7) / 8;
	e->candidate_count = pick->candidates;
	e->candidate_hash = pick->hash;
	if (pick->candidates == 0)
	{
		/* an empty bitmap: nobody */
		e->candidates = (uint8 *) palloc0(1);
		e->candidate_bytes = 0;
	}
}

static void
note_chosen(const LrDecideRequest *request, LrRule *rule, LrPick *pick,
			LrDecision *decision)
{
	LrEntry    *e = &decision->entry;

	note_pick(request, rule, pick, decision);
	decision->member = rule->team->member[pick->chosen];
	decision->reservation = pick->reservation;
	e->kind = LR_KIND_ASSIGNED;
	e->member = decision->member->id;
	e->load = request->load;
	e->id = pick->reservation.id;
	e->turn = pick->reservation.turn;
	e->month = pick->reservation.month;
	e->has_measure = pick->has_measure && rule->team->id >= 0;
	e->measure = pick->measure;
	lr_caps_note(e, &pick->reservation);
}

/* A rule that would have had the lead, had anybody been able to take it. */
static void
note_skipped(LrRule *rule, LrPick *pick, const LrCapCheck *caps,
			 LrDecision *decision)
{
	if (pick->reached.why != LR_CAN)
		lr_trial_note(decision, rule, lr_cap_sentence(caps, &pick->reached));
	else
		lr_trial_note(decision, rule,
					  psprintf("none of %d members can take it", pick->fits));
}

/*
 * Whether others stand before the lead in the line of a rule that matches.  If
 * so, they may want the members of later rules, too.
 */
static void
look_for_others(const LrDecideRequest *request, LrRule *rule,
				LrDecision *decision)
{
	int64		line;

	if (decision->in_line || rule->team->n == 0)
		return;
	line = lr_line_of(rule->id, rule->team);
	decision->in_line = lr_line_is_busy(lr_database(), line) &&
		!(request->dry_run && RecoveryInProgress()) &&
		lr_line_waits(line, request->held_id);
}

/* Chooses among the rule's team, and says so in the trial if it is a dry run. */
static LrPick *
offer(const LrDecideRequest *request, LrRule *rule, const LrFitting *fitting,
	  bool ignore_limits, LrTrial *trial, LrDecision *decision)
{
	LrHeld	   *held = &decision->entry.held;
	LrPick	   *pick = (LrPick *) palloc(sizeof(LrPick));

	held->way = (int64) hash_combine64((uint64) held->way,
									   (uint64) lr_line_of(rule->id, rule->team));
	if (fitting != NULL && fitting->fits != NULL)
		held->way ^= (int64) lr_fitting_hash(fitting, rule->team->n);
	if (decision->caps != NULL && decision->caps->concerns != NULL)
		held->way ^= (int64) hash_bytes_extended((const unsigned char *) decision->caps->concerns,
												 decision->caps->router->ncaps, 1);
	lr_pick_from(request, rule, fitting, ignore_limits, decision->in_line,
				 decision->caps, pick);
	if (pick->chosen < 0)
	{
		held->seq = Min(held->seq, pick->seq);
		held->until = Min(held->until, pick->available_from);
		held->again |= pick->withheld;
		held->own_way |= pick->own_way;
	}
	if (trial == NULL)
		return pick;
	trial->rule = rule;
	trial->pick = pick;
	trial->tried = pick->chosen >= 0 ? LR_TRIED_CHOSEN :
		pick->fits == 0 ? LR_TRIED_NO_MEMBER : LR_TRIED_NOBODY;
	return pick;
}

/* Nobody can take it now: somebody, whatever the limits?  True: settled. */
static bool
beyond_limits(const LrDecideRequest *request, LrRule *rule,
			  const LrFitting *fitting, LrTrial *trial, LrDecision *decision)
{
	LrPick	   *pick = offer(request, rule, fitting, true, NULL, decision);

	if (pick->chosen < 0)
		return false;
	note_chosen(request, rule, pick, decision);
	decision->entry.reason = "ignore_limits";
	if (trial != NULL)
	{
		trial->tried = LR_TRIED_CHOSEN;
		trial->pick = pick;
	}
	return true;
}

/*
 * Nobody can take it now: somebody of overflow_team whom member_condition lets?
 * True: settled.
 */
static bool
by_overflow_team(const LrDecideRequest *request, LrEvaluation *ev,
				 LrBoundRule *bound, LrRule *rule, LrTrial *trial,
				 LrDecision *decision)
{
	LrRule	   *beyond = (LrRule *) palloc(sizeof(LrRule));
	LrFitting	fitting;
	LrPick	   *pick;

	*beyond = *rule;
	beyond->team = rule->overflow_team;
	beyond->method = rule->overflow_method;
	if (trial != NULL)
		trial->beyond = (LrTrial *) palloc0(sizeof(LrTrial));
	find_fitting(request, ev, bound, beyond, &fitting, decision);
	lr_evaluation_end(ev);
	pick = offer(request, beyond, &fitting, false,
				 trial ? trial->beyond : NULL, decision);
	if (pick->chosen < 0)
		return false;
	note_chosen(request, beyond, pick, decision);
	decision->entry.reason = "overflow_team";
	return true;
}

/* What the rule's overflow makes of it; true: the lead is settled. */
static bool
overflow(const LrDecideRequest *request, LrEvaluation *ev,
		 LrBoundRule *bound, LrRule *rule, const LrFitting *fitting,
		 LrPick *pick, LrTrial *trial, LrDecision *decision)
{
	switch (rule->overflow)
	{
		case LR_OVERFLOW_NONE:
			note_pick(request, rule, pick, decision);
			decision->entry.kind = LR_KIND_NONE;
			return true;
		case LR_OVERFLOW_HOLD:
			decision->entry.kind = LR_KIND_HELD;
			return true;
		case LR_OVERFLOW_IGNORE_LIMITS:
			return beyond_limits(request, rule, fitting, trial, decision);
		case LR_OVERFLOW_TEAM:
			return by_overflow_team(request, ev, bound, rule, trial, decision);
		default:
			return false;
	}
}

/*
 * Somebody decides: the lead goes on the triage list of the rule's team, whoever
 * is in it.  A dry run looks who could take it.
 */
static void
leave_to_triage(const LrDecideRequest *request, LrEvaluation *ev,
				LrBoundRule *bound, LrRule *rule, LrDecision *decision)
{
	LrEntry    *e = &decision->entry;

	if (request->dry_run)
	{
		LrTrial    *trial = lr_trial_add(decision, rule, LR_TRIED_TRIAGE, NULL,
										 NULL);
		LrFitting	fitting;

		find_fitting(request, ev, bound, rule, &fitting, decision);
		lr_evaluation_end(ev);
		offer(request, rule, &fitting, false, trial, decision)->chosen = -1;
		trial->tried = LR_TRIED_TRIAGE;
	}
	e->kind = LR_KIND_TRIAGE;
	e->reason = NULL;
	e->rule = rule->id;
	e->rule_version = rule->version;
	e->team = rule->team->id;
	e->method = rule->method;
	/* what an earlier rule has left, which had nobody */
	e->team_version = 0;
	e->candidates = e->accruing = NULL;
	e->npassed = e->passed_count = 0;
}

/* Offers the lead to a rule that matches; true: the lead is settled. */
static bool
try_rule(const LrDecideRequest *request, LrEvaluation *ev,
		 LrBoundRule *bound, LrRule *rule, LrDecision *decision)
{
	LrFitting	fitting;
	LrEntry    *e = &decision->entry;
	LrTrial    *trial;
	LrPick	   *pick;

	if (rule->method == LR_METHOD_MANUAL)
	{
		leave_to_triage(request, ev, bound, rule, decision);
		return true;
	}
	trial = request->dry_run ?
		lr_trial_add(decision, rule, LR_TRIED_NOBODY, NULL, NULL) : NULL;
	find_fitting(request, ev, bound, rule, &fitting, decision);
	/* reservations belong to the lead's own (sub)transaction */
	lr_evaluation_end(ev);
	lap(request, LR_LAP_EVALUATE);
	look_for_others(request, rule, decision);
	pick = offer(request, rule, &fitting, false, trial, decision);
	if (pick->fits == 0)
	{
		if (fitting.fits != NULL && fitting.error == NULL && rule->team->n > 0)
			lr_trial_note(decision, rule, "fits nobody of its team");
		if (e->reason == NULL)
			e->reason = "no_member";
		return false;
	}
	if (pick->chosen >= 0)
	{
		e->reason = NULL;
		note_chosen(request, rule, pick, decision);
		return true;
	}

	/* members fit, none can take it now */
	note_skipped(rule, pick, pick->caps, decision);
	if (e->rule == 0)
	{
		note_pick(request, rule, pick, decision);
		e->held.line = lr_line_of(rule->id, rule->team);
	}
	e->reason = pick->reached.why != LR_CAN ? "cap_reached" :
		"nobody_available";
	return overflow(request, ev, bound, rule, &fitting, pick, trial,
					decision);
}

/* The lead has no owner: it is held, or the rule wants it so. */
static void
settle_without_owner(const LrDecideRequest *request, LrDecision *decision)
{
	LrEntry    *e = &decision->entry;

	if (e->kind == '\0')
		e->kind = LR_KIND_HELD;
	if (e->held.own_way || request->without != 0)
		e->held.way = 0;
	if (e->reason == NULL && e->kind != LR_KIND_TRIAGE)
		e->reason = "no_rule";
	decision->reservation.member_slot = LR_NO_SLOT;
	decision->reservation.turn = false;
	decision->reservation.month = 0;
	if (!request->dry_run)
		e->id = decision->reservation.id = lr_reserve_id();
}

void
lr_decision_caps(const LrDecideRequest *request, LrDecision *decision)
{
	char	   *detail = unconstify(char *, decision->entry.detail);

	if (decision->caps_judged)
		return;
	decision->caps_judged = true;
	decision->caps = lr_caps_judge_row(request->table, request->binding,
									   request->row, request->now, &detail);
	decision->entry.detail = detail;
}

/* The same while rules are evaluated. */
static void
judge_caps(const LrDecideRequest *request, LrEvaluation *ev,
		   LrDecision *decision)
{
	char	   *detail = unconstify(char *, decision->entry.detail);

	if (decision->caps_judged)
		return;
	decision->caps_judged = true;
	decision->caps = lr_caps_judge(request->binding, ev, request->now, &detail);
	decision->entry.detail = detail;
}

/* Tries the rules in their order. */
static void
decide_by_rules(const LrDecideRequest *request, LrDecision *decision)
{
	LrBinding  *b = request->binding;
	LrEvaluation ev;
	LrRuleSearch search;
	LrRuleRef	ref;

	lr_evaluation_begin(&ev, request->table, request->row);
	ev.router = b->router;
	ev.score = lr_verdict_score(request->verdict);
	lap(request, LR_LAP_NONE);
	lr_rule_search_begin(&search, b->index, request->row);
	while (lr_rule_search_next(&search, &ref))
	{
		LrBoundRule *bound = NULL;
		LrRule	   *rule = NULL;
		LrRule		plain;
		bool		settled;

		lap(request, LR_LAP_FIND);
		/* trials of a dry run are looked at later, and in all their parts */
		if (!request->dry_run && lr_binding_plain(b, &ref, &plain))
			rule = &plain;
		else
		{
			bound = lr_binding_rule(b, &ref);
			if (lr_match(request, &ev, bound, decision))
				rule = lr_match_target(request, &ev, bound, decision);
		}
		if (rule != NULL)
			judge_caps(request, &ev, decision);
		lap(request, LR_LAP_EVALUATE);
		if (rule == NULL)
			continue;
		settled = try_rule(request, &ev, bound, rule, decision);
		lap(request, LR_LAP_PICK);
		if (settled)
			break;
	}
	lap(request, LR_LAP_FIND);
	lr_evaluation_end(&ev);
	if (decision->untold > 0)
		decision->entry.detail = psprintf("%s; and %d more",
										  decision->entry.detail,
										  decision->untold);
}

void
lr_decision_begin(const LrDecideRequest *request, LrDecision *decision)
{
	LrEntry    *e = &decision->entry;

	memset(decision, 0, sizeof(*decision));
	e->at = request->now;
	e->router = request->binding->router->id;
	e->routed_table = request->table->id;
	e->lead_key = request->key;
	e->detail = request->detail;
	e->team = -1;
	e->held.way = (int64) hash_combine64(request->table->id, request->load);
	e->held.seq = PG_INT64_MAX;
	e->held.until = DT_NOEND;
	if (request->verdict != NULL)
		lr_verdict_note(request->verdict, decision);
}

/* For a router that knows leads again: first by their keys. */
static void
decide_by_keys(const LrDecideRequest *request, LrDecision *decision)
{
	LrSticky   *sticky = lr_sticky_begin(request);

	do
	{
		lr_decision_begin(request, decision);
		decision->sticky = sticky;
		lr_sticky_decide(request, sticky, decision);
		if (decision->entry.kind == '\0')
			decide_by_rules(request, decision);
	} while (!lr_sticky_claim(request, sticky, decision));
}

/* What the criteria have said counts, then keys, then rules. */
static void
decide_judged(const LrDecideRequest *request, LrDecision *decision)
{
	if (request->binding->router->matching != NULL &&
		(request->verdict == NULL || request->verdict->kind == '\0'))
	{
		decide_by_keys(request, decision);
		return;
	}
	lr_decision_begin(request, decision);
	if (decision->entry.kind == '\0')
		decide_by_rules(request, decision);
}

static void
decide(const LrDecideRequest *request, LrDecision *decision)
{
	lr_people_accept(request->binding->router);
	if (request->binding->router->qualification != NULL)
	{
		LrDecideRequest judged = *request;

		lr_qualify(&judged);
		decide_judged(&judged, decision);
	}
	else
		decide_judged(request, decision);
	if (decision->member == NULL)
		settle_without_owner(request, decision);
}

void
lr_decide(const LrDecideRequest *request, LrDecision *decision)
{
	LrDecideRequest asked;
	bool		is_test;

	if (request->binding->router->test_when == NULL)
	{
		decide(request, decision);
		return;
	}
	asked = *request;
	is_test = lr_is_test(asked.table, asked.binding, asked.row, &asked.detail);
	asked.dry_run |= is_test;
	decide(&asked, decision);
	decision->entry.is_test = is_test;
	if (is_test && !request->dry_run)
		lr_test_decided(decision);
}

