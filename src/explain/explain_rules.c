/*
 * explain_rules.c
 *	  What became of each rule; see explain.h.
 *
 * A decision meets only the rules that the index finds.  The others are gone
 * through here, in the order in which rules are tried: those that it found are
 * its trials, those between them it has ruled out, those after the last one it
 * did not come to.  Rules that are disabled stand in the table alone.
 *
 * A few are listed, the others counted by what became of them, so that nothing
 * here is compiled or evaluated a hundred thousand times.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/scan.h"
#include "decide/qualify.h"
#include "explain/condition_parts.h"
#include "explain/explain.h"
#include "explain/rule_words.h"
#include "rule/rule_scope.h"

/* Bytes of a condition in a line of text. */
#define MAX_TEXT	1000

typedef enum Fate
{
	FATE_TRIED,					/* met by the decision */
	FATE_RULED_OUT,				/* by the index */
	FATE_DISABLED,
	FATE_OTHER_TABLE,			/* for another routed table */
	FATE_NOT_REACHED			/* an earlier one has settled the lead */
} Fate;

#define FATES	(FATE_NOT_REACHED + 1)

/* A rule to be listed. */
typedef struct Told
{
	Fate		fate;
	const LrTrial *trial;
	const LrRule *rule;
	bool		met;			/* RULED_OUT: only by its checks */
	char	   *place;			/* in the index; NULL: none */
} Told;

/* A rule that stands in the table alone. */
typedef struct Absent
{
	int32		id;
	int32		priority;
	bool		conditional;
	char	   *name;
	Fate		fate;
} Absent;

typedef struct Walk
{
	const LrExplain *x;
	LrRuleSearch search;		/* of the lead, only begun: what it meets */
	Absent	   *absent;			/* in the order of rules */
	int			nabsent;
	int			next_absent;
	int			rest;			/* how many more may be listed */
	int			trials;			/* and how many more trials */
	List	   *told;
	int64		not_listed[FATES];
} Walk;

/* ---------- rules that stand in the table alone ---------- */

static int
compare_absent(const void *a, const void *b)
{
	const Absent *x = (const Absent *) a;
	const Absent *y = (const Absent *) b;

	return lr_rule_order(x->priority, x->conditional, x->name,
						 y->priority, y->conditional, y->name);
}

/*
 * Finds the rules that the index does not have.  Those for other tables count
 * only if one is asked for by its name.
 */
static void
find_absent(Walk *walk)
{
	const LrExplain *x = walk->x;
	int			room = 16;
	LrScan		scan;

	walk->absent = (Absent *) palloc(room * sizeof(Absent));
	lr_scan_begin(&scan, "rule", "rule_pkey", "router",
				  x->binding->router->name);
	while (lr_scan_next(&scan))
	{
		char	   *table = lr_scan_text(&scan, "routed_table");
		bool		ours = table == NULL || strcmp(table, x->table->name) == 0;
		Absent	   *a;

		CHECK_FOR_INTERRUPTS();
		if (ours ? lr_scan_bool(&scan, "enabled") : x->rule == NULL)
			continue;
		if (walk->nabsent == room)
			walk->absent = (Absent *) repalloc_huge(walk->absent,
													(room *= 2) * sizeof(Absent));
		a = &walk->absent[walk->nabsent++];
		a->id = lr_scan_int(&scan, "id", 0);
		a->priority = lr_scan_int(&scan, "priority", 0);
		(void) lr_scan_datum(&scan, "condition", &a->conditional);
		a->conditional = !a->conditional;
		a->name = lr_scan_text(&scan, "name");
		a->fate = ours ? FATE_DISABLED : FATE_OTHER_TABLE;
	}
	lr_scan_end(&scan);
	qsort(walk->absent, walk->nabsent, sizeof(Absent), compare_absent);
}

/* Such a rule, as far as it is told; NULL: it is gone by now. */
static LrRule *
read_absent(const Absent *a)
{
	LrRule	   *rule = NULL;
	LrScan		scan;

	lr_scan_begin_id(&scan, "rule", "rule_id_key", "id", a->id);
	if (lr_scan_next(&scan))
	{
		rule = (LrRule *) palloc0(sizeof(LrRule));
		rule->id = a->id;
		rule->name = a->name;
		rule->priority = a->priority;
		rule->version = lr_scan_int(&scan, "version", 0);
		rule->condition = lr_scan_text(&scan, "condition");
		rule->written_by = lr_scan_text(&scan, "written_by");
		rule->search_path = lr_scan_text(&scan, "search_path");
		lr_rule_scope_read(&rule->scope, &scan);
	}
	lr_scan_end(&scan);
	return rule;
}

/* ---------- the walk ---------- */

/* Whether one more rule is listed; reached: no earlier one has the lead. */
static bool
is_listed(Walk *walk, Fate fate, const char *name, bool reached)
{
	const char *wanted = walk->x->rule;

	if (wanted != NULL)
	{
		if (strcmp(wanted, name) == 0)
			return true;
	}
	/* trials go first, and the last of them, which decides, is always told */
	else if (fate == FATE_TRIED)
	{
		if (--walk->trials == 0 || walk->rest > 1)
		{
			walk->rest--;
			return true;
		}
	}
	else if (reached && walk->rest > walk->trials)
	{
		walk->rest--;
		return true;
	}
	walk->not_listed[fate]++;
	return false;
}

static Told *
tell(Walk *walk, Fate fate, const LrRule *rule)
{
	Told	   *told = (Told *) palloc0(sizeof(Told));

	told->fate = fate;
	told->rule = rule;
	walk->told = lappend(walk->told, told);
	return told;
}

/* Goes past the rules in the table alone that come before a priority and name. */
static void
pass_absent(Walk *walk, const Absent *before, bool reached)
{
	while (walk->next_absent < walk->nabsent &&
		   (before == NULL ||
			compare_absent(&walk->absent[walk->next_absent], before) < 0))
	{
		Absent	   *a = &walk->absent[walk->next_absent++];
		LrRule	   *rule;

		if (!is_listed(walk, a->fate, a->name, reached))
			continue;
		rule = read_absent(a);
		if (rule != NULL)
			(void) tell(walk, a->fate, rule);
	}
}

/* One rule of the index. */
static void
pass_rule(Walk *walk, const LrRuleRef *ref, const LrTrial *trial, bool reached)
{
	const LrExplain *x = walk->x;
	LrRuleIndex *index = x->binding->index;
	const LrImage *image = lr_rule_index_image(index, ref->layer);
	Fate		fate = trial != NULL ? FATE_TRIED :
		reached ? FATE_RULED_OUT : FATE_NOT_REACHED;
	Told	   *told;

	if (!is_listed(walk, fate, lr_image_name(image, ref->rank), reached))
		return;
	told = tell(walk, fate, trial != NULL ? trial->rule :
				&lr_binding_rule(x->binding, ref)->rule);
	told->trial = trial;
	if (fate != FATE_RULED_OUT)
		return;
	told->met = lr_rule_search_meets(&walk->search, ref);
	told->place = lr_rule_words(index, ref, x->table->desc);
}

static void
walk_rules(Walk *walk)
{
	const LrExplain *x = walk->x;
	const LrDecision *d = &x->decision;
	LrRuleIndex *index = x->binding->index;
	bool		settled = d->member != NULL || d->entry.kind == LR_KIND_NONE ||
		d->entry.kind == LR_KIND_SUPPRESSED ||
		d->entry.kind == LR_KIND_TRIAGE || lr_kept_back(d->entry.kind);
	ListCell   *trial = list_head(d->trials);
	LrRuleSearch all;
	LrRuleRef	ref;

	find_absent(walk);
	walk->trials = list_length(d->trials);
	walk->rest = Max(x->max_rules, 1);
	lr_rule_search_begin(&walk->search, index, x->row);
	lr_rule_search_begin(&all, index, NULL);
	while (lr_rule_search_next(&all, &ref))
	{
		const LrImage *image = lr_rule_index_image(index, ref.layer);
		const LrImageRule *rule = lr_image_rule(image, ref.rank);
		const LrImageMore *more = lr_image_more(image, ref.rank);
		LrTrial    *t = NULL;
		Absent		here;

		CHECK_FOR_INTERRUPTS();
		here.priority = more->priority;
		here.conditional = more->condition != 0;
		here.name = unconstify(char *, lr_image_name(image, ref.rank));
		pass_absent(walk, &here, trial != NULL || !settled);
		if (trial != NULL && ((LrTrial *) lfirst(trial))->rule->id == rule->id)
		{
			t = (LrTrial *) lfirst(trial);
			trial = lnext(d->trials, trial);
		}
		pass_rule(walk, &ref, t, trial != NULL || !settled);
	}
	pass_absent(walk, NULL, !settled);
}

/* ---------- words ---------- */

static const char *
fate_word(const Told *told)
{
	switch (told->fate)
	{
		case FATE_RULED_OUT:
			return "ruled out by the index";
		case FATE_DISABLED:
			return "disabled";
		case FATE_OTHER_TABLE:
			return "for another lead table";
		case FATE_NOT_REACHED:
			return "not reached";
		case FATE_TRIED:
			break;
	}
	switch (told->trial->tried)
	{
		case LR_TRIED_NO_MATCH:
			return "no match";
		case LR_TRIED_NOT_IN_FORCE:
			return "not in force now";
		case LR_TRIED_NOT_DRAWN:
			return "matches, but the lead is not in its percent";
		case LR_TRIED_NO_TARGET:
			return "matches, but names nobody";
		case LR_TRIED_ERROR:
			return "error";
		case LR_TRIED_NO_MEMBER:
			return told->trial->rule->team->n > 0 ?
				"matches, but the lead fits nobody of its team" :
				"matches, but its team has no member";
		case LR_TRIED_NOBODY:
			return "matches, but nobody can take the lead now";
		case LR_TRIED_TRIAGE:
			return "matches, and somebody decides";
		case LR_TRIED_CHOSEN:
			break;
	}
	return "matches";
}

static const char *
truth_word(LrTruth truth)
{
	switch (truth)
	{
		case LR_TRUE:
			return "true";
		case LR_FALSE:
			return "false";
		case LR_UNKNOWN:
			return "null";
		case LR_RAISES:
			return "error";
		default:
			return "not evaluated";
	}
}

/* When a rule is in force. */
static char *
valid_words(const LrRule *rule)
{
	char	   *since = pstrdup(timestamptz_to_str(rule->scope.since));

	if (rule->scope.since == DT_NOBEGIN)
		return psprintf("until %s", timestamptz_to_str(rule->scope.until));
	if (rule->scope.until == DT_NOEND)
		return psprintf("from %s", since);
	return psprintf("from %s until %s", since,
					timestamptz_to_str(rule->scope.until));
}

/* A text that may be long, for a line. */
static const char *
cut(const char *text)
{
	int			len = strlen(text);

	return len <= MAX_TEXT ? text :
		psprintf("%.*s... (%d bytes)", pg_mbcliplen(text, len, MAX_TEXT), text,
				 len);
}

/* ---------- writing ---------- */

/* ", with column = value, …" */
static char *
with_values(const LrPart *part)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, part->values)
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) == 0 ?
						 " with " : ", ", (char *) lfirst(lc));
	return buf.data;
}

static void
put_part_line(LrOutput *out, const LrPart *part, bool alone, bool say_error)
{
	static const char *const label[] = {
		[LR_TRUE] = "True",
		[LR_FALSE] = "False",
		[LR_UNKNOWN] = "Null",
		[LR_RAISES] = "Raises",
		[LR_NOT_EVALUATED] = "Not evaluated"
	};

	if (part->hidden)
		lr_line(out, "Not told, for columns that you may not read: %s",
				cut(part->text));
	else
		lr_line(out, "%s%s%s%s%s%s", label[part->truth], alone ? "" : ": ",
				alone ? "" : cut(part->text), with_values(part),
				part->error && say_error ? ": " : "",
				part->error && say_error ? part->error : "");
}

static void
put_part(LrOutput *out, const LrPart *part)
{
	ListCell   *lc;

	lr_open(out, NULL, false);
	lr_put_text(out, "part", part->text);
	lr_put_text(out, "is", part->hidden ? "not told" :
				truth_word(part->truth));
	lr_put_text(out, "error", part->hidden ? NULL : part->error);
	lr_open(out, "values", true);
	if (!part->hidden)
		foreach(lc, part->values)
			lr_put_text(out, NULL, (char *) lfirst(lc));
	lr_close(out, true);
	lr_close(out, false);
}

/*
 * The parts of the condition: all of a rule that is asked for, else those for
 * which it is not true.  Returns whether the caller is told all of them.
 */
static bool
put_parts(LrOutput *out, const LrExplain *x, const Told *told)
{
	bool		all = x->rule != NULL;
	bool		hidden = false;
	List	   *parts;
	ListCell   *lc;

	if (told->fate == FATE_OTHER_TABLE || told->rule->condition == NULL ||
		(!all && told->fate != FATE_RULED_OUT &&
		 (told->fate != FATE_TRIED ||
		  (told->trial->tried != LR_TRIED_NO_MATCH &&
		   told->trial->tried != LR_TRIED_ERROR))))
		return true;
	parts = lr_condition_parts(x->table, x->binding, told->rule, x->row,
							   lr_verdict_score(x->decision.verdict), x->visible);
	lr_open(out, "parts", true);
	foreach(lc, parts)
	{
		const LrPart *part = (const LrPart *) lfirst(lc);

		hidden |= part->hidden;
		if (!all && !part->hidden &&
			(part->truth == LR_TRUE || part->truth == LR_NOT_EVALUATED))
			continue;
		put_part_line(out, part, list_length(parts) == 1,
					  told->trial == NULL || told->trial->error == NULL);
		put_part(out, part);
	}
	lr_close(out, true);
	return !hidden;
}

/* Which way the index has ruled it out. */
static void
put_index(LrOutput *out, const Told *told)
{
	if (told->fate != FATE_RULED_OUT)
		return;
	lr_put_text(out, "index", told->place);
	lr_put_bool(out, "index_met", told->met);
	lr_line(out, "Index: %s%s",
			told->place != NULL ? told->place : told->met ? "" :
			"can never be true",
			!told->met ? "" : told->place != NULL ? ", its other checks fail" :
			"its checks fail");
}

static void
put_scope(LrOutput *out, const LrExplain *x, const Told *told)
{
	const LrRule *rule = told->rule;
	bool		bounded = rule->scope.since != DT_NOBEGIN ||
		rule->scope.until != DT_NOEND;
	double		draw;

	if (bounded)
		lr_put_text(out, "in_force", valid_words(rule));
	if (bounded && (x->rule != NULL ||
					(told->trial != NULL &&
					 told->trial->tried == LR_TRIED_NOT_IN_FORCE)))
		lr_line(out, "In force: %s", valid_words(rule));
	if (rule->scope.percent >= 100)
		return;
	draw = lr_rule_draw(x->binding->router->id, rule->id, x->request.key);
	lr_put_number(out, "percent", rule->scope.percent, 6);
	if (!x->request.no_key)
		lr_put_number(out, "draw", draw, 4);
	/* of a rule that does not match it says nothing */
	if (x->rule == NULL &&
		(told->trial == NULL || told->trial->tried == LR_TRIED_NO_MATCH ||
		 told->trial->tried == LR_TRIED_NOT_IN_FORCE ||
		 told->trial->tried == LR_TRIED_ERROR))
		return;
	if (x->request.no_key)
		lr_line(out, "Percent: %g; where the lead falls depends on its key, which it does not have yet",
				rule->scope.percent);
	else
		lr_line(out, "Percent: %g, the lead falls at %.4f",
				rule->scope.percent, draw);
}

/*
 * The error of a trial, unless its message may hold values of columns that the
 * caller may not read.
 */
static const char *
trial_error(const LrExplain *x, const LrTrial *trial)
{
	if (trial == NULL || trial->error == NULL)
		return NULL;
	if (trial->said_by != NULL &&
		!lr_expr_is_visible(trial->said_by, x->table->desc, x->visible))
		return "what it says may show columns that you may not read";
	return trial->error;
}

static void
put_rule(LrOutput *out, const LrExplain *x, const Told *told)
{
	const LrRule *rule = told->rule;
	const char *error = trial_error(x, told->trial);

	lr_line(out, "Rule \"%s\" (priority %d, version %d): %s%s%s", rule->name,
			rule->priority, rule->version, fate_word(told), error ? ": " : "",
			error ? error : "");
	lr_open(out, NULL, false);
	lr_put_text(out, "rule", rule->name);
	lr_put_int(out, "version", rule->version);
	lr_put_int(out, "priority", rule->priority);
	lr_put_text(out, "condition", rule->condition);
	lr_put_text(out, "result", fate_word(told));
	lr_put_text(out, "error", error);
	out->indent += 4;
	if (rule->condition != NULL)
		lr_line(out, "Condition: %s", cut(rule->condition));
	if (put_parts(out, x, told))
		put_index(out, told);
	put_scope(out, x, told);
	if (told->trial != NULL && told->trial->pick != NULL)
		lr_explain_members(out, x, told->trial);
	out->indent -= 4;
	lr_close(out, false);
}

static void
put_not_listed(LrOutput *out, const Walk *walk)
{
	static const char *const what[][2] = {
		[FATE_TRIED] = {"tried", "tried"},
		[FATE_RULED_OUT] = {"ruled_out", "ruled out by the index"},
		[FATE_DISABLED] = {"disabled", "disabled"},
		[FATE_OTHER_TABLE] = {"other_table", "for another lead table"},
		[FATE_NOT_REACHED] = {"not_reached", "not reached"}
	};
	StringInfoData buf;
	int			fate;

	initStringInfo(&buf);
	lr_open(out, "rules_not_listed", false);
	for (fate = 0; fate < FATES; fate++)
	{
		if (walk->not_listed[fate] == 0)
			continue;
		lr_put_int(out, what[fate][0], walk->not_listed[fate]);
		appendStringInfo(&buf, "%s%lld %s", buf.len > 0 ? ", " : "",
						 (long long) walk->not_listed[fate], what[fate][1]);
	}
	lr_close(out, false);
	if (buf.len > 0)
		lr_line(out, "Rules not listed: %s", buf.data);
}

void
lr_explain_rules(LrOutput *out, const LrExplain *x)
{
	Walk		walk;
	ListCell   *lc;

	memset(&walk, 0, sizeof(walk));
	walk.x = x;
	walk_rules(&walk);
	if (x->rule != NULL && walk.told == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("router \"%s\" has no rule \"%s\"",
						x->binding->router->name, x->rule)));
	lr_open(out, "rules", true);
	foreach(lc, walk.told)
		put_rule(out, x, (const Told *) lfirst(lc));
	lr_close(out, true);
	put_not_listed(out, &walk);
}
