/*
 * team.c
 *	  Reading a router's teams: who is in them, with which weight; and their
 *	  slots in shared memory.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/scan.h"
#include "calendar/schedule.h"
#include "config/people.h"
#include "config/team.h"
#include "roster/board.h"

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
		return x->team->index < y->team->index ? -1 : 1;
	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return x->member->index < y->member->index ? -1 :
		x->member->index > y->member->index;
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
	int			most = Max(8, Min(MAX_GRADES, team->n / LR_PLACES_PER_WEIGHT));
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

/*
 * What a team may owe its members in all, in leads: a credit, also of the one
 * who has had all of that, fits into 64 bits with some to spare.
 */
#define MOST_OWED	INT64CONST(8000000)

/* Fills in a team from its n memberships, which are in order. */
static void
fill_team(LrRouter *router, LrTeam *team, Membership *from, int n)
{
	int			i;

	team->serial = ++last_serial;
	team->n = n;
	team->credit_limit = Min(team->credit_limit,
							 MOST_OWED * LR_CREDIT_ONE / Max(n, 1));
	team->member = (LrMember **) palloc0((n + 1) * sizeof(LrMember *));
	team->weight = (double *) palloc0((n + 1) * sizeof(double));
	team->target = (int32 *) palloc0((n + 1) * sizeof(int32));
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
 * Gives a team its slots in shared memory, and room to decide in, when a rule
 * first distributes to it: most of many teams a session never meets.
 */
static void
take_slots(LrRouter *router, LrTeam *team)
{
	LrDatabase *db = lr_database();
	int			n = team->n;
	double		factor = n > 0 ? (double) LR_CREDIT_ONE / team->total_weight : 0;
	MemoryContext old = MemoryContextSwitchTo(router->context);
	int			i;

	team->seat = (int *) palloc((n + 1) * sizeof(int));
	team->share = (int64 *) palloc0((n + 1) * sizeof(int64));
	team->lead_share = (int64 *) palloc0((n + 1) * sizeof(int64));
	team->until = (int64 *) palloc0((n + 1) * sizeof(int64));
	team->why = (uint8 *) palloc0(n + 1);
	MemoryContextSwitchTo(old);
	team->rotation = lr_rotation_slot(db, team->router, team->id);
	team->share_sum = 0;
	for (i = 0; i < n; i++)
	{
		(void) lr_slot_of_member(team->member[i]);
		team->seat[i] = lr_seat_slot(db, team->router, team->id,
									 team->member[i]->id);
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
	int			i;

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
		team->schedule = lr_schedule_by_name(router,
											 lr_scan_text(&scan, "schedule"));
		if (router->nteams == room)
			router->team = (LrTeam **) repalloc(router->team,
												(room *= 2) * sizeof(LrTeam *));
		router->team[router->nteams++] = team;
	}
	lr_scan_end(&scan);
	qsort(router->team, router->nteams, sizeof(LrTeam *), compare_teams);
	for (i = 0; i < router->nteams; i++)
		router->team[i]->index = i;
	router->team_by_id = (LrTeam **) palloc((router->nteams + 1) *
											sizeof(LrTeam *));
	memcpy(router->team_by_id, router->team,
		   router->nteams * sizeof(LrTeam *));
	qsort(router->team_by_id, router->nteams, sizeof(LrTeam *),
		  compare_team_ids);
}

/* A weight as it is stored, with its value: those of most rows are the same. */
typedef struct KnownWeight
{
	char		stored[16];
	double		value;
} KnownWeight;

static double
weight_of(Datum stored, KnownWeight *known)
{
	struct varlena *bytes = (struct varlena *) DatumGetPointer(stored);
	Size		size = VARSIZE_ANY(bytes);
	double		value;

	if (size <= sizeof(known->stored) &&
		memcmp(bytes, known->stored, size) == 0)
		return known->value;
	value = DatumGetFloat8(DirectFunctionCall1(numeric_float8, stored));
	if (size <= sizeof(known->stored))
	{
		memcpy(known->stored, bytes, size);
		known->value = value;
	}
	return value;
}

/* The team that a membership names; rows of one team follow each other. */
static LrTeam *
team_of(LrRouter *router, Datum name, LrTeam *guess)
{
	text	   *bytes = DatumGetTextPP(name);

	return guess != NULL && lr_is_name(guess->name, VARDATA_ANY(bytes),
									VARSIZE_ANY_EXHDR(bytes)) ? guess :
		lr_team_find(router, text_to_cstring(bytes));
}

static LrMember *
member_of(LrRouter *router, Datum name)
{
	text	   *bytes = DatumGetTextPP(name);

	return lr_member_find(router, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

/* Columns of team_member, as they are read. */
enum
{
	TEAM, MEMBER, POSITION, WEIGHT, TARGET, CONDITION
};

static const char *const column_name[] = {
	"team", "member", "position", "weight", "target", "condition"
};

/* Memberships of members that are not gone for good, in published order. */
static Membership *
read_memberships(LrRouter *router, int *n)
{
	AttrNumber	at[lengthof(column_name)];
	int			room = 64;
	Membership *all = (Membership *) palloc(room * sizeof(Membership));
	KnownWeight known = {{0}, 0};
	LrTeam	   *team = NULL;
	LrScan		scan;
	int			i;

	*n = 0;
	lr_scan_begin(&scan, "team_member", "team_member_pkey", "router",
				  router->name);
	for (i = 0; i < (int) lengthof(column_name); i++)
		at[i] = lr_scan_column(&scan, column_name[i]);
	while (lr_scan_next(&scan))
	{
		bool		isnull;
		LrMember   *m;
		Membership *entry;

		team = team_of(router, lr_scan_datum_at(&scan, at[TEAM], &isnull), team);
		m = member_of(router, lr_scan_datum_at(&scan, at[MEMBER], &isnull));
		if (team == NULL || m == NULL || !m->listed)
			continue;
		if (*n == room)
			all = (Membership *) repalloc(all, (room *= 2) * sizeof(Membership));
		entry = &all[(*n)++];
		entry->team = team;
		entry->member = m;
		entry->position = lr_scan_int_at(&scan, at[POSITION], PG_INT32_MAX);
		entry->weight = weight_of(lr_scan_datum_at(&scan, at[WEIGHT], &isnull), &known);
		entry->target = lr_scan_int_at(&scan, at[TARGET], 0);
		entry->condition = lr_scan_text_at(&scan, at[CONDITION]);
		entry->written_by = entry->condition == NULL ? NULL :
			lr_scan_text(&scan, "written_by");
		entry->search_path = entry->condition == NULL ? NULL :
			lr_scan_text(&scan, "search_path");
	}
	lr_scan_end(&scan);
	qsort(all, *n, sizeof(Membership), compare_memberships);
	return all;
}

void
lr_teams_read(LrRouter *router)
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
}

/* ---------- looking up ---------- */

/* The rotation of rules without a team: every member, weight 1, by name. */
LrTeam *
lr_everyone(LrRouter *router)
{
	MemoryContext old;
	LrTeam	   *everyone;
	Membership *all;
	int			n = 0;
	int			i;

	if (router->everyone != NULL)
		return router->everyone;
	old = MemoryContextSwitchTo(router->context);
	everyone = (LrTeam *) palloc0(sizeof(LrTeam));
	all = (Membership *) palloc0((router->nmembers + 1) * sizeof(Membership));
	for (i = 0; i < router->nmembers; i++)
		if (router->member[i]->listed)
		{
			all[n].member = router->member[i];
			all[n++].weight = 1;
		}
	everyone->router = router->id;
	fill_team(router, everyone, all, n);
	pfree(all);
	MemoryContextSwitchTo(old);
	router->everyone = everyone;
	return everyone;
}

LrTeam *
lr_team_alone(LrRouter *router, LrMember *m)
{
	LrTeam	   *everyone = lr_everyone(router);
	MemoryContext old;
	LrTeam	   *team;
	int			i;

	if (m->alone != NULL)
		return m->alone;
	if (!everyone->ready)
		take_slots(router, everyone);
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
			team->seat[TEAM] = everyone->seat[i];
			team->share[0] = team->share_sum = LR_CREDIT_ONE;
		}
	lr_team_hours(router, team);
	m->alone = team;
	MemoryContextSwitchTo(old);
	return team;
}

LrTeam *
lr_team_by_name(LrRouter *router, const char *name)
{
	LrTeam	   *team = lr_team_find(router, name);

	if (team != NULL && !team->ready)
		take_slots(router, team);
	return team;
}

LrTeam *
lr_team_by_id(LrRouter *router, int32 id)
{
	LrTeam		key = {.id = id};
	LrTeam	   *wanted = &key;
	LrTeam	   *team;

	if (id == 0)
		team = lr_everyone(router);
	else
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
		take_slots(router, team);
	return team;
}
