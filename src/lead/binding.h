/*
 * binding.h
 *	  A router over a lead table: its members as values of the owner column,
 *	  its rules as an index over the table's columns.
 *
 * A binding shows one state of the configuration and does not change; what is
 * added to it as leads come are rules taken out of the index and conditions
 * compiled.  A condition is compiled when its rule is first a candidate and
 * the index alone does not decide it, so neither a new connection nor a
 * changed rule costs more than the rules that leads meet.  Of a plain rule
 * (LR_RULE_PLAIN) nothing is kept at all: under many rules that would be one more
 * piece of memory that no cache has.
 */
#ifndef LR_BINDING_H
#define LR_BINDING_H

#include "rule/rule_set.h"
#include "lead/table.h"

/* A rule as decisions use it; its texts stand in the index's image. */
typedef struct LrRule
{
	int32		id;
	int32		version;
	int32		priority;
	const char *name;
	const char *condition;		/* NULL: every lead */
	const char *team_expr;		/* these two say it lead by lead; NULL: team does */
	const char *member_expr;
	const char *member_condition;	/* over lead and member; NULL: none */
	const char *member_rank;
	LrTeam	   *team;
	char		method;			/* LR_METHOD_… */
	char		overflow;		/* LR_OVERFLOW_… */
	LrTeam	   *overflow_team;	/* NULL: none */
	char		overflow_method;	/* in that team */
	LrRuleScope scope;
	bool		keeps_turns;	/* who gets a lead by it is not behind others for it */
	const char *written_by;
	const char *search_path;
} LrRule;

typedef struct LrBoundRule
{
	LrRule		rule;
	bool		evaluate;		/* being found does not make the condition true */
	bool		compiled;		/* the expressions below are valid */
	LrExpr	   *condition;		/* NULL: every lead, or broken */
	char	   *broken;			/* why it can never match; NULL: it can */
	LrExpr	   *target;			/* team_expr or member_expr; NULL: none, or broken */
	char	   *target_broken;	/* why it never gives a name; NULL: it can */
	LrExpr	   *member_condition;	/* NULL: none, or broken */
	char	   *member_condition_broken;	/* why nobody fits; NULL: it can be true */
	struct LrTerms *terms;		/* it, taken apart; NULL: see terms.h */
	LrExpr	   *member_rank;	/* NULL: none, or broken */
	char	   *member_rank_broken;
	struct LrTerms *rank_terms; /* it, taken apart; NULL: see terms.h */
	TimestampTz reported_at;	/* last event about an error of it */
} LrBoundRule;

typedef struct LrOwnerEntry
{
	const char *owner;
	LrMember   *member;
} LrOwnerEntry;

/* Where a rule stands in the index. */
typedef struct LrRulePlace
{
	int32		id;
	LrRuleRef	ref;
} LrRulePlace;

/* Teams that a binding finds without searching; a power of 2. */
#define LR_BOUND_TEAMS	16

struct LrBinding
{
	MemoryContext context;
	int			pins;
	Oid			relid;			/* of the table */
	LrRouter   *router;			/* pinned */
	Datum	   *owner;			/* value of the owner column, by member index */
	char	  **owner_text;		/* its canonical text; NULL: unusable */
	bool	   *usable;			/* by member index; NULL: all are */
	int			nby_owner;
	LrOwnerEntry *by_owner;		/* usable members, by canonical owner text */
	LrRuleSet  *set;			/* pinned; NULL: nobody has asked for rules yet */
	LrRuleIndex *index;			/* the set's */
	struct BoundRules *bound;
	int			nby_id;
	LrRulePlace *by_id;			/* all rules, by their ids; NULL: nobody has asked */
	LrTeam	   *team[LR_BOUND_TEAMS];	/* last ones of rules, by their ids */
	bool	   *writer_reads[2];	/* all columns; by layer, by number of the writer */
	struct LrCompiledKeys *keys;	/* see sticky_key.c; NULL: not compiled yet */
	MemoryContext compiled;		/* of conditions */
	Size		compiled_size;	/* bytes in it */
	struct LrFitCache *fits;	/* see fit_cache.h; in compiled */
	struct LrCompiledTest *test;	/* see test_lead.c; NULL: not compiled yet */
	void	   *caps;			/* conditions of caps, see cap.c; NULL: none yet */
	struct BoundCriterion *criteria;	/* see criterion.c; NULL: none yet */
};

/*
 * A router's rules over the table, pinned; NULL: no such router.  People only:
 * for callers that decide nothing.
 */
extern LrBinding *lr_table_bind(LrTable *table, const char *router);
extern LrBinding *lr_table_bind_people(LrTable *table, const char *router);
extern void lr_binding_unpin(LrBinding *b);

/*
 * Fills in a rule that a search has found, if it is plain and the decision needs
 * nothing else of it: true without a look at it, always in force, and for a team.
 * What is not in its row in the image is left out.
 */
extern bool lr_binding_plain(LrBinding *b, const LrRuleRef *ref, LrRule *rule);

/* Forgets all bindings of a table; none is pinned. */
extern void lr_bindings_free(LrTable *table);

/* A rule that a search has found; stays as long as the binding. */
extern LrBoundRule *lr_binding_rule(LrBinding *b, const LrRuleRef *ref);

/* The rule of that id; NULL: it is gone, or not for this table. */
extern LrBoundRule *lr_binding_rule_by_id(LrBinding *b, int32 id);

/*
 * Compiles a rule's expressions unless they are.  A mistake in one is no
 * error, see LrBoundRule.broken and target_broken.
 */
extern void lr_binding_compile(LrTable *table, LrBinding *b,
							   LrBoundRule *bound);

/*
 * Compiles an expression, to stay with those of the rules; NULL: there is none,
 * or *broken says why.
 */
extern LrExpr *lr_binding_expression(LrTable *table, LrBinding *b,
									 const char *text, LrExprKind kind,
									 const char *written_by,
									 const char *search_path,
									 const char *what, char **broken);

/* The owner value of a member, and its member by canonical text. */
extern Datum lr_binding_owner(LrTable *table, LrBinding *b, LrMember *m);
extern LrMember *lr_binding_member(LrTable *table, LrBinding *b,
								   const char *owner);

#endif							/* LR_BINDING_H */
