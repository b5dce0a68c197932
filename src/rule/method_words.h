/*
 * method_words.h
 *	  The methods: code, word and what each compares, in one place.
 */
#ifndef LR_METHOD_WORDS_H
#define LR_METHOD_WORDS_H

typedef struct LrMethodWords
{
	char		code;			/* journal.method */
	const char *word;			/* rule.method */
	const char *measured;		/* what LrPick.measure is */
	const char *one;			/* a measure in prose; see lr_measure_words */
	int			digits;			/* behind the point */
	const char *unmeasured;		/* a member without measure */
} LrMethodWords;

/* The default method for any other code. */
extern const LrMethodWords *lr_method_words(char code);

/* The default method's for any other word. */
extern char lr_method_code(const char *word);

/* All words, ended by NULL. */
extern const char *const *lr_method_list(void);

/* What a method compares of a member, in prose. */
extern char *lr_measure_words(char method, bool has_measure, double measure);

#endif							/* LR_METHOD_WORDS_H */
