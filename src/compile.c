/*
 * compile.c
 *	  Stored expressions compiled where a mistake in them must not stop a lead;
 *	  see compile.h.
 */
#include "postgres.h"

#include "utils/acl.h"

#include "compile.h"
#include "guard.h"

/* Name of a role to its OID; InvalidOid: it does not exist. */
static Oid
writer_oid(const char *name)
{
	return name != NULL ? get_role_oid(name, true) : InvalidOid;
}

bool
lr_compile_writer_exists(const char *written_by)
{
	return OidIsValid(writer_oid(written_by));
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
	LrExpr	   *expr;
} Compilation;

static void
compile(void *arg)
{
	Compilation *c = (Compilation *) arg;

	c->expr = lr_expr_compile(c->rel, c->text, c->kind, c->writer,
							  c->search_path, c->what);
}

LrExpr *
lr_compile_guarded(Relation rel, const char *text, LrExprKind kind,
				   const char *written_by, const char *search_path,
				   const char *what, char **broken)
{
	Compilation c = {rel, text, kind, InvalidOid, search_path, what, NULL};

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
