/*
 * territory.c
 *	  Areas: from country, region and postal code to a team.
 *
 * Of the areas that contain a place the most specific one wins: the one whose
 * postal codes are the fewest (an exact code, then the longest prefix or the
 * narrowest range), of equal ones that with a region; then the region; then
 * the country.
 *
 * A prefix and a range are both an interval of codes in the order of bytes:
 * '80' is everything from '80' until before '81', '80000'-'80999' everything
 * from '80000' until before '8099:'.  The narrower one is that with the
 * smaller part of all codes, of digits, or of digits and letters.  When the areas of a router
 * are read, the intervals of each country and region are cut into disjoint
 * pieces, each with the narrowest area that covers it; a lookup is a search
 * for the country, and one for the code.
 *
 * What is read stays until the table changes: its relcache invalidations tell,
 * also of changes that this transaction makes or takes back.  While a router
 * decides it stays as long as that state of the configuration does, so that a
 * statement is decided by one state.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "lib/binaryheap.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "base/generation.h"
#include "base/incarnation.h"
#include "base/scan.h"
#include "config/config.h"
#include "config/router_name.h"
#include "rule/territory.h"

PG_FUNCTION_INFO_V1(lr_territory);

/* Routers whose areas a backend keeps. */
#define MAX_CACHED	16

typedef struct Area
{
	const char *team;
	char	   *low;			/* NULL: no postal codes */
	char	   *high;			/* exclusive */
	double		width;
	int			order;			/* among equals: as they stand in the key */
} Area;

/* From here until the next piece this area is the narrowest; NULL: none. */
typedef struct Piece
{
	const char *since;
	const Area *area;
} Piece;

/* The areas of one map, country and region ("": without region). */
typedef struct Group
{
	char	   *key;			/* map, country, region, each ended by \1 */
	const char *team;			/* of the area without postal codes; NULL: none */
	List	   *areas;			/* with postal codes, while it is read */
	int			npieces;
	Piece	   *piece;			/* ascending */
} Group;

typedef struct GroupEntry
{
	char	   *key;			/* first: the hash table's */
	Group	   *group;
} GroupEntry;

typedef struct Atlas
{
	MemoryContext context;
	char	   *router;
	uint64		generation;
	int64		incarnation;
	int64		version;		/* of the router that decided by it last */
	uint64		own_changes;
	HTAB	   *groups;
} Atlas;

static uint64 generation = 1;
static Oid	territory_oid = InvalidOid;
static List *atlases = NIL;		/* most recently used first */
static const LrRouter *deciding = NULL;

/* ---------- invalidation ---------- */

static void
relation_invalidated(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == territory_oid)
		generation++;
}

void
lr_territory_init(void)
{
	CacheRegisterRelcacheCallback(relation_invalidated, (Datum) 0);
}

const LrRouter *
lr_territory_router(const LrRouter *router)
{
	const LrRouter *before = deciding;

	deciding = router;
	return before;
}

const LrRouter *
lr_territory_deciding(void)
{
	return deciding;
}

/* ---------- words and codes ---------- */

/* Upper case, without blanks around: what differs only so is the same. */
static char *
word_of(const char *text)
{
	char	   *upper = str_toupper(text, strlen(text), DEFAULT_COLLATION_OID);
	char	   *end = upper + strlen(upper);

	while (end > upper && isspace((unsigned char) end[-1]))
		*--end = '\0';
	while (isspace((unsigned char) *upper))
		upper++;
	return upper;
}

/* A postal code: upper case, without blanks and hyphens. */
static char *
code_of(const char *text)
{
	char	   *code = word_of(text);
	char	   *from = code;
	char	   *to = code;

	for (; *from; from++)
		if (*from != '-' && !isspace((unsigned char) *from))
			*to++ = *from;
	*to = '\0';
	return code;
}

/* What comes after everything that begins with code. */
static char *
after(const char *code)
{
	char	   *next = pstrdup(code);

	/* no byte of a text is 255 in any encoding of the server */
	((unsigned char *) next)[strlen(next) - 1]++;
	return next;
}

static bool
all_digits(const char *code)
{
	return code[strspn(code, "0123456789")] == '\0';
}

static int
digit_of(char c, int base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : base - 1;
}

/*
 * Which part of all codes lies between two of the same length, both included
 * with all that begins with them.
 */
static double
width_of(const char *from, const char *to)
{
	int			base = all_digits(from) && all_digits(to) ? 10 : 36;
	double		unit = 1;
	double		width = 0;

	for (; *from && *to; from++, to++)
	{
		unit /= base;
		width += (digit_of(*to, base) - digit_of(*from, base)) * unit;
	}
	return width + unit;
}

static char *
group_key(const char *map, const char *country, const char *region)
{
	return psprintf("%s\1%s\1%s", map, country, region);
}

/* ---------- reading ---------- */

static uint32
hash_key(const void *key, Size size)
{
	const char *text = *(const char *const *) key;

	return string_hash(text, strlen(text) + 1);
}

static int
match_key(const void *a, const void *b, Size size)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static Group *
find_group(Atlas *atlas, char *key, bool make)
{
	bool		found;
	GroupEntry *entry = (GroupEntry *) hash_search(atlas->groups, &key,
												   make ? HASH_ENTER : HASH_FIND,
												   &found);

	if (make && !found)
	{
		entry->group = (Group *) palloc0(sizeof(Group));
		entry->group->key = key;
	}
	return entry != NULL ? entry->group : NULL;
}

static char *
text_or_empty(LrScan *scan, const char *column)
{
	char	   *text = lr_scan_text(scan, column);

	return text != NULL ? word_of(text) : pstrdup("");
}

static void
read_area(Atlas *atlas, LrScan *scan, int order)
{
	char	   *postal = lr_scan_text(scan, "postal");
	char	   *from = lr_scan_text(scan, "postal_from");
	char	   *to = lr_scan_text(scan, "postal_to");
	Group	   *group = find_group(atlas, group_key(lr_scan_text(scan, "map"),
													text_or_empty(scan, "country"),
													text_or_empty(scan, "region")),
								   true);
	Area	   *area;
	char	   *last;

	if (postal == NULL && from == NULL)
	{
		if (group->team == NULL)
			group->team = lr_scan_text(scan, "team");
		return;
	}
	area = (Area *) palloc0(sizeof(Area));
	area->team = lr_scan_text(scan, "team");
	area->order = order;
	area->low = code_of(postal != NULL ? postal : from);
	if (area->low[0] == '\0')
		return;					/* nothing is left of it */
	last = postal != NULL ? area->low : code_of(to);
	area->high = after(last);
	area->width = width_of(area->low, last);
	group->areas = lappend(group->areas, area);
}

static int
compare_lows(const void *a, const void *b)
{
	return strcmp((*(const Area *const *) a)->low, (*(const Area *const *) b)->low);
}

/* The narrowest on top. */
static int
compare_widths(Datum a, Datum b, void *arg)
{
	const Area *x = (const Area *) DatumGetPointer(a);
	const Area *y = (const Area *) DatumGetPointer(b);

	if (x->width != y->width)
		return x->width < y->width ? 1 : -1;
	return x->order < y->order ? 1 : -1;
}

static int
compare_codes(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Cuts the intervals of a group into pieces. */
static void
cut_group(Group *group)
{
	int			n = list_length(group->areas);
	Area	  **area = (Area **) palloc(n * sizeof(Area *));
	const char **bound = (const char **) palloc(2 * n * sizeof(char *));
	binaryheap *open = binaryheap_allocate(n, compare_widths, NULL);
	int			next = 0;
	int			i;
	ListCell   *lc;

	foreach(lc, group->areas)
	{
		i = foreach_current_index(lc);
		area[i] = (Area *) lfirst(lc);
		bound[2 * i] = area[i]->low;
		bound[2 * i + 1] = area[i]->high;
	}
	qsort(area, n, sizeof(Area *), compare_lows);
	qsort(bound, 2 * n, sizeof(char *), compare_codes);

	group->piece = (Piece *) palloc(2 * n * sizeof(Piece));
	for (i = 0; i < 2 * n; i++)
	{
		const Area *narrowest = NULL;

		if (i > 0 && strcmp(bound[i], bound[i - 1]) == 0)
			continue;
		for (; next < n && strcmp(area[next]->low, bound[i]) <= 0; next++)
			binaryheap_add(open, PointerGetDatum(area[next]));
		while (narrowest == NULL && !binaryheap_empty(open))
		{
			narrowest = (const Area *) DatumGetPointer(binaryheap_first(open));
			if (strcmp(narrowest->high, bound[i]) <= 0)
			{
				(void) binaryheap_remove_first(open);
				narrowest = NULL;
			}
		}
		if (group->npieces > 0 &&
			group->piece[group->npieces - 1].area == narrowest)
			continue;
		group->piece[group->npieces].since = bound[i];
		group->piece[group->npieces++].area = narrowest;
	}
	binaryheap_free(open);
	pfree(area);
	pfree(bound);
}

static Atlas *
read_atlas(const char *router)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "leadroute territories",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Atlas	   *atlas = (Atlas *) palloc0(sizeof(Atlas));
	HASHCTL		info = {0};
	HASH_SEQ_STATUS seq;
	GroupEntry *entry;
	LrScan		scan;
	int			order = 0;

	territory_oid = lr_relid("territory");
	atlas->context = context;
	atlas->router = pstrdup(router);
	/* what changes while it is read makes it old at once */
	atlas->generation = generation;
	atlas->incarnation = lr_incarnation();
	info.keysize = sizeof(char *);
	info.entrysize = sizeof(GroupEntry);
	info.hash = hash_key;
	info.match = match_key;
	info.hcxt = context;
	atlas->groups = hash_create("leadroute territories", 256, &info,
								HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
								HASH_CONTEXT);
	lr_scan_begin(&scan, "territory", "territory_key", "router", router);
	while (lr_scan_next(&scan))
		read_area(atlas, &scan, order++);
	lr_scan_end(&scan);
	hash_seq_init(&seq, atlas->groups);
	while ((entry = (GroupEntry *) hash_seq_search(&seq)) != NULL)
		if (entry->group->areas != NIL)
			cut_group(entry->group);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	return atlas;
}

static void
keep(Atlas *atlas)
{
	MemoryContext old = MemoryContextSwitchTo(CacheMemoryContext);

	atlases = lcons(atlas, atlases);
	while (list_length(atlases) > MAX_CACHED)
	{
		Atlas	   *oldest = (Atlas *) llast(atlases);

		atlases = list_delete_last(atlases);
		MemoryContextDelete(oldest->context);
	}
	MemoryContextSwitchTo(old);
}

/* Whether an atlas shows the state of the table that is asked for. */
static bool
is_current(Atlas *atlas)
{
	if (atlas->incarnation != lr_incarnation())
		return false;
	if (deciding != NULL && atlas->version == deciding->version &&
		atlas->own_changes == deciding->own_changes)
		return true;
	return atlas->generation == generation;
}

static Atlas *
atlas_of(const char *router)
{
	Atlas	   *atlas = NULL;
	ListCell   *lc;

	if (deciding == NULL)
		AcceptInvalidationMessages();
	foreach(lc, atlases)
	{
		atlas = (Atlas *) lfirst(lc);
		if (strcmp(atlas->router, router) == 0)
			break;
	}
	if (lc != NULL && !is_current(atlas))
	{
		atlases = list_delete_ptr(atlases, atlas);
		MemoryContextDelete(atlas->context);
		lc = NULL;
	}
	if (lc == NULL)
	{
		atlas = read_atlas(router);
		keep(atlas);
	}
	if (deciding != NULL)
	{
		atlas->version = deciding->version;
		atlas->own_changes = deciding->own_changes;
	}
	return atlas;
}

/* ---------- looking up ---------- */

/* The narrowest area of a group that contains a code; NULL: none does. */
static const Area *
find_area(const Group *group, const char *code)
{
	int			low = 0;
	int			high;

	if (group == NULL)
		return NULL;
	high = group->npieces;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (strcmp(group->piece[middle].since, code) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? group->piece[low - 1].area : NULL;
}

static const char *
team_of(Atlas *atlas, const char *map, const char *country,
		const char *region, const char *code)
{
	Group	   *wide = find_group(atlas, group_key(map, country, ""), false);
	Group	   *near = region[0] == '\0' ? NULL :
		find_group(atlas, group_key(map, country, region), false);
	const Area *here = code[0] == '\0' ? NULL : find_area(near, code);
	const Area *there = code[0] == '\0' ? NULL : find_area(wide, code);

	if (here != NULL && (there == NULL || here->width <= there->width))
		return here->team;
	if (there != NULL)
		return there->team;
	if (near != NULL && near->team != NULL)
		return near->team;
	return wide != NULL ? wide->team : NULL;
}

static char *
argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? pstrdup("") :
		word_of(text_to_cstring(PG_GETARG_TEXT_PP(i)));
}

Datum
lr_territory(PG_FUNCTION_ARGS)
{
	const char *team;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	team = team_of(atlas_of(deciding != NULL ? deciding->name :
							lr_default_router_name()),
				   text_to_cstring(PG_GETARG_TEXT_PP(0)),
				   argument(fcinfo, 1), argument(fcinfo, 2),
				   code_of(argument(fcinfo, 3)));
	if (team == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(team));
}
