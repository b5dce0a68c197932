/*
 * people.c
 *	  Reading a router's members, teams and absences.
 *
 * Absences have a memory context of their own in the router's: they are read
 * again whenever one changes, far more often than anything else.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/typcache.h"

#include "board.h"
#include "people.h"
#include "scan.h"
#include "schedule.h"

/* ---------- members ---------- */

static int
compare_members(const void *a, const void *b)
{
	return strcmp((*(LrMember *const *) a)->name, (*(LrMember *const *) b)->name);
}

static int
compare_member_ids(const void *a, const void *b)
{
	int32		x = (*(LrMember *const *) a)->id;
	int32		y = (*(LrMember *const *) b)->id;

	return x < y ? -1 : x > y;
}

/* The schedule that the row at a scan names. */
static const LrSchedule *
named_schedule(LrRouter *router, LrScan *scan)
{
	char	   *name = lr_scan_text(scan, "schedule");

	return name != NULL ? lr_schedule_by_name(router, name) : NULL;
}

static void
read_members(LrRouter *router, LrDatabase *db)
{
	LrScan		scan;
	List	   *members = NIL;
	ListCell   *lc;
	int			i;

	lr_scan_begin(&scan, "member", "member_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrMember   *m = (LrMember *) palloc0(sizeof(LrMember));

		m->id = lr_scan_int(&scan, "id", 0);
		m->name = lr_scan_text(&scan, "name");
		m->owner_value = lr_scan_text(&scan, "owner_value");
		m->active = lr_scan_bool(&scan, "active");
		m->zone = lr_zone(lr_scan_text(&scan, "timezone"));
		m->schedule = named_schedule(router, &scan);
		m->local = lr_member_zone(router, m);
		m->capacity = lr_scan_int(&scan, "capacity", -1);
		m->tier = lr_scan_int(&scan, "tier", 0);
		m->slot = lr_member_slot(db, m->id);
		members = lappend(members, m);
	}
	lr_scan_end(&scan);

	router->nmembers = list_length(members);
	router->member = (LrMember **) palloc((router->nmembers + 1) *
										  sizeof(LrMember *));
	i = 0;
	foreach(lc, members)
		router->member[i++] = (LrMember *) lfirst(lc);
	qsort(router->member, router->nmembers, sizeof(LrMember *),
		  compare_members);
	router->by_id = (LrMember **) palloc((router->nmembers + 1) *
										 sizeof(LrMember *));
	for (i = 0; i < router->nmembers; i++)
	{
		router->member[i]->index = i;
		router->by_id[i] = router->member[i];
	}
	qsort(router->by_id, router->nmembers, sizeof(LrMember *),
		  compare_member_ids);
	list_free(members);
}

static int
compare_teams(const void *a, const void *b)
{
	return strcmp((*(LrTeam *const *) a)->name, (*(LrTeam *const *) b)->name);
}

static int
compare_team_ids(const void *a, const void *b)
{
	int32		x = (*(LrTeam *const *) a)->id;
	int32		y = (*(LrTeam *const *) b)->id;

	return x < y ? -1 : x > y;
}

LrTeam *
lr_team_find(LrRouter *router, const char *name)
{
	LrTeam		key = {.name = unconstify(char *, name)};
	LrTeam	   *wanted = &key;
	LrTeam	  **found = (LrTeam **) bsearch(&wanted, router->team,
											router->nteams, sizeof(LrTeam *),
											compare_teams);

	return found != NULL ? *found : NULL;
}

/* Adds an absence to its member, in the current context. */
static void
add_absence(LrMember *m, RangeBound *lower, RangeBound *upper, LrTeam *team)
{
	LrAbsence  *absence;

	if ((m->nabsence & (m->nabsence - 1)) == 0)
	{
		int			room = Max(1, 2 * m->nabsence);

		if (m->nabsence == 0)
			m->absence = (LrAbsence *) palloc(room * sizeof(LrAbsence));
		else
			m->absence = (LrAbsence *) repalloc(m->absence,
												room * sizeof(LrAbsence));
	}
	absence = &m->absence[m->nabsence++];
	absence->since = lower->infinite ? DT_NOBEGIN :
		DatumGetTimestampTz(lower->val);
	absence->until = upper->infinite ? DT_NOEND :
		DatumGetTimestampTz(upper->val);
	absence->team = team != NULL ? team->id : -1;
}

/* Takes in the absence at a scan. */
static void
read_absence(LrRouter *router, LrScan *scan)
{
	bool		isnull;
	RangeType  *range = DatumGetRangeTypeP(lr_scan_datum(scan, "during",
														 &isnull));
	char	   *team_name = lr_scan_text(scan, "team");
	LrTeam	   *team = team_name ? lr_team_find(router, team_name) : NULL;
	LrMember   *m = lr_member_by_name(router, lr_scan_text(scan, "member"));
	MemoryContext old;
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	/* a team or member this (older) state does not know concerns no rule */
	if (m == NULL || (team_name != NULL && team == NULL))
		return;
	range_deserialize(lookup_type_cache(RangeTypeGetOid(range),
										TYPECACHE_RANGE_INFO),
					  range, &lower, &upper, &empty);
	if (empty)
		return;
	old = MemoryContextSwitchTo(router->absences);
	add_absence(m, &lower, &upper, team);
	MemoryContextSwitchTo(old);
	router->any_absence = true;
}

static void
read_absences(LrRouter *router)
{
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext,
											  "leadroute absence",
											  ALLOCSET_SMALL_SIZES);
	LrScan		scan;
	int			i;

	router->any_absence = false;
	for (i = 0; i < router->nmembers; i++)
		router->member[i]->nabsence = 0;
	if (router->absences == NULL)
		router->absences = AllocSetContextCreate(router->context,
												 "leadroute absences",
												 ALLOCSET_SMALL_SIZES);
	MemoryContextReset(router->absences);

	lr_scan_begin(&scan, "absence", "absence_key", "router", router->name);
	while (lr_scan_next(&scan))
	{
		MemoryContext old = MemoryContextSwitchTo(row);

		read_absence(router, &scan);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row);
	}
	lr_scan_end(&scan);
	MemoryContextDelete(row);
}

/* A membership while teams are put together. */
typedef struct Membership
{
	char	   *condition;		/* which leads reach it; NULL: all */
	char	   *written_by;
	char	   *search_path;
	LrMember   *member;
	LrTeam	   *team;
	int32		position;
	double		weight;
	int32		target;
} Membership;

static int
compare_memberships(const void *a, const void *b)
{
	const Membership *x = (const Membership *) a;
	const Membership *y = (const Membership *) b;

	if (x->team != y->team)
		return x->team->id < y->team->id ? -1 : 1;
	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return strcmp(x->member->name, y->member->name);
}

/* What LrTeam.grade can tell apart. */
#define MAX_GRADES	255

/*
 * Whether sums of such weights, below this, are exact in any order: multiples of
 * a millionth or so in binary, all of them and their sum within a double's 53
 * bits.
 */
#define EXACT_UNIT	(1.0 / (1 << 20))
#define EXACT_SUM	((double) (INT64CONST(1) << 32))

static uint64 last_serial = 0;

uint64
lr_team_serial(void)
{
	return ++last_serial;
}

/* Sorts a team's members by weight. */
static void
make_grades(LrTeam *team)
{
	int			most = Max(8, Min(MAX_GRADES, team->n / LR_PLACES_PER_GRADE));
	int			i;
	int			g;

	team->grade = (uint8 *) palloc0(team->n + 1);
	team->grade_weight = (double *) palloc0(most * sizeof(double));
	team->exact = team->total_weight < EXACT_SUM;
	team->graded = true;
	for (i = 0; i < team->n; i++)
	{
		double		units = team->weight[i] / EXACT_UNIT;

		team->exact &= units < EXACT_SUM / EXACT_UNIT && units == floor(units);
		for (g = 0; g < team->grades; g++)
			if (team->grade_weight[g] == team->weight[i])
				break;
		if (g == most)
		{
			/* all in one, and round_robin does without */
			team->graded = false;
			team->grades = 1;
			memset(team->grade, 0, team->n);
			return;
		}
		if (g == team->grades)
			team->grade_weight[team->grades++] = team->weight[i];
		team->grade[i] = g;
	}
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Sorts memberships by their conditions: equal ones are one. */
static void
make_reach(LrTeam *team, const Membership *from, int n)
{
	int			room = 0;
	int			buckets = 16;
	int		   *bucket;
	int			i;

	for (i = 0; i < n; i++)
		room += from[i].condition != NULL;
	if (room == 0)
		return;
	team->reach = (LrReach *) palloc(room * sizeof(LrReach));
	team->reach_of = (int *) palloc(n * sizeof(int));
	while (buckets < 2 * room)
		buckets *= 2;
	bucket = (int *) palloc0(buckets * sizeof(int));
	for (i = 0; i < n; i++)
	{
		const Membership *m = &from[i];
		LrReach    *reach = NULL;
		uint32		b;

		team->reach_of[i] = -1;
		if (m->condition == NULL)
			continue;
		for (b = string_hash(m->condition, strlen(m->condition) + 1) % buckets;
			 bucket[b] != 0; b = (b + 1) % buckets)
		{
			reach = &team->reach[bucket[b] - 1];
			if (strcmp(reach->condition, m->condition) == 0 &&
				same_text(reach->written_by, m->written_by) &&
				same_text(reach->search_path, m->search_path))
				break;
			reach = NULL;
		}
		if (reach == NULL)
		{
			reach = &team->reach[team->nreach++];
			reach->condition = m->condition;
			reach->written_by = m->written_by;
			reach->search_path = m->search_path;
			bucket[b] = team->nreach;
		}
		team->reach_of[i] = reach - team->reach;
	}
	pfree(bucket);
}

/* Fills in a team from its n memberships, which are in order. */
static void
fill_team(LrRouter *router, LrTeam *team, Membership *from, int n)
{
	int			i;

	team->serial = ++last_serial;
	team->n = n;
	team->member = (LrMember **) palloc0((n + 1) * sizeof(LrMember *));
	team->weight = (double *) palloc0((n + 1) * sizeof(double));
	team->target = (int32 *) palloc0((n + 1) * sizeof(int32));
	team->seat = (int *) palloc0((n + 1) * sizeof(int));
	team->share = (int64 *) palloc0((n + 1) * sizeof(int64));
	team->lead_share = (int64 *) palloc0((n + 1) * sizeof(int64));
	team->until = (int64 *) palloc0((n + 1) * sizeof(int64));
	team->why = (uint8 *) palloc0(n + 1);
	team->total_weight = 0;
	for (i = 0; i < n; i++)
	{
		team->member[i] = from[i].member;
		team->weight[i] = from[i].weight;
		team->target[i] = from[i].target;
		team->total_weight += from[i].weight;
	}
	make_grades(team);
	lr_team_hours(router, team);
	make_reach(team, from, n);
}

/*
 * Gives a team its slots in shared memory, when a rule first distributes to
 * it: most of many teams a session never meets.
 */
static void
take_slots(LrTeam *team)
{
	LrDatabase *db = lr_database();
	int			n = team->n;
	double		factor;
	int			i;

	team->rotation = lr_rotation_slot(db, team->router, team->id);
	for (i = 0; i < n; i++)
		team->seat[i] = lr_seat_slot(db, team->router, team->id,
									 team->member[i]->id);
	factor = n > 0 ? (double) LR_CREDIT_ONE / team->total_weight : 0;
	for (i = 0; i < n; i++)
	{
		team->share[i] = (int64) (team->weight[i] * factor);
		team->share_sum += team->share[i];
	}
	team->ready = true;
}

/* The ceiling of what members of the team accrue, in the unit of credits. */
static int64
credit_limit(LrScan *scan)
{
	bool		isnull;
	Datum		leads = lr_scan_datum(scan, "credit_limit", &isnull);

	if (isnull)
		return PG_INT64_MAX;
	return (int64) (DatumGetFloat8(DirectFunctionCall1(numeric_float8, leads)) *
					(double) LR_CREDIT_ONE);
}

static void
read_team_rows(LrRouter *router)
{
	LrScan		scan;
	int			room = 16;

	router->team = (LrTeam **) palloc(room * sizeof(LrTeam *));
	lr_scan_begin(&scan, "team", "team_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrTeam	   *team = (LrTeam *) palloc0(sizeof(LrTeam));

		team->id = lr_scan_int(&scan, "id", 0);
		team->name = lr_scan_text(&scan, "name");
		team->catch_up = lr_scan_bool(&scan, "catch_up");
		team->credit_limit = credit_limit(&scan);
		team->router = router->id;
		team->schedule = named_schedule(router, &scan);
		if (router->nteams == room)
			router->team = (LrTeam **) repalloc(router->team,
												(room *= 2) * sizeof(LrTeam *));
		router->team[router->nteams++] = team;
	}
	lr_scan_end(&scan);
	qsort(router->team, router->nteams, sizeof(LrTeam *), compare_teams);
	router->team_by_id = (LrTeam **) palloc((router->nteams + 1) *
											sizeof(LrTeam *));
	memcpy(router->team_by_id, router->team,
		   router->nteams * sizeof(LrTeam *));
	qsort(router->team_by_id, router->nteams, sizeof(LrTeam *),
		  compare_team_ids);
}

/* Memberships of members that are not gone for good, in published order. */
static Membership *
read_memberships(LrRouter *router, int *n)
{
	int			room = 64;
	Membership *all = (Membership *) palloc(room * sizeof(Membership));
	LrScan		scan;

	*n = 0;
	lr_scan_begin(&scan, "team_member", "team_member_pkey", "router",
				  router->name);
	while (lr_scan_next(&scan))
	{
		LrTeam	   *team = lr_team_find(router, lr_scan_text(&scan, "team"));
		LrMember   *m = lr_member_by_name(router, lr_scan_text(&scan, "member"));
		bool		isnull;
		Datum		weight = lr_scan_datum(&scan, "weight", &isnull);

		if (team == NULL || m == NULL || !m->active)
			continue;
		if (*n == room)
			all = (Membership *) repalloc(all, (room *= 2) * sizeof(Membership));
		all[*n].team = team;
		all[*n].member = m;
		all[*n].position = lr_scan_int(&scan, "position", PG_INT32_MAX);
		all[*n].weight = DatumGetFloat8(DirectFunctionCall1(numeric_float8,
															weight));
		all[*n].condition = lr_scan_text(&scan, "condition");
		all[*n].written_by = all[*n].condition == NULL ? NULL :
			lr_scan_text(&scan, "written_by");
		all[*n].search_path = all[*n].condition == NULL ? NULL :
			lr_scan_text(&scan, "search_path");
		all[*n].target = lr_scan_int(&scan, "target", 0);
		(*n)++;
	}
	lr_scan_end(&scan);
	qsort(all, *n, sizeof(Membership), compare_memberships);
	return all;
}

/* The rotation of rules without a team: every member, weight 1, by name. */
static LrTeam *
make_everyone(LrRouter *router)
{
	LrTeam	   *everyone = (LrTeam *) palloc0(sizeof(LrTeam));
	Membership *all = (Membership *) palloc0((router->nmembers + 1) *
											 sizeof(Membership));
	int			n = 0;
	int			i;

	for (i = 0; i < router->nmembers; i++)
		if (router->member[i]->active)
		{
			all[n].member = router->member[i];
			all[n++].weight = 1;
		}
	everyone->router = router->id;
	fill_team(router, everyone, all, n);
	pfree(all);
	return everyone;
}

LrTeam *
lr_team_alone(LrRouter *router, LrMember *m)
{
	LrTeam	   *everyone = router->everyone;
	MemoryContext old;
	LrTeam	   *team;
	int			i;

	if (m->alone != NULL)
		return m->alone;
	if (!everyone->ready)
		take_slots(everyone);
	old = MemoryContextSwitchTo(router->context);
	team = (LrTeam *) palloc0(sizeof(LrTeam));
	team->id = -1;
	team->router = router->id;
	team->name = m->name;
	team->serial = ++last_serial;
	team->rotation = LR_NO_SLOT;
	team->ready = true;
	team->member = (LrMember **) palloc0(sizeof(LrMember *));
	team->weight = (double *) palloc0(sizeof(double));
	team->target = (int32 *) palloc0(sizeof(int32));
	team->seat = (int *) palloc0(sizeof(int));
	team->share = (int64 *) palloc0(sizeof(int64));
	team->lead_share = (int64 *) palloc0(sizeof(int64));
	team->until = (int64 *) palloc0(sizeof(int64));
	team->why = (uint8 *) palloc0(1);
	team->grade = (uint8 *) palloc0(1);
	for (i = 0; i < everyone->n && team->n == 0; i++)
		if (everyone->member[i] == m)
		{
			team->n = 1;
			team->member[0] = m;
			team->weight[0] = team->total_weight = 1;
			team->seat[0] = everyone->seat[i];
			team->share[0] = team->share_sum = LR_CREDIT_ONE;
		}
	lr_team_hours(router, team);
	m->alone = team;
	MemoryContextSwitchTo(old);
	return team;
}

static void
read_teams(LrRouter *router)
{
	Membership *all;
	int			n;
	int			first;
	int			last;
	int			i;

	read_team_rows(router);
	all = read_memberships(router, &n);
	for (first = 0; first < n; first = last)
	{
		for (last = first; last < n && all[last].team == all[first].team; last++)
			;
		fill_team(router, all[first].team, all + first, last - first);
	}
	for (i = 0; i < router->nteams; i++)
		if (router->team[i]->serial == 0)
			fill_team(router, router->team[i], NULL, 0);
	pfree(all);
	router->everyone = make_everyone(router);
}

LrMember *
lr_member_by_id(LrRouter *router, int32 id)
{
	LrMember	key = {.id = id};
	LrMember   *wanted = &key;
	LrMember  **found = (LrMember **) bsearch(&wanted, router->by_id,
											  router->nmembers,
											  sizeof(LrMember *),
											  compare_member_ids);

	return found != NULL ? *found : NULL;
}

/* Reads active and capacity again. */
static void
read_member_states(LrRouter *router)
{
	LrScan		scan;

	lr_scan_begin(&scan, "member", "member_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrMember   *m = lr_member_by_id(router, lr_scan_int(&scan, "id", 0));

		if (m != NULL)
		{
			m->active = lr_scan_bool(&scan, "active");
			m->capacity = lr_scan_int(&scan, "capacity", -1);
		}
	}
	lr_scan_end(&scan);
}

void
lr_people_read(LrRouter *router, LrDatabase *db)
{
	read_members(router, db);
	read_teams(router);
	read_absences(router);
}

void
lr_people_read_states(LrRouter *router)
{
	read_member_states(router);
	read_absences(router);
}

/* ---------- looking up ---------- */

LrMember *
lr_member_by_name(LrRouter *router, const char *name)
{
	LrMember	key = {.name = unconstify(char *, name)};
	LrMember   *wanted = &key;
	LrMember  **found = (LrMember **) bsearch(&wanted, router->member,
											  router->nmembers,
											  sizeof(LrMember *),
											  compare_members);

	return found != NULL ? *found : NULL;
}

LrTeam *
lr_team_by_name(LrRouter *router, const char *name)
{
	LrTeam	   *team = lr_team_find(router, name);

	if (team != NULL && !team->ready)
		take_slots(team);
	return team;
}

LrTeam *
lr_team_by_id(LrRouter *router, int32 id)
{
	LrTeam		key = {.id = id};
	LrTeam	   *wanted = &key;
	LrTeam	   *team = router->everyone;

	if (id != 0)
	{
		LrTeam	  **found = (LrTeam **) bsearch(&wanted, router->team_by_id,
												router->nteams,
												sizeof(LrTeam *),
												compare_team_ids);

		if (found == NULL)
			return NULL;
		team = *found;
	}
	if (!team->ready)
		take_slots(team);
	return team;
}
