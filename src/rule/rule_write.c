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

#include "base/compat.h"
#include "rule/rule_draft.h"

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
set_check(LrImageBuilder *b, LrRoom *room, LrImageCheck *to,
		  const LrImageCall *call, bool last, Datum value)
{
	int			number = find_call(b, call);

	if (number < 0)
		return false;
	to->call = number;
	to->last = last;
	if (OidIsValid(call->func))
		to->value = lr_bytes_value(&b->bytes, room, call->type, call->len,
								   call->byval, value);
	return true;
}

static bool
set_new_check(LrImageBuilder *b, LrRoom *room, LrImageCheck *to,
			  const LrCheck *check, bool last)
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
	return set_check(b, room, to, &call, last, check->constant.value);
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

/* Where n checks of a rule go: into it, if there is room, else by themselves. */
static LrOffset
place_checks(LrImageBuilder *b, LrRoom *room, int n)
{
	Size		size = n * sizeof(LrImageCheck);
	LrOffset	at = room->at;

	if (at + size > room->end)
		return lr_bytes_reserve(&b->bytes, size, MAXIMUM_ALIGNOF);
	room->at += size;
	return at;
}

/*
 * Those of a new rule; *n of them, which will be at *at.  NULL: the condition
 * itself says it all.
 */
static LrImageCheck *
new_checks(LrImageBuilder *b, LrDraftRule *rule, LrRoom *room, LrOffset *at,
		   int *n)
{
	List	   *needed = needed_checks(rule);
	LrImageCheck *checks;
	ListCell   *lc;
	ListCell   *lc2;

	*n = 0;
	foreach(lc, needed)
		*n += list_length((List *) lfirst(lc));
	if (*n > PG_UINT16_MAX)
		return NULL;
	checks = (LrImageCheck *) palloc0((*n + 1) * sizeof(LrImageCheck));
	*at = place_checks(b, room, *n);
	*n = 0;
	foreach(lc, needed)
	{
		List	   *alternatives = (List *) lfirst(lc);

		foreach(lc2, alternatives)
			if (!set_new_check(b, room, &checks[(*n)++], (LrCheck *) lfirst(lc2),
							   lnext(alternatives, lc2) == NULL))
				return NULL;
	}
	return checks;
}

/* Those of a rule of an image, in the same way. */
static LrImageCheck *
old_checks(LrImageBuilder *b, LrDraftRule *rule, LrRoom *room, LrOffset *at,
		   int *n)
{
	const LrImage *image = rule->image;
	const LrImageCheck *from = LR_IMAGE_AT(image, rule->from->checks,
										   LrImageCheck);
	const LrImageCall *calls = LR_IMAGE_AT(image, image->calls, LrImageCall);
	LrImageCheck *checks;
	int			i;

	*n = rule->from->nchecks;
	checks = (LrImageCheck *) palloc0((*n + 1) * sizeof(LrImageCheck));
	*at = place_checks(b, room, *n);
	for (i = 0; i < *n; i++)
	{
		const LrImageCall *call = &calls[from[i].call];
		Datum		value = from[i].value == 0 ? (Datum) 0 :
			lr_image_value(image, from[i].value, call->byval);

		if (!set_check(b, room, &checks[i], call, from[i].last, value))
			return NULL;
	}
	return checks;
}

/* The checks of the rule that stands at `rule_at`. */
static void
write_checks(LrImageBuilder *b, LrDraftRule *rule, LrOffset rule_at)
{
	LrRoom		room = {rule_at + offsetof(LrImageRule, inlined),
	rule_at + sizeof(LrImageRule)};
	LrImageRule *to;
	LrImageCheck *checks;
	LrOffset	at;
	int			n;

	if (rule->image != NULL)
		checks = old_checks(b, rule, &room, &at, &n);
	else if (rule->condition != NULL && !(rule->flags & LR_RULE_NEVER))
		checks = new_checks(b, rule, &room, &at, &n);
	else
		return;
	if (checks == NULL)
	{
		rule->flags |= LR_RULE_EVALUATE;
		return;
	}
	if (n > 0)
	{
		memcpy(LR_BYTES_AT(&b->bytes, at, LrImageCheck), checks,
			   n * sizeof(LrImageCheck));
		to = LR_BYTES_AT(&b->bytes, rule_at, LrImageRule);
		to->nchecks = n;
		to->checks = at;
	}
	pfree(checks);
}

/* ---------- rules ---------- */

static void
write_more(LrBytes *bytes, const LrRuleRow *row, LrImageMore *to)
{
	memset(to, 0, sizeof(*to));
	to->priority = row->priority;
	to->overflow_team = row->overflow_team;
	to->condition = lr_bytes_text(bytes, row->condition);
	to->team_expr = lr_bytes_text(bytes, row->team_expr);
	to->member_expr = lr_bytes_text(bytes, row->member_expr);
	to->member_condition = lr_bytes_text(bytes, row->member_condition);
	to->member_rank = lr_bytes_text(bytes, row->member_rank);
	to->written_by = lr_bytes_shared(bytes, LR_TEXT_WRITTEN_BY,
									 row->written_by);
	to->search_path = lr_bytes_shared(bytes, LR_TEXT_SEARCH_PATH,
									  row->search_path);
}

/* Number of the writer whose name stands there; -1: there are too many. */
static int
find_writer(LrImageBuilder *b, LrOffset name)
{
	LrBytes    *bytes = &b->bytes;
	int			i;

	for (i = b->nwriters - 1; i >= 0; i--)
		if (b->writers[i] == name ||
			(b->writers[i] != 0 && name != 0 &&
			 strcmp(LR_BYTES_AT(bytes, b->writers[i], char),
					LR_BYTES_AT(bytes, name, char)) == 0))
			return i;
	if (b->nwriters == LR_MAX_WRITERS)
		return -1;
	b->writers[b->nwriters] = name;
	return b->nwriters++;
}

/* Says that a rule is plain, if it is. */
static void
set_plain(LrImageBuilder *b, LrImageRule *rule, const LrImageMore *more)
{
	int			writer;

	if ((rule->flags & LR_RULE_EVALUATE) != 0 || rule->scope != 0 ||
		more->team_expr != 0 || more->member_expr != 0 ||
		more->member_condition != 0 || more->member_rank != 0 ||
		more->overflow_team >= 0)
		return;
	writer = find_writer(b, more->condition != 0 ? more->written_by : 0);
	if (writer < 0)
		return;
	rule->flags |= LR_RULE_PLAIN;
	rule->writer = writer;
}

static void
write_rule(LrImageBuilder *b, LrDraftRule *rule, LrOffset at,
		   LrOffset more_at)
{
	LrBytes    *bytes = &b->bytes;
	LrImageMore more;
	LrOffset	scope = 0;
	LrOffset	name;
	LrImageRule *to;

	write_checks(b, rule, at);
	name = lr_bytes_text(bytes, rule->row.name);
	write_more(bytes, &rule->row, &more);
	if (!lr_rule_is_unlimited(&rule->row.scope))
		scope = lr_bytes_add(bytes, &rule->row.scope, sizeof(LrRuleScope),
							 MAXIMUM_ALIGNOF);
	*LR_BYTES_AT(bytes, more_at, LrImageMore) = more;
	to = LR_BYTES_AT(bytes, at, LrImageRule);
	to->id = rule->row.id;
	to->version = rule->row.version;
	to->name = name;
	to->team = rule->row.team;
	to->method = rule->row.method;
	to->overflow = rule->row.overflow;
	to->flags = rule->flags;
	to->scope = scope;
	set_plain(b, to, &more);
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

	(void) find_writer(b, 0);
	head->nrules = b->nrules;
	head->rules = lr_bytes_reserve(bytes, b->nrules * sizeof(LrImageRule),
								   LR_IMAGE_LINE);
	head->more = lr_bytes_reserve(bytes, b->nrules * sizeof(LrImageMore),
								   sizeof(LrOffset));
	for (i = 0; i < b->nrules; i++)
	{
		write_rule(b, b->rules[i], head->rules + i * sizeof(LrImageRule),
				   head->more + i * sizeof(LrImageMore));
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
	head.writers = lr_bytes_add(bytes, b->writers, b->nwriters *
								sizeof(LrOffset), sizeof(LrOffset));
	head.nwriters = b->nwriters;
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
