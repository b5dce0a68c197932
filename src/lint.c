/*
 * lint.c
 *	  What is odd about a router's rules without being an error.
 *
 * A rule is compared with earlier ones only where that can lead to a proof:
 * rules that say column = constant are posted under their values, and a rule
 * looks up its own; the others stand by the columns they mention.  Proofs are
 * the planner's (predtest.c), of truth from truth: a rule whose condition is
 * NULL for a lead does not match it, so nothing is to be shown for NULL.
 * What cannot be proved is not reported; that nothing is reported proves
 * nothing.
 *
 * An earlier rule is a proof against a later one only if it takes part in
 * every decision in which the later one could: it is in force as long, takes
 * all of the leads that match, has members, and raises no error.  Then the
 * later one gets what the earlier one passes on, when nobody of it can take a
 * lead; nothing at all, if the earlier one passes nothing on, or both have
 * the same members.  A rule for several lead tables is reported if the same
 * can be said for each of them.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compile.h"
#include "condition.h"
#include "config.h"
#include "guard.h"
#include "leadroute.h"
#include "rule_scope.h"
#include "scan.h"

PG_FUNCTION_INFO_V1(lr_lint);

/* Earlier rules with which a rule is compared at most. */
#define MAX_COMPARED	100

/* What is proved about a rule; each is worse than the one before. */
typedef enum Proof
{
	NOTHING,
	FALLBACK,					/* gets what an equally wide rule passes on */
	COVERED,					/* gets what a wider rule passes on */
	UNREACHABLE,
	CONTRADICTION				/* can never be true */
} Proof;

typedef struct LintRule
{
	int			place;			/* in the order in which rules are tried */
	int32		priority;
	char	   *name;
	char	   *condition;		/* NULL: every lead */
	char	   *routed_table;	/* NULL: all */
	char	   *team;			/* NULL: every member */
	bool		computed;		/* the lead says which team or member: */
	char	   *team_expr;		/* by one of these */
	char	   *member_expr;
	bool		staffed;
	bool		next_rule;		/* overflow: next_rule */
	bool		stops;			/* overflow: none */
	char	   *written_by;
	char	   *search_path;
	LrRuleScope scope;
	/* over the table that is being looked at */
	bool		known;			/* it is for it, and the fields below are filled */
	bool		can_raise;
	bool		depends_on_writer;
	bool		arms;			/* contains alternatives */
	List	   *clauses;		/* implicit AND; NIL: every lead */
	Bitmapset  *columns;
	List	   *keys;			/* of PlaceKey: all values that it asks for */
	List	   *home;			/* those under which it is posted */
	/* over all tables so far */
	bool		looked_at;
	Proof		proof;			/* what holds for all of them */
	char	   *because;		/* names of rules */
	char	   *broken;			/* error of its condition */
	char	   *target_broken;	/* error of team_expr or member_expr */
	struct LintRule *narrower;	/* of the same priority, tried before it */
} LintRule;

/* A value of a column, by its hash. */
typedef struct PlaceKey
{
	AttrNumber	attno;
	Oid			collation;
	uint32		hash;
} PlaceKey;

typedef struct Place
{
	PlaceKey	key;			/* first: the hash table's */
	List	   *rules;			/* ascending */
} Place;

/* The rules of a router over one table. */
typedef struct Lint
{
	ReturnSetInfo *rsinfo;
	LrRouter   *router;
	TimestampTz now;
	int			nrules;
	LintRule  **rule;
	Relation	rel;
	MemoryContext context;		/* of this table */
	HTAB	   *places;
	List	  **by_column;		/* rules without a value, by attribute number */
	List	   *everywhere;		/* rules for every lead */
	int			ncandidates;
	LintRule  **candidate;
	int		   *seen_by;		/* place of the rule that saw it last, + 1 */
	LintRule   *current;
	int			ncut;			/* rules not compared with all */
} Lint;

/* ---------- reading ---------- */

static int
compare_rules(const void *a, const void *b)
{
	const LintRule *x = *(LintRule *const *) a;
	const LintRule *y = *(LintRule *const *) b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if ((x->condition == NULL) != (y->condition == NULL))
		return x->condition != NULL ? -1 : 1;
	return strcmp(x->name, y->name);
}

static LintRule *
read_rule(LrScan *scan, LrRouter *router)
{
	LintRule   *rule = (LintRule *) palloc0(sizeof(LintRule));
	char	   *overflow = lr_scan_text(scan, "overflow");
	LrTeam	   *team;

	rule->name = lr_scan_text(scan, "name");
	rule->priority = lr_scan_int(scan, "priority", 0);
	rule->condition = lr_scan_text(scan, "condition");
	rule->routed_table = lr_scan_text(scan, "routed_table");
	rule->team = lr_scan_text(scan, "team");
	rule->written_by = lr_scan_text(scan, "written_by");
	rule->search_path = lr_scan_text(scan, "search_path");
	rule->next_rule = strcmp(overflow, "next_rule") == 0;
	rule->stops = strcmp(overflow, "none") == 0;
	team = rule->team ? lr_team_by_name(router, rule->team) : router->everyone;
	rule->team_expr = lr_scan_text(scan, "team_expr");
	rule->member_expr = lr_scan_text(scan, "member_expr");
	rule->computed = rule->team_expr != NULL || rule->member_expr != NULL;
	rule->staffed = team != NULL && team->n > 0;
	lr_rule_scope_read(&rule->scope, scan);
	return rule;
}

static void
read_rules(Lint *lint)
{
	LrScan		scan;
	int			room = 64;
	int			i;

	lint->rule = (LintRule **) palloc(room * sizeof(LintRule *));
	lr_scan_begin(&scan, "rule", "rule_pkey", "router", lint->router->name);
	while (lr_scan_next(&scan))
	{
		if (!lr_scan_bool(&scan, "enabled"))
			continue;
		if (lint->nrules == room)
			lint->rule = (LintRule **) repalloc_huge(lint->rule,
													 (Size) (room *= 2) * sizeof(LintRule *));
		lint->rule[lint->nrules++] = read_rule(&scan, lint->router);
	}
	lr_scan_end(&scan);
	qsort(lint->rule, lint->nrules, sizeof(LintRule *), compare_rules);
	for (i = 0; i < lint->nrules; i++)
		lint->rule[i]->place = i;
	lint->candidate = (LintRule **) palloc((MAX_COMPARED + 1) * sizeof(LintRule *));
	lint->seen_by = (int *) palloc0((lint->nrules + 1) * sizeof(int));
}

/* ---------- one condition ---------- */

/* Adds the values that some places stand for. */
static List *
add_keys(List *keys, List *filings)
{
	ListCell   *lc;

	foreach(lc, filings)
	{
		LrFiling   *f = (LrFiling *) lfirst(lc);
		PlaceKey   *key;

		if (f->kind != LR_FILE_EQUAL)
			continue;
		key = (PlaceKey *) palloc0(sizeof(PlaceKey));
		key->attno = f->attno;
		key->collation = f->collation;
		key->hash = DatumGetUInt32(OidFunctionCall1Coll(f->order, f->collation,
														f->low.value));
		keys = lappend(keys, key);
	}
	return keys;
}

/* Whether being true means having one of some values. */
static bool
are_values(List *filings)
{
	ListCell   *lc;

	foreach(lc, filings)
		if (((LrFiling *) lfirst(lc))->kind != LR_FILE_EQUAL)
			return false;
	return true;
}

static void
find_keys(LintRule *rule, LrCondition *condition)
{
	ListCell   *lc;

	foreach(lc, condition->choices)
	{
		List	   *filings = ((LrChoice *) lfirst(lc))->filings;

		rule->keys = add_keys(rule->keys, filings);
		if (rule->home == NIL && are_values(filings))
			rule->home = add_keys(NIL, filings);
	}
}

static bool
has_arms(List *clauses)
{
	ListCell   *lc;

	foreach(lc, clauses)
		if (is_orclause(lfirst(lc)) || IsA(lfirst(lc), ScalarArrayOpExpr))
			return true;
	return false;
}

/* Keeps the least that is proved for any of the tables. */
static void
note_proof(LintRule *rule, Proof proof, char *because)
{
	if (!rule->looked_at || proof < rule->proof)
	{
		rule->proof = proof;
		rule->because = because;
	}
	rule->looked_at = true;
}

/* Whether a condition can never be true: so says one of two, or a constant. */
static bool
is_contradiction(Expr *tree, List *clauses, LrCondition *condition)
{
	if (IsA(tree, Const))
		return ((Const *) tree)->constisnull ||
			!DatumGetBool(((Const *) tree)->constvalue);
	return condition->never || predicate_refuted_by(clauses, clauses, true);
}

/* Finds out whether what gives the name of a team or member compiles. */
static void
check_target(Lint *lint, LintRule *rule)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext temporary;
	const char *column = rule->team_expr ? "team_expr" : "member_expr";
	char	   *broken = NULL;

	if (!rule->computed || rule->target_broken != NULL)
		return;
	temporary = AllocSetContextCreate(lint->context, "leadroute condition",
									  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(temporary);
	(void) lr_compile_guarded(lint->rel, rule->team_expr ? rule->team_expr :
							  rule->member_expr, LR_EXPR_TEXT,
							  rule->written_by, rule->search_path,
							  psprintf("%s of rule \"%s\"", column, rule->name),
							  &broken);
	MemoryContextSwitchTo(old);
	if (broken != NULL)
		rule->target_broken = psprintf("%s: %s", column, broken);
	MemoryContextDelete(temporary);
}

/*
 * Compiles a rule's condition over the table and finds out what is needed of
 * it.  false: it cannot take part in proofs.
 */
static bool
learn(Lint *lint, LintRule *rule)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext temporary;
	LrExpr	   *expr;
	LrCondition *condition;
	List	   *clauses;
	char	   *broken;
	bool		never;

	rule->clauses = rule->keys = rule->home = NIL;
	rule->columns = NULL;
	rule->can_raise = rule->depends_on_writer = rule->arms = false;
	check_target(lint, rule);
	if (rule->condition == NULL)
		return true;
	temporary = AllocSetContextCreate(lint->context, "leadroute condition",
									  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(temporary);
	expr = lr_compile_guarded(lint->rel, rule->condition, LR_EXPR_BOOL,
							  rule->written_by, rule->search_path,
							  psprintf("condition of rule \"%s\"", rule->name),
							  &broken);
	if (expr == NULL)
	{
		rule->broken = MemoryContextStrdup(old, broken);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(temporary);
		note_proof(rule, NOTHING, NULL);
		return false;
	}
	clauses = make_ands_implicit(expr->tree);
	condition = lr_condition_analyse(expr->tree);
	never = is_contradiction(expr->tree, clauses, condition);
	rule->can_raise = expr->can_raise || expr->generated != NULL;
	rule->depends_on_writer = expr->switch_user;

	MemoryContextSwitchTo(lint->context);
	find_keys(rule, condition);
	rule->clauses = (List *) copyObject(clauses);
	rule->arms = has_arms(clauses);
	pull_varattnos((Node *) rule->clauses, 1, &rule->columns);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(temporary);
	if (never)
		note_proof(rule, CONTRADICTION, NULL);
	return !never;
}

/* ---------- rules by values and columns ---------- */

/* Nobody is posted; there will be about n rules. */
static void
begin_places(Lint *lint, int n)
{
	HASHCTL		info = {0};
	int			ncolumns = RelationGetNumberOfAttributes(lint->rel) + 1 -
		FirstLowInvalidHeapAttributeNumber;

	if (lint->places != NULL)
		hash_destroy(lint->places);
	else
		lint->by_column = (List **) MemoryContextAlloc(lint->context,
													   ncolumns * sizeof(List *));
	info.keysize = sizeof(PlaceKey);
	info.entrysize = sizeof(Place);
	info.hcxt = lint->context;
	lint->places = hash_create("leadroute lint", n, &info,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	memset(lint->by_column, 0, ncolumns * sizeof(List *));
	lint->everywhere = NIL;
	memset(lint->seen_by, 0, lint->nrules * sizeof(int));
}

static void
begin_table(Lint *lint, Relation rel)
{
	lint->rel = rel;
	lint->context = AllocSetContextCreate(CurrentMemoryContext, "leadroute lint",
										  ALLOCSET_DEFAULT_SIZES);
	lint->places = NULL;
	begin_places(lint, lint->nrules);
}

/* A rule that may be a proof against later ones is put where they look. */
static void
post(Lint *lint, LintRule *rule)
{
	MemoryContext old = MemoryContextSwitchTo(lint->context);
	ListCell   *lc;
	int			column = -1;

	foreach(lc, rule->home)
	{
		bool		found;
		Place	   *place = (Place *) hash_search(lint->places, lfirst(lc),
												  HASH_ENTER, &found);

		if (!found)
			place->rules = NIL;
		if (place->rules == NIL || llast(place->rules) != rule)
			place->rules = lappend(place->rules, rule);
	}
	if (rule->home == NIL && rule->columns == NULL)
		lint->everywhere = lappend(lint->everywhere, rule);
	else if (rule->home == NIL)
		while ((column = bms_next_member(rule->columns, column)) >= 0)
			lint->by_column[column] = lappend(lint->by_column[column], rule);
	MemoryContextSwitchTo(old);
}

static bool
add_candidates(Lint *lint, List *rules)
{
	ListCell   *lc;

	foreach(lc, rules)
	{
		LintRule   *rule = (LintRule *) lfirst(lc);

		if (lint->seen_by[rule->place] == lint->current->place + 1)
			continue;
		if (lint->ncandidates == MAX_COMPARED)
			return false;
		lint->seen_by[rule->place] = lint->current->place + 1;
		lint->candidate[lint->ncandidates++] = rule;
	}
	return true;
}

/* The rules posted that a rule is compared with; false: not all of them. */
static bool
find_candidates(Lint *lint, LintRule *rule)
{
	ListCell   *lc;
	int			column = -1;
	bool		all = true;

	lint->current = rule;
	lint->ncandidates = 0;
	if (lint->everywhere != NIL)
		all &= add_candidates(lint, lint->everywhere);
	foreach(lc, rule->keys)
	{
		Place	   *place = (Place *) hash_search(lint->places, lfirst(lc),
												  HASH_FIND, NULL);

		if (place != NULL)
			all &= add_candidates(lint, place->rules);
	}
	while ((column = bms_next_member(rule->columns, column)) >= 0)
		all &= add_candidates(lint, lint->by_column[column]);
	qsort(lint->candidate, lint->ncandidates, sizeof(LintRule *), compare_rules);
	return all;
}

/* ---------- proofs ---------- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Two conditions mean the same only if the same role asks. */
static bool
comparable(const LintRule *a, const LintRule *b)
{
	return (!a->depends_on_writer && !b->depends_on_writer) ||
		(same_text(a->written_by, b->written_by) &&
		 same_text(a->search_path, b->search_path));
}

/* Whether an earlier rule decides wherever a later one could. */
static bool
always_asked(const Lint *lint, const LintRule *earlier, const LintRule *rule)
{
	return earlier->staffed && !earlier->computed && !earlier->can_raise &&
		earlier->scope.percent >= 100 &&
		earlier->scope.since <= Max(rule->scope.since, lint->now) &&
		earlier->scope.until >= rule->scope.until &&
		comparable(earlier, rule);
}

/* Whether nothing that the earlier rule gets comes to the later one's use. */
static bool
leaves_nothing(const LintRule *earlier, const LintRule *rule)
{
	return earlier->stops ||
		(rule->next_rule && !rule->computed &&
		 same_text(earlier->team, rule->team));
}

/* One of several rules is true, as a clause. */
static List *
any_of(LintRule **rules, int n)
{
	List	   *arms = NIL;
	int			i;

	for (i = 0; i < n; i++)
		arms = lappend(arms, make_ands_explicit(rules[i]->clauses));
	return n == 1 ? rules[0]->clauses : list_make1(make_orclause(arms));
}

static char *
names_of(LintRule **rules, int n)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	for (i = 0; i < Min(n, 3); i++)
		appendStringInfo(&buf, "%s\"%s\"", i == 0 ? "" : ", ", rules[i]->name);
	if (n > 3)
		appendStringInfo(&buf, " and %d more", n - 3);
	return buf.data;
}

/*
 * Looks for rules among those given that together are true wherever the rule
 * is: one of them, or all.  Moves them to the front; 0: not proved.
 */
static int
find_cover(LintRule *rule, LintRule **rules, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		if (predicate_implied_by(rules[i]->clauses, rule->clauses, false))
		{
			rules[0] = rules[i];
			return 1;
		}
	if (n > 1 && rule->arms &&
		predicate_implied_by(any_of(rules, n), rule->clauses, false))
	{
		/* leave out those that are not needed */
		for (i = n - 1; i >= 0 && n > 2; i--)
		{
			LintRule   *spared = rules[i];

			memmove(rules + i, rules + i + 1, (n - i - 1) * sizeof(LintRule *));
			if (predicate_implied_by(any_of(rules, n - 1), rule->clauses, false))
				n--;
			else
			{
				memmove(rules + i + 1, rules + i, (n - i - 1) * sizeof(LintRule *));
				rules[i] = spared;
			}
		}
		return n;
	}
	return 0;
}

/* Arguments of a guarded comparison: operators of proofs may raise. */
typedef struct Comparison
{
	Lint	   *lint;
	LintRule   *rule;
	Proof		proof;
	char	   *because;
} Comparison;

static void
compare(void *arg)
{
	Comparison *c = (Comparison *) arg;
	Lint	   *lint = c->lint;
	LintRule   *rule = c->rule;
	LintRule  **asked = (LintRule **) palloc((lint->ncandidates + 1) * sizeof(LintRule *));
	LintRule  **last = (LintRule **) palloc((lint->ncandidates + 1) * sizeof(LintRule *));
	int			nasked = 0;
	int			nlast = 0;
	int			n;
	int			i;

	for (i = 0; i < lint->ncandidates; i++)
	{
		LintRule   *earlier = lint->candidate[i];

		if (!always_asked(lint, earlier, rule))
			continue;
		asked[nasked++] = earlier;
		if (leaves_nothing(earlier, rule))
			last[nlast++] = earlier;
	}
	if ((n = find_cover(rule, last, nlast)) > 0)
	{
		c->proof = UNREACHABLE;
		c->because = names_of(last, n);
	}
	else if ((n = find_cover(rule, asked, nasked)) > 0)
	{
		c->proof = predicate_implied_by(rule->clauses, any_of(asked, n), false) ?
			FALLBACK : COVERED;
		c->because = names_of(asked, n);
	}
}

static void
examine(Lint *lint, LintRule *rule)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(lint->context,
												  "leadroute comparison",
												  ALLOCSET_SMALL_SIZES);
	Comparison	c = {lint, rule, NOTHING, NULL};

	if (!find_candidates(lint, rule))
		lint->ncut++;
	MemoryContextSwitchTo(scratch);
	if (lint->ncandidates > 0 && lr_guarded(compare, &c) != NULL)
		c.proof = NOTHING;
	MemoryContextSwitchTo(old);
	note_proof(rule, c.proof, c.because ? pstrdup(c.because) : NULL);
	MemoryContextDelete(scratch);
}

/* Which later rules of the same priority are true wherever the rule is? */
static void
find_wider(void *arg)
{
	Comparison *c = (Comparison *) arg;
	int			i;

	for (i = 0; i < c->lint->ncandidates; i++)
	{
		LintRule   *later = c->lint->candidate[i];

		if (comparable(c->rule, later) &&
			(c->rule->computed || later->computed ||
			 !same_text(c->rule->team, later->team)) &&
			predicate_implied_by(later->clauses, c->rule->clauses, false))
			later->narrower = c->rule;
	}
}

/*
 * Rules first to last - 1 of one priority: which come before wider ones by
 * nothing but their names?  From the last to the first, so that what a rule
 * looks up is what comes after it.
 */
static void
look_at_names(Lint *lint, int first, int last)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(lint->context,
												  "leadroute comparison",
												  ALLOCSET_SMALL_SIZES);
	int			i;

	begin_places(lint, last - first);
	for (i = last - 1; i >= first; i--)
	{
		LintRule   *rule = lint->rule[i];
		Comparison	c = {lint, rule, NOTHING, NULL};

		CHECK_FOR_INTERRUPTS();
		if (!rule->known || rule->clauses == NIL)
			continue;
		(void) find_candidates(lint, rule);
		MemoryContextSwitchTo(scratch);
		if (lint->ncandidates > 0)
			(void) lr_guarded(find_wider, &c);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		post(lint, rule);
	}
	MemoryContextDelete(scratch);
}

static bool
is_for(const LintRule *rule, const char *table)
{
	return rule->routed_table == NULL || strcmp(rule->routed_table, table) == 0;
}

/* All rules that are for a table, each against those before it. */
static void
look_at_table(Lint *lint, const char *table, Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	int			next;
	int			i;

	if (rel == NULL)
		return;
	begin_table(lint, rel);
	for (i = 0; i < lint->nrules; i++)
	{
		LintRule   *rule = lint->rule[i];

		CHECK_FOR_INTERRUPTS();
		rule->known = is_for(rule, table) && rule->scope.until > lint->now &&
			learn(lint, rule);
		if (!rule->known)
			continue;
		examine(lint, rule);
		post(lint, rule);
	}
	for (i = 0; i < lint->nrules; i = next)
	{
		for (next = i + 1; next < lint->nrules; next++)
			if (lint->rule[next]->priority != lint->rule[i]->priority)
				break;
		if (next > i + 1)
			look_at_names(lint, i, next);
	}
	MemoryContextDelete(lint->context);
	relation_close(rel, AccessShareLock);
}

/* ---------- what is reported ---------- */

static void
finding(Lint *lint, const char *severity, const LintRule *rule,
		const char *what, char *detail, char *what_to_do)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = CStringGetTextDatum(severity);
	nulls[1] = rule == NULL;
	if (rule != NULL)
		values[1] = CStringGetTextDatum(rule->name);
	values[2] = CStringGetTextDatum(what);
	values[3] = CStringGetTextDatum(detail);
	values[4] = CStringGetTextDatum(what_to_do);
	tuplestore_putvalues(lint->rsinfo->setResult, lint->rsinfo->setDesc,
						 values, nulls);
}

static void
report_proof(Lint *lint, const LintRule *rule)
{
	switch (rule->proof)
	{
		case CONTRADICTION:
			finding(lint, "warning", rule, "contradiction",
					"Its condition can never be true.",
					psprintf("Correct the condition, or delete the rule: %s",
							 rule->condition));
			break;
		case UNREACHABLE:
			finding(lint, "warning", rule, "unreachable",
					psprintf("It never gets a lead: every lead that matches it matches %s first, with which the lead stays.",
							 rule->because),
					"Give it a smaller priority, or delete it.");
			break;
		case COVERED:
			finding(lint, "warning", rule, "covered",
					psprintf("Every lead that matches it matches %s first: it gets only what nobody there can take.",
							 rule->because),
					"Give it a smaller priority, for it says more than what is tried first.");
			break;
		case FALLBACK:
			finding(lint, "notice", rule, "fallback",
					psprintf("It takes the same leads as %s and is tried later: it gets only what nobody there can take.",
							 rule->because),
					"Nothing, if it is meant for that.");
			break;
		case NOTHING:
			break;
	}
}

static void
report_rule(Lint *lint, const LintRule *rule)
{
	if (rule->scope.until <= lint->now)
	{
		finding(lint, "warning", rule, "expired",
				psprintf("It has not been in force since %s.",
						 timestamptz_to_str(rule->scope.until)),
				"Delete it, or change valid.");
		return;
	}
	if (rule->broken != NULL)
		finding(lint, "error", rule, "condition_invalid", rule->broken,
				"Change its condition, or its routed_table; the rule does not match leads of that table.");
	if (rule->target_broken != NULL)
		finding(lint, "error", rule, "target_invalid", rule->target_broken,
				"Change it; the rule has nobody for leads of that table.");
	if (rule->scope.percent <= 0)
		finding(lint, "warning", rule, "percent_zero",
				"It takes 0 percent of the leads: none.",
				"Raise percent, or disable the rule.");
	if (!rule->staffed && !rule->computed)
		finding(lint, "warning", rule, "team_empty",
				rule->team == NULL ? pstrdup("The router has no active member.") :
				psprintf("Team \"%s\" has no active member.", rule->team),
				"Add members, or disable the rule.");
	report_proof(lint, rule);
	if (rule->narrower != NULL && rule->proof == NOTHING)
		finding(lint, "notice", rule, "order_by_name",
				psprintf("Rule \"%s\" of the same priority is narrower and is tried first only because of its name.",
						 rule->narrower->name),
				"Give them different priorities.");
}

/* Whether some rule takes every lead of a table. */
static bool
has_catch_all(const Lint *lint, const char *table)
{
	int			i;

	for (i = 0; i < lint->nrules; i++)
	{
		const LintRule *rule = lint->rule[i];

		if (rule->condition == NULL && rule->scope.percent >= 100 &&
			lr_rule_in_force(&rule->scope, lint->now) && is_for(rule, table))
			return true;
	}
	return false;
}

static void
look_at_tables(Lint *lint)
{
	LrScan		scan;

	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
	{
		char	   *name = lr_scan_text(&scan, "name");
		char	   *router = lr_scan_text(&scan, "router");
		bool		isnull;
		Oid			relid = DatumGetObjectId(lr_scan_datum(&scan, "relation",
														   &isnull));

		if (router != NULL && strcmp(router, lint->router->name) != 0)
			continue;
		look_at_table(lint, name, relid);
		if (!has_catch_all(lint, name))
			finding(lint, "warning", NULL, "no_catch_all",
					psprintf("No rule takes every lead of table \"%s\": one that matches none is held.",
							 name),
					psprintf("INSERT INTO leadroute.rule (router, name) VALUES (%s, 'everyone');",
							 quote_literal_cstr(lint->router->name)));
	}
	lr_scan_end(&scan);
}

Datum
lr_lint(PG_FUNCTION_ARGS)
{
	Lint		lint = {0};
	char	   *name;
	int			i;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	name = PG_ARGISNULL(0) ? lr_default_router_name() :
		text_to_cstring(PG_GETARG_TEXT_PP(0));
	lr_config_accept();
	lint.router = lr_router_pin(name);
	if (lint.router == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("router \"%s\" does not exist", name)));
	lint.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	lint.now = lr_now();
	PG_TRY();
	{
		read_rules(&lint);
		if (lint.nrules > 0)
			look_at_tables(&lint);
		for (i = 0; i < lint.nrules; i++)
			report_rule(&lint, lint.rule[i]);
		if (lint.ncut > 0)
			finding(&lint, "notice", NULL, "not_compared",
					psprintf("%d rules share a value or column with more than %d earlier ones each and were compared with %d of them.",
							 lint.ncut, MAX_COMPARED, MAX_COMPARED),
					"Nothing; some of these rules may be unreachable without being named here.");
	}
	PG_FINALLY();
	{
		lr_router_unpin(lint.router);
	}
	PG_END_TRY();
	return (Datum) 0;
}
