/*
 * rule_bytes.h
 *	  The memory in which an image is written, as it grows.
 *
 * What is reserved is zero at first, and is known by its offset: a pointer
 * into it (LR_BYTES_AT) is good until the next thing is reserved.
 */
#ifndef LR_RULE_BYTES_H
#define LR_RULE_BYTES_H

#include "rule/rule_image.h"

/* Texts that many rules have, each of its own kind. */
typedef enum LrSharedText
{
	LR_TEXT_WRITTEN_BY,
	LR_TEXT_SEARCH_PATH,
	LR_SHARED_TEXTS
} LrSharedText;

typedef struct LrBytes
{
	char	   *data;
	Size		size;
	Size		allocated;
	const char *shared_text[LR_SHARED_TEXTS];	/* the last ones written */
	LrOffset	shared_offset[LR_SHARED_TEXTS];
} LrBytes;

/* Something reserved in which small things may go. */
typedef struct LrRoom
{
	LrOffset	at;
	LrOffset	end;			/* exclusive */
} LrRoom;

#define LR_BYTES_AT(bytes, offset, type) \
	((type *) ((bytes)->data + (offset)))

/* One allocation of `where`, about that large. */
extern void lr_bytes_begin(LrBytes *bytes, MemoryContext where, Size size);

/* Raises an error when it becomes more than an LrOffset can say. */
extern LrOffset lr_bytes_reserve(LrBytes *bytes, Size size, Size align);

/* The same, and copies what is to stand there. */
extern LrOffset lr_bytes_add(LrBytes *bytes, const void *from, Size size,
							 Size align);

/* NULL gives 0. */
extern LrOffset lr_bytes_text(LrBytes *bytes, const char *text);

/*
 * Writes it only if it differs from the last one of that kind; the text must
 * stay where it is until then.
 */
extern LrOffset lr_bytes_shared(LrBytes *bytes, LrSharedText which,
								const char *text);

/*
 * A constant, as lr_image_value reads it; in a room if there is one and it has
 * enough.
 */
extern LrOffset lr_bytes_value(LrBytes *bytes, LrRoom *room, Oid type,
							   int16 len, bool byval, Datum value);

/* All of it, in an allocation that is no larger. */
extern char *lr_bytes_end(LrBytes *bytes);

#endif							/* LR_RULE_BYTES_H */
