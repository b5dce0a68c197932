/*
 * people.c
 *	  Reading a router's members and absences; its teams see team.c.
 *
 * Absences have a memory context of their own in the router's: they are read
 * again whenever one changes, far more often than anything else.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/typcache.h"

#include "base/scan.h"
#include "calendar/schedule.h"
#include "config/people.h"
#include "config/team.h"

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

static uint32
name_hash(const char *name, int length)
{
	return hash_bytes((const unsigned char *) name, length);
}

/* Makes the hash of the members' names. */
static void
hash_names(LrRouter *router)
{
	int			size = 16;
	int			i;

	while (size < 2 * router->nmembers)
		size *= 2;
	router->name_mask = size - 1;
	router->by_name = (int *) palloc0(size * sizeof(int));
	for (i = 0; i < router->nmembers; i++)
	{
		const char *name = router->member[i]->name;
		uint32		at = name_hash(name, strlen(name)) & router->name_mask;

		while (router->by_name[at] != 0)
			at = (at + 1) & router->name_mask;
		router->by_name[at] = i + 1;
	}
}

LrMember *
lr_member_find(const LrRouter *router, const char *bytes, int length)
{
	uint32		at = name_hash(bytes, length) & router->name_mask;

	for (; router->by_name[at] != 0; at = (at + 1) & router->name_mask)
	{
		LrMember   *m = router->member[router->by_name[at] - 1];

		if (lr_is_name(m->name, bytes, length))
			return m;
	}
	return NULL;
}

/* Columns of member, as they are read. */
enum
{
	ID, NAME, OWNER_VALUE, ACTIVE, TIMEZONE, SCHEDULE, CAPACITY, TIER
};

static const char *const column_name[] = {
	"id", "name", "owner_value", "active", "timezone", "schedule", "capacity",
	"tier"
};

static void
read_member(LrRouter *router, LrScan *scan, const AttrNumber *at, LrMember *m)
{
	m->id = lr_scan_int_at(scan, at[ID], 0);
	m->name = lr_scan_text_at(scan, at[NAME]);
	m->owner_value = lr_scan_text_at(scan, at[OWNER_VALUE]);
	m->active = m->listed = lr_scan_bool_at(scan, at[ACTIVE]);
	m->zone = lr_zone(lr_scan_text_at(scan, at[TIMEZONE]));
	m->schedule = lr_schedule_by_name(router, lr_scan_text_at(scan, at[SCHEDULE]));
	m->local = lr_member_zone(router, m);
	m->capacity = lr_scan_int_at(scan, at[CAPACITY], -1);
	m->tier = lr_scan_int_at(scan, at[TIER], 0);
	m->slot = LR_SLOT_UNKNOWN;
}

static void
read_members(LrRouter *router)
{
	AttrNumber	at[lengthof(column_name)];
	LrScan		scan;
	LrMember   *block = NULL;
	int			room = 0;
	int			n = 0;
	int			i;

	router->member = (LrMember **) palloc(sizeof(LrMember *));
	lr_scan_begin(&scan, "member", "member_pkey", "router", router->name);
	for (i = 0; i < (int) lengthof(column_name); i++)
		at[i] = lr_scan_column(&scan, column_name[i]);
	while (lr_scan_next(&scan))
	{
		if (n == room)
		{
			int			more = Max(8, room);

			block = (LrMember *) palloc0(more * sizeof(LrMember));
			room += more;
			router->member = (LrMember **) repalloc(router->member,
													room * sizeof(LrMember *));
		}
		router->member[n++] = block;
		read_member(router, &scan, at, block++);
	}
	lr_scan_end(&scan);

	router->nmembers = n;
	qsort(router->member, n, sizeof(LrMember *), compare_members);
	for (i = 0; i < n; i++)
		router->member[i]->index = i;
	hash_names(router);
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

/* ---------- looking up ---------- */

int
lr_slot_of_member(LrMember *m)
{
	if (m->slot == LR_SLOT_UNKNOWN)
		m->slot = lr_member_slot(lr_database(), m->id);
	return m->slot;
}

/* The members by their ids, made when they are first asked for. */
static void
sort_by_id(LrRouter *router)
{
	LrMember  **by_id;

	by_id = (LrMember **) MemoryContextAlloc(router->context,
											 (router->nmembers + 1) *
											 sizeof(LrMember *));
	memcpy(by_id, router->member, router->nmembers * sizeof(LrMember *));
	qsort(by_id, router->nmembers, sizeof(LrMember *), compare_member_ids);
	router->by_id = by_id;
}

LrMember *
lr_member_by_id(LrRouter *router, int32 id)
{
	LrMember	key = {.id = id};
	LrMember   *wanted = &key;
	LrMember  **found;

	if (router->by_id == NULL)
		sort_by_id(router);
	found = (LrMember **) bsearch(&wanted, router->by_id, router->nmembers,
								  sizeof(LrMember *), compare_member_ids);
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
lr_people_read(LrRouter *router)
{
	read_members(router);
	lr_teams_read(router);
	read_absences(router);
}

void
lr_people_read_states(LrRouter *router)
{
	read_member_states(router);
	read_absences(router);
}

LrMember *
lr_member_by_name(LrRouter *router, const char *name)
{
	return lr_member_find(router, name, strlen(name));
}
