/*
 * hours.c
 *	  A week of working hours: from text to windows.  See hours.h.
 *
 *	  hours	:= entry { (";" | ",") entry }
 *	  entry	:= [ days ] times
 *	  days	:= day [ "-" day ] { "," day [ "-" day ] }
 *	  times	:= time { "," time }
 *	  time	:= clock "-" clock | "24 h"
 *
 * A day is the name or at least two letters of it; clock is 9, 09 or 09:30.
 */
#include "postgres.h"

#include "calendar/hours.h"

/* Sorted, they are merged; more than that nobody writes. */
#define MAX_WINDOWS	1024

typedef struct Reader
{
	const char *text;
	const char *at;
	LrWindow   *window;
	int			n;
	LrHoursError *error;
} Reader;

static void
skip_blanks(Reader *r)
{
	while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')
		r->at++;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The word at a place, as an error shows it. */
static bool
fail(Reader *r, const char *at, const char *message)
{
	const char *end = at;

	while (*end != '\0' && strchr(" \t\n\r,;", *end) == NULL)
		end++;
	if (end == at && *end != '\0')
		end++;
	r->error->message = message;
	r->error->at = at - r->text;
	r->error->length = end - at;
	return false;
}

/* A day, Monday is 0. */
static bool
read_day(Reader *r, int *day)
{
	static const char *const name[] = {
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
		"sunday"
	};
	const char *end = r->at;
	int			length;

	while (is_letter(*end))
		end++;
	length = end - r->at;
	for (*day = 0; *day < (int) lengthof(name) && length >= 2; (*day)++)
		if (length <= (int) strlen(name[*day]) &&
			pg_strncasecmp(r->at, name[*day], length) == 0)
		{
			r->at = end;
			return true;
		}
	return fail(r, r->at, "a day is expected");
}

/* Days up to the times: a bit each. */
static bool
read_days(Reader *r, int *days)
{
	int			first;
	int			last;

	for (*days = 0;;)
	{
		if (!read_day(r, &first))
			return false;
		last = first;
		skip_blanks(r);
		if (*r->at == '-')
		{
			r->at++;
			skip_blanks(r);
			if (!read_day(r, &last))
				return false;
			skip_blanks(r);
		}
		/* Fri-Mon passes the end of the week */
		for (;; first = (first + 1) % 7)
		{
			*days |= 1 << first;
			if (first == last)
				break;
		}
		if (*r->at != ',')
			return true;
		r->at++;
		skip_blanks(r);
	}
}

/* A time of day in minutes; at most two digits each. */
static bool
read_clock(Reader *r, int *minutes)
{
	const char *start = r->at;
	int			hour = 0;
	int			minute = 0;
	int			i;

	for (i = 0; i < 2 && is_digit(*r->at); i++)
		hour = hour * 10 + (*r->at++ - '0');
	if (i == 0)
		return fail(r, start, "a time is expected");
	if (*r->at == ':')
	{
		r->at++;
		for (i = 0; i < 2 && is_digit(*r->at); i++)
			minute = minute * 10 + (*r->at++ - '0');
		if (i < 2)
			return fail(r, start, "minutes have two digits");
	}
	*minutes = hour * 60 + minute;
	if (is_digit(*r->at) || is_letter(*r->at) || *r->at == ':')
		return fail(r, start, "this is not a time");
	if (minute > 59 || *minutes > LR_MINUTES_PER_DAY)
		return fail(r, start, "there is no such time");
	return true;
}

static bool
is_whole_day(Reader *r)
{
	const char *at = r->at;

	if (at[0] != '2' || at[1] != '4')
		return false;
	for (at += 2; *at == ' '; at++)
		;
	if ((*at != 'h' && *at != 'H') || is_letter(at[1]))
		return false;
	r->at = at + 1;
	return true;
}

static bool
read_time(Reader *r, LrWindow *window)
{
	const char *start = r->at;

	if (is_whole_day(r))
	{
		window->start = 0;
		window->end = LR_MINUTES_PER_DAY;
		return true;
	}
	if (!read_clock(r, &window->start))
		return false;
	skip_blanks(r);
	if (*r->at != '-')
		return fail(r, r->at, "the end of the time is missing");
	r->at++;
	skip_blanks(r);
	if (!read_clock(r, &window->end))
		return false;
	if (window->start == LR_MINUTES_PER_DAY)
		return fail(r, start, "no time begins at 24:00");
	if (window->start == window->end)
		return fail(r, start, "it ends where it begins");
	if (window->end < window->start)
		window->end += LR_MINUTES_PER_DAY;
	return true;
}

/* Adds a window on each of some days. */
static bool
add(Reader *r, const char *at, int days, const LrWindow *window)
{
	int			day;

	for (day = 0; day < 7; day++)
	{
		if ((days & (1 << day)) == 0)
			continue;
		if (r->n == MAX_WINDOWS)
			return fail(r, at, "there are too many times");
		r->window[r->n].start = day * LR_MINUTES_PER_DAY + window->start;
		r->window[r->n++].end = day * LR_MINUTES_PER_DAY + window->end;
	}
	return true;
}

/* An entry, and the separator after it. */
static bool
read_entry(Reader *r)
{
	int			days = 0x7f;
	LrWindow	window;

	if (is_letter(*r->at) && !read_days(r, &days))
		return false;
	for (;;)
	{
		const char *start = r->at;

		if (!read_time(r, &window) || !add(r, start, days, &window))
			return false;
		skip_blanks(r);
		if (*r->at == '\0')
			return true;
		if (*r->at != ',' && *r->at != ';')
			return fail(r, r->at, "; or , is expected");
		start = r->at++;
		skip_blanks(r);
		if (*r->at == '\0' && *start == ',')
			return fail(r, start, "something is missing behind it");
		if (*start == ';' || is_letter(*r->at))
			return true;
	}
}

static int
compare_windows(const void *a, const void *b)
{
	const LrWindow *x = (const LrWindow *) a;
	const LrWindow *y = (const LrWindow *) b;

	return x->start != y->start ? x->start - y->start : x->end - y->end;
}

/* Makes one of windows that overlap or touch, around the end of the week too. */
static void
merge(LrHours *hours)
{
	LrWindow   *w = hours->window;
	int			n = 0;
	int			i;

	qsort(w, hours->n, sizeof(LrWindow), compare_windows);
	for (i = 0; i < hours->n; i++)
	{
		if (n > 0 && w[i].start <= w[n - 1].end)
			w[n - 1].end = Max(w[n - 1].end, w[i].end);
		else
			w[n++] = w[i];
	}
	/* the last may reach into the first ones of the next week */
	for (i = 0; i < n - 1 &&
		 w[i].start + LR_MINUTES_PER_WEEK <= w[n - 1].end; i++)
		w[n - 1].end = Max(w[n - 1].end, w[i].end + LR_MINUTES_PER_WEEK);
	memmove(w, w + i, (n - i) * sizeof(LrWindow));
	hours->n = n - i;
	hours->always = w[hours->n - 1].end - w[0].start >= LR_MINUTES_PER_WEEK;
}

bool
lr_hours_parse(const char *text, LrHours *hours, LrHoursError *error)
{
	Reader		r = {0};

	r.text = r.at = text;
	r.error = error;
	r.window = (LrWindow *) palloc(MAX_WINDOWS * sizeof(LrWindow));
	skip_blanks(&r);
	do
	{
		if (!read_entry(&r))
		{
			pfree(r.window);
			return false;
		}
	} while (*r.at != '\0');
	hours->n = r.n;
	hours->window = r.window;
	merge(hours);
	hours->window = (LrWindow *) repalloc(r.window,
										  hours->n * sizeof(LrWindow));
	return true;
}
