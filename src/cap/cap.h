/*
 * cap.h
 *	  Caps of a router: reading them, and which of them concern a lead.
 *
 * A lead is concerned by the caps whose condition is true for it (before the
 * lock), of these by those of its rule, team and member.  Each has a counter,
 * in the window of the decision's clock (cap_count.h, cap_window.h).
 */
#ifndef LR_CAP_H
#define LR_CAP_H

#include "expression/evaluate.h"
#include "journal/journal.h"
#include "decide/method.h"

/* LrCap.team: whatever the team. */
#define LR_CAP_ANY_TEAM	(-1)

/* The window that a cap is in, by one zone. */
typedef struct LrCapZone
{
	struct LrCapZone *next;
	pg_tz	   *zone;
	LrCapWindow window;
} LrCapZone;

typedef struct LrCap
{
	int32		id;
	int			index;			/* in router->cap */
	char	   *name;
	int32		member;			/* 0: whoever */
	int32		team;
	int32		rule;			/* 0: whatever the rule */
	bool		each_member;
	char		period;
	int64		limit;
	TimestampTz since;			/* of a total */
	pg_tz	   *timezone;		/* NULL: the default */
	char	   *condition;		/* NULL: every lead */
	char	   *written_by;
	char	   *search_path;
	LrCapZone  *zones;
} LrCap;

/* A cap as it concerns some members: a team, or one. */
typedef struct LrCapUse
{
	LrCap	   *cap;
	bool		by_member;		/* an element for each of them, else one */
	bool		concerns;		/* some of them */
	bool		lacks;			/* a slot, */
	uint64		freed;			/* as of LrShared.caps_freed */
	int		   *slot;			/* or LR_CAP_NONE, LR_NO_SLOT */
	LrCapZone **zone;
} LrCapUse;

/* The caps that concern a lead. */
typedef struct LrLeadCaps
{
	LrRouter   *router;
	TimestampTz now;
	const bool *concerns;		/* by index; NULL: all */
} LrLeadCaps;

/* The caps that a pick among some members has to keep. */
typedef struct LrCapCheck
{
	LrLeadCaps	lead;
	int			nmembers;
	bool		by_member;		/* some are not the same for all */
	struct LrCapView *view;		/* of a big team, if by_member; NULL: none */
	int			n;
	LrCapUse  **use;
	LrCapTaken *taken;			/* room for n */
} LrCapCheck;

/* Reads the caps of a router; its members and teams are there. */
extern void lr_caps_read(LrRouter *router);

/*
 * Which caps concern a lead; NULL: the router has none.  An error in a
 * condition counts as not true; *detail tells it.  ev NULL: no condition is
 * true.
 */
extern LrLeadCaps *lr_caps_judge(LrBinding *b, LrEvaluation *ev,
								 TimestampTz now, char **detail);

/* The same for a row that is not being evaluated; NULL: it is not there. */
extern LrLeadCaps *lr_caps_judge_row(LrTable *table, LrBinding *b,
									 TupleTableSlot *row, TimestampTz now,
									 char **detail);

/*
 * The caps that a rule's lead concerns in a team; for one member without rule
 * and team.  NULL: none.  lead may be NULL.  What came before the caps is
 * counted; may read the journal.
 */
extern LrCapCheck *lr_caps_of_team(const LrLeadCaps *lead, int32 rule,
								   LrTeam *team);
extern LrCapCheck *lr_caps_of_member(const LrLeadCaps *lead, LrMember *m);

/* All caps of a router, whatever they are about, for all its members. */
extern LrCapCheck *lr_caps_of_router(LrRouter *router, TimestampTz now);

/* Changes when a window of any cap, as this session knows it, does. */
extern uint64 lr_cap_windows(void);

/* When the first of their windows ends; DT_NOEND: never. */
extern TimestampTz lr_caps_end(const LrCapCheck *check);

/*
 * Takes db->lock, once what came before the caps (NULL: none) is counted: may
 * read the journal.
 */
extern void lr_lock_counters(LrDatabase *db, const LrCapCheck *check);

/* The same, with the view of the check, which is up to date then. */
extern void lr_lock_counters_with_view(LrDatabase *db, const LrCapCheck *check);

/*
 * What follows is for who holds db->lock.
 */

/* Whether all that came before the caps has been counted. */
extern bool lr_caps_complete(const LrCapCheck *check);

/* Whether the i-th member may have one lead more, as far as caps go. */
extern bool lr_caps_allow(const LrCapCheck *check, int i);

/* The same of the caps that are the same for all. */
extern bool lr_caps_allow_any(const LrCapCheck *check);

/* In the place of a member's index: what holds for all. */
#define LR_CAP_ALL	(-1)

/*
 * The cap that keeps the i-th member from it longest, if any does: *p is filled
 * in but for the member.
 */
extern void lr_cap_reached_by(const LrCapCheck *check, int i,
							  LrPassedOver *p);

/* What a cap has counted for the i-th member; PG_INT64_MAX: not known. */
extern int64 lr_cap_use_counted(const LrCapUse *use, int i);

/* The reservation counts under them; the level has room. */
extern void lr_caps_reserve(const LrCapCheck *check, int i, LrReservation *r);

/* A lead that was not counted may be missing under a cap, see cap_earlier.h. */
extern void lr_caps_missed(LrDatabase *db, int64 id);

/* Whoever gives a lead to somebody says so, whether caps concern it or not. */
static inline void
lr_caps_decided(LrDatabase *db, const LrRouter *router, int64 id)
{
	if (unlikely(db->caps_begun != router->caps_begun))
		lr_caps_missed(db, id);
}

/*
 * And this for who does not.
 */

/* The caps of a reservation are those of its journal row. */
extern void lr_caps_note(LrEntry *e, const LrReservation *r);

/* The name of a router's cap; NULL: it has none of that id. */
extern const char *lr_cap_name(const LrRouter *router, int32 id);

/* Why a cap keeps somebody from a lead, in its own time zone. */
extern char *lr_cap_sentence(const LrCapCheck *check, const LrPassedOver *p);

#endif							/* LR_CAP_H */
