# shellcheck shell=bash
#
# P3: INSERT … SELECT of many leads, into a table of its own in each round.

# p3_statement SHAPE TABLE PEER
p3_statement() {
	local columns='email, name, country, source' journal=journal_$2

	[ "$1" = narrow ] ||
		columns+=', phone, company, title, website, street, postal, city, campaign, medium, message, score, consent'
	if [ "$3" = cte ]; then
		printf 'WITH l AS (INSERT INTO %s (%s, owner_id) SELECT %s, n %% 10 + 1 FROM bench.source_%s RETURNING id, owner_id)
			INSERT INTO %s SELECT id, 0, now(), 1, 1, 1, owner_id, 1, %s FROM l;' \
			"$2" "$columns" "$columns" "$1" "$journal" "'a', 'r', true, false, current_user, 0"
	else
		printf 'INSERT INTO %s (%s) SELECT %s FROM bench.source_%s;' "$2" "$columns" "$columns" "$1"
	fi
}

# p3_rounds DATABASE SHAPE PEER...
p3_rounds() {
	local database=$1 shape=$2 round peer leads

	shift 2
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for peer in $(peers "$round" "$@"); do
			leads=${shape}_${peer}_$round
			make_leads "$database" "$leads" "$shape" "$peer"
			[ "$peer" != cte ] ||
				lr_psql -d "$database" -At -c "SELECT bench.make_journal('journal_$leads')" >/dev/null
			timed "$database.$shape.$peer" "$round" "$database" "$(p3_statement "$shape" "$leads" "$peer")"
			check "$database" "$leads" "$peer"
			drop_leads "$database" "$leads" "$peer"
			[ "$peer" != cte ] || lr_psql -d "$database" -c "DROP TABLE journal_$leads"
		done
	done
}

figure_p3() {
	local leads database shape what

	leads=$(size 300000 50000)
	make_database p3 10 10
	make_database p3k 1000 10
	for shape in narrow wide; do
		lr_psql -d p3 -At -c "SELECT bench.make_source('$shape', $leads)" >/dev/null
	done
	lr_psql -d p3k -At -c "SELECT bench.make_source('narrow', $leads)" >/dev/null

	p3_rounds p3 narrow bare cte routed empty sequence
	p3_rounds p3 wide bare cte routed
	p3_rounds p3k narrow bare routed
	for database in p3 p3k; do
		verify "$database"
		drop_database "$database"
	done

	what="INSERT … SELECT of $leads leads, 10 rules, 10 members: time"
	ratio_row P3 "$what ÷ bare table, 7 columns and a primary key (aim: 2.0)" '<= 2.3' p3.narrow.routed p3.narrow.bare
	ratio_row P3 '… ÷ hand-written CTE' '<= 1' p3.narrow.routed p3.narrow.cte
	ratio_row P3 '… ÷ bare table, 20 columns and 4 indexes' '<= 1.5' p3.wide.routed p3.wide.bare
	ratio_row P3 '… ÷ hand-written CTE' '<= 1' p3.wide.routed p3.wide.cte
	ratio_row P3 '7 columns, 1,000 rules: time ÷ bare table' '' p3k.narrow.routed p3k.narrow.bare
	ratio_row '' 'CPU alone: 7 columns ÷ bare table' '' p3.narrow.routed.cpu p3.narrow.bare.cpu
	ratio_row '' 'CPU alone: 7 columns ÷ hand-written CTE' '' p3.narrow.routed.cpu p3.narrow.cte.cpu
	ratio_row '' 'CPU alone: 20 columns ÷ bare table' '' p3.wide.routed.cpu p3.wide.bare.cpu
	ratio_row '' 'beside it: hand-written CTE ÷ bare table, 7 columns' '' p3.narrow.cte p3.narrow.bare
	ratio_row '' 'beside it: hand-written CTE ÷ bare table, 20 columns' '' p3.wide.cte p3.wide.bare
	ratio_row '' 'beside it: empty trigger ÷ bare table, 7 columns' '' p3.narrow.empty p3.narrow.bare
	ratio_row '' 'beside it: sequence modulo ÷ bare table, 7 columns' '' p3.narrow.sequence p3.narrow.bare
	rate_row P3 "$leads leads, 7 columns" seconds p3.narrow.{routed,bare,cte,empty,sequence}
	rate_row P3 "$leads leads, 20 columns" seconds p3.wide.{routed,bare,cte}
	rate_row P3 "$leads leads, 7 columns, 1,000 rules" seconds p3k.narrow.{routed,bare}
}
