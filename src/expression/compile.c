/*
 * compile.c
 *	  Stored expressions compiled where a mistake in them must not stop a lead;
 *	  see compile.h.
 */
#include "postgres.h"

#include "utils/acl.h"

#include "base/guard.h"
#include "expression/compile.h"
#include "expression/readable.h"

/* Name of a role to its OID; InvalidOid: it does not exist. */
static Oid
writer_oid(const char *name)
{
	return name != NULL ? get_role_oid(name, true) : InvalidOid;
}

bool
lr_compile_writer_reads(Oid relid, const char *written_by)
{
	Oid			writer = writer_oid(written_by);

	return OidIsValid(writer) && lr_reads_all(relid, writer);
}

/* Arguments and result of a guarded compilation. */
typedef struct Compilation
{
	Relation	rel;
	const char *text;
	LrExprKind	kind;
	Oid			writer;
	const char *search_path;
	const char *what;
	bool		of_table;
	LrExpr	   *expr;
} Compilation;

static void
compile(void *arg)
{
	Compilation *c = (Compilation *) arg;

	c->expr = c->of_table ?
		lr_expr_compile_of_table(c->rel, c->text, c->kind, c->writer,
								 c->search_path, c->what) :
		lr_expr_compile(c->rel, c->text, c->kind, c->writer,
						c->search_path, c->what);
}

static LrExpr *
guarded(Relation rel, const char *text, LrExprKind kind,
		const char *written_by, const char *search_path, const char *what,
		bool of_table, char **broken)
{
	Compilation c = {rel, text, kind, InvalidOid, search_path, what, of_table,
	NULL};

	c.writer = writer_oid(written_by);
	if (!OidIsValid(c.writer))
	{
		*broken = psprintf("its writer, role \"%s\", does not exist",
						   written_by ? written_by : "");
		return NULL;
	}
	*broken = lr_guarded(compile, &c);
	return *broken == NULL ? c.expr : NULL;
}

LrExpr *
lr_compile_guarded(Relation rel, const char *text, LrExprKind kind,
				   const char *written_by, const char *search_path,
				   const char *what, char **broken)
{
	return guarded(rel, text, kind, written_by, search_path, what, false,
				   broken);
}

LrExpr *
lr_compile_of_table(Relation rel, const char *text, LrExprKind kind,
					const char *written_by, const char *search_path,
					const char *what, char **broken)
{
	return guarded(rel, text, kind, written_by, search_path, what, true,
				   broken);
}
