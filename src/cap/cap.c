/*
 * cap.c
 *	  Caps of a router.  See cap.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "datatype/timestamp.h"
#include "utils/memutils.h"

#include "base/guc.h"
#include "base/scan.h"
#include "calendar/calendar.h"
#include "cap/cap.h"
#include "cap/cap_earlier.h"
#include "cap/cap_view.h"
#include "decide/method.h"
#include "expression/generated.h"
#include "lead/binding.h"
#include "roster/prepared.h"
#include "leadroute.h"

/* ---------- reading ---------- */

static char
period_code(const char *word)
{
	switch (word[0])
	{
		case 'h':
			return LR_PERIOD_HOUR;
		case 'w':
			return LR_PERIOD_WEEK;
		case 'm':
			return LR_PERIOD_MONTH;
		case 't':
			return LR_PERIOD_TOTAL;
		default:
			return LR_PERIOD_DAY;
	}
}

/* id of a rule by its name; 0: there is none. */
static int32
rule_id(LrRouter *router, const char *name)
{
	LrScan		scan;
	int32		id = 0;

	lr_scan_begin_pair(&scan, "rule", "rule_pkey", "router", router->name,
					   "name", name);
	if (lr_scan_next(&scan))
		id = lr_scan_int(&scan, "id", 0);
	lr_scan_end(&scan);
	return id;
}

/* What the cap is about; false: that is not there in this (older) state. */
static bool
read_subject(LrRouter *router, LrScan *scan, LrCap *cap)
{
	char	   *member = lr_scan_text(scan, "member");
	char	   *team = lr_scan_text(scan, "team");
	char	   *rule = lr_scan_text(scan, "rule");

	cap->team = LR_CAP_ANY_TEAM;
	if (member != NULL)
	{
		LrMember   *m = lr_member_by_name(router, member);

		if (m == NULL)
			return false;
		cap->member = m->id;
	}
	if (team != NULL)
	{
		LrTeam	   *t = lr_team_by_name(router, team);

		if (t == NULL)
			return false;
		cap->team = t->id;
	}
	if (rule != NULL)
		cap->rule = rule_id(router, rule);
	return rule == NULL || cap->rule != 0;
}

static LrCap *
read_cap(LrRouter *router, LrScan *scan)
{
	LrCap	   *cap = (LrCap *) palloc0(sizeof(LrCap));
	char	   *timezone = lr_scan_text(scan, "timezone");
	bool		isnull;

	cap->id = lr_scan_int(scan, "id", 0);
	cap->name = lr_scan_text(scan, "name");
	cap->each_member = lr_scan_bool(scan, "each_member");
	cap->period = period_code(lr_scan_text(scan, "period"));
	cap->limit = lr_scan_int(scan, "max_leads", 0);
	cap->since = DatumGetTimestampTz(lr_scan_datum(scan, "since", &isnull));
	cap->condition = lr_scan_text(scan, "condition");
	cap->written_by = lr_scan_text(scan, "written_by");
	cap->search_path = lr_scan_text(scan, "search_path");
	if (timezone != NULL)
		cap->timezone = lr_zone(timezone);
	return read_subject(router, scan, cap) ? cap : NULL;
}

void
lr_caps_read(LrRouter *router)
{
	LrScan		scan;
	List	   *caps = NIL;
	ListCell   *lc;

	lr_scan_begin(&scan, "cap", "cap_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrCap	   *cap = read_cap(router, &scan);

		if (cap != NULL)
			caps = lappend(caps, cap);
	}
	lr_scan_end(&scan);
	if (caps == NIL)
		return;
	/* one of them may be of a prepared transaction that has just committed */
	lr_settle_prepared(lr_database());
	router->cap = (LrCap **) palloc(list_length(caps) * sizeof(LrCap *));
	foreach(lc, caps)
	{
		LrCap	   *cap = (LrCap *) lfirst(lc);

		cap->index = router->ncaps;
		router->cap[router->ncaps++] = cap;
	}
}

/* ---------- conditions ---------- */

/* The caps of a router over one lead table. */
typedef struct BoundCap
{
	bool		compiled;
	LrExpr	   *condition;		/* NULL: broken */
	char	   *broken;
} BoundCap;

static BoundCap *
bound_cap(LrTable *table, LrBinding *b, const LrCap *cap)
{
	BoundCap   *bound;
	Relation	rel;
	MemoryContext old;

	if (b->caps == NULL)
		b->caps = MemoryContextAllocZero(b->context, b->router->ncaps *
										 sizeof(BoundCap));
	bound = &((BoundCap *) b->caps)[cap->index];
	if (bound->compiled)
		return bound;
	rel = table_open(table->relid, AccessShareLock);
	old = MemoryContextSwitchTo(b->context);
	bound->condition = lr_compile_for_leads(table, rel, cap->condition,
											LR_EXPR_BOOL, cap->written_by,
											cap->search_path,
											psprintf("condition of cap \"%s\"",
													 cap->name),
											&bound->broken);
	MemoryContextSwitchTo(old);
	table_close(rel, AccessShareLock);
	bound->compiled = true;
	return bound;
}

static bool
is_true(LrBinding *b, LrEvaluation *ev, const LrCap *cap, char **detail)
{
	BoundCap   *bound = bound_cap(ev->table, b, cap);
	const char *error = bound->broken;
	bool		isnull = true;
	Datum		value = (Datum) 0;

	if (bound->condition != NULL)
	{
		lr_evaluate_generated(ev, bound->condition, detail);
		value = lr_evaluate(ev, bound->condition, &isnull);
		error = ev->error;
	}
	if (error != NULL)
		lr_add_detail(detail, psprintf("cap \"%s\"", cap->name), error);
	return error == NULL && !isnull && DatumGetBool(value);
}

/* By index of the cap; NULL: no cap has a condition.  ev NULL: none is true. */
static const bool *
judge_each(LrBinding *b, LrEvaluation *ev, char **detail)
{
	LrRouter   *router = b->router;
	bool	   *concerns = NULL;
	int			i;

	for (i = 0; i < router->ncaps; i++)
	{
		if (router->cap[i]->condition == NULL)
			continue;
		if (concerns == NULL)
		{
			concerns = (bool *) palloc(router->ncaps * sizeof(bool));
			memset(concerns, true, router->ncaps * sizeof(bool));
		}
		concerns[i] = ev != NULL && is_true(b, ev, router->cap[i], detail);
	}
	return concerns;
}

LrLeadCaps *
lr_caps_judge(LrBinding *b, LrEvaluation *ev, TimestampTz now, char **detail)
{
	LrLeadCaps *lead;

	if (b->router->ncaps == 0)
		return NULL;
	lead = (LrLeadCaps *) palloc(sizeof(LrLeadCaps));
	lead->router = b->router;
	lead->now = now;
	lead->concerns = judge_each(b, ev, detail);
	return lead;
}

LrLeadCaps *
lr_caps_judge_row(LrTable *table, LrBinding *b, TupleTableSlot *row,
				  TimestampTz now, char **detail)
{
	LrEvaluation ev;
	LrLeadCaps *lead;

	if (b->router->ncaps == 0)
		return NULL;
	if (row == NULL)
		return lr_caps_judge(b, NULL, now, detail);
	lr_evaluation_begin(&ev, table, row);
	ev.router = b->router;
	lead = lr_caps_judge(b, &ev, now, detail);
	lr_evaluation_end(&ev);
	return lead;
}

/* ---------- for some members ---------- */

/* m: of whom the cap is; NULL: of nobody alone. */
static pg_tz *
zone_of(const LrRouter *router, const LrCap *cap, const LrMember *m)
{
	return cap->timezone != NULL ? cap->timezone :
		m != NULL && m->zone != NULL ? m->zone : router->zone;
}

/* The window of a cap by a zone; lives as long as the cap. */
static LrCapZone *
cap_zone(LrCap *cap, pg_tz *zone)
{
	LrCapZone  *z;

	for (z = cap->zones; z != NULL; z = z->next)
		if (z->zone == zone)
			return z;
	z = (LrCapZone *) MemoryContextAllocZero(GetMemoryChunkContext(cap),
											 sizeof(LrCapZone));
	z->zone = zone;
	z->next = cap->zones;
	cap->zones = z;
	return z;
}

/* Whether the cap concerns any of the members. */
static bool
concerns_any(const LrCapUse *use, int n)
{
	int			i;

	if (!use->by_member || use->cap->each_member)
		return true;
	for (i = 0; i < n; i++)
		if (use->slot[i] != LR_CAP_NONE)
			return true;
	return false;
}

/* The counters of members; those that lack one may have it when some were freed. */
static void
find_slots(LrCapUse *use, LrMember **member, int n)
{
	const LrCap *cap = use->cap;
	LrDatabase *db = lr_database();
	int			i;

	use->freed = *(volatile uint64 *) &lr_shared->caps_freed;
	use->lacks = false;
	for (i = 0; i < (use->by_member ? n : 1); i++)
	{
		use->slot[i] = cap->member != 0 && cap->member != member[i]->id ?
			LR_CAP_NONE : lr_cap_slot(db, cap->id, cap->each_member ?
									  member[i]->id : 0);
		use->lacks |= use->slot[i] == LR_NO_SLOT;
	}
}

static LrCapUse *
make_use(LrRouter *router, LrCap *cap, LrMember **member, int n)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(cap));
	LrCapUse   *use = (LrCapUse *) palloc0(sizeof(LrCapUse));
	int			i;

	use->cap = cap;
	use->by_member = cap->each_member || cap->member != 0;
	use->slot = (int *) palloc((n + 1) * sizeof(int));
	use->zone = (LrCapZone **) palloc((n + 1) * sizeof(LrCapZone *));
	find_slots(use, member, n);
	for (i = 0; i < (use->by_member ? n : 1); i++)
		use->zone[i] = cap_zone(cap, zone_of(router, cap, use->by_member ?
												   member[i] : NULL));
	MemoryContextSwitchTo(old);
	use->concerns = concerns_any(use, n);
	return use;
}

/* Counts windows that were worked out. */
static uint64 windows = 0;

uint64
lr_cap_windows(void)
{
	return windows;
}

/* The window of now; of a total: from its beginning. */
static void
refresh_windows(LrCap *cap, TimestampTz now)
{
	LrCapZone  *z;

	for (z = cap->zones; z != NULL; z = z->next)
		if (z->window.key == 0 || now < z->window.since ||
			now >= z->window.until)
		{
			windows++;
			lr_cap_window(cap->period, now, z->zone, &z->window);
			if (cap->period == LR_PERIOD_TOTAL)
				z->window.since = cap->since;
		}
}

/* Through what a lead reaches the members. */
typedef struct Subject
{
	int32		rule;			/* 0: none */
	int32		team;
} Subject;

/* subject NULL: all caps, whatever they are about. */
static LrCapCheck *
make_check(const LrLeadCaps *lead, const Subject *subject, LrCapUse ***cache,
		   LrMember **member, int n)
{
	LrCapCheck *check = NULL;
	int			i;

	if (*cache == NULL)
		*cache = (LrCapUse **)
			MemoryContextAllocZero(GetMemoryChunkContext(lead->router->cap[0]),
								   lead->router->ncaps * sizeof(LrCapUse *));
	for (i = 0; i < lead->router->ncaps; i++)
	{
		LrCap	   *cap = lead->router->cap[i];
		LrCapUse   *use;

		if ((lead->concerns != NULL && !lead->concerns[i]) ||
			(subject != NULL &&
			 ((cap->rule != 0 && cap->rule != subject->rule) ||
			  (cap->team != LR_CAP_ANY_TEAM && cap->team != subject->team))))
			continue;
		if ((*cache)[i] == NULL)
			(*cache)[i] = make_use(lead->router, cap, member, n);
		use = (*cache)[i];
		if (use->lacks && use->freed != lr_shared->caps_freed)
			find_slots(use, member, n);
		if (!use->concerns)
			continue;
		if (check == NULL)
		{
			check = (LrCapCheck *) palloc0(sizeof(LrCapCheck));
			check->lead = *lead;
			check->nmembers = n;
			check->use = (LrCapUse **) palloc(lead->router->ncaps *
											  sizeof(LrCapUse *));
		}
		refresh_windows(cap, lead->now);
		check->use[check->n++] = use;
		check->by_member |= use->by_member;
	}
	if (check != NULL)
	{
		check->taken = (LrCapTaken *) palloc(check->n * sizeof(LrCapTaken));
		lr_caps_settle(lr_database());
	}
	return check;
}

LrCapCheck *
lr_caps_of_team(const LrLeadCaps *lead, int32 rule, LrTeam *team)
{
	Subject		subject = {rule, team->id};
	LrCapCheck *check = lead == NULL ? NULL :
		make_check(lead, &subject, &team->caps, team->member, team->n);

	if (check != NULL && check->by_member && team->n >= lr_board_members)
		check->view = lr_cap_view(team, check);
	return check;
}

LrCapCheck *
lr_caps_of_member(const LrLeadCaps *lead, LrMember *m)
{
	Subject		subject = {0, LR_CAP_ANY_TEAM};

	return lead == NULL || m == NULL ? NULL :
		make_check(lead, &subject, &m->caps, &m, 1);
}

LrCapCheck *
lr_caps_of_router(LrRouter *router, TimestampTz now)
{
	LrLeadCaps	lead = {router, now, NULL};
	LrTeam	   *everyone;

	if (router->ncaps == 0)
		return NULL;
	everyone = lr_everyone(router);
	return make_check(&lead, NULL, &everyone->caps, everyone->member, everyone->n);
}

TimestampTz
lr_caps_end(const LrCapCheck *check)
{
	TimestampTz end = DT_NOEND;
	int			k;

	for (k = 0; k < check->n; k++)
	{
		const LrCapZone *z;

		for (z = check->use[k]->cap->zones;
			 z != NULL && check->use[k]->cap->limit > 0; z = z->next)
			end = Min(end, z->window.until);
	}
	return end;
}

/* ---------- under the lock ---------- */

/* Whether all of some caps is counted: of those of members, or of the others. */
static bool
is_complete(const LrCapCheck *check, bool by_member)
{
	int			k;
	int			i;

	for (k = 0; k < check->n; k++)
		for (i = 0; i < (by_member ? check->nmembers : 1) &&
			 check->use[k]->by_member == by_member; i++)
		{
			int			slot = check->use[k]->slot[i];

			if (slot >= 0 && lr_cap_slot_is(slot, check->use[k]->cap->id) &&
				!lr_cap_complete(&lr_cap_slots[slot],
								 &check->use[k]->zone[i]->window))
				return false;
		}
	return true;
}

bool
lr_caps_complete(const LrCapCheck *check)
{
	return is_complete(check, false) && is_complete(check, true);
}

/* A few tries: should a counter be lost again and again, leads go on. */
static void
lock_counters(LrDatabase *db, const LrCapCheck *check, LrCapView *view)
{
	int			tries;

	for (tries = 0;; tries++)
	{
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		if (view != NULL)
			lr_cap_view_follow(view, db);
		if (check == NULL || tries == 3 ||
			(view != NULL ? view->complete && is_complete(check, false) :
			 lr_caps_complete(check)))
			return;
		LWLockRelease(db->lock);
		lr_caps_count_earlier(check);
	}
}

void
lr_lock_counters(LrDatabase *db, const LrCapCheck *check)
{
	lock_counters(db, check, NULL);
}

void
lr_lock_counters_with_view(LrDatabase *db, const LrCapCheck *check)
{
	lock_counters(db, check, check != NULL ? check->view : NULL);
}

int64
lr_cap_use_counted(const LrCapUse *use, int i)
{
	const LrCapWindow *window = &use->zone[use->by_member ? i : 0]->window;
	int			slot = use->slot[use->by_member ? i : 0];
	int64		counted;

	if (slot == LR_NO_SLOT)
		return PG_INT64_MAX;
	if (!lr_cap_slot_is(slot, use->cap->id))
		return 0;
	counted = lr_cap_counted(&lr_cap_slots[slot], window);
	return counted == PG_INT64_MAX ? counted :
		counted + lr_reserve_cap_released(slot, window->key);
}

static bool
is_reached(const LrCapUse *use, int i)
{
	int			slot = use->slot[use->by_member ? i : 0];

	return slot != LR_CAP_NONE &&
		(slot == LR_NO_SLOT || lr_cap_slot_is(slot, use->cap->id)) &&
		lr_cap_use_counted(use, i) >= use->cap->limit;
}

bool
lr_caps_allow(const LrCapCheck *check, int i)
{
	int			k;

	for (k = 0; k < check->n; k++)
		if (is_reached(check->use[k], i))
			return false;
	return true;
}

bool
lr_caps_allow_any(const LrCapCheck *check)
{
	int			k;

	for (k = 0; k < check->n; k++)
		if (!check->use[k]->by_member && is_reached(check->use[k], 0))
			return false;
	return true;
}

/* When a cap that is reached is not any more. */
static TimestampTz
end_of(const LrCapUse *use, int i)
{
	return use->cap->limit == 0 ? DT_NOEND :
		use->zone[use->by_member ? i : 0]->window.until;
}

void
lr_cap_reached_by(const LrCapCheck *check, int i, LrPassedOver *p)
{
	int			at = Max(i, 0);
	TimestampTz until = DT_NOBEGIN;
	int			k;

	for (k = 0; k < check->n; k++)
	{
		const LrCapUse *use = check->use[k];

		if ((i == LR_CAP_ALL && use->by_member) || !is_reached(use, at) ||
			end_of(use, at) <= until)
			continue;
		until = end_of(use, at);
		p->why = use->slot[use->by_member ? at : 0] == LR_NO_SLOT ?
			LR_PASSED_NO_SLOT : LR_PASSED_CAP;
		p->cap = use->cap->id;
		p->until = until;
		p->a = Min(lr_cap_use_counted(use, at), PG_INT32_MAX);
		p->b = use->cap->limit;
	}
}

void
lr_caps_reserve(const LrCapCheck *check, int i, LrReservation *r)
{
	int			k;

	r->ncaps = 0;
	r->caps = check->taken;
	for (k = 0; k < check->n; k++)
	{
		const LrCapUse *use = check->use[k];
		int			at = use->by_member ? i : 0;
		LrCapTaken *taken = &r->caps[r->ncaps];

		if (use->slot[at] < 0 || !lr_cap_slot_is(use->slot[at], use->cap->id))
			continue;
		taken->slot = use->slot[at];
		taken->window = use->zone[at]->window;
		taken->tag = LR_CAP_TAG(use->cap->id, use->cap->each_member,
								taken->window.key);
		r->ncaps++;
	}
}

void
lr_caps_note(LrEntry *e, const LrReservation *r)
{
	e->ncaps = r->ncaps;
	e->caps = r->caps;
}

const char *
lr_cap_name(const LrRouter *router, int32 id)
{
	int			i;

	for (i = 0; i < router->ncaps; i++)
		if (router->cap[i]->id == id)
			return router->cap[i]->name;
	return NULL;
}

char *
lr_cap_sentence(const LrCapCheck *check, const LrPassedOver *p)
{
	const char *zone = NULL;
	int			k;

	for (k = 0; k < check->n; k++)
		if (check->use[k]->cap->id == p->cap)
			zone = pg_get_timezone_name(check->use[k]->zone[0]->zone);
	return lr_passed_sentence(p, lr_cap_name(check->lead.router, p->cap), zone,
							  check->lead.now);
}
