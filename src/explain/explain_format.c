/*
 * explain_format.c
 *	  Output of explain as text or JSON; see explain_format.h.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/tuplestore.h"

#include "explain/explain_format.h"

static void
put_row(LrOutput *out, const char *text)
{
	Datum		value = CStringGetTextDatum(text);
	bool		isnull = false;

	tuplestore_putvalues(out->rsinfo->setResult, out->rsinfo->setDesc, &value,
						 &isnull);
}

void
lr_output_begin(LrOutput *out, ReturnSetInfo *rsinfo, bool json)
{
	out->rsinfo = rsinfo;
	out->json = json;
	out->indent = 0;
	out->first = true;
	initStringInfo(&out->buf);
}

void
lr_output_end(LrOutput *out)
{
	if (out->json)
		put_row(out, out->buf.data);
}

void
lr_line(LrOutput *out, const char *format,...)
{
	int			needed = 0;

	if (out->json)
		return;
	resetStringInfo(&out->buf);
	appendStringInfoSpaces(&out->buf, out->indent);
	do
	{
		va_list		args;

		if (needed > 0)
			enlargeStringInfo(&out->buf, needed);
		va_start(args, format);
		needed = appendStringInfoVA(&out->buf, format, args);
		va_end(args);
	} while (needed > 0);
	put_row(out, out->buf.data);
}

/* What stands before a value; false: it is not written. */
static bool
begin_value(LrOutput *out, const char *name)
{
	if (!out->json)
		return false;
	if (!out->first)
		appendStringInfoString(&out->buf, ", ");
	out->first = false;
	if (name != NULL)
	{
		escape_json(&out->buf, name);
		appendStringInfoString(&out->buf, ": ");
	}
	return true;
}

void
lr_open(LrOutput *out, const char *name, bool list)
{
	if (!begin_value(out, name))
		return;
	appendStringInfoChar(&out->buf, list ? '[' : '{');
	out->first = true;
}

void
lr_close(LrOutput *out, bool list)
{
	if (!out->json)
		return;
	appendStringInfoChar(&out->buf, list ? ']' : '}');
	out->first = false;
}

void
lr_put_text(LrOutput *out, const char *name, const char *value)
{
	if (!begin_value(out, name))
		return;
	if (value != NULL)
		escape_json(&out->buf, value);
	else
		appendStringInfoString(&out->buf, "null");
}

void
lr_put_int(LrOutput *out, const char *name, int64 value)
{
	if (begin_value(out, name))
		appendStringInfo(&out->buf, INT64_FORMAT, value);
}

void
lr_put_number(LrOutput *out, const char *name, double value, int digits)
{
	if (begin_value(out, name))
		appendStringInfo(&out->buf, "%.*f", digits, value);
}

void
lr_put_bool(LrOutput *out, const char *name, bool value)
{
	if (begin_value(out, name))
		appendStringInfoString(&out->buf, value ? "true" : "false");
}
