/*
 * rule_write.c
 *	  Writing an image: its rules, what remains to be checked of each, and the
 *	  whole; see rule_build.h.
 *
 * A conjunct that being filed says already is left out.  One of which no check
 * is known, or for whose calls there is no room, makes the rule one whose
 * condition is evaluated (LR_RULE_EVALUATE): then checks may be left out too,
 * for they only save evaluating it.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "compat.h"
#include "rule_draft.h"

/* ---------- checks ---------- */

/* Number of a call; -1: there are too many. */
static int
find_call(LrImageBuilder *b, const LrImageCall *wanted)
{
	int			i;

	for (i = 0; i < b->ncalls; i++)
		if (b->calls[i].attno == wanted->attno &&
			b->calls[i].func == wanted->func &&
			b->calls[i].collation == wanted->collation &&
			b->calls[i].type == wanted->type &&
			b->calls[i].negated == wanted->negated)
			return i;
	if (b->ncalls == LR_MAX_CALLS)
		return -1;
	if (b->ncalls == b->calls_room)
		b->calls = (LrImageCall *) repalloc(b->calls, (b->calls_room *= 2) *
											sizeof(LrImageCall));
	b->calls[b->ncalls] = *wanted;
	return b->ncalls++;
}

/* Fills in a check; false: there is no room for its call. */
static bool
set_check(LrImageBuilder *b, LrImageCheck *to, const LrImageCall *call,
		  bool last, Datum value)
{
	int			number = find_call(b, call);

	if (number < 0)
		return false;
	to->call = number;
	to->last = last;
	if (OidIsValid(call->func))
		to->value = lr_bytes_value(&b->bytes, call->type, call->len,
								   call->byval, value);
	return true;
}

static bool
set_new_check(LrImageBuilder *b, LrImageCheck *to, const LrCheck *check,
			  bool last)
{
	LrImageCall call;

	memset(&call, 0, sizeof(call));
	call.attno = check->attno;
	call.negated = check->negated;
	call.func = check->func;
	call.collation = check->collation;
	call.type = check->constant.type;
	call.len = check->constant.len;
	call.byval = check->constant.byval;
	return set_check(b, to, &call, last, check->constant.value);
}

/* Checks that a rule needs beside being where it is filed: lists of them. */
static List *
needed_checks(LrDraftRule *rule)
{
	const LrChoice *chosen = rule->chosen ? rule->chosen->from : NULL;
	List	   *needed = NIL;
	ListCell   *lc;

	foreach(lc, rule->condition->conjuncts)
	{
		LrConjunct *conjunct = (LrConjunct *) lfirst(lc);

		if (chosen != NULL && chosen->exact &&
			bms_is_member(foreach_current_index(lc), chosen->covers))
			continue;
		if (conjunct->checks == NIL)
			rule->flags |= LR_RULE_EVALUATE;
		else
			needed = lappend(needed, conjunct->checks);
	}
	return needed;
}

/* Those of a new rule; *n of them.  NULL: the condition itself says it all. */
static LrImageCheck *
new_checks(LrImageBuilder *b, LrDraftRule *rule, int *n)
{
	List	   *needed = needed_checks(rule);
	LrImageCheck *checks;
	ListCell   *lc;
	ListCell   *lc2;

	*n = 0;
	foreach(lc, needed)
		*n += list_length((List *) lfirst(lc));
	checks = (LrImageCheck *) palloc0((*n + 1) * sizeof(LrImageCheck));
	*n = 0;
	foreach(lc, needed)
	{
		List	   *alternatives = (List *) lfirst(lc);

		foreach(lc2, alternatives)
			if (!set_new_check(b, &checks[(*n)++], (LrCheck *) lfirst(lc2),
							   lnext(alternatives, lc2) == NULL))
				return NULL;
	}
	return checks;
}

/* Those of a rule of an image, in the same way. */
static LrImageCheck *
old_checks(LrImageBuilder *b, LrDraftRule *rule, int *n)
{
	const LrImage *image = rule->image;
	const LrImageCheck *from = LR_IMAGE_AT(image, rule->from->checks,
										   LrImageCheck);
	const LrImageCall *calls = LR_IMAGE_AT(image, image->calls, LrImageCall);
	LrImageCheck *checks;
	int			i;

	*n = rule->from->nchecks;
	checks = (LrImageCheck *) palloc0((*n + 1) * sizeof(LrImageCheck));
	for (i = 0; i < *n; i++)
	{
		const LrImageCall *call = &calls[from[i].call];
		Datum		value = from[i].value == 0 ? (Datum) 0 :
			lr_image_value(image, from[i].value, call->byval);

		if (!set_check(b, &checks[i], call, from[i].last, value))
			return NULL;
	}
	return checks;
}

static void
write_checks(LrImageBuilder *b, LrDraftRule *rule, LrImageRule *to)
{
	LrImageCheck *checks;
	int			n;

	if (rule->image != NULL)
		checks = old_checks(b, rule, &n);
	else if (rule->condition != NULL && !(rule->flags & LR_RULE_NEVER))
		checks = new_checks(b, rule, &n);
	else
		return;
	if (checks == NULL)
	{
		rule->flags |= LR_RULE_EVALUATE;
		return;
	}
	if (n > 0)
	{
		to->nchecks = n;
		to->checks = lr_bytes_add(&b->bytes, checks, n * sizeof(LrImageCheck),
								  sizeof(LrOffset));
	}
	pfree(checks);
}

/* ---------- rules ---------- */

static void
write_rule(LrImageBuilder *b, LrDraftRule *rule, LrOffset at)
{
	LrBytes    *bytes = &b->bytes;
	LrImageRule to;

	memset(&to, 0, sizeof(to));
	to.id = rule->row.id;
	to.version = rule->row.version;
	to.priority = rule->row.priority;
	to.team = rule->row.team;
	to.method = rule->row.method;
	to.overflow = rule->row.overflow;
	to.overflow_team = rule->row.overflow_team;
	to.scope = rule->row.scope;
	to.name = lr_bytes_text(bytes, rule->row.name);
	to.condition = lr_bytes_text(bytes, rule->row.condition);
	to.team_expr = lr_bytes_text(bytes, rule->row.team_expr);
	to.member_expr = lr_bytes_text(bytes, rule->row.member_expr);
	to.member_condition = lr_bytes_text(bytes, rule->row.member_condition);
	to.member_rank = lr_bytes_text(bytes, rule->row.member_rank);
	to.written_by = lr_bytes_shared(bytes, LR_TEXT_WRITTEN_BY,
									rule->row.written_by);
	to.search_path = lr_bytes_shared(bytes, LR_TEXT_SEARCH_PATH,
									 rule->row.search_path);
	write_checks(b, rule, &to);
	to.flags = rule->flags;
	*LR_BYTES_AT(bytes, at, LrImageRule) = to;
}

static bool
is_in_rest(const LrDraftRule *rule)
{
	return rule->chosen == NULL && !(rule->flags & LR_RULE_NEVER);
}

static int
compare_ids(const void *a, const void *b, void *arg)
{
	LrDraftRule **rules = (LrDraftRule **) arg;

	return lr_compare_int32(&rules[*(const int32 *) a]->row.id,
							&rules[*(const int32 *) b]->row.id);
}

static void
write_rules(LrImageBuilder *b, LrImage *head)
{
	LrBytes    *bytes = &b->bytes;
	int32	   *ranks;
	int			i;

	head->nrules = b->nrules;
	head->rules = lr_bytes_reserve(bytes, b->nrules * sizeof(LrImageRule),
								   MAXIMUM_ALIGNOF);
	for (i = 0; i < b->nrules; i++)
	{
		write_rule(b, b->rules[i], head->rules + i * sizeof(LrImageRule));
		if (is_in_rest(b->rules[i]))
			head->nrest++;
		head->has_members |= b->rules[i]->row.member_condition != NULL ||
			b->rules[i]->row.member_rank != NULL;
	}
	head->by_id = lr_bytes_reserve(bytes, b->nrules * sizeof(int32),
								   sizeof(int32));
	ranks = LR_BYTES_AT(bytes, head->by_id, int32);
	for (i = 0; i < b->nrules; i++)
		ranks[i] = i;
	qsort_arg(ranks, b->nrules, sizeof(int32), compare_ids, b->rules);
	head->rest = lr_bytes_reserve(bytes, head->nrest * sizeof(int32),
								  sizeof(int32));
	ranks = LR_BYTES_AT(bytes, head->rest, int32);
	for (i = 0; i < b->nrules; i++)
		if (is_in_rest(b->rules[i]))
			*ranks++ = i;
}

/* ---------- the whole ---------- */

static int
compare_rows(const void *a, const void *b)
{
	const LrRuleRow *x = &(*(LrDraftRule *const *) a)->row;
	const LrRuleRow *y = &(*(LrDraftRule *const *) b)->row;

	return lr_rule_order(x->priority, x->condition != NULL, x->name,
						 y->priority, y->condition != NULL, y->name);
}

static void
write_image(LrImageBuilder *b)
{
	LrBytes    *bytes = &b->bytes;
	LrImage		head;
	int			i;

	memset(&head, 0, sizeof(head));
	(void) lr_bytes_reserve(bytes, sizeof(LrImage), MAXIMUM_ALIGNOF);
	write_rules(b, &head);
	head.columns = lr_bytes_reserve(bytes, b->ncolumns * sizeof(LrImageColumn),
									MAXIMUM_ALIGNOF);
	for (i = 0; i < b->ncolumns; i++)
		lr_draft_write_column(b, &b->columns[i],
							  head.columns + i * sizeof(LrImageColumn));
	head.ncolumns = b->ncolumns;
	head.calls = lr_bytes_add(bytes, b->calls, b->ncalls * sizeof(LrImageCall),
							  sizeof(Oid));
	head.ncalls = b->ncalls;
	head.size = bytes->size;
	*LR_BYTES_AT(bytes, 0, LrImage) = head;
}

LrImage *
lr_image_finish(LrImageBuilder *b, MemoryContext where)
{
	int			i;

	qsort(b->rules, b->nrules, sizeof(LrDraftRule *), compare_rows);
	for (i = 0; i < b->nrules; i++)
		b->rules[i]->rank = i;
	lr_draft_choose(b);
	lr_bytes_begin(&b->bytes, where, 8192 + b->nrules * 128);
	write_image(b);
	return (LrImage *) lr_bytes_end(&b->bytes);
}
