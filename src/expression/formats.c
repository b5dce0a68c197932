/*
 * formats.c
 *	  Whether a value of a lead has the form of an e-mail address, a phone number,
 *	  a country, a postal code: for criteria that quarantine what has not.
 *
 * Forms only: nobody is asked whether the mailbox or the number exists.  What is
 * accepted is what people and programs send in practice, of
 *	  e-mail	RFC 5321 and 5322 without comments, quoted strings and address
 *				literals; beyond ASCII by RFC 6531
 *	  phone		E.164: + and 7 to 15 digits, after normalize_phone
 *	  country	ISO 3166-1, alpha-2 and alpha-3, as assigned in 2024
 *	  postal	as the postal administrations publish them (UPU)
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(lr_is_email);
PG_FUNCTION_INFO_V1(lr_is_country);
PG_FUNCTION_INFO_V1(lr_is_postal);

#define IS_DIGIT(c)		((c) >= '0' && (c) <= '9')
#define IS_UPPER(c)		((c) >= 'A' && (c) <= 'Z')
#define IS_LETTER(c)	(IS_UPPER(c) || ((c) >= 'a' && (c) <= 'z'))

/* ---------- e-mail ---------- */

/* RFC 5321, 4.5.3.1, in octets. */
#define MAX_LOCAL	64
#define MAX_ADDRESS 254
#define MAX_LABEL	63

/* A character of a word before the @: atext of RFC 5322, and RFC 6531's. */
static bool
is_atext(unsigned char c)
{
	return c >= 0x80 || IS_DIGIT(c) || IS_LETTER(c) ||
		(c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Words with single dots between them; length in octets. */
static bool
is_local(const char *s, int length)
{
	int			i;

	if (length < 1 || length > MAX_LOCAL || s[0] == '.' || s[length - 1] == '.')
		return false;
	for (i = 0; i < length; i++)
		if (s[i] == '.' ? s[i + 1] == '.' : !is_atext((unsigned char) s[i]))
			return false;
	return true;
}

/* Letters, digits, and hyphens within. */
static bool
is_label(const char *s, int length)
{
	int			i;

	if (length < 1 || length > MAX_LABEL || s[0] == '-' || s[length - 1] == '-')
		return false;
	for (i = 0; i < length; i++)
		if (!IS_DIGIT(s[i]) && !IS_LETTER(s[i]) && s[i] != '-' &&
			(unsigned char) s[i] < 0x80)
			return false;
	return true;
}

/* At least two labels, the last of which is no number and has two characters. */
static bool
is_domain(const char *s)
{
	const char *label = s;
	const char *dot;

	while ((dot = strchr(label, '.')) != NULL)
	{
		if (!is_label(label, dot - label))
			return false;
		label = dot + 1;
	}
	return label != s && is_label(label, strlen(label)) &&
		strlen(label) >= 2 && strspn(label, "0123456789") < strlen(label);
}

Datum
lr_is_email(PG_FUNCTION_ARGS)
{
	char	   *s = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *at = strchr(s, '@');

	PG_RETURN_BOOL(at != NULL && strlen(s) <= MAX_ADDRESS &&
				   is_local(s, at - s) && is_domain(at + 1));
}

/* ---------- country ---------- */

/* Alpha-2 followed by alpha-3, and a blank; in the order of the former. */
static const char countries[] =
	"ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM "
	"ATAUT AUAUS AWABW AXALA AZAZE BABIH BBBRB BDBGD BEBEL BFBFA BGBGR "
	"BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN BOBOL BQBES BRBRA BSBHS BTBTN "
	"BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD CFCAF CGCOG CHCHE CICIV "
	"CKCOK CLCHL CMCMR CNCHN COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP "
	"CZCZE DEDEU DJDJI DKDNK DMDMA DODOM DZDZA ECECU EEEST EGEGY EHESH "
	"ERERI ESESP ETETH FIFIN FJFJI FKFLK FMFSM FOFRO FRFRA GAGAB GBGBR "
	"GDGRD GEGEO GFGUF GGGGY GHGHA GIGIB GLGRL GMGMB GNGIN GPGLP GQGNQ "
	"GRGRC GSSGS GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD HNHND HRHRV HTHTI "
	"HUHUN IDIDN IEIRL ILISR IMIMN ININD IOIOT IQIRQ IRIRN ISISL ITITA "
	"JEJEY JMJAM JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA KPPRK "
	"KRKOR KWKWT KYCYM KZKAZ LALAO LBLBN LCLCA LILIE LKLKA LRLBR LSLSO "
	"LTLTU LULUX LVLVA LYLBY MAMAR MCMCO MDMDA MEMNE MFMAF MGMDG MHMHL "
	"MKMKD MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ MRMRT MSMSR MTMLT MUMUS "
	"MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM NCNCL NENER NFNFK NGNGA NINIC "
	"NLNLD NONOR NPNPL NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG "
	"PHPHL PKPAK PLPOL PMSPM PNPCN PRPRI PSPSE PTPRT PWPLW PYPRY QAQAT "
	"REREU ROROU RSSRB RURUS RWRWA SASAU SBSLB SCSYC SDSDN SESWE SGSGP "
	"SHSHN SISVN SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD STSTP "
	"SVSLV SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL "
	"TLTLS TMTKM TNTUN TOTON TRTUR TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA "
	"UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN VGVGB VIVIR VNVNM VUVUT "
	"WFWLF WSWSM YEYEM YTMYT ZAZAF ZMZMB ZWZWE ";

#define COUNTRY_WIDTH	6

/* The alpha-2 code of a code in upper or lower case; false: there is none. */
static bool
find_country(const char *code, char alpha2[3])
{
	int			length = strlen(code);
	const char *c;

	if (length != 2 && length != 3)
		return false;
	for (c = countries; *c != '\0'; c += COUNTRY_WIDTH)
		if (pg_strncasecmp(code, length == 2 ? c : c + 2, length) == 0)
		{
			memcpy(alpha2, c, 2);
			alpha2[2] = '\0';
			return true;
		}
	return false;
}

Datum
lr_is_country(PG_FUNCTION_ARGS)
{
	char		alpha2[3];

	PG_RETURN_BOOL(find_country(text_to_cstring(PG_GETARG_TEXT_PP(0)), alpha2));
}

/* ---------- postal code ---------- */

/*
 * N a digit, A a letter, * either of them; a blank or a hyphen may be left out;
 * anything else stands for itself.  Forms are separated by |.
 */
static const struct
{
	const char *country;
	const char *forms;
}			postal[] = {
	{"AR", "NNNN|ANNNNAAA"}, {"AT", "NNNN"}, {"AU", "NNNN"}, {"BE", "NNNN"},
	{"BG", "NNNN"}, {"BR", "NNNNN-NNN"}, {"CA", "ANA NAN"}, {"CH", "NNNN"},
	{"CL", "NNN NNNN"}, {"CN", "NNNNNN"}, {"CO", "NNNNNN"}, {"CY", "NNNN"},
	{"CZ", "NNN NN"}, {"DE", "NNNNN"}, {"DK", "NNNN"}, {"EE", "NNNNN"},
	{"ES", "NNNNN"}, {"FI", "NNNNN"}, {"FR", "NNNNN"},
	{"GB", "AN NAA|ANN NAA|AAN NAA|AANN NAA|ANA NAA|AANA NAA"},
	{"GR", "NNN NN"}, {"HR", "NNNNN"}, {"HU", "NNNN"}, {"ID", "NNNNN"},
	{"IE", "ANN ****|ANW ****"}, {"IL", "NNNNNNN|NNNNN"}, {"IN", "NNN NNN"},
	{"IS", "NNN"}, {"IT", "NNNNN"}, {"JP", "NNN-NNNN"}, {"KR", "NNNNN"},
	{"LI", "NNNN"}, {"LT", "LT-NNNNN|NNNNN"}, {"LU", "L-NNNN|NNNN"},
	{"LV", "LV-NNNN"}, {"MC", "980NN"}, {"MT", "AAA NNNN"}, {"MX", "NNNNN"},
	{"MY", "NNNNN"}, {"NL", "NNNN AA"}, {"NO", "NNNN"}, {"NZ", "NNNN"},
	{"PH", "NNNN"}, {"PL", "NN-NNN"}, {"PT", "NNNN-NNN"}, {"RO", "NNNNNN"},
	{"RS", "NNNNN"}, {"RU", "NNNNNN"}, {"SE", "NNN NN"}, {"SG", "NNNNNN"},
	{"SI", "NNNN"}, {"SK", "NNN NN"}, {"TH", "NNNNN"}, {"TR", "NNNNN"},
	{"TW", "NNN|NNNNN|NNNNNN"}, {"UA", "NNNNN"}, {"US", "NNNNN|NNNNN-NNNN"},
	{"ZA", "NNNN"},
};

/* Whether the code has the form that stands before | or the end. */
static bool
has_form(const char *form, const char *code)
{
	for (; *form != '\0' && *form != '|'; form++)
	{
		if (*form == ' ' || *form == '-')
		{
			code += *code == *form;
			continue;
		}
		if (*form == 'N' ? !IS_DIGIT(*code) :
			*form == 'A' ? !IS_LETTER(*code) :
			*form == '*' ? !IS_LETTER(*code) && !IS_DIGIT(*code) :
			pg_toupper((unsigned char) *code) != *form)
			return false;
		code++;
	}
	return *code == '\0';
}

Datum
lr_is_postal(PG_FUNCTION_ARGS)
{
	char	   *code = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char		alpha2[3];
	const char *form;
	int			i;

	if (!find_country(text_to_cstring(PG_GETARG_TEXT_PP(0)), alpha2))
		PG_RETURN_NULL();
	for (i = 0; i < (int) lengthof(postal); i++)
	{
		if (strcmp(postal[i].country, alpha2) != 0)
			continue;
		for (form = postal[i].forms; form != NULL;
			 form = strchr(form, '|') ? strchr(form, '|') + 1 : NULL)
			if (has_form(form, code))
				PG_RETURN_BOOL(true);
		PG_RETURN_BOOL(false);
	}
	PG_RETURN_NULL();
}
