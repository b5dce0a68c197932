/*
 * binding.c
 *	  A router over a lead table; see binding.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/pin.h"
#include "expression/compile.h"
#include "expression/facts.h"
#include "expression/generated.h"
#include "expression/terms.h"
#include "lead/binding.h"
#include "rule/rule_set.h"

/* Bindings (routers) a table keeps. */
#define MAX_CACHED_BINDINGS	64

/* Memory for compiled conditions of one binding; beyond it all are forgotten. */
#define MAX_COMPILED		((Size) 64 * 1024 * 1024)

/*
 * Rules taken out of one image, by rank.  Ranks are grouped, so that a binding
 * over many rules costs little until leads come to them.
 */
#define GROUP				64

struct BoundRules
{
	LrBoundRule ***group[2];	/* by layer; NULL: none of the group yet */
};

/* ---------- the cache ---------- */

static void
free_binding(LrBinding *b)
{
	lr_router_release(b->router);
	if (b->set != NULL)
		lr_rule_set_unpin(b->set);
	MemoryContextDelete(b->context);
}

static void
give_back(void *b)
{
	((LrBinding *) b)->pins--;
}

void
lr_binding_unpin(LrBinding *b)
{
	lr_pin_remove(b);
	give_back(b);
}

/* Forgets bindings to routers that have changed, and the oldest of many. */
static void
purge_bindings(LrTable *table)
{
	int			i;

	for (i = list_length(table->bindings) - 1; i >= 0; i--)
	{
		LrBinding  *b = (LrBinding *) list_nth(table->bindings, i);

		if (b->pins == 0 &&
			(b->router->dropped || i >= MAX_CACHED_BINDINGS))
		{
			table->bindings = list_delete_nth_cell(table->bindings, i);
			free_binding(b);
		}
	}
}

/* ---------- owners ---------- */

/* Members whose owner values are to be converted. */
typedef struct Conversion
{
	LrTable    *table;
	LrBinding  *binding;
	int			first;
	int			last;			/* exclusive */
} Conversion;

static void
convert(void *arg)
{
	Conversion *c = (Conversion *) arg;
	int			i;

	for (i = c->first; i < c->last; i++)
	{
		LrMember   *m = c->binding->router->member[i];

		c->binding->owner[i] = lr_owner_datum(c->table, m->owner_value);
		c->binding->owner_text[i] = lr_owner_text(c->table,
												  c->binding->owner[i]);
	}
}

/*
 * Input functions raise errors: a member whose value the column cannot hold
 * (it was refused when saved; the column has changed since) is left out, the
 * lead is not.
 */
static bool
convert_owners(LrTable *table, LrBinding *b, int first, int last)
{
	Conversion	c = {table, b, first, last};

	return lr_guarded(convert, &c) == NULL;
}

static int
compare_owners(const void *a, const void *b)
{
	return strcmp(((const LrOwnerEntry *) a)->owner,
				  ((const LrOwnerEntry *) b)->owner);
}

static void
make_owners(LrTable *table, LrBinding *b)
{
	int			n = b->router->nmembers;
	int			i;

	b->owner = (Datum *) palloc0((n + 1) * sizeof(Datum));
	b->owner_text = (char **) palloc0((n + 1) * sizeof(char *));
	b->by_owner = (LrOwnerEntry *) palloc0((n + 1) * sizeof(LrOwnerEntry));
	if (!convert_owners(table, b, 0, n))
	{
		b->usable = (bool *) palloc0((n + 1) * sizeof(bool));
		for (i = 0; i < n; i++)
		{
			b->owner_text[i] = NULL;
			b->usable[i] = convert_owners(table, b, i, i + 1);
		}
	}
	for (i = 0; i < n; i++)
		if (b->owner_text[i] != NULL)
		{
			b->by_owner[b->nby_owner].owner = b->owner_text[i];
			b->by_owner[b->nby_owner++].member = b->router->member[i];
		}
	qsort(b->by_owner, b->nby_owner, sizeof(LrOwnerEntry), compare_owners);
}

/* ---------- rules ---------- */

/* Number of groups of a layer. */
static int
groups(LrBinding *b, int layer)
{
	const LrImage *image = lr_rule_index_image(b->index, layer);

	return image != NULL ? image->nrules / GROUP + 1 : 0;
}

/* Looks which writers of an image exist and may read all columns. */
static void
find_writers(LrTable *table, LrBinding *b, int layer)
{
	const LrImage *image = lr_rule_index_image(b->index, layer);
	const LrOffset *name;
	int			i;

	if (image == NULL)
		return;
	name = LR_IMAGE_AT(image, image->writers, LrOffset);
	b->writer_reads[layer] = (bool *) MemoryContextAlloc(b->context,
														 image->nwriters *
														 sizeof(bool));
	for (i = 0; i < image->nwriters; i++)
		b->writer_reads[layer][i] = name[i] == 0 ||
			lr_compile_writer_reads(table->relid,
									LR_IMAGE_TEXT(image, name[i]));
}

/*
 * Reads the rules, unless that has been done; false: the router has changed
 * since it was read.
 */
static bool
need_rules(LrTable *table, LrBinding *b)
{
	int			i;

	/* the last thing that is made */
	if (b->compiled != NULL)
		return true;
	if (b->set == NULL)
		b->set = lr_rule_set_pin(table, b->router);
	if (b->set == NULL)
		return false;
	b->index = b->set->index;
	b->bound = (struct BoundRules *) MemoryContextAllocZero(b->context,
															sizeof(struct BoundRules));
	for (i = 0; i < 2; i++)
	{
		b->bound->group[i] = (LrBoundRule ***) MemoryContextAllocZero(b->context,
																	  groups(b, i) *
																	  sizeof(LrBoundRule **));
		find_writers(table, b, i);
	}
	b->compiled = AllocSetContextCreate(b->context, "leadroute conditions",
										ALLOCSET_DEFAULT_SIZES);
	return true;
}

/*
 * Reads what expressions know of members, if there are any such rules; false:
 * the router has changed since it was read.
 */
static bool
need_facts(LrBinding *b)
{
	int			layer;

	for (layer = 0; layer < 2 && b->router->facts == NULL; layer++)
	{
		const LrImage *image = lr_rule_index_image(b->index, layer);

		if (image == NULL || !image->has_members)
			continue;
		lr_facts_need(b->router);
		if (!lr_router_is_current(b->router))
			return false;
	}
	return true;
}

/* The team of that id, which a router keeps as long as it is pinned. */
static inline LrTeam *
bound_team(LrBinding *b, int32 id)
{
	LrTeam	  **team = &b->team[(uint32) id % LR_BOUND_TEAMS];

	if (*team == NULL || (*team)->id != id)
		*team = lr_team_by_id(b->router, id);
	return *team;
}

/* What the row of a rule says. */
static void
read_row(LrBinding *b, const LrImage *image, const LrImageRule *from,
		 LrRule *rule)
{
	rule->id = from->id;
	rule->version = from->version;
	rule->method = from->method;
	rule->overflow = from->overflow;
	rule->overflow_method = from->method;
	rule->scope = *lr_image_scope(image, from);
	rule->name = LR_IMAGE_TEXT(image, from->name);
	rule->team = bound_team(b, from->team);
	if (rule->team == NULL)
		elog(ERROR, "team of rule \"%s\" is missing", rule->name);
}

bool
lr_binding_plain(LrBinding *b, const LrRuleRef *ref, LrRule *rule)
{
	const LrImage *image = lr_rule_index_image(b->index, ref->layer);
	const LrImageRule *from = lr_image_rule(image, ref->rank);

	if ((from->flags & LR_RULE_PLAIN) == 0 ||
		!b->writer_reads[ref->layer][from->writer])
		return false;
	memset(rule, 0, sizeof(*rule));
	read_row(b, image, from, rule);
	return true;
}

LrBoundRule *
lr_binding_rule(LrBinding *b, const LrRuleRef *ref)
{
	LrBoundRule ***group = &b->bound->group[ref->layer][ref->rank / GROUP];
	const LrImage *image;
	const LrImageRule *from;
	const LrImageMore *more;
	LrBoundRule *bound;

	if (*group == NULL)
		*group = (LrBoundRule **) MemoryContextAllocZero(b->context, GROUP *
														 sizeof(LrBoundRule *));
	bound = (*group)[ref->rank % GROUP];
	if (bound != NULL)
		return bound;

	image = lr_rule_index_image(b->index, ref->layer);
	from = lr_image_rule(image, ref->rank);
	more = lr_image_more(image, ref->rank);
	bound = (LrBoundRule *) MemoryContextAllocZero(b->context,
												   sizeof(LrBoundRule));
	read_row(b, image, from, &bound->rule);
	bound->rule.priority = more->priority;
	if (more->overflow_team >= 0)
	{
		bound->rule.overflow_team = lr_team_by_id(b->router, more->overflow_team);
		if (bound->rule.overflow_team == NULL)
			elog(ERROR, "team of rule \"%s\" is missing", bound->rule.name);
	}
	bound->rule.condition = LR_IMAGE_TEXT(image, more->condition);
	bound->rule.team_expr = LR_IMAGE_TEXT(image, more->team_expr);
	bound->rule.member_expr = LR_IMAGE_TEXT(image, more->member_expr);
	bound->rule.member_condition = LR_IMAGE_TEXT(image, more->member_condition);
	bound->rule.member_rank = LR_IMAGE_TEXT(image, more->member_rank);
	bound->rule.written_by = LR_IMAGE_TEXT(image, more->written_by);
	bound->rule.search_path = LR_IMAGE_TEXT(image, more->search_path);
	/* what the index says counts as long as the writer may read it */
	bound->evaluate = (from->flags & LR_RULE_EVALUATE) != 0 ||
		(bound->rule.condition != NULL &&
		 !lr_compile_writer_reads(b->relid, bound->rule.written_by));
	(*group)[ref->rank % GROUP] = bound;
	return bound;
}

static int
compare_places(const void *a, const void *b)
{
	int32		x = ((const LrRulePlace *) a)->id;
	int32		y = ((const LrRulePlace *) b)->id;

	return x < y ? -1 : x > y;
}

static void
find_places(LrBinding *b)
{
	LrRuleSearch search;
	LrRuleRef	ref;
	LrRulePlace *place;
	int			room = 1;
	int			n = 0;
	int			i;

	for (i = 0; i < 2; i++)
	{
		const LrImage *image = lr_rule_index_image(b->index, i);

		room += image != NULL ? image->nrules : 0;
	}
	place = (LrRulePlace *) MemoryContextAllocHuge(b->context,
												   (Size) room * sizeof(LrRulePlace));
	lr_rule_search_begin(&search, b->index, NULL);
	while (lr_rule_search_next(&search, &ref))
	{
		place[n].id = lr_image_rule(lr_rule_index_image(b->index, ref.layer),
									ref.rank)->id;
		place[n++].ref = ref;
	}
	qsort(place, n, sizeof(LrRulePlace), compare_places);
	b->by_id = place;
	b->nby_id = n;
}

LrBoundRule *
lr_binding_rule_by_id(LrBinding *b, int32 id)
{
	LrRulePlace wanted = {id, {0, 0}};
	LrRulePlace *place;

	if (b->by_id == NULL)
		find_places(b);
	place = (LrRulePlace *) bsearch(&wanted, b->by_id, b->nby_id,
									sizeof(LrRulePlace), compare_places);
	return place != NULL ? lr_binding_rule(b, &place->ref) : NULL;
}

/*
 * Of an expression that is broken nothing is kept but the message: there may be
 * as many as there are rules, where a column is gone.
 */
LrExpr *
lr_binding_expression(LrTable *table, LrBinding *b, const char *text,
					  LrExprKind kind, const char *written_by,
					  const char *search_path, const char *what,
					  char **broken)
{
	Relation	rel;
	MemoryContext context;
	MemoryContext old;
	LrExpr	   *expr;

	if (text == NULL)
		return NULL;
	rel = table_open(table->relid, AccessShareLock);
	context = AllocSetContextCreate(b->compiled, "leadroute condition",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	expr = lr_compile_for_leads(table, rel, text, kind, written_by, search_path,
								what, broken);
	MemoryContextSwitchTo(old);
	if (expr != NULL)
		b->compiled_size += MemoryContextMemAllocated(context, true);
	else
	{
		*broken = MemoryContextStrdup(b->compiled, *broken);
		b->compiled_size += GetMemoryChunkSpace(*broken);
		MemoryContextDelete(context);
	}
	table_close(rel, AccessShareLock);
	return expr;
}

/* One expression of a rule. */
static LrExpr *
compile(LrTable *table, LrBinding *b, const LrRule *rule, const char *text,
		LrExprKind kind, const char *column, char **broken)
{
	return text == NULL ? NULL :
		lr_binding_expression(table, b, text, kind, rule->written_by,
							  rule->search_path,
							  psprintf("%s of rule \"%s\"", column,
									   rule->name), broken);
}

/* Takes an expression over members apart. */
static LrTerms *
take_apart(LrBinding *b, LrExpr *expr)
{
	MemoryContext old;
	LrTerms    *terms;

	if (expr == NULL)
		return NULL;
	old = MemoryContextSwitchTo(b->compiled);
	terms = lr_terms_make(expr);
	MemoryContextSwitchTo(old);
	return terms;
}

void
lr_binding_compile(LrTable *table, LrBinding *b, LrBoundRule *bound)
{
	const LrRule *rule = &bound->rule;

	if (bound->compiled)
		return;
	bound->condition = compile(table, b, rule, rule->condition, LR_EXPR_BOOL,
							   "condition", &bound->broken);
	bound->target = rule->member_expr != NULL ?
		compile(table, b, rule, rule->member_expr, LR_EXPR_TEXT, "member_expr",
				&bound->target_broken) :
		compile(table, b, rule, rule->team_expr, LR_EXPR_TEXT, "team_expr",
				&bound->target_broken);
	bound->member_condition = compile(table, b, rule, rule->member_condition,
									  LR_EXPR_MEMBER, "member_condition",
									  &bound->member_condition_broken);
	bound->terms = take_apart(b, bound->member_condition);
	bound->member_rank = compile(table, b, rule, rule->member_rank,
								 LR_EXPR_RANK, "member_rank",
								 &bound->member_rank_broken);
	bound->rank_terms = take_apart(b, bound->member_rank);
	bound->compiled = true;
}

/* Forgets compiled conditions that take too much memory; b is not in use. */
static void
limit_compiled(LrBinding *b)
{
	LrBoundRule **group;
	int			layer;
	int			i;
	int			j;

	if (b->compiled == NULL || b->pins > 0 ||
		b->compiled_size < MAX_COMPILED)
		return;
	for (layer = 0; layer < 2; layer++)
		for (i = 0; i < groups(b, layer); i++)
			for (j = 0; j < GROUP; j++)
			{
				group = b->bound->group[layer][i];
				if (group != NULL && group[j] != NULL)
					group[j]->compiled = false;
			}
	MemoryContextReset(b->compiled);
	b->compiled_size = 0;
	b->fits = NULL;
}

/* ---------- binding ---------- */

static LrBinding *
make_binding(LrTable *table, LrRouter *router)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "leadroute binding",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	LrBinding  *b = (LrBinding *) palloc0(sizeof(LrBinding));

	b->context = context;
	b->relid = table->relid;
	b->router = router;
	make_owners(table, b);
	MemoryContextSwitchTo(table->context);
	table->bindings = lcons(b, table->bindings);
	MemoryContextSetParent(context, table->context);
	MemoryContextSwitchTo(old);
	return b;
}

static LrBinding *
find_binding(LrTable *table, LrRouter *router)
{
	ListCell   *lc;

	foreach(lc, table->bindings)
		if (((LrBinding *) lfirst(lc))->router == router)
			return (LrBinding *) lfirst(lc);
	return NULL;
}

static LrBinding *
bind(LrTable *table, const char *name, bool rules)
{
	for (;;)
	{
		LrRouter   *router = lr_router_pin(name);
		LrBinding  *b;

		if (router == NULL)
			return NULL;
		b = find_binding(table, router);
		if (b == NULL)
		{
			purge_bindings(table);
			b = make_binding(table, router);
			lr_router_keep(router); /* the binding has the pin now */
		}
		else
			lr_router_unpin(router);
		limit_compiled(b);
		if (!rules || (need_rules(table, b) && need_facts(b)))
		{
			lr_pin_add(b, give_back);
			b->pins++;
			return b;
		}
		CHECK_FOR_INTERRUPTS();
	}
}

LrBinding *
lr_table_bind(LrTable *table, const char *name)
{
	return bind(table, name, true);
}

LrBinding *
lr_table_bind_people(LrTable *table, const char *name)
{
	return bind(table, name, false);
}

void
lr_bindings_free(LrTable *table)
{
	ListCell   *lc;

	foreach(lc, table->bindings)
		free_binding((LrBinding *) lfirst(lc));
	table->bindings = NIL;
}

Datum
lr_binding_owner(LrTable *table, LrBinding *b, LrMember *m)
{
	Assert(b->owner_text[m->index] != NULL);
	return b->owner[m->index];
}

LrMember *
lr_binding_member(LrTable *table, LrBinding *b, const char *owner)
{
	LrOwnerEntry key = {owner, NULL};
	LrOwnerEntry *found = (LrOwnerEntry *) bsearch(&key, b->by_owner,
												   b->nby_owner,
												   sizeof(LrOwnerEntry),
												   compare_owners);

	return found != NULL ? found->member : NULL;
}
