/*
 * cap_view.h
 *	  Who of a big team is kept from a lead by caps of members, kept up to date by
 *	  what has changed since the last lead instead of looking at each.
 *
 * A view is of one session: of a team and those caps of members that concern a
 * lead (a lead under other conditional caps has another view).  What the session
 * has not changed itself it learns from LrDatabase.cap_log: every change of a
 * counter that may change what lr_cap_counted or lr_cap_complete say of it is in
 * there (lr_cap_touched), and cap_moves counts them.  Whoever has missed more than
 * the log holds looks at each again; so too when a window begins or ends by its
 * own clock, and while leads from before the cap are not counted.
 *
 * What a transaction will give back itself is not in a view: who gives back looks
 * at each.
 */
#ifndef LR_CAP_VIEW_H
#define LR_CAP_VIEW_H

#include "cap/cap.h"

typedef struct LrCapView
{
	struct LrCapView *next;		/* of the same team */
	int			nmembers;
	int			n;
	LrCapUse  **use;			/* caps of members */
	uint64		windows;		/* lr_cap_windows, then */
	int64		moves;			/* LrDatabase.cap_moves, then; -1: never looked */
	uint64		freed;			/* LrShared.caps_freed, then */
	bool		complete;		/* leads from before the caps are counted */
	uint8	   *reached;		/* bits.h: who has no room under some cap */
	uint8	   *can;			/* scratch: who can, as far as they and others say */
	int			nbuckets;		/* power of 2 */
	struct LrCapViewed *bucket;	/* members by slots of counters */
} LrCapView;

/*
 * The view of a check over a team; NULL: there are too many.  Allocates.
 */
extern LrCapView *lr_cap_view(LrTeam *team, const LrCapCheck *check);

/* Brings it up to date.  db->lock held. */
extern void lr_cap_view_follow(LrCapView *view, const LrDatabase *db);

#endif							/* LR_CAP_VIEW_H */
