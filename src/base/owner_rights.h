/*
 * owner_rights.h
 *	  Running code with the rights of somebody else: a role and a search_path.
 *
 * Whose code runs as whom
 * - leadroute's own SQL runs as the owner of the extension, which usually is
 *	 a superuser; names and operators in it mean what the server defines
 *	 (lr_become_owner).
 * - Reading a lead table, the triggers of one that leadroute updates, its
 *	 generated columns and the types of its columns run as its owner, under
 *	 the search_path of who attached it (lr_lead_become in lead.h).
 * - A stored expression runs as its writer, under his search_path (expr.c).
 * No path leads to pg_temp before it leads anywhere else: whoever owns the
 * session could put relations there in the way of others' names.
 *
 * An error needs no lr_resign: the (sub)transaction's end restores user and
 * settings.
 */
#ifndef LR_OWNER_RIGHTS_H
#define LR_OWNER_RIGHTS_H

#include "postgres_ext.h"

typedef struct LrRights
{
	Oid			user;
	int			sec;
	int			nest;			/* of settings; 0: none were touched */
} LrRights;

/*
 * The path with pg_temp at its end unless it names it, in this context; NULL
 * is taken for pg_catalog alone.
 */
extern char *lr_safe_path(const char *path);

/*
 * Acts as role until lr_resign, which also takes back settings that are
 * changed meanwhile.  path is a safe one; NULL: settings stay as they are.
 * restricted: a security-restricted operation, for code that has to do no more
 * than to compute something.  It forbids deferred triggers too, so that an
 * UPDATE of a lead cannot be one.
 */
extern void lr_become(Oid role, const char *path, bool restricted,
					  LrRights *saved);
extern void lr_resign(const LrRights *saved);

/* The same as the extension's owner, for leadroute's own SQL. */
extern void lr_become_owner(LrRights *saved);

/*
 * For a background process: acts as role until the transaction has ended, so
 * that what runs at its commit (deferred triggers, held cursors) does so too.
 * Afterwards lr_session_clean gives the process its own rights back and leaves
 * nothing of what the role has done to the session: settings, temporary
 * tables, prepared statements, cursors, advisory locks.
 */
extern void lr_become_until_end(Oid role, const char *path);
extern void lr_session_clean(void);

/* search_path for leadroute's own SQL until the end of the transaction. */
extern void lr_own_path(void);

#endif							/* LR_OWNER_RIGHTS_H */
