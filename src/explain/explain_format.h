/*
 * explain_format.h
 *	  Output of explain: lines of text, or one JSON document.
 *
 * One walk writes both: what is for people is a line, what is for programs a
 * named value; each does nothing in the other format.
 */
#ifndef LR_EXPLAIN_FORMAT_H
#define LR_EXPLAIN_FORMAT_H

#include "lib/stringinfo.h"
#include "nodes/execnodes.h"

typedef struct LrOutput
{
	ReturnSetInfo *rsinfo;		/* set of text */
	bool		json;
	int			indent;			/* of lines */
	bool		first;			/* nothing in the group yet */
	StringInfoData buf;
} LrOutput;

extern void lr_output_begin(LrOutput *out, ReturnSetInfo *rsinfo, bool json);
extern void lr_output_end(LrOutput *out);

/* A line of text. */
extern void lr_line(LrOutput *out, const char *format,...) pg_attribute_printf(2, 3);

/* A named object or list; name NULL: inside of a list. */
extern void lr_open(LrOutput *out, const char *name, bool list);
extern void lr_close(LrOutput *out, bool list);

/* Values; name NULL: inside of a list. */
extern void lr_put_text(LrOutput *out, const char *name, const char *value);
extern void lr_put_int(LrOutput *out, const char *name, int64 value);
extern void lr_put_number(LrOutput *out, const char *name, double value,
						  int digits);
extern void lr_put_bool(LrOutput *out, const char *name, bool value);

#endif							/* LR_EXPLAIN_FORMAT_H */
