/*
 * router_sql.h
 *	  SQL of a router over its leads, as its row says: what they are known by, and
 *	  which are tests.
 *
 * It is compiled for each table: see sticky_key.h and test_lead.h.
 */
#ifndef LR_ROUTER_SQL_H
#define LR_ROUTER_SQL_H

#include "base/scan.h"

/* How a router knows leads again. */
typedef struct LrMatching
{
	int			n;
	char	  **expr;			/* the texts */
	int64		sticky_window;	/* microseconds; -1: without end */
	int64		duplicate_window;	/* microseconds; 0: no lead is a duplicate */
	char	   *written_by;
	char	   *search_path;
} LrMatching;

/* From the router's row, in this context; NULL: it has no sticky_key. */
extern LrMatching *lr_matching_read(LrScan *scan);

/* Which leads of a router are tests. */
typedef struct LrTestWhen
{
	char	   *expr;
	char	   *written_by;
	char	   *search_path;
} LrTestWhen;

/* From the router's row, in this context; NULL: no lead is a test. */
extern LrTestWhen *lr_test_when_read(LrScan *scan);

#endif							/* LR_ROUTER_SQL_H */
