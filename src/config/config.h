/*
 * config.h
 *	  Configuration as a backend sees it: routers with their members and teams.
 *	  Their rules are read where leads are decided, see binding.h.
 *
 * A router is read as a whole, with SnapshotSelf: the latest committed state
 * plus what the own transaction has changed, whatever its isolation level,
 * and without leaving predicate locks.  It stays until the version in
 * config_state says otherwise.  Frames pin it, so one statement sees one state.
 */
#ifndef LR_CONFIG_H
#define LR_CONFIG_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"
#include "pgtime.h"
#include "utils/palloc.h"
#include "utils/timestamp.h"

#include "base/bits.h"
#include "leadroute.h"
#include "roster/roster.h"

typedef struct LrAbsence
{
	TimestampTz since;
	TimestampTz until;			/* exclusive */
	int32		team;			/* team.id; -1: all */
} LrAbsence;

typedef struct LrMember
{
	int32		id;
	int			index;			/* in router->member */
	char	   *name;
	char	   *owner_value;
	bool		active;
	bool		listed;			/* was active when the router was read: is in
								 * its teams */
	pg_tz	   *zone;			/* NULL: none of its own */
	const struct LrSchedule *schedule;	/* NULL: always */
	pg_tz	   *local;			/* zone of its days; see lr_member_zone */
	int32		capacity;		/* -1: none */
	int32		tier;			/* 1: the best; 0: as measured */
	int			slot;			/* of a team that is ready; else see
								 * lr_slot_of_member */
	int			nabsence;
	LrAbsence  *absence;
	struct LrTeam *alone;		/* see lr_team_alone */
	struct LrCapUse **caps;		/* see cap.h; NULL: not needed yet */
} LrMember;

/* A condition of memberships of a team: which leads reach these members. */
typedef struct LrReach
{
	const char *condition;
	const char *written_by;
	const char *search_path;
} LrReach;

typedef struct LrTeam
{
	int32		id;				/* 0: every member of the router */
	int			index;			/* in router->team */
	int32		router;
	char	   *name;			/* NULL: every member */
	bool		catch_up;		/* who is away accrues credit, see method.c */
	int64		credit_limit;	/* so much of it, at most */
	uint64		serial;			/* identity of this composition, this backend */
	int			n;
	LrMember  **member;			/* in the published order: position, name */
	double	   *weight;
	int32	   *target;			/* leads a calendar month; 0: none */
	double		total_weight;
	const struct LrSchedule *schedule;	/* NULL: always */
	struct LrCalendar **hours;	/* of each member here, NULL: always; NULL: of
								 * all of them */
	int			nreach;			/* different conditions of memberships */
	LrReach    *reach;
	int		   *reach_of;		/* which of them, by index; -1: none */
	bool		ready;			/* what follows, up to share_sum, is valid */
	int		   *seat;			/* slots; LR_NO_SLOT: shared memory is full */
	int			rotation;		/* slot of the rotation */
	int64	   *share;			/* of a lead for which all are candidates */
	int64		share_sum;
	int			grades;			/* of different weights, see board.h */
	double	   *grade_weight;
	uint8	   *grade;			/* of each member */
	bool		graded;			/* not too many weights to tell apart */
	bool		exact;			/* weights add up exactly in any order */
	int64		version;		/* team_version.id; 0: not known yet */
	uint64		version_epoch;	/* see companion.h */
	/* scratch of a decision */
	uint8	   *why;			/* LrPassed of each member */
	int64	   *lead_share;
	int64	   *until;			/* end of an absence */
	uint64		plain_seen;		/* state of the people, see method.c */
	bool		plain;
	struct LrRoll *roll;		/* see present.h; NULL: not needed yet */
	uint64		board;			/* serial of the board that is for this team; 0: none */
	uint64		other_board;	/* of one that is not */
	struct LrGrading *grading;	/* see board.h; NULL: not needed yet */
	struct LrCapUse **caps;		/* see cap.h; NULL: not needed yet */
	struct LrTeamHold *hold;	/* that reserve_team.c found of it last, */
	uint64		hold_level;		/* at the level with this serial; 0: none */
	struct LrCapView *cap_views;	/* see cap_view.h */
} LrTeam;

/* Whether all of a team weigh the same, so that sums are counts. */
static inline bool
lr_weighs_the_same(const LrTeam *team)
{
	return team->exact && team->graded && team->grades == 1;
}

/* Sum of the weights of some, added in the order of the team. */
static inline double
lr_weight_of(const LrTeam *team, const uint8 *bits)
{
	double		weight = 0;
	int			i;

	if (lr_weighs_the_same(team))
		return lr_bits_count(bits, team->n) * team->weight[0];
	for (i = lr_bits_next(bits, 0, team->n); i < team->n;
		 i = lr_bits_next(bits, i + 1, team->n))
		weight += team->weight[i];
	return weight;
}

typedef struct LrRouter
{
	MemoryContext context;		/* everything below lives here */
	int			pins;
	bool		dropped;		/* replaced: freed with the last pin */
	int32		id;
	char	   *name;
	bool		enabled;
	struct LrMatching *matching;	/* see router_sql.h; NULL: leads are not
									 * matched */
	struct LrTestWhen *test_when;	/* see router_sql.h; NULL: no lead is a test */
	int64		version;		/* of config_state */
	uint64		checked;		/* config generation at the last check */
	uint64		own_changes;	/* see lr_config_own_change */
	uint64		generation;		/* of the database slot that its slots are in */
	uint64		people_seen;	/* people generation last read */
	pg_tz	   *zone;
	int			nschedules;
	struct LrSchedule **schedule;	/* see schedule.h; NULL: not read */
	struct HTAB *calendars;		/* NULL: none yet */
	int			nmembers;
	LrMember  **member;			/* by name */
	int		   *by_name;		/* hash of names: index + 1, 0: free */
	int			name_mask;
	LrMember  **by_id;			/* NULL: not needed yet */
	bool		any_absence;
	MemoryContext absences;
	int			nteams;
	LrTeam	  **team;			/* by name */
	LrTeam	  **team_by_id;
	LrTeam	   *everyone;		/* see lr_everyone; NULL: not needed yet */
	struct LrFacts *facts;		/* see facts.h; NULL: not read yet */
	int			ncaps;
	struct LrCap **cap;			/* by name */
	int64		caps_begun;		/* LrDatabase.caps_begun, before it was last found
								 * to be current */
	struct LrQualification *qualification;	/* see criterion.h; NULL: every
											 * lead is qualified */
} LrRouter;

/*
 * Takes in what other sessions have committed.  lr_config_accept is for the
 * first lead of a statement; lr_people_accept (absence, active, capacity) for
 * each lead.
 */
extern void lr_config_accept(void);
extern void lr_people_accept(LrRouter *router);

/* The router of that name, pinned; NULL: there is none. */
extern LrRouter *lr_router_pin(const char *name);
extern void lr_router_unpin(LrRouter *router);

/* The pin may outlive the transaction; it is given back by lr_router_release. */
extern void lr_router_keep(LrRouter *router);
extern void lr_router_release(LrRouter *router);

/*
 * Whether the configuration of a router is still the one it was read from;
 * if not, the next lr_router_pin reads it again.
 */
extern bool lr_router_is_current(LrRouter *router);

extern LrMember *lr_member_by_name(LrRouter *router, const char *name);
extern LrMember *lr_member_by_id(LrRouter *router, int32 id);

/*
 * The slot of any member, in a team or not; LR_NO_SLOT: shared memory is full.
 * Not while db->lock is held.
 */
extern int	lr_slot_of_member(LrMember *m);

/* The team of every member, to look at. */
extern LrTeam *lr_everyone(LrRouter *router);

/* The team of that name, to look at; NULL: there is none. */
extern LrTeam *lr_team_find(LrRouter *router, const char *name);

/* Ready to distribute to; id 0: every member. */
extern LrTeam *lr_team_by_name(LrRouter *router, const char *name);
extern LrTeam *lr_team_by_id(LrRouter *router, int32 id);

/*
 * A team of this member only, for rules that name a member: id -1, without a
 * rotation.  Nobody is in it if the member was inactive when its router was
 * read.
 */
extern LrTeam *lr_team_alone(LrRouter *router, LrMember *m);

/* A serial for one more composition that this backend knows. */
extern uint64 lr_team_serial(void);

/*
 * Gives back the turn that a member has had in a rotation: all shares of that
 * lead are as though it had not been distributed; and its place in the target
 * of the month that it was counted in.
 */
struct LrTurn;
extern void lr_give_turn_back(int32 router, int32 member,
							  const struct LrTurn *turn);

/* id of team_version for this composition; appends the row when missing. */
extern int64 lr_team_version(LrTeam *team);

/* Members and weights of a row of team_version, in the current context. */
extern void lr_composition_of(HeapTuple row, TupleDesc desc, Datum **member,
							  Datum **weight, int *n);

#endif							/* LR_CONFIG_H */
