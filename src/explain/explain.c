/*
 * explain.c
 *	  explain, explain_lead: what would be decided now, and why; see explain.h.
 *
 * The decision core is run dry, so what is told is what would be done.  Nothing
 * is consumed and nothing written: it works in a read-only transaction.
 *
 * Who sees what: whoever may call it sees rules, members and the outcome.  A
 * stored lead must be visible to him as to a SELECT of its key, row security
 * included, and so must an earlier lead of the same person, to be named; values,
 * and which part of a condition failed, are told of columns that he may SELECT.  Everything else runs as in a decision: reading the lead
 * with the rights of the table's owner, expressions with their writers'.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "base/clock.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "decide/qualify.h"
#include "decide/sticky.h"
#include "explain/explain.h"
#include "expression/evaluate.h"
#include "lead/lead.h"
#include "lead/ready.h"
#include "lead/visible.h"
#include "leadroute.h"
#include "roster/prepared.h"

PG_FUNCTION_INFO_V1(lr_explain);
PG_FUNCTION_INFO_V1(lr_explain_lead);

/* ---------- who may see what ---------- */

/*
 * Which earlier lead has the same sticky key is told of a lead that the caller
 * sees, of another table too.  Runs with his rights.
 */
static void
hide_followed(LrTable *table, LrSticky *s)
{
	LrFollowed *f = s != NULL ? s->followed : NULL;
	LrTable    *its = table;

	if (f == NULL || f->lead_key == NULL)
		return;
	if (f->routed_table != table->id)
	{
		char	   *name = lr_sticky_table_name(f->routed_table);

		its = name != NULL ? lr_table_lock_sound(name, AccessShareLock) : NULL;
	}
	f->hidden = its == NULL || !lr_may_read_key(its) ||
		!lr_lead_is_visible(its, f->lead_key);
	if (its != NULL && its != table)
		lr_table_unpin(its);
}

/* ---------- the decision ---------- */

/* Whether a new lead's key is known. */
static bool
has_key(const LrExplain *x)
{
	int			i;

	for (i = 0; i < x->table->nkeys; i++)
		if (slot_attisnull(x->row, x->table->key[i]))
			return false;
	return true;
}

/* Whether the lead waits to be ready, or would; current: NULL if not known. */
static void
look_whether_it_waits(LrExplain *x, const LrCurrent *current)
{
	if (x->table->ready == NULL || x->facts.owner != NULL ||
		!(x->is_new || (current != NULL && current->waits)))
		return;
	x->waits = !lr_is_ready(x->table, x->row, &x->request.detail);
	x->waits_until = lr_waits_until(x->table, current != NULL ? current->at :
									x->request.now);
}

static void
decide(LrExplain *x)
{
	LrDecideRequest *request = &x->request;
	LrCurrent	current;
	bool		known;

	lr_facts(x->table, x->row, &x->facts);
	x->binding = x->facts.router != NULL ?
		lr_table_bind(x->table, x->facts.router) : NULL;
	request->no_key = !has_key(x);
	if (x->binding == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("lead %s of \"%s\" belongs to no router",
						request->no_key ? "without key" : x->facts.key,
						x->table->name)));
	request->table = x->table;
	request->binding = x->binding;
	request->row = x->row;
	request->key = x->facts.key;
	request->load = x->facts.closed ? 0 : x->facts.load;
	request->now = lr_now();
	request->dry_run = true;
	request->stored = !x->is_new;
	known = request->stored &&
		lr_journal_current(x->table->id, x->facts.key, &current);
	if (known)
	{
		request->without = lr_journal_given_up_by(x->table->id, x->facts.key,
												  &current);
		request->former_kind = current.kind;
		request->released = current.released &&
			current.router == x->binding->router->id;
	}
	look_whether_it_waits(x, known ? &current : NULL);
	request->laps = &x->laps;
	lr_decide(request, &x->decision);
	/* rules have seen the score and status that the criteria give */
	if (x->decision.verdict != NULL && x->decision.verdict->row != NULL)
		x->row = x->decision.verdict->row;
}

/* ---------- writing ---------- */

static char *
result_words(const LrDecision *d)
{
	if (d->entry.kind == LR_KIND_DUPLICATE)
		return psprintf("a duplicate, for \"%s\"", d->member->name);
	if (d->entry.kind == LR_KIND_SUPPRESSED)
		return pstrdup("stays without owner, suppressed");
	if (lr_kept_back(d->entry.kind))
		return psprintf("stays without owner, %s: %s", lr_verdict_word(d->verdict),
						d->verdict->words);
	if (d->member != NULL)
		return psprintf("assigned to \"%s\"%s", d->member->name,
						d->entry.reason == NULL ? "" :
						strcmp(d->entry.reason, "sticky") == 0 ? " (sticky)" :
						strcmp(d->entry.reason, "overflow_team") == 0 ?
						" (of overflow_team)" : " (limits ignored)");
	if (d->entry.kind == LR_KIND_NONE)
		return pstrdup("stays without owner, as the rule's overflow says");
	if (d->entry.kind == LR_KIND_TRIAGE)
	{
		const LrTeam *team = ((LrTrial *) llast(d->trials))->rule->team;

		return team->name == NULL ?
			pstrdup("put on the triage list, for somebody to decide") :
			psprintf("put on the triage list of team \"%s\", for somebody to decide",
					 team->name);
	}
	return psprintf("held: %s", strcmp(d->entry.reason, "no_rule") == 0 ?
					"no rule matches" :
					strcmp(d->entry.reason, "no_member") == 0 ?
					"the rules that match have no member for it" :
					strncmp(d->entry.reason, "unknown", 7) == 0 ?
					"the rules that match name nobody" :
					"nobody can take it now");
}

/* That a lead waits to be ready, where its table asks for it. */
static void
put_waiting(LrOutput *out, const LrExplain *x)
{
	bool		ends = x->waits && x->waits_until != DT_NOEND;
	char	   *until = ends ? pstrdup(timestamptz_to_str(x->waits_until)) : NULL;

	if (x->table->ready == NULL)
		return;
	if (x->waits)
		lr_line(out, "It is not ready (ready_when is not true), and waits %s%s; decided as it is now:",
				ends ? "until it is, at the latest until " : "until it is",
				ends ? until : "");
	lr_put_bool(out, "waits", x->waits);
	lr_put_text(out, "waits_until", until);
}

static void
put_lead(LrOutput *out, const LrExplain *x)
{
	const LrRouter *router = x->binding->router;
	const char *owner = x->facts.owner;
	const char *key = x->request.no_key ? NULL : x->facts.key;
	ListCell   *lc;
	bool		hidden = owner != NULL && x->visible != NULL &&
		!x->visible[x->table->owner - 1];

	lr_line(out, "%s%s%s of \"%s\", router \"%s\" (configuration version %lld)",
			x->is_new ? "New lead" : "Lead", key ? " " : "", key ? key : "",
			x->table->name, router->name, (long long) router->version);
	out->indent = 2;
	if (!router->enabled)
		lr_line(out, "Router \"%s\" is disabled: its leads are not decided; if it were enabled:",
				router->name);
	if (hidden)
		lr_line(out, "It has an owner that you may not read; without one:");
	else if (owner != NULL)
		lr_line(out, "It has the owner %s%s; without one:", owner,
				x->is_new ? ", and keeps it" : "");
	if (router->test_when != NULL)
		lr_put_bool(out, "is_test", x->decision.entry.is_test);
	if (x->decision.entry.is_test)
		lr_line(out, "A test lead (test_when): it counts nowhere");
	lr_put_text(out, "routed_table", x->table->name);
	lr_put_text(out, "lead_key", key);
	lr_put_text(out, "router", router->name);
	lr_put_int(out, "version", router->version);
	lr_put_bool(out, "enabled", router->enabled);
	lr_put_text(out, "owner", hidden ? "not told" : owner);
	put_waiting(out, x);
	if (!x->is_new)
		return;
	lr_open(out, "not_computed", true);
	foreach(lc, x->not_computed)
	{
		lr_put_text(out, NULL, (char *) lfirst(lc));
		lr_line(out, "Column \"%s\" is null here: its default is volatile",
				(char *) lfirst(lc));
	}
	lr_close(out, true);
}

/* Whom the lead's keys say it is of, where the router asks. */
static void
put_sticky(LrOutput *out, const LrExplain *x)
{
	const LrSticky *s = x->decision.sticky;
	char	   *words;

	if (s == NULL)
		return;
	words = lr_sticky_words(&x->request, s);
	lr_line(out, "Known by %d %s: %s", s->keys->n,
			s->keys->n == 1 ? "key" : "keys",
			words != NULL ? words : "no earlier lead has the same and an owner");
	lr_open(out, "sticky", false);
	lr_put_int(out, "keys", s->keys->n);
	lr_put_text(out, "detail", words);
	lr_put_text(out, "lead_key", s->followed != NULL && !s->followed->hidden ?
				s->followed->lead_key : NULL);
	lr_put_text(out, "refused", s->refused);
	lr_close(out, false);
}

static void
put_result(LrOutput *out, const LrExplain *x)
{
	const LrDecision *d = &x->decision;
	bool		by_key = x->request.no_key && d->entry.method == LR_METHOD_RANDOM;
	const double *seconds = x->laps.seconds;

	lr_line(out, "Result: %s%s", result_words(d),
			by_key ? "; random draws by the key, which the lead does not have yet" : "");
	lr_put_text(out, "member", d->member ? d->member->name : NULL);
	lr_put_text(out, "reason", d->entry.reason);
	lr_put_text(out, "result", result_words(d));
	if (!x->timings)
		return;
	lr_line(out, "Timings: finding rules %.1f us, evaluating %.1f us, choosing %.1f us",
			seconds[LR_LAP_FIND] * 1e6, seconds[LR_LAP_EVALUATE] * 1e6,
			seconds[LR_LAP_PICK] * 1e6);
	lr_open(out, "timings", false);
	lr_put_number(out, "finding_us", seconds[LR_LAP_FIND] * 1e6, 1);
	lr_put_number(out, "evaluating_us", seconds[LR_LAP_EVALUATE] * 1e6, 1);
	lr_put_number(out, "choosing_us", seconds[LR_LAP_PICK] * 1e6, 1);
	lr_close(out, false);
}

static void
write_all(LrOutput *out, const LrExplain *x)
{
	lr_open(out, NULL, false);
	put_lead(out, x);
	lr_explain_criteria(out, x);
	put_sticky(out, x);
	lr_explain_rules(out, x);
	put_result(out, x);
	lr_close(out, false);
	lr_output_end(out);
}

/* ---------- the functions ---------- */

static bool
is_json(const char *format)
{
	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid format \"%s\"", format),
				 errhint("Valid words: text, json.")));
	return strcmp(format, "json") == 0;
}

static int
count_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	int			n = PG_GETARG_INT32(arg);

	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative", name)));
	return n;
}

/* The lead's row, and what the caller may see of it; acts as the owner now. */
static void
fetch_lead(LrExplain *x, FunctionCallInfo fcinfo, LrRights *rights)
{
	Oid			caller = GetUserId();
	char	   *key;

	if (x->is_new)
	{
		lr_lead_become(x->table, true, rights);
		x->row = lr_new_lead(x->table, PG_GETARG_JSONB_P(1), caller,
							 &x->not_computed);
		return;
	}
	key = lr_key_argument(fcinfo, 1);
	lr_require_visible(x->table, key, "explained to");
	x->visible = lr_visible_columns(x->table);
	lr_lead_become(x->table, true, rights);
	x->row = lr_lead_fetch(x->table, key, false);
	if (x->row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("lead table \"%s\" has no lead %s", x->table->name, key)));
}

/* lead_table, the lead, format, rules, rule, members, timings. */
static Datum
explain(FunctionCallInfo fcinfo, bool is_new)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrExplain	x;
	LrOutput	out;
	LrRights	rights;
	int			i;

	lr_require_preload();
	if (lr_evaluating())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("an expression of leadroute asks for an explanation"),
				 errhint("A condition says whether a lead fits, and looks at that lead alone.")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	for (i = 0; i < 7; i++)
		if (i != 4 && PG_ARGISNULL(i))
			return (Datum) 0;
	memset(&x, 0, sizeof(x));
	x.is_new = is_new;
	x.max_rules = count_argument(fcinfo, 3, "rules");
	x.rule = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	x.max_members = count_argument(fcinfo, 5, "members");
	x.timings = PG_GETARG_BOOL(6);
	lr_output_begin(&out, rsinfo, is_json(text_to_cstring(PG_GETARG_TEXT_PP(2))));
	x.table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
							AccessShareLock);
	PG_TRY();
	{
		SPI_connect();
		fetch_lead(&x, fcinfo, &rights);
		lr_settle_prepared(lr_database());
		decide(&x);
		lr_resign(&rights);
		hide_followed(x.table, x.decision.sticky);
		lr_lead_become(x.table, true, &rights);
		write_all(&out, &x);
		SPI_finish();
		lr_resign(&rights);
	}
	PG_FINALLY();
	{
		if (x.binding != NULL)
			lr_binding_unpin(x.binding);
		lr_table_unpin(x.table);
	}
	PG_END_TRY();
	return (Datum) 0;
}

Datum
lr_explain(PG_FUNCTION_ARGS)
{
	return explain(fcinfo, false);
}

Datum
lr_explain_lead(PG_FUNCTION_ARGS)
{
	return explain(fcinfo, true);
}
