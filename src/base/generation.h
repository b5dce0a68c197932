/*
 * generation.h
 *	  What this session hears of changes: counters that rise when something may
 *	  have changed, and the OIDs of leadroute's own relations, which are how it
 *	  hears.  Whoever keeps what it has read, keeps the counter beside it.
 */
#ifndef LR_GENERATION_H
#define LR_GENERATION_H

extern void lr_generation_init(void);

/* OID of a table or index of the schema; error when missing. */
extern Oid	lr_relid(const char *name);

/* Who owns the extension's tables. */
extern Oid	lr_extension_owner(void);

/* Counts invalidations of config_state; changes when anything may have. */
extern uint64 lr_config_generation(void);

/* The same of member state: absence, active, capacity. */
extern uint64 lr_people_generation(void);

/* The same of the extension itself: dropped, made again. */
extern uint64 lr_schema_generation(void);

/*
 * This transaction changes configuration, or rolls a change of its own back:
 * the version does not tell its states apart, lr_own_changes does.
 */
extern void lr_config_own_change(void);
extern uint64 lr_own_changes(void);

/*
 * What is watched counts when it is invalidated: relations in
 * lr_relation_generation; functions, domains and (always) roles in
 * lr_expression_generation.
 */
extern void lr_watch_relation(Oid relid);
extern void lr_watch_function(Oid func);
extern void lr_watch_cache(int cacheid, uint32 hash);
extern uint64 lr_relation_generation(void);
extern uint64 lr_expression_generation(void);

#endif							/* LR_GENERATION_H */
