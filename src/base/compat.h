/*
 * compat.h
 *	  The only place that knows how PostgreSQL 15 to 18 differ.
 *
 * Call sites use the names below and contain no version tests.
 */
#ifndef LR_COMPAT_H
#define LR_COMPAT_H

#include "access/genam.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/rel.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "leadroute needs PostgreSQL 15 or later"
#endif

/* Index of this backend, from 0, below MaxBackends. */
#if PG_VERSION_NUM >= 170000
#define lr_my_backend_index()	((int) MyProcNumber)
#else
#define lr_my_backend_index()	((int) MyBackendId - 1)
#endif

/* Memory for the extra value of a setting. */
#if PG_VERSION_NUM >= 160000
#define lr_guc_malloc(size)	guc_malloc(LOG, size)
#else
#define lr_guc_malloc(size)	malloc(size)
#endif

/* The file that holds a relation. */
#if PG_VERSION_NUM >= 160000
typedef RelFileLocator LrFileLocator;
#define lr_relation_file(rel)	((rel)->rd_locator)
#define lr_same_file(a, b)	RelFileLocatorEquals(a, b)
#else
typedef RelFileNode LrFileLocator;
#define lr_relation_file(rel)	((rel)->rd_node)
#define lr_same_file(a, b)	RelFileNodeEquals(a, b)
#endif

/* Number of this transaction in this backend. */
#if PG_VERSION_NUM >= 170000
#define lr_my_lxid()	(MyProc->vxid.lxid)
#else
#define lr_my_lxid()	(MyProc->lxid)
#endif

/* Member may SET ROLE to role. */
#if PG_VERSION_NUM >= 160000
#define lr_can_set_role(member, role)	member_can_set_role(member, role)
#else
#define lr_can_set_role(member, role)	is_member_of_role(member, role)
#endif

/* Which kind of index updates an update needs. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes LrUpdateIndexes;
#define LR_NO_INDEX_UPDATE	TU_None
#define lr_insert_index_tuples(rri, slot, estate, upd) \
	ExecInsertIndexTuples(rri, slot, estate, true, false, NULL, NIL, \
						  (upd) == TU_Summarizing)
#else
typedef bool LrUpdateIndexes;
#define LR_NO_INDEX_UPDATE	false
#define lr_insert_index_tuples(rri, slot, estate, upd) \
	ExecInsertIndexTuples(rri, slot, estate, true, false, NULL, NIL)
#endif

/* Lets an index access method free what it cached in the IndexInfo. */
#if PG_VERSION_NUM >= 170000
#define lr_index_insert_cleanup(index, info)	index_insert_cleanup(index, info)
#else
#define lr_index_insert_cleanup(index, info)	((void) 0)
#endif

#if PG_VERSION_NUM >= 180000
#define lr_primary_key_index(rel)	RelationGetPrimaryKeyIndex(rel, false)
#else
#define lr_primary_key_index(rel)	RelationGetPrimaryKeyIndex(rel)
#endif

/* A range of bounds that are in order. */
#if PG_VERSION_NUM >= 160000
#define lr_make_range(type, lower, upper) \
	make_range(type, lower, upper, false, NULL)
#else
#define lr_make_range(type, lower, upper)	make_range(type, lower, upper, false)
#endif

/* A wait event of our own where the server lets us name one. */
#if PG_VERSION_NUM >= 170000
#define lr_wait_event(name)	WaitEventExtensionNew(name)
#else
#define lr_wait_event(name)	PG_WAIT_EXTENSION
#endif

/* Asks for a line of memory that will be read soon. */
#if defined(__GNUC__) || defined(__clang__)
#define lr_prefetch(address)	__builtin_prefetch(address)
#else
#define lr_prefetch(address)	((void) (address))
#endif

#endif							/* LR_COMPAT_H */
