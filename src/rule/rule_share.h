/*
 * rule_share.h
 *	  Images of rules that all sessions of the cluster read.
 *
 * An image is built by the first session that needs it, copied into a segment
 * of dynamic shared memory of its own, and mapped by the others.  A segment
 * lives as long as the directory lists it or anybody has it mapped: the
 * mapping is the reader's pin, and the server drops it however the reader
 * ends.  An image shows what was committed at its version and never changes.
 *
 * Invariants
 * - Only what is committed is published, under the version it was read at.
 * - The directory has at most one current entry of a router and a table; a
 *	 newer version, or one over another definition of the table, retires the
 *	 former one, whose entry stays until its last reader is gone.
 * - Nothing here makes an INSERT fail: where there is no room, no slot or no
 *	 memory, the session goes on with an image of its own, and says so once.
 * - The directory's lock is held for looking at it and changing it only; no
 *	 segment is made, mapped or unmapped, nothing is allocated and nothing
 *	 raised under it.
 */
#ifndef LR_RULE_SHARE_H
#define LR_RULE_SHARE_H

#include "storage/dsm.h"

#include "rule/rule_image.h"

/* What an image is of; the database is the current one. */
typedef struct LrShareKey
{
	int64		incarnation;
	uint64		definition;		/* of the table */
	int32		router;
	int32		table;
} LrShareKey;

/* An image as this backend has it mapped. */
typedef struct LrSharedImage
{
	int			refs;
	dsm_segment *segment;
	const LrImage *image;
	int64		version;
} LrSharedImage;

/* Registers the request for shared memory; only while preloading. */
extern void lr_share_request(void);

/*
 * Maps the image of a key if its version is neither older than `since` nor
 * newer than `until`; NULL: there is none.
 */
extern LrSharedImage *lr_share_find(const LrShareKey *key, int64 since,
									int64 until);

/*
 * Publishes an image; returns a mapped copy of it, for the caller to use in
 * its place, or NULL.
 */
extern LrSharedImage *lr_share_publish(const LrShareKey *key, int64 version,
									   const LrImage *image);

/* Unmaps an image that was found or published. */
extern void lr_share_release(LrSharedImage *shared);

/*
 * Somebody else who builds the image of the key is waited for, for a while;
 * then, or if there is nobody, the caller builds and says so.  Waiting can be
 * cancelled.  False: there may be an image now.
 */
extern bool lr_share_begin_build(const LrShareKey *key);
extern void lr_share_end_build(void);

/* Transaction callback: levels >= nest end, and a build of theirs with them. */
extern void lr_share_abort(int nest);

/* Of a database's installations of the extension only this one is left, or none. */
extern void lr_share_forget(Oid dboid, int64 keep);

#endif							/* LR_RULE_SHARE_H */
