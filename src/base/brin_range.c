/*
 * brin_range.c
 *	  Whether a BRIN index needs to hear of a new row.  See brin_range.h.
 *
 * The journal grows at its end, where ranges have no summary until a vacuum
 * makes one.  brininsert finds that out by way of the metapage and the range
 * map, for each row; here it is one look at the range map.
 *
 * Invariants (access/brin/brin_revmap.c and brin.c of the server)
 * - The map's pages are blocks 1, 2, … without gaps, and it only grows: what
 *	 was seen of its end holds for this file of the index.  A REINDEX makes
 *	 another file, which is what is remembered.
 * - A summariser gives the range an entry, without values yet, before it looks
 *	 at the table.  So whoever has put a row into the table and finds no entry
 *	 knows that a summariser will see the row.
 * - A serializable transaction that has read through a BRIN index has locked
 *	 all of it; a row that is new to such a reader conflicts, see index_insert.
 * - What is asked is asked as brininsert would ask it, at the same moment;
 *	 the answer is never kept.
 */
#include "postgres.h"

#include "access/brin.h"
#include "access/brin_page.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"

#include "base/brin_range.h"
#include "base/compat.h"

static LrFileLocator map_file;	/* what the rest is about */
static BlockNumber pages_per_range = 0;
static BlockNumber last_map_page = 0;

static bool
is_known(Relation index)
{
	return pages_per_range != 0 &&
		lr_same_file(lr_relation_file(index), map_file);
}

static void
read_metapage(Relation index)
{
	Buffer		buffer = ReadBuffer(index, BRIN_METAPAGE_BLKNO);
	BrinMetaPageData *meta;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	meta = (BrinMetaPageData *) PageGetContents(BufferGetPage(buffer));
	map_file = lr_relation_file(index);
	pages_per_range = meta->pagesPerRange;
	last_map_page = meta->lastRevmapPage;
	UnlockReleaseBuffer(buffer);
}

bool
lr_brin_unsummarized(Relation index, BlockNumber block)
{
	BlockNumber range;
	BlockNumber page;
	Buffer		buffer;
	RevmapContents *map;
	bool		none;

	/* the first row of a range may ask for a summary of the one before */
	if (BrinGetAutoSummarize(index))
		return false;
	CheckForSerializableConflictIn(index, NULL, InvalidBlockNumber);
	if (!is_known(index))
		read_metapage(index);
	range = block / pages_per_range;
	page = 1 + range / REVMAP_PAGE_MAXITEMS;
	if (page > last_map_page)
		read_metapage(index);
	if (page > last_map_page)
		return true;
	buffer = ReadBuffer(index, page);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	map = (RevmapContents *) PageGetContents(BufferGetPage(buffer));
	none = !ItemPointerIsValid(&map->rm_tids[range % REVMAP_PAGE_MAXITEMS]);
	UnlockReleaseBuffer(buffer);
	return none;
}
