/*
 * normalize.c
 *	  E-mail addresses and phone numbers in one form, for sticky_key.
 *
 * What is surely the same becomes the same, nothing more: two people who are
 * taken for one are worse than one who is taken for two.  What is no address or
 * number ("none", "n/a", 000000) becomes NULL, which matches nothing.
 *
 * Both are immutable: they look at bytes of ASCII only, whatever the collation.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(lr_normalize_email);
PG_FUNCTION_INFO_V1(lr_normalize_phone);

/* Digits of a number, as ITU-T E.164 has them at most. */
#define MAX_DIGITS	15
#define MIN_DIGITS	5

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without blanks around it, and in lower case, in place. */
static char *
trimmed(char *s)
{
	char	   *end = s + strlen(s);

	while (end > s && is_blank(end[-1]))
		*--end = '\0';
	while (is_blank(*s))
		s++;
	for (end = s; *end != '\0'; end++)
		if (*end >= 'A' && *end <= 'Z')
			*end += 'a' - 'A';
	return s;
}

/* ---------- e-mail ---------- */

/* The address of "Name <address>". */
static char *
without_name(char *s)
{
	char	   *open = strrchr(s, '<');
	int			len = strlen(s);

	if (open == NULL || s[len - 1] != '>')
		return s;
	s[len - 1] = '\0';
	return trimmed(open + 1);
}

Datum
lr_normalize_email(PG_FUNCTION_ARGS)
{
	char	   *s = without_name(trimmed(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	char	   *at = strchr(s, '@');
	char	   *plus;
	char	   *end;

	if (at == NULL || strchr(at + 1, '@') != NULL ||
		strpbrk(s, " \t\r\n\f\v,;<>\"") != NULL)
		PG_RETURN_NULL();
	*at = '\0';
	plus = strchr(s, '+');
	if (plus != NULL && plus > s)
		*plus = '\0';
	end = at + strlen(at + 1);
	if (end > at + 1 && *end == '.')
		*end = '\0';
	if (s[0] == '\0' || at[1] == '\0' || at[1] == '.')
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s@%s", s, at + 1)));
}

/* ---------- countries ---------- */

typedef struct Country
{
	const char *iso;			/* ISO 3166, two letters */
	const char *code;			/* calling code */
} Country;

/* In the order of iso. */
static const Country countries[] = {
	{"ac", "247"}, {"ad", "376"}, {"ae", "971"}, {"af", "93"}, {"ag", "1"},
	{"ai", "1"}, {"al", "355"}, {"am", "374"}, {"ao", "244"}, {"ar", "54"},
	{"as", "1"}, {"at", "43"}, {"au", "61"}, {"aw", "297"}, {"ax", "358"},
	{"az", "994"}, {"ba", "387"}, {"bb", "1"}, {"bd", "880"}, {"be", "32"},
	{"bf", "226"}, {"bg", "359"}, {"bh", "973"}, {"bi", "257"}, {"bj", "229"},
	{"bl", "590"}, {"bm", "1"}, {"bn", "673"}, {"bo", "591"}, {"bq", "599"},
	{"br", "55"}, {"bs", "1"}, {"bt", "975"}, {"bw", "267"}, {"by", "375"},
	{"bz", "501"}, {"ca", "1"}, {"cc", "61"}, {"cd", "243"}, {"cf", "236"},
	{"cg", "242"}, {"ch", "41"}, {"ci", "225"}, {"ck", "682"}, {"cl", "56"},
	{"cm", "237"}, {"cn", "86"}, {"co", "57"}, {"cr", "506"}, {"cu", "53"},
	{"cv", "238"}, {"cw", "599"}, {"cx", "61"}, {"cy", "357"}, {"cz", "420"},
	{"de", "49"}, {"dj", "253"}, {"dk", "45"}, {"dm", "1"}, {"do", "1"},
	{"dz", "213"}, {"ec", "593"}, {"ee", "372"}, {"eg", "20"}, {"eh", "212"},
	{"er", "291"}, {"es", "34"}, {"et", "251"}, {"fi", "358"}, {"fj", "679"},
	{"fk", "500"}, {"fm", "691"}, {"fo", "298"}, {"fr", "33"}, {"ga", "241"},
	{"gb", "44"}, {"gd", "1"}, {"ge", "995"}, {"gf", "594"}, {"gg", "44"},
	{"gh", "233"}, {"gi", "350"}, {"gl", "299"}, {"gm", "220"}, {"gn", "224"},
	{"gp", "590"}, {"gq", "240"}, {"gr", "30"}, {"gt", "502"}, {"gu", "1"},
	{"gw", "245"}, {"gy", "592"}, {"hk", "852"}, {"hn", "504"}, {"hr", "385"},
	{"ht", "509"}, {"hu", "36"}, {"id", "62"}, {"ie", "353"}, {"il", "972"},
	{"im", "44"}, {"in", "91"}, {"io", "246"}, {"iq", "964"}, {"ir", "98"},
	{"is", "354"}, {"it", "39"}, {"je", "44"}, {"jm", "1"}, {"jo", "962"},
	{"jp", "81"}, {"ke", "254"}, {"kg", "996"}, {"kh", "855"}, {"ki", "686"},
	{"km", "269"}, {"kn", "1"}, {"kp", "850"}, {"kr", "82"}, {"kw", "965"},
	{"ky", "1"}, {"kz", "7"}, {"la", "856"}, {"lb", "961"}, {"lc", "1"},
	{"li", "423"}, {"lk", "94"}, {"lr", "231"}, {"ls", "266"}, {"lt", "370"},
	{"lu", "352"}, {"lv", "371"}, {"ly", "218"}, {"ma", "212"}, {"mc", "377"},
	{"md", "373"}, {"me", "382"}, {"mf", "590"}, {"mg", "261"}, {"mh", "692"},
	{"mk", "389"}, {"ml", "223"}, {"mm", "95"}, {"mn", "976"}, {"mo", "853"},
	{"mp", "1"}, {"mq", "596"}, {"mr", "222"}, {"ms", "1"}, {"mt", "356"},
	{"mu", "230"}, {"mv", "960"}, {"mw", "265"}, {"mx", "52"}, {"my", "60"},
	{"mz", "258"}, {"na", "264"}, {"nc", "687"}, {"ne", "227"}, {"nf", "672"},
	{"ng", "234"}, {"ni", "505"}, {"nl", "31"}, {"no", "47"}, {"np", "977"},
	{"nr", "674"}, {"nu", "683"}, {"nz", "64"}, {"om", "968"}, {"pa", "507"},
	{"pe", "51"}, {"pf", "689"}, {"pg", "675"}, {"ph", "63"}, {"pk", "92"},
	{"pl", "48"}, {"pm", "508"}, {"pr", "1"}, {"ps", "970"}, {"pt", "351"},
	{"pw", "680"}, {"py", "595"}, {"qa", "974"}, {"re", "262"}, {"ro", "40"},
	{"rs", "381"}, {"ru", "7"}, {"rw", "250"}, {"sa", "966"}, {"sb", "677"},
	{"sc", "248"}, {"sd", "249"}, {"se", "46"}, {"sg", "65"}, {"sh", "290"},
	{"si", "386"}, {"sj", "47"}, {"sk", "421"}, {"sl", "232"}, {"sm", "378"},
	{"sn", "221"}, {"so", "252"}, {"sr", "597"}, {"ss", "211"}, {"st", "239"},
	{"sv", "503"}, {"sx", "1"}, {"sy", "963"}, {"sz", "268"}, {"ta", "290"},
	{"tc", "1"}, {"td", "235"}, {"tg", "228"}, {"th", "66"}, {"tj", "992"},
	{"tk", "690"}, {"tl", "670"}, {"tm", "993"}, {"tn", "216"}, {"to", "676"},
	{"tr", "90"}, {"tt", "1"}, {"tv", "688"}, {"tw", "886"}, {"tz", "255"},
	{"ua", "380"}, {"ug", "256"}, {"uk", "44"}, {"us", "1"}, {"uy", "598"},
	{"uz", "998"}, {"va", "39"}, {"vc", "1"}, {"ve", "58"}, {"vg", "1"},
	{"vi", "1"}, {"vn", "84"}, {"vu", "678"}, {"wf", "681"}, {"ws", "685"},
	{"xk", "383"}, {"ye", "967"}, {"yt", "262"}, {"za", "27"}, {"zm", "260"},
	{"zw", "263"},
};

static int
compare_countries(const void *a, const void *b)
{
	return strcmp(((const Country *) a)->iso, ((const Country *) b)->iso);
}

/* Calling code of a country, by its letters or itself; NULL: not known. */
static const char *
calling_code(char *country)
{
	const Country *found;
	Country		wanted;

	country = trimmed(country);
	if (country[0] == '+')
		country++;
	if (country[0] >= '1' && country[0] <= '9' && strlen(country) <= 3 &&
		strspn(country, "0123456789") == strlen(country))
		return country;
	wanted.iso = country;
	found = (const Country *) bsearch(&wanted, countries, lengthof(countries),
									  sizeof(Country), compare_countries);
	return found != NULL ? found->code : NULL;
}

/*
 * What people in the country dial before a national number is no part of it.
 * Where numbers may begin with 0 (Italy, San Marino and the Vatican, Ivory
 * Coast, Gabon, Congo, Benin), it is.
 */
static const char *
without_trunk(const char *digits, const char *code)
{
	static const char *const zero_counts[] = {
		"39", "378", "225", "241", "242", "229"
	};
	int			len = strlen(digits);
	int			i;

	if (strcmp(code, "1") == 0)
		return len == 11 && digits[0] == '1' ? digits + 1 : digits;
	if (strcmp(code, "7") == 0)
		return len == 11 && digits[0] == '8' ? digits + 1 : digits;
	if (strcmp(code, "36") == 0)
		return strncmp(digits, "06", 2) == 0 ? digits + 2 : digits;
	for (i = 0; i < (int) lengthof(zero_counts); i++)
		if (strcmp(code, zero_counts[i]) == 0)
			return digits;
	return digits[0] == '0' ? digits + 1 : digits;
}

/* ---------- phone ---------- */

/* A number as it is written: digits, and whether + stood before them. */
typedef struct Number
{
	StringInfoData digits;
	bool		plus;
} Number;

/* Bytes of what may stand between digits; 0: something else is there. */
static int
separator(const char *s)
{
	if (is_blank(*s) || strchr("-./()", *s) != NULL)
		return 1;
	/* no-break space, kinds of spaces and hyphens, in UTF-8 */
	if (strncmp(s, "\xc2\xa0", 2) == 0)
		return 2;
	if (strncmp(s, "\xe2\x80", 2) == 0 &&
		(((uint8) s[2] >= 0x80 && (uint8) s[2] <= 0x95) ||
		 (uint8) s[2] == 0xaf))
		return 3;
	return 0;
}

/* An extension begins here: ext. 12, x12, #12, ;ext=12, ,12. */
static bool
is_extension(const char *s)
{
	return *s == 'x' || *s == '#' || *s == ',' || *s == ';' ||
		strncmp(s, "ext", 3) == 0;
}

/* False: it is no number. */
static bool
read_number(const char *s, Number *number)
{
	initStringInfo(&number->digits);
	number->plus = false;
	if (strncmp(s, "tel:", 4) == 0)
		s += 4;
	while (*s != '\0')
	{
		int			skip = separator(s);

		/* what is dialled within the country only: +44 (0)20 ... */
		if (strncmp(s, "(0)", 3) == 0 && number->digits.len > 0)
			skip = 3;
		if (*s >= '0' && *s <= '9')
			appendStringInfoChar(&number->digits, *s++);
		else if (skip > 0)
			s += skip;
		else if (*s == '+' && number->digits.len == 0 && !number->plus)
		{
			number->plus = true;
			s++;
		}
		else if (is_extension(s) && number->digits.len >= MIN_DIGITS)
			break;
		else
			return false;
	}
	return true;
}

Datum
lr_normalize_phone(PG_FUNCTION_ARGS)
{
	const char *code = PG_ARGISNULL(1) ? NULL :
		calling_code(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	const char *digits;
	char	   *result;
	Number		number;

	if (PG_ARGISNULL(0) ||
		!read_number(trimmed(text_to_cstring(PG_GETARG_TEXT_PP(0))), &number))
		PG_RETURN_NULL();
	digits = number.digits.data;
	/* one digit over and over */
	if (strspn(digits, (char[]) {digits[0], '\0'}) == strlen(digits))
		PG_RETURN_NULL();
	if (!number.plus && code != NULL && strcmp(code, "1") == 0 &&
		strncmp(digits, "011", 3) == 0)
		result = psprintf("+%s", digits + 3);
	else if (number.plus)
		result = psprintf("+%s", digits);
	else if (strncmp(digits, "00", 2) == 0)
		result = psprintf("+%s", digits + 2);
	else if (code != NULL)
		result = psprintf("+%s%s", code, without_trunk(digits, code));
	else
		result = pstrdup(digits);
	digits = result + (result[0] == '+');
	if (strlen(digits) < MIN_DIGITS || strlen(digits) > MAX_DIGITS)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(result));
}
