/*
 * sticky.c
 *	  Leads of somebody who is known already; see sticky.h.
 *
 * Nothing is read here through SPI or an MVCC snapshot, nobody is waited for,
 * and no expression runs after the keys are known.  What makes two leads of one
 * person that are decided at the same time go to one owner is in claim.h.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "config/router_sql.h"
#include "decide/passed.h"
#include "decide/sticky.h"
#include "decide/sticky_key.h"
#include "decide/sticky_row.h"
#include "decide/take.h"
#include "expression/evaluate.h"
#include "roster/reserve.h"

/* Leads with a key that are looked at for one with an owner, the latest ones. */
#define MAX_LOOKED	100

/* Bytes of an expression that are told instead of its place. */
#define MAX_EXPR	60

/* ---------- words ---------- */

static char *
expression_words(const LrMatching *m, int i)
{
	return strlen(m->expr[i]) <= MAX_EXPR ? m->expr[i] :
		psprintf("sticky_key %d", i + 1);
}

char *
lr_sticky_table_name(int32 id)
{
	LrScan		scan;
	char	   *name = NULL;

	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (name == NULL && lr_scan_next(&scan))
		if (lr_scan_int(&scan, "id", 0) == id)
			name = lr_scan_text(&scan, "name");
	lr_scan_end(&scan);
	return name;
}

/* The same as it stands in a sentence. */
static char *
of_table(int32 id)
{
	char	   *name = lr_sticky_table_name(id);

	return name != NULL ? psprintf(" of \"%s\"", name) : "";
}

static char *
followed_words(const LrDecideRequest *request, const LrFollowed *f)
{
	const LrMatching *m = request->binding->router->matching;
	const char *expr = expression_words(m, f->said_by);

	if (f->hidden)
		return psprintf("same %s as a lead that is not shown to you", expr);
	if (f->lead_key == NULL)
		return psprintf("same %s as a lead that was being stored", expr);
	return psprintf("same %s as lead %s%s", expr, f->lead_key,
					f->routed_table == request->table->id ? "" :
					of_table(f->routed_table));
}

static char *
suppressed_words(const LrDecideRequest *request, const LrSticky *s)
{
	const LrMatching *m = request->binding->router->matching;
	const char *expr = expression_words(m, s->suppressed_by);

	return s->suppressed_why == NULL ? psprintf("its %s is suppressed", expr) :
		psprintf("its %s is suppressed: %s", expr, s->suppressed_why);
}

char *
lr_sticky_words(const LrDecideRequest *request, const LrSticky *s)
{
	const LrFollowed *f = s->followed;
	const LrMember *m;

	if (s->suppressed_by >= 0)
		return suppressed_words(request, s);
	if (f == NULL)
		return NULL;
	m = lr_member_by_id(request->binding->router, f->member);
	if (s->refused != NULL)
		return psprintf("%s, whose owner \"%s\" does not get it: %s",
						followed_words(request, f), m->name, s->refused);
	return psprintf("%s%s", followed_words(request, f),
					f->open ? ", which is not committed yet" : "");
}

/* ---------- the keys of the lead ---------- */

/* Whether a key is suppressed now; *why: its reason, or NULL. */
static bool
is_suppressed(const LrDecideRequest *request, const char *key, char **why)
{
	bool		suppressed = false;
	LrScan		scan;

	lr_scan_begin_pair(&scan, "suppression", "suppression_pkey",
					   "router", request->binding->router->name,
					   "key", key);
	if (lr_scan_next(&scan))
	{
		bool		isnull;
		Datum		until = lr_scan_datum(&scan, "until", &isnull);

		suppressed = isnull || request->now < DatumGetTimestampTz(until);
		if (suppressed)
			*why = lr_scan_text(&scan, "reason");
	}
	lr_scan_end(&scan);
	return suppressed;
}

LrSticky *
lr_sticky_begin(const LrDecideRequest *request)
{
	LrSticky   *s = (LrSticky *) palloc0(sizeof(LrSticky));
	int			i;

	s->detail = request->detail;
	s->suppressed_by = -1;
	s->since = request->stored ?
		lr_journal_since(request->table->id, request->key) : PG_INT64_MAX;
	s->keys = lr_lead_keys(request->table, request->binding, request->row,
						   &s->detail);
	for (i = 0; i < s->keys->n && s->suppressed_by < 0; i++)
		if (is_suppressed(request, s->keys->value[i], &s->suppressed_why))
			s->suppressed_by = s->keys->said_by[i];
	return s;
}

/* ---------- which lead is followed ---------- */

/* The member that owns the lead of a row; NULL: nobody does. */
static LrMember *
owner_of(const LrDecideRequest *request, const LrStickyRow *row)
{
	LrCurrent	current;
	int32		member = row->member;

	if (row->routed_table == request->table->id &&
		strcmp(row->lead_key, request->key) == 0)
		return NULL;			/* the lead itself */
	if (!row->open)
		member = lr_journal_lead_of(row->routed_table, row->lead_key, row->id,
									row->mine, &current) && !current.is_test ?
			current.member : 0;
	return member == 0 ? NULL :
		lr_member_by_id(request->binding->router, member);
}

/* Whether a lead of that age, in microseconds, is close enough to be followed. */
static bool
is_sticky(const LrMatching *m, int64 age, bool open)
{
	return m->sticky_window < 0 || age < m->sticky_window ||
		(open && age < m->duplicate_window);
}

/* Whether a member may be given a duplicate: limits do not count, only this. */
static bool
may_have_duplicate(const LrBinding *b, const LrMember *m)
{
	return m->active && (b->usable == NULL || b->usable[m->index]);
}

static void
follow_row(LrFollowed *f, const LrStickyRow *row, int32 member, int said_by,
		   bool duplicate)
{
	f->id = row->id;
	f->at = row->at;
	f->routed_table = row->routed_table;
	f->lead_key = row->lead_key;
	f->member = member;
	f->said_by = said_by;
	f->open = row->open;
	f->duplicate = duplicate;
	f->hidden = false;
}

/*
 * The lead to follow by the i-th key: the first one that this one repeats, else
 * the latest; false: there is none.
 */
static bool
find_by_key(const LrDecideRequest *request, const LrSticky *s, int i,
			LrFollowed *f)
{
	const LrMatching *m = request->binding->router->matching;
	bool		found = false;
	LrStickyScan scan;
	LrStickyRow row;
	int			looked;

	f->id = 0;
	if (s->seen.id[i] != 0 && is_sticky(m, 0, true))
	{
		memset(f, 0, sizeof(*f));
		f->id = s->seen.id[i];
		f->member = s->seen.member[i];
		f->said_by = s->keys->said_by[i];
		f->open = found = true;
	}
	lr_sticky_scan_begin(&scan, request->binding->router->id, s->keys->key[i],
						 0);
	for (looked = 0; looked < MAX_LOOKED &&
		 lr_sticky_scan_next(&scan, &row); looked++)
	{
		/* it may have been decided while this lead is */
		int64		age = Max(0, request->now - row.at);
		bool		duplicate = !row.open && row.id < s->since &&
			age < m->duplicate_window;
		LrMember   *owner;

		if (found && age >= m->duplicate_window)
			break;
		if (!duplicate && !is_sticky(m, age, row.open))
			continue;
		owner = owner_of(request, &row);
		if (owner == NULL)
			continue;
		duplicate &= may_have_duplicate(request->binding, owner);
		/* of two that are sticky the later, of two that it repeats the first */
		if (duplicate || (row.id > f->id && is_sticky(m, age, row.open)))
		{
			follow_row(f, &row, owner->id, s->keys->said_by[i], duplicate);
			found = true;
		}
	}
	lr_sticky_scan_end(&scan);
	return found;
}

/*
 * The lead to follow, NULL: none, leaving out claims of decision `own`.  Claims
 * first: one that is dropped meanwhile is in the table by then.
 */
static LrFollowed *
find(const LrDecideRequest *request, LrSticky *s, int64 own)
{
	const LrMatching *m = request->binding->router->matching;
	LrFollowed *best = NULL;
	int			i;

	lr_claims_look(lr_database(), request->binding->router->id, s->keys, own,
				   &s->seen);
	for (i = 0; i < s->keys->n; i++)
	{
		LrFollowed *f = (LrFollowed *) palloc(sizeof(LrFollowed));

		if (!find_by_key(request, s, i, f))
			continue;
		if (best == NULL || (f->duplicate &&
							 (!best->duplicate || f->id < best->id)))
			best = f;
		if (m->duplicate_window == 0)
			break;
	}
	return best;
}

/* ---------- the decision ---------- */

static void
note(LrDecision *decision, LrMember *m, char kind, const char *reason,
	 const char *words)
{
	LrEntry    *e = &decision->entry;

	decision->member = m;
	e->kind = kind;
	e->member = m->id;
	e->id = decision->reservation.id;
	e->load = decision->reservation.load;
	e->reason = reason;
	e->detail = e->detail == NULL ? words :
		psprintf("%s; %s", words, e->detail);
}

static void
take_duplicate(const LrDecideRequest *request, LrMember *m,
			   LrDecision *decision, const char *words)
{
	if (request->dry_run)
		decision->reservation.member_slot = LR_NO_SLOT;
	else
		lr_take(request->binding->router, m, 0, false, NULL,
				&decision->reservation);
	note(decision, m, LR_KIND_DUPLICATE, "duplicate", words);
}

/* Gives the lead to the owner of the one that it follows, if he can take it. */
static void
take_sticky(const LrDecideRequest *request, LrSticky *s, LrMember *m,
			LrDecision *decision, const char *words)
{
	LrPick	   *pick = (LrPick *) palloc(sizeof(LrPick));
	LrRule		rule = {0};

	rule.team = lr_team_alone(request->binding->router, m);
	rule.method = LR_METHOD_LONGEST_IDLE;
	rule.keeps_turns = true;
	lr_decision_caps(request, decision);
	s->detail = unconstify(char *, decision->entry.detail);
	lr_pick_from(request, &rule, NULL, false, false, decision->caps, pick);
	if (pick->chosen >= 0)
	{
		decision->reservation = pick->reservation;
		lr_caps_note(&decision->entry, &decision->reservation);
		note(decision, m, LR_KIND_ASSIGNED, "sticky", words);
		/* what a dry run does not reserve it would have */
		decision->entry.load = request->load;
		return;
	}
	s->refused = pick->npassed > 0 ?
		lr_passed_sentence(&pick->passed[0],
						   lr_cap_name(request->binding->router,
									   pick->passed[0].cap),
						   pg_get_timezone_name(m->local), request->now) :
		m->id == request->without ? pstrdup(lr_passed_they(LR_PASSED_FORMER)) :
		pick->fits == 0 ? pstrdup("inactive") : pstrdup("cannot take it now");
	lr_add_detail(&s->detail, psprintf("%s, whose owner \"%s\" does not get it",
									   words, m->name), s->refused);
	decision->entry.detail = s->detail;
}

void
lr_sticky_decide(const LrDecideRequest *request, LrSticky *s,
				 LrDecision *decision)
{
	LrEntry    *e = &decision->entry;
	char	   *words;
	LrMember   *m;

	e->detail = s->detail;
	if (s->suppressed_by >= 0)
	{
		e->kind = LR_KIND_SUPPRESSED;
		e->reason = "suppressed";
		words = suppressed_words(request, s);
		e->detail = e->detail == NULL ? words :
			psprintf("%s; %s", words, e->detail);
		return;
	}
	s->refused = NULL;
	s->followed = find(request, s, 0);
	if (s->followed == NULL)
		return;
	words = followed_words(request, s->followed);
	m = lr_member_by_id(request->binding->router, s->followed->member);
	if (m == NULL)
		/* claimed under another configuration than this statement sees */
		s->followed = NULL;
	else if (s->followed->duplicate && m->id != request->without)
		take_duplicate(request, m, decision, words);
	else
		take_sticky(request, s, m, decision, words);
}

/* Whether what is known now says another owner than what was decided by. */
static bool
is_overtaken(const LrDecideRequest *request, LrSticky *s,
			 const LrDecision *decision)
{
	LrFollowed *f = find(request, s, decision->entry.id);

	return f != NULL && f->member != decision->entry.member &&
		(s->followed == NULL || f->id != s->followed->id);
}

bool
lr_sticky_claim(const LrDecideRequest *request, LrSticky *s,
				LrDecision *decision)
{
	LrClaimed	claimed = LR_CLAIM_LOOK_AGAIN;

	if (request->dry_run || decision->member == NULL || s->keys->n == 0)
		return true;
	while (claimed == LR_CLAIM_LOOK_AGAIN)
	{
		claimed = lr_claim(lr_database(), request->binding->router->id,
						   s->keys, decision->entry.id, decision->entry.member,
						   &s->seen);
		/* this looks at claims and the table anew */
		if (claimed == LR_CLAIM_LOOK_AGAIN &&
			is_overtaken(request, s, decision))
			claimed = LR_CLAIM_REFUSED;
		CHECK_FOR_INTERRUPTS();
	}
	if (claimed == LR_CLAIM_MADE)
		return true;
	lr_reserve_return(&decision->reservation);
	return false;
}

/* ---------- what becomes of it ---------- */

void
lr_sticky_given(LrTable *table, LrBinding *b, TupleTableSlot *row,
				LrDecision *decision)
{
	char	   *detail = unconstify(char *, decision->entry.detail);
	LrSticky   *s = (LrSticky *) palloc0(sizeof(LrSticky));

	s->suppressed_by = -1;
	s->keys = lr_lead_keys(table, b, row, &detail);
	decision->entry.detail = detail;
	decision->sticky = s;
	if (decision->member != NULL)
		(void) lr_claim(lr_database(), b->router->id, s->keys,
						decision->entry.id, decision->entry.member, NULL);
}

/* Rows for the keys of a lead. */
static void
add_rows(int32 router, const LrLeadKeys *keys, const LrStickyRow *row,
		 bool unless_there)
{
	int			i;

	for (i = 0; i < keys->n; i++)
		lr_sticky_row_add(router, keys->key[i], row, unless_there);
}

void
lr_sticky_stored(const LrDecision *decision)
{
	const LrEntry *e = &decision->entry;
	const LrSticky *s = decision->sticky;
	LrStickyRow row = {0};

	if (s == NULL)
		return;
	if (e->kind == LR_KIND_DUPLICATE)
	{
		/* keys that only the duplicate has are the first lead's from now on */
		row.id = s->followed->id;
		row.at = s->followed->at;
		row.routed_table = s->followed->routed_table;
		row.lead_key = unconstify(char *, s->followed->lead_key);
		row.member = s->followed->member;
		add_rows(e->router, s->keys, &row, true);
	}
	else if (e->kind != LR_KIND_SUPPRESSED)
	{
		row.id = e->id;
		row.at = e->at;
		row.routed_table = e->routed_table;
		row.lead_key = unconstify(char *, e->lead_key);
		row.member = e->member;
		add_rows(e->router, s->keys, &row, false);
	}
	/* after the rows: others find one or the other */
	lr_claim_drop(e->id);
}

void
lr_sticky_dropped(const LrDecision *decision)
{
	if (decision->sticky != NULL)
		lr_claim_drop(decision->entry.id);
}

void
lr_sticky_note(LrTable *table, LrBinding *b, TupleTableSlot *row,
			   const char *key, int64 id, TimestampTz at, int32 member)
{
	LrStickyRow r = {0};
	char	   *detail = NULL;

	r.id = id;
	r.at = at;
	r.routed_table = table->id;
	r.lead_key = unconstify(char *, key);
	r.member = member;
	add_rows(b->router->id, lr_lead_keys(table, b, row, &detail), &r, true);
}
