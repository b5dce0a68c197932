/*
 * rule_build.h
 *	  Building the image of a set of rules (rule_image.h).
 *
 * First everything is collected: new rules with the ways to file them
 * (rule_draft.c), rules of other images as they are filed there
 * (rule_merge.c).  Then each new rule takes the way whose most crowded place
 * is the least crowded (rule_choose.c), and the image is written: rules, their
 * checks and the whole (rule_write.c), the places on columns (rule_places.c).
 * What these share is in rule_draft.h; nobody else includes it.
 */
#ifndef LR_RULE_BUILD_H
#define LR_RULE_BUILD_H

#include "rule/rule_image.h"

/* What the rest of the library knows of a rule. */
typedef struct LrRuleRow
{
	int32		id;
	int32		version;
	int32		priority;
	int32		team;			/* team.id; 0: every member */
	char		method;			/* LR_METHOD_… */
	char		overflow;		/* LR_OVERFLOW_… */
	int32		overflow_team;	/* team.id; -1: none */
	LrRuleScope scope;
	const char *name;
	const char *condition;		/* NULL: every lead */
	const char *team_expr;		/* NULL: the team is fixed */
	const char *member_expr;	/* NULL: a team */
	const char *member_condition;	/* over lead and member; NULL: none */
	const char *member_rank;
	const char *written_by;
	const char *search_path;
} LrRuleRow;

/*
 * Building.  Everything until lr_image_finish lives in the current context of
 * lr_image_begin; what is added must stay until then.
 */
typedef struct LrImageBuilder LrImageBuilder;

extern LrImageBuilder *lr_image_begin(void);

/* condition NULL: it could not be analysed, and must be evaluated. */
extern void lr_image_add(LrImageBuilder *builder, const LrRuleRow *row,
						 const LrCondition *condition);

/* The rules of an image, filed as they are; dead: bitmap of those left out. */
extern void lr_image_add_all(LrImageBuilder *builder, const LrImage *image,
							 const uint8 *dead);

/* Other rules that leads will meet too: how often each place is taken there. */
extern void lr_image_beside(LrImageBuilder *builder, const LrImage *image);

/* The image, in one allocation of `where`. */
extern LrImage *lr_image_finish(LrImageBuilder *builder, MemoryContext where);

#endif							/* LR_RULE_BUILD_H */
