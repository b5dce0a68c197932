# Random lead tables, leads and conditions over them, for tests of the rule
# engine.
#
#	my @names = focus();					columns that a round is about
#	my %lead = lead(@names);				column => SQL literal
#	my $tree = condition($depth, @names);	a condition as a tree
#	print text($tree);						... and as SQL
#	for my $smaller (smaller($tree)) ...	trees with something left out
#	valid(), percent(), clock()				when a rule is in force, what it takes of
#											the leads; the time ('': the real one)
#
# Everything comes from rand(), so the same srand() gives the same.  Values come
# from short lists, so that conditions hit: NULLs, extremes, numbers that differ
# only in scale, texts that differ only in case, accents, padding or under a
# collation, empty strings and arrays, patterns with what has a meaning in
# patterns.  Conditions may raise for some leads, or contradict themselves.

package RuleGenerator;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT_OK = qw(%COLUMN column_list pick chance whole literal focus lead
  condition @KIND columns_of
  indexable_condition equality_condition text smaller valid percent clock);

# Texts; bytes of UTF-8.
my @text = (
	'', ' ', '  ', 'a', 'A', 'b', 'B', 'ab', 'AB', 'Ab', 'abc', 'aBc', 'ABC',
	'abd', 'ab ', 'ab  ', ' ab', 'a b', 'a%b', 'a_b', 'axb', 'a\\b', 'a\\%b',
	q(a'b), 'co-op', 'coop', 'Coop', 'DE', 'de', 'AT', 'CH', "\xc3\xa4b",
	"a\xcc\x88b", "\xc3\x84b", "\xc3\x9f", 'ss', 'SS', "\xc3\xa9", "e\xcc\x81",
	'e', 'z', 'Z', '10', '9', '010', '1', 'true', '2020-01-01', '%', '_', '\\',
	"ab\xf4\x8f\xbf\xbf", "\xf0\x9f\x98\x80", "\xc4\xb0", "\xc4\xb1", 'x' x 300,
	'aa', 'aaa', 'y', "\x7f", 'abcd', 'abcde', 'abcdef', 'abcxef', 'abdef',
	"abc\xc3\xa4f", 'ABCDEF', 'b' x 40);
my @short = grep { length($_) <= 4 } @text;
my @pattern = (
	'', '%', '_', 'a%', 'ab%', 'Ab%', 'ab_', 'a_b', 'a\\_b', 'a\\_b%', 'a\\%b',
	'a\\%%', 'a\\\\b', 'a\\\\%', '%b', '%b%', 'a%b', 'ab', 'ab ', "\xc3\xa4%",
	'DE%', 'd%', '1%', 'abc%', '\\a\\b%', 'x%', '_b%', 'ab%%', 'ab%_', ' %',
	"ab\xf4\x8f\xbf\xbf%", "\x7f%", "\xc3\x9f%", 'ss%', 'ab\\');
my @prefix = ('', 'a', 'ab', 'AB', 'abc', 'a%', 'a_', 'a\\', ' ', 'z', 'D',
	"\xc3\xa4", 'a', "\xc3\x9f", 'x' x 20, "\xf4\x8f\xbf\xbf", '1', '  ');
my @int = (-1, 0, 1, 2, 3, 7, 10, 100);
my @number = qw(0 0.0 1 1.0 1.00 1.50 1.5 -1 2 3 7 10 100 100.000 1e2 0.1 NaN
  Infinity -Infinity 0.10);
my @float = qw(0 -0 1 1.5 2 3 -1 0.1 0.2 1e10 1e-30 NaN Infinity -Infinity 100);
my @day = qw(2020-01-01 2020-01-02 2020-02-29 1999-12-31 infinity -infinity);
my @moment = (
	'2020-01-01', '2020-01-01 00:00:00.000001', '2020-01-01 12:00',
	'2020-01-02', '1999-12-31 23:59:59.999999', '2020-01-01 02:00', 'infinity',
	'-infinity');

my @all = qw(= <> < <= > >=);
my %num = (
	class => 'num', op => \@all,
	cast => [qw(smallint integer bigint numeric real), 'double precision']);
my %day = (
	class => 'day', op => \@all,
	cast => [ 'date', 'timestamp', 'timestamptz' ]);
my %text = (
	class => 'text', op => \@all,
	cast => [qw(text varchar bpchar name varchar(2))]);
my %own = (class => 'own', op => \@all, cast => []);

# name => type, pool of values, class and its operators and casts.
our %COLUMN = (
	i2 => { %num, type => 'smallint', pool => [ @int, -32768, 32767 ] },
	i4 => { %num, type => 'integer', pool => [ @int, 65537, -2147483648, 2147483647 ] },
	i4b => { %num, type => 'integer', pool => [ 1 .. 40 ] },
	i8 => { %num, type => 'bigint', pool => [ @int, 65537, 4294967297, '9223372036854775807' ] },
	nu => { %num, type => 'numeric', pool => [ @number, '123456789012345678901234567890' ] },
	nu2 => { %num, type => 'numeric(10,2)', pool => [qw(0 1 1.5 2 3 10 100 0.1)] },
	f4 => { %num, type => 'real', pool => \@float },
	f8 => { %num, type => 'double precision', pool => \@float },
	dm => { %num, type => 'small_number', pool => [ 0 .. 9 ] },
	o => { %num, type => 'oid', pool => [ 0, 1, 2, 3, 100, 4294967295 ], cast => [qw(oid bigint integer)] },
	t => { %text, type => 'text', pool => \@text },
	tc => { %text, type => 'text COLLATE "C"', pool => \@text },
	tl => { %text, type => 'text COLLATE german', pool => \@text },
	tn => { %text, type => 'text COLLATE ignore_case', pool => \@text },
	ta => { %text, type => 'text COLLATE ignore_accents', pool => \@text },
	vc => { %text, type => 'varchar(4)', pool => \@short },
	vn => { %text, type => 'varchar(4) COLLATE ignore_case', pool => \@short },
	ch => { %text, type => 'char(4)', pool => \@short },
	cn => { %text, type => 'char(4) COLLATE ignore_case', pool => \@short },
	nm => { %text, type => 'name', pool => \@short },
	dt => { %text, type => 'code', pool => [qw(DE AT CH a ab)] },
	ci => { %text, type => 'citext', pool => \@text },
	d => { %day, type => 'date', pool => \@day },
	ts => { %day, type => 'timestamp', pool => \@moment },
	tz => { %day, type => 'timestamptz', pool => \@moment },
	tm => { %own, type => 'time', pool => [qw(00:00 12:00 23:59:59.999999 24:00)] },
	iv => { %own, type => 'interval', pool => [ '1 day', '24 hours', '1 month', '30 days', '0', '-1 day' ] },
	b => { %own, class => 'bool', type => 'boolean', pool => [qw(true false)] },
	bd => { %own, class => 'bool', type => 'yes_no', pool => [qw(true false)] },
	e => { %own, type => 'stage', pool => [qw(new won lost)] },
	u => { %own, type => 'uuid', pool => [ map { "00000000-0000-0000-0000-00000000000$_" } 0 .. 5 ] },
	by => { %own, type => 'bytea', pool => [ '', '\\x00', '\\x61', '\\x6162', '\\xff' ] },
	ia => { %own, class => 'array', type => 'integer[]', pool => [ '{}', '{1}', '{1,2}', '{NULL}', '{1,NULL}', '{{1,2},{3,4}}', '[0:1]={1,2}' ] },
	j => { %own, class => 'json', type => 'jsonb', pool => [ '{}', '{"k": 1}', '{"k": "a"}', '{"k": 1.0}', '[]', '[1]', '1', 'null', '{"k": "10"}' ] },
	js => { %own, class => 'odd', op => [], type => 'json', pool => [ '{}', '{"k": 1}' ] },
	p => { %own, class => 'odd', op => ['~=', '<<'], type => 'point', pool => [ '(0,0)', '(1,1)', '(NaN,1)' ] },
	x => { %own, class => 'odd', op => [ '=', '<>' ], type => 'xid', pool => [ 0, 1, 2, 3 ] },
	r => { %own, class => 'range', type => 'int4range', pool => [ 'empty', '[1,2)', '[1,1]', '(0,1]', '(,)', '[1,)', '[1,10)' ] },
	bi => { %own, type => 'bit(4)', pool => [qw(0000 0001 1111)] },
	ip => { %own, type => 'inet', pool => [qw(10.0.0.1 10.0.0.1/8 10.0.0.0/8 ::1)] },
	mo => { %own, class => 'money', type => 'money', pool => [qw(0 1 1.50)] },
	g => { %num, type => 'bigint', pool => [ map { 2 * $_ } @int ], generated => 'i4::bigint * 2' },
	gt => { %text, type => 'text COLLATE "C"', pool => \@short, generated => q(lower(vc) || '-' || coalesce(i2::text, '')) });

# The type alone, for casts.
($_->{base} = $_->{type}) =~ s/ COLLATE .*// for values %COLUMN;

sub pick { return $_[ int rand @_ ] }
sub chance { return rand() < $_[0] }
sub whole { my ($low, $high) = @_; return $low + int rand($high - $low + 1) }

sub literal
{
	my ($value) = @_;

	$value =~ s/'/''/g;
	return "'$value'";
}

# The columns as CREATE TABLE wants them, in the order given.
sub column_list
{
	return map {
		$COLUMN{$_}{generated}
		  ? "$_ $COLUMN{$_}{type} GENERATED ALWAYS AS ($COLUMN{$_}{generated}) STORED"
		  : "$_ $COLUMN{$_}{type}"
	} @_;
}

# Some columns, and those that generated ones need.
sub focus
{
	my @name = sort keys %COLUMN;
	my %chosen = map { pick(@name) => 1 } 1 .. whole(1, 6);

	$chosen{i4} = 1 if $chosen{g};
	$chosen{vc} = $chosen{i2} = 1 if $chosen{gt};
	return sort keys %chosen;
}

sub lead
{
	my %lead;

	for my $name (grep { !$COLUMN{$_}{generated} } @_)
	{
		my $value = pick(@{ $COLUMN{$name}{pool} });

		$lead{$name} = chance(0.15) ? 'NULL' : literal($value);
	}
	return %lead;
}

# ---------- constants ----------

sub is_number { return $_[0] =~ /^-?\d+(\.\d+)?(e-?\d+)?$/ }

# A value as a constant that is compared with a column.
sub constant
{
	my ($c, $value) = @_;
	my $cast = $c->{cast};

	return pick('NULL', "NULL::$c->{base}") if chance(0.02);
	if ($c->{class} eq 'num')
	{
		return pick("$value", "($value)", "+$value", "$value.0", "(1 - 1 + $value)")
		  if $value =~ /^\d+$/ && chance(0.5);
		return $value if is_number($value) && $value !~ /^-/ && chance(0.5);
	}
	$value = literal($value);
	return "E$value" if $value !~ /\\/ && chance(0.03);
	return "$value COLLATE " . pick('"C"', 'german', 'ignore_case')
	  if $c->{class} eq 'text' && $c->{type} ne 'name' && chance(0.04);
	return "$value\::" . pick(@$cast) if @$cast && chance(0.35);
	return "$value\::$c->{base}" if chance(0.3);
	return $value;
}

sub some_value
{
	my ($c) = @_;

	return $c->{class} eq 'num' && $c->{type} ne 'oid' && chance(0.1)
	  ? whole(-5, 50)
	  : pick(@{ $c->{pool} });
}

sub leaf { return { kind => 'leaf', text => $_[0] } }

# ---------- terms ----------

my %mirror = (
	'=' => '=', '<>' => '<>', '<' => '>', '<=' => '>=', '>' => '<',
	'>=' => '<=', '~=' => '~=', '<<' => '>>');

# The column, sometimes by a qualified name or in another dress.
sub reference
{
	my ($name, $c) = @_;

	return "($name)" if chance(0.03);
	if ($c->{class} eq 'text' && $c->{type} ne 'name' && chance(0.06))
	{
		return "($name COLLATE " . pick('"C"', 'german', 'ignore_case', '"default"') . ')';
	}
	if (chance(0.04))
	{
		return "$name\::" . pick(@{ $c->{cast} }) if @{ $c->{cast} };
		return "$name\::text";
	}
	return $name;
}

sub comparison
{
	my ($name, $c) = @_;
	my $op = pick(@{ $c->{op} });
	my ($left, $right) = (reference($name, $c), constant($c, some_value($c)));

	$op = '=' if $op ne '=' && $op ne '~=' && $c->{class} ne 'odd' && chance(0.3);
	return leaf("$left $op $right") if chance(0.85);
	return leaf("$right $mirror{$op} $left");
}

sub list
{
	my ($name, $c) = @_;
	my $n = chance(0.02) ? whole(500, 3000) : chance(0.1) ? 0 : whole(1, 8);
	my $column = reference($name, $c);
	my @item = map { some_value($c) } 1 .. $n;
	my $form = int rand 6;

	# an IN list is never empty, an array may be
	if ($form < 3 && $n > 0)
	{
		my @constant = $n > 20
		  ? map { literal($_) . "::$c->{base}" } @item
		  : map { constant($c, $_) } @item;

		return {
			kind => 'list',
			format => "$column " . (chance(0.2) ? 'NOT ' : '') . 'IN (%s)',
			item => \@constant
		};
	}
	my $test = pick("$column = ANY (%s)", "$column = ANY (%s)", "$column <> ALL (%s)",
		"$column <> ANY (%s)", "$column = ALL (%s)", "$column = SOME (%s)",
		"$column > ANY (%s)", "$column <= ALL (%s)");
	my $type = @{ $c->{cast} } && chance(0.2) ? pick(@{ $c->{cast} }) : $c->{base};
	my @constant = map { chance(0.05) ? 'NULL' : literal($_) } @item;

	return leaf(sprintf $test, "NULL::$type\[]") if chance(0.03);
	$test = sprintf $test, "ARRAY[%s]::$type\[]";
	return { kind => 'list', format => $test, item => \@constant };
}

sub between
{
	my ($name, $c) = @_;
	my ($low, $high) = map { constant($c, some_value($c)) } 1 .. 2;
	my $column = reference($name, $c);

	return leaf("$column " . pick('BETWEEN', 'BETWEEN', 'NOT BETWEEN', 'BETWEEN SYMMETRIC') . " $low AND $high")
	  if chance(0.5);
	return {
		kind => 'and',
		child => [
			leaf("$column " . pick('<', '<=') . " $high"),
			leaf(chance(0.2) ? "$low " . pick('<', '<=') . " $column" : "$column " . pick('>', '>=') . " $low") ]
	};
}

sub text_term
{
	my ($name, $c) = @_;
	my $column = reference($name, $c);
	my $pattern = literal(pick(@pattern));
	my $prefix = literal(pick(@prefix));
	my $form = int rand 14;

	$prefix .= '::text' if chance(0.2);
	return leaf("$column LIKE $pattern") if $form < 5;
	return leaf("$column NOT LIKE $pattern") if $form == 5;
	return leaf("$column ILIKE $pattern") if $form == 6;
	return leaf("$column LIKE '" . pick('a!%b', 'a!_b%', 'ab%', 'a!!%', '!a!b%', 'ab!') . "' ESCAPE '!'")
	  if $form == 7;
	return leaf("starts_with($column, $prefix)") if $form == 8 || $form == 9;
	return leaf("$column\::text ^@ $prefix") if $form == 10;
	return leaf("$column ^@ $prefix") if $form == 11;
	return leaf("$column " . pick('~', '!~', '~*') . ' ' . pick(q('^ab'), q('b$'), q('^(a|b)'), q('^ab.*')))
	  if $form == 12;
	return leaf(pick(
		"left($column, 2) = 'ab'", "lower($column) = 'ab'", "length($column) > 1",
		"$column || '' = 'ab'", "substr($column, 1, 1) = 'a'", "upper($column) IN ('AB', 'DE')",
		"$column SIMILAR TO 'a(b|c)%'", "$column ~~ ANY (ARRAY['a%', 'D%'])",
		"position('b' in $column) = 2", "$column = repeat('a', 2)"));
}

sub bool_term
{
	my ($name) = @_;

	return leaf(sprintf pick(
		'%s', '%s', 'NOT %s', '%s IS TRUE', '%s IS NOT TRUE', '%s IS FALSE',
		'%s IS NOT FALSE', '%s IS UNKNOWN', '%s IS NOT UNKNOWN', '%s = true',
		'%s = false', 'false = %s', '%s <> true', '%s <> false', '%s > false',
		'%s IN (true)', '%s IN (true, false)', '%s IS DISTINCT FROM true',
		'%s IS NOT DISTINCT FROM false', '%s::integer = 1', '(%s) IS NOT NULL',
		'coalesce(%s, true)', '%s = NULL'), $name);
}

# What only some types have.
sub special_term
{
	my ($name, $c) = @_;
	my $class = $c->{class};

	return text_term($name, $c) if $class eq 'text';
	return bool_term($name) if $class eq 'bool';
	return leaf(sprintf pick('%s + 1 = 2', '%s * 2 < 3', 'abs(%s) = 1', '-%s = -1', 'coalesce(%s, 0) = 0',
			'nullif(%s, 1) IS NULL', '%s %% 2 = 0', '%s::text = \'1\'', '%s::numeric = 1.0', 'CASE WHEN %s > 0 THEN true END'), $name)
	  if $class eq 'num';
	return leaf(sprintf pick('%s < now()', '%s::date = \'2020-01-01\'', '%s::timestamp >= \'2020-01-01\'',
			'extract(year FROM %s) = 2020', 'isfinite(%s)', '%s = current_date', '%s < \'infinity\'', '%s::timestamptz <= \'2020-01-01 00:00\'',
			'%s + interval \'1 day\' > \'2020-01-02\''), $name)
	  if $class eq 'day';
	return leaf(sprintf pick('1 = ANY (%s)', '%s @> \'{1}\'', '%s && ARRAY[1, 2]', 'cardinality(%s) = 0', '%s[1] = 1', '2 <> ALL (%s)', '%s <@ \'{1,2,3}\''), $name)
	  if $class eq 'array';
	return leaf(sprintf pick('%s->>\'k\' = \'1\'', '%s @> \'{"k": 1}\'', '%s ? \'k\'', '%s->\'k\' = \'1\'', 'jsonb_typeof(%s) = \'object\'', '(%s->>\'k\')::integer = 10'), $name)
	  if $class eq 'json';
	return leaf(sprintf pick('%s @> 1', '1 <@ %s', 'isempty(%s)', '%s && \'[1,5)\'', 'lower(%s) = 1'), $name)
	  if $class eq 'range';
	return leaf("$name\::text = '{}'") if $c->{type} eq 'json';
	return leaf("$name IS NOT NULL");
}

sub null_term
{
	my ($name, $c) = @_;

	return leaf("$name IS NOT NULL") if chance(0.3);
	return leaf("$name IS NULL") if chance(0.7) || !@{ $c->{op} } || $c->{class} eq 'odd';
	return leaf("$name IS " . pick('DISTINCT FROM ', 'NOT DISTINCT FROM ') . constant($c, some_value($c)));
}

# Between columns, or of rows of them.
sub pair_term
{
	my ($name, $c, @names) = @_;
	my $other = pick(@names);
	my $d = $COLUMN{$other};

	return leaf("$name = $other") if $c->{class} eq $d->{class} && $c->{class} ne 'odd' && chance(0.5);
	return null_term($name, $c) if grep { $_->{class} eq 'odd' } $c, $d;
	return leaf(sprintf "($name, $other) %s (%s, %s)", pick('=', '<>', '<', '>='), constant($c, some_value($c)), constant($d, some_value($d)))
	  if chance(0.6);
	return leaf("($name, $other) IS NOT NULL") if chance(0.3);
	return leaf("coalesce($name\::text, $other\::text) = " . literal(pick('1', 'ab', 'DE')));
}

# What raises for some leads.
sub raising_term
{
	my ($name, $c) = @_;

	return leaf(sprintf pick('1 / %s = 1', '10 %% %s = 0', '%s::smallint * 1000::smallint > 0', 'sqrt(%s) > 1', 'ln(%s) > 0',
			'%s::text::boolean', '(%s - 1)::text::date IS NULL'), $name)
	  if $c->{class} eq 'num' && $c->{type} ne 'oid';
	return leaf(sprintf pick('%s::text::integer = 10', '%s::text::date = \'2020-01-01\'', '%s::text::boolean', '%s::text::numeric > 1', 'repeat(%s::text, 2)::uuid IS NULL'), $name);
}

sub constant_term
{
	return leaf(pick('true', 'false', 'NULL', 'NULL::boolean', '1 = 1', '1 = 2', '1 < NULL', q('a' = 'b'), '(true)'));
}

sub term
{
	my (@names) = @_;
	my $name = pick(@names);
	my $c = $COLUMN{$name};
	my $r = rand();

	return constant_term() if $r < 0.03;
	return raising_term($name, $c) if $r < 0.05;
	return null_term($name, $c) if $r < 0.15 || $c->{class} eq 'odd' && $r < 0.4;
	return pair_term($name, $c, @names) if $r < 0.19;
	return special_term($name, $c) if $r < 0.42 || $c->{type} eq 'json';
	return between($name, $c) if $r < 0.52 && $c->{class} ne 'odd';
	return list($name, $c) if $r < 0.66 && $c->{class} ne 'odd';
	return comparison($name, $c);
}

# An OR.  An arm of it that joins what is never true with what raises may raise or
# be left out, as an optimizer likes: there is none.
sub any_of
{
	my ($new) = @_;
	my @arm;

	while (@arm < 2 || @arm < 4 && chance(0.5))
	{
		my $arm = $new->();

		push @arm, $arm if $arm->{kind} eq 'leaf' || text($arm) !~ /(?<!IS )(?<!IS NOT )\bNULL\b|ARRAY\[\]/;
	}
	return { kind => 'or', child => \@arm };
}

# A condition of terms over these columns.
sub condition
{
	my ($depth, @names) = @_;
	my $r = rand();

	return term(@names) if $depth == 0 || $r < 0.35;
	return { kind => 'and', child => [ map { condition($depth - 1, @names) } 1 .. whole(2, 4) ] } if $r < 0.65;
	return any_of(sub { condition($depth - 1, @names) }) if $r < 0.9;
	return {
		kind => 'format',
		format => pick('NOT (%s)', 'NOT (%s)', '(%s) IS TRUE', '(%s) IS NOT TRUE', '(%s) IS FALSE', '(%s) IS NOT NULL',
			'coalesce((%s), false)', 'CASE WHEN (%s) THEN true ELSE false END', '(%s) = true', "(%s)\n-- that was all\n"),
		child => [ condition($depth - 1, @names) ]
	};
}

# A pattern or prefix that a value of the column begins with.
sub prefix_term
{
	my ($name, $c) = @_;
	my $value = pick(@{ $c->{pool} });
	my @char = $value =~ /[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]+/g;
	my $prefix = join '', @char[ 0 .. (!@char || chance(0.05) ? -1 : chance(0.4) ? $#char : int(rand(@char))) ];

	return leaf("starts_with($name, " . literal($prefix) . ')') if chance(0.2);
	$prefix =~ s/([%_\\])/\\$1/g;
	return leaf("$name LIKE " . literal($prefix . pick('%', '%', '%', '%%', '_%', '%b', '_', '')));
}

our @KIND = qw(comparison list between between prefix prefix prefix null bool);

# Columns of which a round of one kind of terms may be made (prefix: that an index
# can answer).
sub columns_of
{
	my ($kind) = @_;

	return grep {
		my $c = $COLUMN{$_};
		$c->{class} ne 'odd' && !$c->{generated}
		  && ($kind ne 'prefix' || $_ =~ /^(t|tc|tl|vc|dt)$/) && ($kind ne 'bool' || $c->{class} eq 'bool')
	} sort keys %COLUMN;
}

# What an index can answer: a few terms that compare a column with constants,
# joined by AND or OR, sometimes beside one that it cannot.  kind: all of them are
# of this kind; undef: of any.
sub indexable_term
{
	my ($kind, @names) = @_;
	my $name = pick(@names);
	my $c = $COLUMN{$name};
	my $r = rand();

	return term(@names) if $c->{class} eq 'odd' || $r < 0.05;
	$kind = undef if $kind && !grep { $_ eq $name } columns_of($kind);
	return $kind eq 'list' ? list($name, $c)
	  : $kind eq 'between' ? between($name, $c)
	  : $kind eq 'prefix' ? prefix_term($name, $c)
	  : $kind eq 'null' ? null_term($name, $c)
	  : $kind eq 'bool' ? bool_term($name)
	  : comparison($name, $c)
	  if $kind;
	return prefix_term($name, $c) if $c->{class} eq 'text' && $r > 0.9;
	return bool_term($name) if $c->{class} eq 'bool' && $r < 0.5;
	return null_term($name, $c) if $r < 0.13;
	return list($name, $c) if $r < 0.4;
	return between($name, $c) if $r < 0.5;
	return text_term($name, $c) if $c->{class} eq 'text' && $r < 0.65;
	return comparison($name, $c);
}

sub indexable_condition
{
	my ($kind, @names) = @_;
	my @term = map { indexable_term($kind, @names) } 1 .. pick(1, 1, 2, 2, 3);
	my $tree = @term == 1 ? $term[0] : { kind => 'and', child => \@term };

	return $tree if chance(0.65);
	return any_of(sub { indexable_term($kind, @names) }) if chance(0.5);
	return any_of(sub { chance(0.3) ? term(@names) : indexable_condition($kind, @names) }) if chance(0.7);
	return { kind => 'and', child => [ $tree, chance(0.5) ? term(@names) : indexable_condition($kind, @names) ] };
}

# The n-th condition of a large set of rules about one column, each value of it in
# several of them; beside it often something about others.
sub equality_condition
{
	my ($n, $name, @others) = @_;
	my $c = $COLUMN{$name};
	my @pool = @{ $c->{pool} };
	my $value = $n < 5 * @pool ? $pool[ $n % @pool ] : $c->{class} eq 'num' ? 1000 + $n % 100 : 'code ' . $n % 100;
	my $equal = leaf("$name = " . literal($value));

	return $equal if !@others || chance(0.4);
	return { kind => 'and', child => [ $equal, indexable_term(undef, @others) ] };
}

# ---------- when and how many ----------

# Times that differ by the least there is.
my @time = map { "2030-01-0$_+00" } '1 00:00', '1 00:00:00.000001', '1 23:59:59.999999', '2 00:00', '3 12:00';

sub clock { return pick('', @time) }

# A range with at least a moment in it: an empty one is refused.
sub valid
{
	my @i = sort { $a <=> $b } whole(0, $#time), whole(0, $#time);
	my ($low, $high) = @time[@i];

	return "[$low,$high]" if $i[0] == $i[1];
	$low = pick('', '', '-infinity', 'infinity') if chance(0.3);
	$high = pick('', 'infinity') if $low eq 'infinity' || chance(0.3);
	return "[$low,$high]" if $low eq 'infinity';
	return pick('[', '(') . "$low,$high" . pick(')', ']');
}

sub percent { return pick(0, 0.5, 5, 30, 50, 50, 73.25, 99.9) }

# ---------- trees ----------

sub text
{
	my ($tree) = @_;

	return $tree->{text} if $tree->{kind} eq 'leaf';
	return sprintf $tree->{format}, join ', ', @{ $tree->{item} } if $tree->{kind} eq 'list';
	return sprintf $tree->{format}, text($tree->{child}[0]) if $tree->{kind} eq 'format';
	return join $tree->{kind} eq 'and' ? ' AND ' : ' OR ',
	  map { $_->{kind} =~ /^(and|or)$/ ? '(' . text($_) . ')' : text($_) } @{ $tree->{child} };
}

# Trees with one thing left out, those that leave out most first.
sub smaller
{
	my ($tree) = @_;
	my @smaller;

	if ($tree->{kind} eq 'list')
	{
		my @item = @{ $tree->{item} };
		my $half = int(@item / 2);

		return () if @item < 2;
		push @smaller, { %$tree, item => [ @item[ 0 .. $half - 1 ] ] }, { %$tree, item => [ @item[ $half .. $#item ] ] };
		if (@item < 20)
		{
			for my $i (0 .. $#item)
			{
				push @smaller, { %$tree, item => [ @item[ grep { $_ != $i } 0 .. $#item ] ] };
			}
		}
		return @smaller;
	}
	return () if $tree->{kind} eq 'leaf';
	my @child = @{ $tree->{child} };

	push @smaller, @child;
	for my $i (0 .. $#child)
	{
		push @smaller, { %$tree, child => [ @child[ grep { $_ != $i } 0 .. $#child ] ] } if @child > 2;
		for my $less (smaller($child[$i]))
		{
			push @smaller, { %$tree, child => [ map { $_ == $i ? $less : $child[$_] } 0 .. $#child ] };
		}
	}
	return @smaller;
}

1;
