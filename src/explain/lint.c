/*
 * lint.c
 *	  What is odd about a router's rules without being an error; see lint.h.
 *
 * That nothing is reported proves nothing.  A rule for several lead tables is
 * reported if the same can be said for each of them.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/clock.h"
#include "base/guc.h"
#include "base/scan.h"
#include "config/router_name.h"
#include "explain/lint.h"
#include "expression/compile.h"
#include "leadroute.h"
#include "rule/rule_scope.h"

PG_FUNCTION_INFO_V1(lr_lint);

/* ---------- reading ---------- */

static LrLintRule *
read_rule(LrScan *scan, LrRouter *router)
{
	LrLintRule   *rule = (LrLintRule *) palloc0(sizeof(LrLintRule));
	char	   *overflow = lr_scan_text(scan, "overflow");
	LrTeam	   *team;

	rule->name = lr_scan_text(scan, "name");
	rule->priority = lr_scan_int(scan, "priority", 0);
	rule->condition = lr_scan_text(scan, "condition");
	rule->routed_table = lr_scan_text(scan, "routed_table");
	rule->elsewhere = rule->routed_table != NULL;
	rule->team = lr_scan_text(scan, "team");
	rule->written_by = lr_scan_text(scan, "written_by");
	rule->search_path = lr_scan_text(scan, "search_path");
	rule->manual = strcmp(lr_scan_text(scan, "method"), "manual") == 0;
	rule->next_rule = strcmp(overflow, "next_rule") == 0 && !rule->manual;
	rule->stops = strcmp(overflow, "none") == 0 ||
		strcmp(overflow, "hold") == 0 || rule->manual;
	team = rule->team ? lr_team_by_name(router, rule->team) : lr_everyone(router);
	rule->team_expr = lr_scan_text(scan, "team_expr");
	rule->member_expr = lr_scan_text(scan, "member_expr");
	rule->computed = rule->team_expr != NULL || rule->member_expr != NULL;
	rule->member_condition = lr_scan_text(scan, "member_condition");
	rule->member_rank = lr_scan_text(scan, "member_rank");
	rule->staffed = team != NULL && team->n > 0;
	rule->selective = rule->member_condition != NULL ||
		(team != NULL && team->nreach > 0);
	lr_rule_scope_read(&rule->scope, scan);
	return rule;
}

static void
read_rules(LrLint *lint)
{
	LrScan		scan;
	int			room = 64;
	int			i;

	lint->rule = (LrLintRule **) palloc(room * sizeof(LrLintRule *));
	lr_scan_begin(&scan, "rule", "rule_pkey", "router", lint->router->name);
	while (lr_scan_next(&scan))
	{
		if (!lr_scan_bool(&scan, "enabled"))
			continue;
		if (lint->nrules == room)
			lint->rule = (LrLintRule **) repalloc_huge(lint->rule,
													 (Size) (room *= 2) * sizeof(LrLintRule *));
		lint->rule[lint->nrules++] = read_rule(&scan, lint->router);
	}
	lr_scan_end(&scan);
	qsort(lint->rule, lint->nrules, sizeof(LrLintRule *), lr_lint_order);
	for (i = 0; i < lint->nrules; i++)
		lint->rule[i]->place = i;
	lint->candidate = (LrLintRule **) palloc((lint->nrules + 1) *
											 sizeof(LrLintRule *));
	lint->seen_by = (int *) palloc0((lint->nrules + 1) * sizeof(int));
}

/* ---------- one condition ---------- */

static bool
has_arms(List *clauses)
{
	ListCell   *lc;

	foreach(lc, clauses)
		if (is_orclause(lfirst(lc)) || IsA(lfirst(lc), ScalarArrayOpExpr))
			return true;
	return false;
}

/*
 * What each alternative says: rules may be a proof together, each of an
 * alternative that the whole cannot be filed by.
 */
static List *
analyse_arms(List *says, List *clauses)
{
	ListCell   *lc;
	ListCell   *la;

	foreach(lc, clauses)
	{
		if (!is_orclause(lfirst(lc)))
			continue;
		foreach(la, ((BoolExpr *) lfirst(lc))->args)
		{
			says = lappend(says, lr_condition_analyse((Expr *) lfirst(la)));
			says = analyse_arms(says, make_ands_implicit((Expr *) lfirst(la)));
		}
	}
	return says;
}

void
lr_lint_note(LrLintRule *rule, LrProof proof, char *because)
{
	if (!rule->looked_at || proof < rule->proof)
	{
		rule->proof = proof;
		rule->because = because;
	}
	rule->looked_at = true;
}

bool
lr_lint_never(List *clauses, const LrCondition *says)
{
	ListCell   *lc;

	foreach(lc, clauses)
		if (IsA(lfirst(lc), Const) &&
			(((Const *) lfirst(lc))->constisnull ||
			 !DatumGetBool(((Const *) lfirst(lc))->constvalue)))
			return true;
	return says->never || predicate_refuted_by(clauses, clauses, true);
}

static bool
calls_score(Node *node, Oid *score)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == *score)
		return true;
	return expression_tree_walker(node, calls_score, score);
}

bool
lr_lint_learn(LrLint *lint, const char *text, LrExprKind kind,
			  const char *written_by, const char *search_path,
			  const char *what, LrLearned *learned, char **broken)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext temporary;
	Oid			score = LookupFuncName(list_make2(makeString(pstrdup(LR_SCHEMA)),
												  makeString(pstrdup("score"))),
									   0, NULL, true);
	char	   *error = NULL;
	LrExpr	   *expr;

	memset(learned, 0, sizeof(LrLearned));
	temporary = AllocSetContextCreate(lint->context, "leadroute condition",
									  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(temporary);
	expr = lr_compile_guarded(lint->rel, text, kind, written_by, search_path,
							  what, &error);
	if (expr == NULL)
		*broken = MemoryContextStrdup(old, error);
	else
	{
		learned->can_raise = expr->can_raise || expr->generated != NULL;
		learned->depends_on_writer = expr->switch_user;
		learned->reads_score = calls_score((Node *) expr->tree, &score);
		MemoryContextSwitchTo(lint->context);
		learned->tree = (Expr *) copyObject(expr->tree);
		pull_varattnos((Node *) learned->tree, LR_LEAD_VARNO, &learned->columns);
		if (kind == LR_EXPR_BOOL)
		{
			learned->clauses = make_ands_implicit(learned->tree);
			learned->says = lr_condition_analyse(learned->tree);
			MemoryContextSwitchTo(temporary);
			learned->never = lr_lint_never(learned->clauses, learned->says);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(temporary);
	return expr != NULL;
}

/* Finds out whether an expression about members compiles. */
static void
check_expression(LrLint *lint, LrLintRule *rule, const char *text,
				 LrExprKind kind, const char *column)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext temporary;
	char	   *broken = NULL;

	if (text == NULL || rule->target_broken != NULL)
		return;
	temporary = AllocSetContextCreate(lint->context, "leadroute condition",
									  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(temporary);
	(void) lr_compile_guarded(lint->rel, text, kind, rule->written_by,
							  rule->search_path,
							  psprintf("%s of rule \"%s\"", column, rule->name),
							  &broken);
	MemoryContextSwitchTo(old);
	if (broken != NULL)
		rule->target_broken = psprintf("%s: %s", column, broken);
	MemoryContextDelete(temporary);
}

/* The same for all that says whom the rule's leads are for. */
static void
check_target(LrLint *lint, LrLintRule *rule)
{
	check_expression(lint, rule, rule->team_expr, LR_EXPR_TEXT, "team_expr");
	check_expression(lint, rule, rule->member_expr, LR_EXPR_TEXT,
					 "member_expr");
	check_expression(lint, rule, rule->member_condition, LR_EXPR_MEMBER,
					 "member_condition");
	check_expression(lint, rule, rule->member_rank, LR_EXPR_RANK,
					 "member_rank");
}

/*
 * Compiles a rule's condition over the table and finds out what is needed of
 * it.  false: it cannot take part in proofs.
 */
static bool
learn(LrLint *lint, LrLintRule *rule)
{
	MemoryContext old;
	LrLearned	learned;

	rule->clauses = NIL;
	rule->columns = NULL;
	rule->condition_says = NULL;
	rule->arms_say = NIL;
	rule->can_raise = rule->depends_on_writer = rule->arms = false;
	check_target(lint, rule);
	if (rule->condition == NULL)
		return true;
	if (!lr_lint_learn(lint, rule->condition, LR_EXPR_BOOL, rule->written_by,
					   rule->search_path,
					   psprintf("condition of rule \"%s\"", rule->name),
					   &learned, &rule->broken))
	{
		lr_lint_note(rule, LR_PROVED_NOTHING, NULL);
		return false;
	}
	if (learned.never)
		lr_lint_note(rule, LR_PROVED_CONTRADICTION, NULL);
	rule->can_raise = learned.can_raise;
	rule->depends_on_writer = learned.depends_on_writer;
	rule->reads_score |= learned.reads_score;
	rule->condition_says = learned.says;
	rule->clauses = learned.clauses;
	rule->columns = learned.columns;
	rule->arms = has_arms(learned.clauses);
	old = MemoryContextSwitchTo(lint->context);
	rule->arms_say = analyse_arms(NIL, learned.clauses);
	MemoryContextSwitchTo(old);
	return !learned.never;
}

static bool
is_for(const LrLintRule *rule, const char *table)
{
	return rule->routed_table == NULL || strcmp(rule->routed_table, table) == 0;
}

/*
 * All rules that are for a table, each against those before it; and against
 * those of its own priority that come after it only by their names.
 */
static void
look_at_table(LrLint *lint, const LrLintTables *table)
{
	int			i;

	if (!lr_lint_table_begin(lint, table))
		return;
	for (i = 0; i < lint->nrules; i++)
	{
		LrLintRule *rule = lint->rule[i];

		CHECK_FOR_INTERRUPTS();
		rule->known = is_for(rule, table->name) && rule->scope.until > lint->now &&
			learn(lint, rule);
	}
	lr_lint_file(lint);
	for (i = 0; i < lint->nrules; i++)
	{
		LrLintRule *rule = lint->rule[i];
		bool		all;

		CHECK_FOR_INTERRUPTS();
		if (!rule->known)
			continue;
		all = lr_lint_meet(lint, rule, false);
		all &= lr_lint_compare(lint, rule);
		if (rule->clauses != NIL)
		{
			all &= lr_lint_meet(lint, rule, true);
			lr_lint_compare_names(lint, rule);
		}
		lint->ncut += !all;
	}
	lr_lint_table_end(lint);
}

/* ---------- what is reported ---------- */

void
lr_lint_finding(LrLint *lint, const char *severity, const LrLintRule *rule,
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

void
lr_lint_elsewhere(LrLint *lint, const LrLintRule *rule, const char *subject,
				  const char *table)
{
	lr_lint_finding(lint, "warning", rule, "table_elsewhere",
					psprintf("%s is for table \"%s\", whose leads belong to another router.",
							 subject, table),
					"Change its routed_table, or write it for that router.");
}

static void
report_proof(LrLint *lint, const LrLintRule *rule)
{
	switch (rule->proof)
	{
		case LR_PROVED_CONTRADICTION:
			lr_lint_finding(lint, "warning", rule, "contradiction",
							"Its condition can never be true.",
							psprintf("Correct the condition, or delete the rule: %s",
									 rule->condition));
			break;
		case LR_PROVED_UNREACHABLE:
			lr_lint_finding(lint, "warning", rule, "unreachable",
							psprintf("It never gets a lead: every lead that matches it matches %s first, with which the lead stays.",
									 rule->because),
							"Give it a smaller priority, or delete it.");
			break;
		case LR_PROVED_COVERED:
			lr_lint_finding(lint, "warning", rule, "covered",
							psprintf("Every lead that matches it matches %s first: it gets only what nobody there can take.",
									 rule->because),
							"Give it a smaller priority, for it says more than what is tried first.");
			break;
		case LR_PROVED_FALLBACK:
			lr_lint_finding(lint, "notice", rule, "fallback",
							psprintf("It takes the same leads as %s and is tried later: it gets only what nobody there can take.",
									 rule->because),
							"Nothing, if it is meant for that.");
			break;
		case LR_PROVED_NOTHING:
			break;
	}
}

static void
report_rule(LrLint *lint, const LrLintRule *rule)
{
	if (rule->scope.until <= lint->now)
	{
		lr_lint_finding(lint, "warning", rule, "expired",
						psprintf("It has not been in force since %s.",
								 timestamptz_to_str(rule->scope.until)),
						"Delete it, or change valid.");
		return;
	}
	if (rule->broken != NULL)
		lr_lint_finding(lint, "error", rule, "condition_invalid", rule->broken,
						"Change its condition, or its routed_table; the rule does not match leads of that table.");
	if (rule->target_broken != NULL)
		lr_lint_finding(lint, "error", rule, "target_invalid", rule->target_broken,
						"Change it; the rule has nobody for leads of that table.");
	if (rule->scope.percent <= 0)
		lr_lint_finding(lint, "warning", rule, "percent_zero",
						"It takes 0 percent of the leads: none.",
						"Raise percent, or disable the rule.");
	if (!rule->staffed && !rule->computed)
		lr_lint_finding(lint, "warning", rule, "team_empty",
						rule->team == NULL ? pstrdup("The router has no active member.") :
						psprintf("Team \"%s\" has no active member.", rule->team),
						"Add members, or disable the rule.");
	if (rule->elsewhere)
		lr_lint_elsewhere(lint, rule, "It", rule->routed_table);
	if (rule->reads_score && !lr_lint_has_scores(lint->router))
		lr_lint_finding(lint, "warning", rule, "score_missing",
						"Its condition reads leadroute.score(), and no lead has a score.",
						"Add criteria with points, or set qualify_at of the router.");
	report_proof(lint, rule);
	if (rule->narrower != NULL && rule->proof == LR_PROVED_NOTHING)
		lr_lint_finding(lint, "notice", rule, "order_by_name",
						psprintf("Rule \"%s\" of the same priority is narrower and is tried first only because of its name.",
								 rule->narrower->name),
						"Give them different priorities.");
}

/* Whether some rule takes every lead of a table. */
static bool
has_catch_all(const LrLint *lint, const char *table)
{
	int			i;

	for (i = 0; i < lint->nrules; i++)
	{
		const LrLintRule *rule = lint->rule[i];

		if (rule->condition == NULL && rule->scope.percent >= 100 &&
			lr_rule_in_force(&rule->scope, lint->now) && is_for(rule, table))
			return true;
	}
	return false;
}

static void
look_at_tables(LrLint *lint)
{
	LrLintTables table;
	int			i;

	lr_lint_tables_begin(&table, lint);
	while (lr_lint_tables_next(&table))
	{
		for (i = 0; i < lint->nrules; i++)
			lint->rule[i]->elsewhere &= !is_for(lint->rule[i], table.name);
		look_at_table(lint, &table);
		if (!has_catch_all(lint, table.name))
			lr_lint_finding(lint, "warning", NULL, "no_catch_all",
							psprintf("No rule takes every lead of table \"%s\": one that matches none is held.",
									 table.name),
							psprintf("INSERT INTO leadroute.rule (router, name) VALUES (%s, 'everyone');",
									 quote_literal_cstr(lint->router->name)));
	}
	lr_lint_tables_end(&table);
}

Datum
lr_lint(PG_FUNCTION_ARGS)
{
	LrLint		lint = {0};
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
		lr_lint_hours(&lint);
		lr_lint_triage(&lint);
		lr_lint_sticky(&lint);
		lr_lint_ready(&lint);
		lr_lint_criteria(&lint);
		if (lint.ncut > 0)
			lr_lint_finding(&lint, "notice", NULL, "not_compared",
							psprintf("%d %s not compared with all others that may have to do with %s, for these are too many.",
									 lint.ncut, lint.ncut == 1 ? "rule was" : "rules were",
									 lint.ncut == 1 ? "it" : "them"),
							"Nothing; some of these rules may be unreachable without being named here.");
	}
	PG_FINALLY();
	{
		lr_router_unpin(lint.router);
	}
	PG_END_TRY();
	return (Datum) 0;
}
