/*
 * sticky_old.c
 *	  Forgetting keys of leads that are too old to be followed.  See
 *	  sticky_old.h.
 *
 * There is no index by age, which every lead would have to pay for: the table is
 * read in the order of its pages, an eighth of the shortest window after the
 * last time, so that what is too old is an eighth of it, too.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/rel.h"

#include "base/generation.h"
#include "base/scan.h"
#include "config/router_sql.h"
#include "decide/sticky_old.h"

/* Pages that are read in one transaction. */
#define PIECE	256

/*
 * How much longer than its window a key is kept: a statement may have begun so
 * long ago, whose leads are decided by the time of its beginning.
 */
#define MARGIN	USECS_PER_HOUR

/* Between the beginnings of two readings. */
#define LEAST_PAUSE	USECS_PER_MINUTE
#define MOST_PAUSE	USECS_PER_DAY

/* What is too old, by router. */
typedef struct Windows
{
	int			n;
	Datum	   *router;
	Datum	   *before;
	int64		shortest;
} Windows;

static void
read_windows(Windows *w, TimestampTz now)
{
	int			room = 16;
	LrScan		scan;

	w->n = 0;
	w->shortest = MOST_PAUSE * 8;
	w->router = (Datum *) palloc(room * sizeof(Datum));
	w->before = (Datum *) palloc(room * sizeof(Datum));
	lr_scan_begin(&scan, "router", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
	{
		LrMatching *m = lr_matching_read(&scan);
		int64		window;

		if (m == NULL || m->sticky_window < 0)
			continue;
		window = Max(m->sticky_window, m->duplicate_window);
		/* that long ago nothing was decided */
		if (window > now - MARGIN - MIN_TIMESTAMP)
			continue;
		if (w->n == room)
		{
			room *= 2;
			w->router = (Datum *) repalloc(w->router, room * sizeof(Datum));
			w->before = (Datum *) repalloc(w->before, room * sizeof(Datum));
		}
		w->router[w->n] = Int32GetDatum(lr_scan_int(&scan, "id", 0));
		w->before[w->n++] = TimestampTzGetDatum(now - window - MARGIN);
		w->shortest = Min(w->shortest, window);
	}
	lr_scan_end(&scan);
}

/* Deletes the rows of these pages that are too old; nobody is waited for. */
static void
forget(const Windows *w, BlockNumber from, BlockNumber to)
{
	Oid			types[2] = {INT4ARRAYOID, TIMESTAMPTZARRAYOID};
	Datum		values[2];

	values[0] = PointerGetDatum(construct_array(w->router, w->n, INT4OID, 4, true,
												TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(w->before, w->n, TIMESTAMPTZOID,
												8, FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	SPI_connect();
	if (SPI_execute_with_args(psprintf("DELETE FROM leadroute.sticky_lead d WHERE d.ctid = ANY (ARRAY("
									   "SELECT s.ctid FROM leadroute.sticky_lead s"
									   " JOIN unnest($1, $2) w (router, before) ON w.router = s.router"
									   " WHERE s.ctid >= '(%u,0)'::pg_catalog.tid AND s.ctid < '(%u,0)'::pg_catalog.tid"
									   " AND s.at < w.before FOR UPDATE OF s SKIP LOCKED))",
									   from, to),
							  2, types, values, NULL, false,
							  0) != SPI_OK_DELETE)
		elog(ERROR, "could not delete old keys");
	SPI_finish();
}

bool
lr_sticky_forget_old(LrDatabase *db)
{
	TimestampTz now = GetCurrentTimestamp();
	Relation	rel = table_open(lr_relid("sticky_lead"), AccessShareLock);
	BlockNumber pages = RelationGetNumberOfBlocks(rel);
	BlockNumber from = db->trim_page;
	Windows		w;
	bool		more;

	table_close(rel, NoLock);
	read_windows(&w, now);
	if (w.n > 0 && from < pages)
		forget(&w, from, Min(from + PIECE, pages));
	more = w.n > 0 && from + PIECE < pages;
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	db->trim_page = more ? from + PIECE : 0;
	if (!more)
		db->trim_due = now + Min(Max(w.shortest / 8, LEAST_PAUSE), MOST_PAUSE);
	LWLockRelease(db->lock);
	return more;
}
