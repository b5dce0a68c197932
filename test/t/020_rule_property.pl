# The plain truth about rules: for random sets of rules and random leads, the rule
# that the journal names is the first one, in the documented order, that is in force,
# whose condition PostgreSQL itself finds true and whose percentage takes the lead
# (the documented draw, computed in SQL); a condition that raises for a lead is not
# true for it.  Whatever finds the rule (an index, a cache, an overlay of a transaction's own
# changes) gives the same answer as a query, after every kind of change, in the
# session that made it and in others.  See RuleGenerator.pm for what is random.
#
# From the environment:
#	LR_SEED		what the run is made from; printed, and a failure says it with the round
#	LR_ROUND	that round alone
#	LR_SECONDS	how long (default 25); each round is a set of rules
#
# A failure prints the smallest case that was found, as SQL that can be pasted,
# and leaves all statements of its round in a file.
#
# Fails when the rule search forgets a rule, finds one too many or in the wrong
# order, takes a wrong collation, hash or range, or answers from an old state.

use strict;
use warnings FATAL => 'all';

use LeadrouteTest;
use PostgreSQL::Test::Utils;
use RuleGenerator
  qw(%COLUMN column_list pick chance whole literal focus lead condition @KIND columns_of
  indexable_condition equality_condition text smaller valid percent clock);
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{LR_SEED} // int(rand(2**31));
my $seconds = $ENV{LR_SECONDS} // 25;
# a session's time is counted from its beginning
$PostgreSQL::Test::Utils::timeout_default += $seconds;
my $db = 'rules';
my $node = new_node('main', 'leadroute.held_retry_interval = 1d');
my %count = map { $_ => 0 } qw(leads matched raised rules refused changes explained);
my (%session, @statements, %rule, $next_id, $next_rule, $kind, @names);

diag("LR_SEED=$seed");

# ---------- the database ----------

# Its default collation is a linguistic one.
$node->safe_psql('postgres',
	"CREATE DATABASE $db TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de' LOCALE 'C'");
my @columns = sort keys %COLUMN;
my $columns = join ",\n", column_list(@columns);
my $backwards = join ",\n", column_list(reverse @columns);
my $plain = join ', ', map { "$_ $COLUMN{$_}{type}" } @columns;
$node->safe_psql($db, qq(
	CREATE EXTENSION leadroute;
	CREATE EXTENSION citext;
	CREATE COLLATION german (provider = icu, locale = 'de');
	CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	CREATE COLLATION ignore_accents (provider = icu, locale = 'und-u-ks-level1-kc-true', deterministic = false);
	CREATE DOMAIN small_number AS integer CHECK (VALUE BETWEEN -1000 AND 100000);
	CREATE DOMAIN code AS text COLLATE "C" CHECK (length(VALUE) < 20);
	CREATE DOMAIN yes_no AS boolean;
	CREATE TYPE stage AS ENUM ('new', 'won', 'lost');
	CREATE TABLE lead (gone integer, id bigint PRIMARY KEY, $columns, gone_too text, owner text);
	ALTER TABLE lead DROP COLUMN gone, DROP COLUMN gone_too;
	-- of two partitions, one with its columns elsewhere
	CREATE TABLE part_lead (id bigint PRIMARY KEY, $columns, owner text) PARTITION BY HASH (id);
	CREATE TABLE part_lead_0 PARTITION OF part_lead FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE part_lead_1 (gone integer, owner text, $backwards, id bigint NOT NULL);
	ALTER TABLE part_lead_1 DROP COLUMN gone;
	ALTER TABLE part_lead ATTACH PARTITION part_lead_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	CREATE TABLE stage_lead (id bigint PRIMARY KEY, $plain);
	SELECT leadroute.attach('lead', 'owner', router => 'main'), leadroute.attach('part_lead', 'owner', router => 'main');
	SET leadroute.router = 'main';
	INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');

	-- The first of these conditions, from place to place, that SQL finds true for
	-- each lead between two ids.  CASE asks them in this order.  Where one raises,
	-- each half of them is asked, in the end one condition and one lead.
	CREATE FUNCTION first_true(tab text, condition text[], first integer, last integer, low bigint, high bigint)
		RETURNS TABLE (lead bigint, place integer) LANGUAGE plpgsql AS \$\$
	DECLARE
		half integer := (first + last) / 2;
		query text;
	BEGIN
		SELECT string_agg(format(E'WHEN ((%s\\n)::boolean) THEN %s', condition[g], g), E'\\n' ORDER BY g) INTO query FROM generate_series(first, last) g;
		query := format('SELECT id, CASE %s END FROM %I', query, tab);
		RETURN QUERY EXECUTE query || format(' WHERE id BETWEEN %s AND %s', low, high);
	EXCEPTION WHEN OTHERS THEN
		IF first < last THEN
			RETURN QUERY SELECT * FROM first_true(tab, condition, first, half, low, high);
			RETURN QUERY SELECT * FROM first_true(tab, condition, half + 1, last, low, high);
			RETURN;
		END IF;
		EXECUTE format('PREPARE one (bigint) AS %s WHERE id = \$1', query);
		FOR i IN low .. high LOOP
			BEGIN
				EXECUTE format('EXECUTE one (%s)', i) INTO lead, place;
				RETURN NEXT;
			EXCEPTION WHEN OTHERS THEN
				PERFORM set_config('test.raised', (coalesce(nullif(current_setting('test.raised', true), ''), '0')::integer + 1)::text, false);
			END;
		END LOOP;
		DEALLOCATE one;
	END \$\$;
	-- Where a lead falls for a rule with percent, as the README says: FNV-1a over the
	-- text, then MurmurHash3's end.
	CREATE FUNCTION draw(t text) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS \$\$
	DECLARE
		two64 CONSTANT numeric := 18446744073709551616;
		two33 CONSTANT numeric := 8589934592;
		h numeric := 14695981039346656037;
		c bytea := convert_to(t, 'UTF8');
		low integer;
	BEGIN
		FOR i IN 0 .. length(c) - 1 LOOP
			low := mod(h, 256);
			h := mod((h - low + (low # get_byte(c, i))) * 1099511628211, two64);
		END LOOP;
		FOR i IN 1 .. 3 LOOP
			-- h ^ (h >> 33) changes the lower 33 bits alone
			h := div(h, two33) * two33 + (mod(h, two33)::bigint # div(h, two33)::bigint);
			h := CASE i WHEN 1 THEN mod(h * 18397679294719823053, two64) WHEN 2 THEN mod(h * 14181476777654086739, two64) ELSE h END;
		END LOOP;
		RETURN div(h, 2048) * 100 / 9007199254740992;
	END \$\$;
	-- The rule of each of these leads, none where none is true.
	CREATE FUNCTION truth(tab text, low bigint, high bigint) RETURNS TABLE (id bigint, rule text) LANGUAGE sql AS \$\$
		WITH ordered AS MATERIALIZED (
			SELECT array_agg(r.name ORDER BY priority, condition IS NULL, r.name COLLATE "C") AS name,
				array_agg(CASE percent WHEN 100 THEN coalesce(condition, 'true')
					ELSE format(E'(%s\\n)::boolean AND draw(%L || id) < %s', coalesce(condition, 'true'), concat(t.id, ' ', r.id, ' '), percent) END
					ORDER BY priority, condition IS NULL, r.name COLLATE "C") AS condition
			FROM leadroute.rule r JOIN leadroute.router t ON t.name = r.router
			WHERE r.enabled AND (routed_table IS NULL OR routed_table = tab)
				AND (valid IS NULL OR valid @> coalesce(nullif(current_setting('leadroute.test_clock'), '')::timestamptz, clock_timestamp())))
		SELECT lead, (SELECT name[min(place)] FROM ordered)
		FROM ordered, first_true(tab, condition, 1, cardinality(condition), low, high)
		WHERE condition IS NOT NULL AND place IS NOT NULL GROUP BY lead;
	\$\$;
	-- Leads whose rule in the journal is another one; and in the first row, after a
	-- #, how many leads have one, and how often a condition has raised.
	CREATE FUNCTION compare(tab text, low bigint, high bigint) RETURNS SETOF text LANGUAGE plpgsql AS \$\$
	DECLARE
		matched integer;
	BEGIN
		PERFORM set_config('test.raised', '0', false);
		CREATE TEMP TABLE expected ON COMMIT DROP AS SELECT * FROM truth(tab, low, high);
		SELECT count(*) INTO matched FROM expected;
		RETURN NEXT concat_ws(' ', '#', matched, current_setting('test.raised'));
		RETURN QUERY SELECT concat_ws('|', l.id, coalesce(quote_literal(e.rule), 'none'), coalesce(quote_literal(r.name), j.kind::text, 'not decided'))
			FROM stage_lead l
			LEFT JOIN expected e USING (id)
			LEFT JOIN leadroute.journal j ON NOT j.superseded AND j.lead_key = l.id::text
				AND j.routed_table = (SELECT t.id FROM leadroute.routed_table t WHERE t.name = tab)
			LEFT JOIN leadroute.rule r ON r.id = j.rule
			WHERE l.id BETWEEN low AND high AND (r.name IS DISTINCT FROM e.rule OR j.kind IS NULL) ORDER BY l.id;
		DROP TABLE expected;
	END \$\$;
	-- The same for what explain says of leads that are not decided yet.
	CREATE FUNCTION compare_explain(tab text, low bigint, high bigint) RETURNS SETOF text LANGUAGE sql AS \$\$
		SELECT concat_ws('|', x.id, coalesce(quote_literal(e.rule), 'none'), coalesce(quote_literal(x.rule), 'explained as none'))
		FROM (SELECT l.id, (SELECT tried->>'rule' FROM leadroute.explain(tab, l.id::text, 'json') said, jsonb_array_elements(said::jsonb->'rules') tried
				WHERE tried->>'result' = 'matches') AS rule FROM stage_lead l WHERE l.id BETWEEN low AND high) x
		LEFT JOIN truth(tab, low, high) e USING (id) WHERE x.rule IS DISTINCT FROM e.rule
		UNION ALL
		-- what is not true has a part that is not
		SELECT concat_ws('|', l.id, 'a part of ' || quote_literal(tried->>'rule') || ' that is not true', 'explained as none')
		FROM stage_lead l, leadroute.explain(tab, l.id::text, 'json', rules => 1000) said, jsonb_array_elements(said::jsonb->'rules') tried
		WHERE l.id BETWEEN low AND high AND tried->>'result' IN ('no match', 'ruled out by the index')
			AND NOT jsonb_path_exists(tried, '\$.parts[*].is ? (@ == "false" || @ == "null" || @ == "error")');
	\$\$;
	-- Saves rules.  Those that are refused, although SQL takes the condition.
	CREATE FUNCTION save(names text[], priorities integer[], enableds boolean[], tables text[], conditions text[], valids text[], percents numeric[])
	RETURNS SETOF text LANGUAGE plpgsql AS \$\$
	DECLARE
		i integer;
		message text;
		tab text;
	BEGIN
		INSERT INTO leadroute.rule AS r (name, priority, enabled, routed_table, condition, valid, percent)
			SELECT n, p, e, t, c, v::tstzrange, q FROM unnest(names, priorities, enableds, tables, conditions, valids, percents) u (n, p, e, t, c, v, q)
			ON CONFLICT (router, name) DO UPDATE SET priority = EXCLUDED.priority, enabled = EXCLUDED.enabled,
				routed_table = EXCLUDED.routed_table, condition = EXCLUDED.condition, valid = EXCLUDED.valid, percent = EXCLUDED.percent;
	EXCEPTION WHEN OTHERS THEN
		IF cardinality(names) > 1 THEN
			i := cardinality(names) / 2;
			RETURN QUERY SELECT * FROM save(names[:i], priorities[:i], enableds[:i], tables[:i], conditions[:i], valids[:i], percents[:i]);
			RETURN QUERY SELECT * FROM save(names[i + 1:], priorities[i + 1:], enableds[i + 1:], tables[i + 1:], conditions[i + 1:], valids[i + 1:], percents[i + 1:]);
			RETURN;
		END IF;
		message := sqlerrm;
		FOREACH tab IN ARRAY CASE WHEN tables[1] IS NULL THEN '{lead,part_lead}'::text[] ELSE tables END LOOP
			BEGIN
				EXECUTE format(E'SELECT ((%s\\n)::boolean) FROM %I LIMIT 0', conditions[1], tab);
			EXCEPTION WHEN OTHERS THEN
				message := NULL;
			END;
		END LOOP;
		RETURN NEXT CASE WHEN message IS NULL THEN '-' ELSE names[1] || '|' || message END;
	END \$\$));

# ---------- statements ----------

# Each query would be in the log twice, thousands of them.
{
	no warnings 'redefine';
	*PostgreSQL::Test::BackgroundPsql::note = *PostgreSQL::Test::BackgroundPsql::explain = sub { };
}

# run(session, sql): its output; everything goes through a file.
sub run
{
	my ($name, $sql) = @_;
	my $file = $node->basedir . "/$name.sql";

	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle "$sql;\n";
	close $handle;
	push @statements, "-- session $name\n$sql;";
	return $session{$name}->query_safe("\\i $file");
}

sub text_array
{
	return 'ARRAY[' . join(', ', map { defined $_ ? literal($_) : 'NULL' } @_) . ']::text[]';
}

# ---------- rules ----------

sub new_name
{
	my $name = pick('r', 'R', 'rule ', "\xc3\xa4", 'a', 'Z', '_', '"') . $next_rule++;

	return $name;
}

# A rule; style: equal: the n-th of a set that looks at one column; indexable: of
# terms that an index may answer (all of one kind, if the round has one); any.
sub make_rule
{
	my ($style, $n) = @_;
	my $scope = chance(0.15);
	my $for_all = chance(0.05) && $style ne 'equal';
	my $tree = $style eq 'equal' ? equality_condition($n, @names)
	  : $style eq 'indexable' ? indexable_condition($kind, @names)
	  : condition(pick(0, 0, 1, 1, 2, 3), @names);

	return {
		# what takes all mostly comes late, between others of its priority
		priority => $style eq 'equal' ? pick(10, 20) : $for_all ? pick(3, 100, 100, 100, 100) : pick(1, 1, 2, 3, 100, 100, -5),
		enabled => chance(0.93),
		table => chance(0.8) ? undef : pick('lead', 'part_lead'),
		valid => $scope && chance(0.6) ? valid() : undef,
		percent => $scope && chance(0.6) ? percent() : 100,
		tree => $for_all ? undef : $tree
	};
}

# The call that saves these rules (name => rule).
sub save_sql
{
	my (%new) = @_;
	my @name = sort keys %new;

	return sprintf 'SELECT * FROM save(%s, ARRAY[%s]::integer[], ARRAY[%s]::boolean[], %s, %s, %s, ARRAY[%s]::numeric[])',
	  text_array(@name),
	  join(',', map { $new{$_}{priority} } @name),
	  join(',', map { $new{$_}{enabled} ? 'true' : 'false' } @name),
	  text_array(map { $new{$_}{table} } @name),
	  text_array(map { $new{$_}{tree} && text($new{$_}{tree}) } @name),
	  text_array(map { $new{$_}{valid} } @name),
	  join(',', map { $new{$_}{percent} } @name);
}

sub save_rules
{
	my ($session, %new) = @_;

	# what is refused keeps its former condition, the others have the new one
	$rule{$_} = $new{$_} for keys %new;
	$count{rules} += keys %new;
	for my $line (split /\n/, run($session, save_sql(%new)))
	{
		$count{refused}++;
		next if $line eq '-';
		my ($name, $message) = split /\|/, $line, 2;

		fail_case("rule $name is refused, although SQL takes its condition",
			$name ? text($new{$name}{tree}) . "\n-- $message" : $message);
		return 0;
	}
	return 1;
}

# A change of the rules, in one or a few statements.
sub change_rules
{
	my ($session) = @_;
	my @have = sort keys %rule;
	my $form = whole(0, 11);

	$count{changes}++;
	if ($form < 4 || !@have)
	{
		my %new;

		$new{ $form == 0 || !@have ? new_name() : pick(@have) } = make_rule(pick('any', 'indexable'), 0) for 1 .. whole(1, 5);
		return save_rules($session, %new);
	}
	my $some = 'name IN (' . join(', ', map { literal(pick(@have)) } 1 .. whole(1, 4)) . ')';
	run($session, sprintf pick(
			'UPDATE leadroute.rule SET enabled = NOT enabled WHERE %s',
			'UPDATE leadroute.rule SET enabled = NOT enabled WHERE NOT %s',
			'UPDATE leadroute.rule SET priority = ' . whole(-5, 5) . ' WHERE %s',
			'UPDATE leadroute.rule SET priority = -priority WHERE %s OR priority < 3',
			'DELETE FROM leadroute.rule WHERE %s',
			'UPDATE leadroute.rule SET condition = (SELECT min(condition) FROM leadroute.rule WHERE %1$s) WHERE %1$s',
			'UPDATE leadroute.rule SET condition = NULL, routed_table = \'lead\' WHERE %s',
			'UPDATE leadroute.rule SET name = name || \'x' . $next_rule++ . '\' WHERE %s',
			'UPDATE leadroute.rule SET routed_table = NULL WHERE %s',
			'UPDATE leadroute.rule SET valid = ' . literal(valid()) . ' WHERE %s',
			'UPDATE leadroute.rule SET percent = ' . percent() . ' WHERE %s',
			'UPDATE leadroute.rule SET percent = 100, valid = NULL WHERE %s',
			'DELETE FROM leadroute.rule WHERE %1$s; SELECT \'\' FROM leadroute.rule WHERE false'), $some);
	return 1;
}

# ---------- leads ----------

# Rows of stage_lead: their first and last id and the INSERT.
sub stage_sql
{
	my (@lead) = @_;
	my @name = grep { !$COLUMN{$_}{generated} } @names;
	my ($low, $high) = ($next_id, $next_id + @lead - 1);
	my @row;

	push @row, '(' . join(', ', $next_id++, @{$_}{@name}) . ')' for @lead;
	return ($low, $high, 'INSERT INTO stage_lead (' . join(', ', 'id', @name) . ") VALUES\n" . join(",\n", @row));
}

# Puts them into a table, in one of the ways that lead there.
sub insert_sql
{
	my ($table, $low, $high) = @_;
	my $into = join ', ', 'id', grep { !$COLUMN{$_}{generated} } @names;
	my $from = "FROM stage_lead WHERE id BETWEEN $low AND $high";
	my $file = $node->basedir . '/leads.copy';
	my $form = whole(0, 9);

	return "INSERT INTO $table ($into) SELECT $into $from" if $form < 4;
	return "COPY (SELECT $into $from) TO '$file';\nCOPY $table ($into) FROM '$file'" if $form == 4;
	return "MERGE INTO $table t USING (SELECT $into $from) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT ($into) VALUES ("
	  . join(', ', map { "s.$_" } split /, /, $into) . ')'
	  if $form == 5;
	return "INSERT INTO $table ($into) SELECT $into $from ON CONFLICT (id) DO UPDATE SET owner = NULL" if $form == 6;
	return "DO \$do\$ DECLARE i bigint; BEGIN FOR i IN $low .. $high LOOP INSERT INTO $table ($into) SELECT $into FROM stage_lead WHERE id = i; END LOOP; END \$do\$"
	  if $form == 7;
	# decided later, from the row as it is stored
	return "SET LOCAL leadroute.routing = off;\nINSERT INTO $table ($into) SELECT $into $from;\nSET LOCAL leadroute.routing = on;\n"
	  . "SELECT * FROM compare_explain('$table', $low, least($high, $low + 3));\n"
	  . "DO \$do\$ DECLARE i bigint; BEGIN FOR i IN $low .. $high LOOP PERFORM leadroute.route('$table', i); END LOOP; END \$do\$"
	  if $form == 8;
	return "INSERT INTO $table ($into) SELECT $into $from ORDER BY id DESC";
}

# Leads that go through the rules as a session sees them; inside: its transaction
# is open.  0: a failure has been reported.
sub check
{
	my ($session, $inside, $n) = @_;
	my $table = pick('lead', 'lead', 'part_lead');
	my @lead = map { { lead(@names) } } 1 .. $n;
	my ($begin, $end) = $inside ? ('SAVEPOINT leads', 'ROLLBACK TO leads') : ('BEGIN', 'ROLLBACK');

	my ($low, $high, $stage) = stage_sql(@lead);
	my $insert = insert_sql($table, $low, $high);
	my $clock = clock();
	my @wrong = split /\n/, run($session, "$begin;\nSET LOCAL leadroute.test_clock = '$clock';\n$stage;\n$insert;\nSELECT * FROM compare('$table', $low, $high);\n$end");
	my ($matched, $raised) = map { /^# (\d+) (\d+)/ } @wrong;
	@wrong = grep { !/^#/ } @wrong;
	$count{explained} += 4 if $insert =~ /compare_explain/;
	$count{leads} += $n;
	$count{matched} += $matched;
	$count{raised} += $raised;
	return 1 if !@wrong;
	my $id = (split /\|/, $wrong[0])[0];
	report($session, { table => $table, clock => $clock, id => $id, lead => $lead[ $id - $low ] }, @wrong);
	return 0;
}

# ---------- failures ----------

my $round = 0;
my $failed = 0;

sub fail_case
{
	my ($what, $text) = @_;
	my $file = "$PostgreSQL::Test::Utils::log_path/round_$round.sql";

	$failed = 1;
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle join("\n", @statements), "\n";
	close $handle;
	$text = substr($text, 0, 4000) . ' ...' if length($text) > 4000;
	diag("$what\n$text\nAgain: LR_SEED=$seed LR_ROUND=$round; all statements of the round: $file");
	return;
}

# The rules that a session sees (they may have been renamed by SQL), as trees
# where they are still known.
sub visible_rules
{
	my ($session) = @_;
	my %tree = map { $rule{$_}{tree} ? (text($rule{$_}{tree}) => $rule{$_}{tree}) : () } keys %rule;
	my %visible;

	for my $line (split /\n/, run($session,
			q(SELECT concat_ws('|', encode(convert_to(name, 'UTF8'), 'hex'), priority, enabled, coalesce(routed_table, '-'), coalesce(valid::text, '-'), percent,
				translate(encode(convert_to(condition, 'UTF8'), 'base64'), E'\n', '')) FROM leadroute.rule WHERE enabled)))
	{
		my ($name, $priority, $enabled, $table, $valid, $percent, $base64) = split /\|/, $line;
		my $condition = defined $base64 ? unpack('u', join '', map { chr(32 + length($_) * 3 / 4) . "$_\n" }
			  map { tr|A-Za-z0-9+/=| -_`|r } unpack('(A60)*', $base64)) : undef;

		$condition =~ s/\0+$// if defined $condition;
		$visible{ pack('H*', $name) } = {
			priority => $priority, enabled => 1, table => $table eq '-' ? undef : $table,
			valid => $valid eq '-' ? undef : $valid, percent => $percent,
			tree => defined $condition ? $tree{$condition} // { kind => 'leaf', text => $condition } : undef };
	}
	return %visible;
}

# The SQL of a case: these rules alone, under the ids they have (a percentage draws
# by them), this lead, at its time.
sub case_sql
{
	my ($case, %some) = @_;
	my $lead = $case->{lead};
	my @name = grep { !$COLUMN{$_}{generated} } sort keys %$lead;
	my $row = '(' . join(', ', 'id', @name) . ') VALUES (' . join(', ', $case->{id}, @{$lead}{@name}) . ')';

	return (sprintf("SET leadroute.test_clock = '%s';\nDELETE FROM leadroute.rule WHERE name <> ALL (%s);\n%s",
			$case->{clock}, text_array(sort keys %some), save_sql(%some)),
		"INSERT INTO stage_lead $row;\nINSERT INTO $case->{table} $row",
		"SELECT * FROM compare('$case->{table}', $case->{id}, $case->{id})");
}

# Whether a case fails by itself, without what has gone before.
sub fails
{
	my ($session, @sql) = @_;
	my @line;

	run($session, 'BEGIN');
	run($session, $sql[0]);
	run($session, $sql[1]);
	@line = split /\n/, run($session, $sql[2]);
	run($session, 'ROLLBACK');
	return @line > 1;
}

# Cases with one thing less of a rule, or of the lead.
sub smaller_cases
{
	my ($case, %some) = @_;
	my @less;

	for my $name (sort keys %some)
	{
		my $rule = $some{$name};

		push @less, [ $case, %some, $name => { %$rule, valid => undef } ] if defined $rule->{valid};
		push @less, [ $case, %some, $name => { %$rule, percent => 100 } ] if $rule->{percent} < 100;
		push @less, map { [ $case, %some, $name => { %$rule, tree => $_ } ] } smaller($rule->{tree}) if $rule->{tree};
	}
	for my $column (sort keys %{ $case->{lead} })
	{
		my %lead = %{ $case->{lead} };

		next if $lead{$column} eq 'NULL';
		delete $lead{$column};
		push @less, [ { %$case, lead => \%lead }, %some ] if %lead;
	}
	return @less;
}

# Prints the wrong answers and the smallest case that still gives one.
sub report
{
	my ($session, $case, @wrong) = @_;
	my (undef, $expected, $got) = split /\|/, $wrong[0];
	my $left = 300;
	my %some;

	%some = visible_rules($session);
	fail_case(@wrong . " leads of $case->{table} have another rule than SQL finds; id|expected|found:",
		join "\n", @wrong[ 0 .. ($#wrong < 9 ? $#wrong : 9) ]);
	run($_, 'ROLLBACK') for sort keys %session;
	if (!fails($session, case_sql($case, %some)))
	{
		diag('It does not fail with the same rules alone: what went before matters.');
		return;
	}
	my %pair = map { $_ => $some{$_} } grep { index("$expected$got", $_) >= 0 } keys %some;
	%some = %pair if %pair && fails($session, case_sql($case, %pair));
  AGAIN:
	while ($left > 0)
	{
		# fewer rules: without half of them, a quarter, ...
		for (my $part = int((keys %some) / 2); $part >= 1; $part = int($part / 2))
		{
			my @name = sort keys %some;

			while (my @out = splice @name, 0, $part)
			{
				my %less = %some;
				delete @less{@out};
				next if !%less || $left-- < 0 || !fails($session, case_sql($case, %less));
				%some = %less;
				next AGAIN;
			}
		}
		for my $smaller (smaller_cases($case, %some))
		{
			next if $left-- < 0 || !fails($session, case_sql(@$smaller));
			($case, %some) = @$smaller;
			next AGAIN;
		}
		last;
	}
	diag("The smallest case:\n" . join ";\n", map { substr($_, 0, 3000) } case_sql($case, %some));
	return;
}

# ---------- rounds ----------

# One step: a change of the rules by a session, and what it and others see.
sub step
{
	my $n = chance(0.1) ? whole(50, 200) : whole(5, 30);
	my %before;

	my $form = int rand 10;
	if ($form < 4)
	{
		my ($who, $asks) = chance(0.5) ? ('main', 'main') : ('other', 'main');

		return 0 if !change_rules($who) || !check($asks, 0, $n);
		return 1 if chance(0.6);
		# what is no rule makes a new version of the router too
		run($who, 'UPDATE leadroute.member SET joined_at = now() WHERE name = \'anna\'');
		return check($asks, 0, $n);
	}
	# its own changes, some of them rolled back, and then all or nothing
	if ($form < 8)
	{
		my ($who, $asks) = chance(0.6) ? ('main', 'other') : ('other', 'main');

		%before = %rule;
		run($who, 'BEGIN');
		return 0 if !change_rules($who) || !check($who, 1, $n);
		if (chance(0.5))
		{
			my %inner = %rule;

			run($who, 'SAVEPOINT change');
			return 0 if !change_rules($who) || !check($who, 1, $n);
			if (chance(0.6))
			{
				run($who, 'ROLLBACK TO change');
				%rule = %inner;
			}
			else
			{
				run($who, 'RELEASE change');
			}
			return 0 if !check($who, 1, $n);
		}
		if (chance(0.5))
		{
			# nobody else sees it, and nobody waits for it
			return 0 if !check($asks, 0, $n);
		}
		if (chance(0.5))
		{
			run($who, 'ROLLBACK');
			%rule = %before;
		}
		else
		{
			run($who, 'COMMIT');
		}
		return check($asks, 0, $n) && check($who, 0, $n);
	}
	# an old snapshot sees the new rules
	if ($form == 8)
	{
		run('main', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM leadroute.router');
		my $same = change_rules('other');
		run('main', 'ROLLBACK');
		return $same && check('main', 0, $n);
	}
	# a session that knows nothing yet
	$session{main}->quit;
	connect_session('main');
	return check('main', 0, $n);
}

sub connect_session
{
	my ($name) = @_;

	$session{$name} = $node->background_psql($db, on_error_stop => 0);
	$session{$name}->query_safe("SET client_min_messages = error; SET enable_seqscan = off; SET jit = off; SET leadroute.router = 'main'; \\pset tuples_only on\n\\pset format unaligned");
	return;
}

sub play
{
	my ($style, $n, %seen);

	srand(($seed * 7919 + $round) % 2147483647);
	$style = chance(0.08) ? 'equal' : chance(0.45) ? 'indexable' : 'any';
	$n = $style eq 'equal' ? whole(50, 400) : chance(0.1) ? whole(40, 120) : whole(1, 25);
	@statements = %rule = ();
	($next_id, $next_rule) = (1, 1);
	@names = focus();
	@names = (pick(qw(t tn i4 i8 vc ch nu)), @names) if $style eq 'equal';
	# many rules that an index keeps side by side
	$kind = $style eq 'indexable' && chance(0.5) ? pick(@KIND) : undef;
	($n, @names) = (whole(20, 80), pick(columns_of($kind)), chance(0.4) ? pick(columns_of($kind)) : ()) if $kind;
	@names = grep { !$seen{$_}++ } @names;
	run('main', 'DELETE FROM leadroute.rule');
	return 0 if !save_rules(pick('main', 'other'), map { new_name() => make_rule($style, $_) } 1 .. $n);
	return 0 if !check('main', 0, 60);
	for (1 .. whole(1, 6))
	{
		return 0 if !step();
	}
	return 1;
}

# play, and what it dies of.
sub play_round
{
	my $good = eval { play() };

	fail_case('a statement failed', $@) if $@;
	return $good;
}

connect_session($_) for 'main', 'other';
my $began = time;
if (defined $ENV{LR_ROUND})
{
	$round = $ENV{LR_ROUND};
	ok(play_round(), "round $round");
	$node->stop;
	done_testing;
	exit 0;
}
# also on a slow machine enough of them
while (!$failed && (time - $began < $seconds || $round < 20))
{
	$round++;
	$failed = 1 if !play_round();
}
ok(!$failed, 'the rule is the one that SQL finds');
diag(join ', ', "$round rounds", map { "$count{$_} $_" } sort keys %count);
cmp_ok($count{leads}, '>', 1000, 'over a thousand leads');
cmp_ok($count{matched}, '>', $count{leads} / 4, 'many of which a rule matches');
cmp_ok($count{matched}, '<', $count{leads}, 'and some none');
cmp_ok($count{raised}, '>', 0, 'conditions have raised');
cmp_ok($count{refused}, '<', $count{rules} / 5, 'few conditions are refused');

# ---------- while others change all rules ----------

# A committed state has the number k: rule n is for leads with i4 = (n + k) mod 50.
connect_session('main') if $failed;
my $set = q(UPDATE leadroute.rule SET condition = 'i4 = ' || (split_part(name, ' ', 2)::integer + %s) %% 50);
run('main', q(DELETE FROM leadroute.rule;
	INSERT INTO leadroute.rule (name, condition) SELECT 'n ' || g, 'i4 = ' || g FROM generate_series(0, 49) g));
my $load = start_pgbench(
	$node, $db, '-c', 1, '-T', 600,
	write_scripts(
		$node,
		'change@8' => "\\set k random(0, 49)\n" . sprintf($set, ':k') . ";\n",
		'undone@2' => "BEGIN;\nUPDATE leadroute.rule SET condition = 'true';\nDELETE FROM leadroute.rule WHERE priority > 0;\nROLLBACK;\n",
		'again@2' => "BEGIN;\nDELETE FROM leadroute.rule;\nINSERT INTO leadroute.rule (name, condition) SELECT 'n ' || g, 'i4 = ' || g FROM generate_series(0, 49) g;\nCOMMIT;\n"));
my (%seen, @torn);
for my $i (1 .. 150)
{
	my ($all, @k) = split /[|,]/, run($i % 2 ? 'main' : 'other', q(BEGIN;
		INSERT INTO lead (id, i4) SELECT g, g % 50 FROM generate_series(0, 99) g;
		SELECT count(*), string_agg(DISTINCT ((l.i4 - split_part(r.name, ' ', 2)::integer + 50) % 50)::text, ',')
			FROM lead l JOIN leadroute.journal j ON j.lead_key = l.id::text AND NOT j.superseded
			JOIN leadroute.routed_table t ON t.id = j.routed_table AND t.name = 'lead'
			JOIN (SELECT id, name FROM leadroute.rule UNION SELECT (old->>'id')::integer, old->>'name' FROM leadroute.config_history WHERE table_name = 'rule') r ON r.id = j.rule
			WHERE l.id BETWEEN 0 AND 99;
		ROLLBACK));

	push @torn, "$all leads with a rule, of the states @k" if $all != 100 || @k != 1;
	$seen{$_}++ for @k;
}
$load->{run}->signal('TERM');
finish_pgbench($load);
is("@torn", '', 'a statement is decided by one state of the rules');
cmp_ok(keys %seen, '>', 10, 'of which there were many');

$_->quit for values %session;
verify_ok($node, $db, 'at the end');
$node->stop;
done_testing;
