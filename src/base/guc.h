/*
 * guc.h
 *	  The settings leadroute.*: their meaning is in guc.c, where they are
 *	  defined.  Those of the server's start are right only if it has loaded the
 *	  library (lr_preloaded).
 */
#ifndef LR_GUC_H
#define LR_GUC_H

extern bool lr_routing;
extern char *lr_router_setting;
extern char *lr_actor;
extern int	lr_passed_over_limit;
extern int	lr_board_members;
extern int	lr_candidate_set_after;
extern bool lr_check_picks;
extern int	lr_max_databases;
extern int	lr_max_members;
extern int	lr_max_teams;
extern int	lr_max_seats;
extern int	lr_max_caps;
extern int	lr_max_prepared_counters;
extern int	lr_rule_memory;
extern int	lr_checkpoint_interval;
extern int	lr_checkpoint_rows;
extern int	lr_held_retry_interval;
extern int	lr_measured_window;
extern int	lr_measured_delay;
extern int	lr_measured_interval;

/* True when the server loaded the library at its start. */
extern bool lr_preloaded(void);

/* Error with the hint when it did not. */
extern void lr_require_preload(void);

/* Defines them all; at the library's start. */
extern void lr_guc_init(void);

#endif							/* LR_GUC_H */
