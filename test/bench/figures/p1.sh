# shellcheck shell=bash
#
# P1, P2: one-row INSERTs, 8 clients, 1,000 rules, 50 members, async commit.
#
# P1 in each of the three ways in which clients send a statement: what a
# statement costs before it runs, and with it the ratio, depends on it.  simple:
# values in the text (psycopg2, under Django, SQLAlchemy, Odoo); extended:
# parsed and planned each time (node-pg, under Knex, TypeORM); prepared: once a
# connection (ActiveRecord).

figure_p1() {
	local peers=(routed bare cte plpgsql lookup empty sequence cursor) peer round mode
	local what='one-row INSERTs, 8 clients, 1,000 rules, 50 members, async commit'
	local -A sent=([simple]='values in the text' [extended]='parsed each time' [prepared]='prepared once')

	make_database p1 1000 50
	for peer in "${peers[@]}"; do
		! wanted "$peer" || make_leads p1 "leads_$peer" narrow "$peer"
	done
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for peer in $(peers "$round" "${peers[@]}"); do
			for mode in simple extended prepared; do
				case $mode.$peer in
					prepared.* | *.routed | *.bare | *.cte) ;;
					*) continue ;;
				esac
				PGOPTIONS='-c synchronous_commit=off' tps "p1.$mode.$peer" "$round" p1 \
					-M "$mode" -c 8 -j 2 -T "$BENCH_SECONDS" \
					-f "$(script "$([ "$peer" = cte ] && echo cte || echo insert)" "leads_$peer")"
			done
			check p1 "leads_$peer" "$peer"
		done
	done
	verify p1
	drop_database p1

	for mode in simple extended prepared; do
		ratio_row P1 "$what, ${sent[$mode]}: rate ÷ hand-written CTE" '>= 1.05' "p1.$mode.routed" "p1.$mode.cte"
		ratio_row P1 "… ÷ bare table (aim: 0.90)" '>= 0.80' "p1.$mode.routed" "p1.$mode.bare"
		what='…'
	done
	ratio_row P2 "… prepared once ÷ plpgsql with rules" '>= 4' p1.prepared.routed p1.prepared.plpgsql
	ratio_row P2 "… ÷ plpgsql with a lookup table" '' p1.prepared.routed p1.prepared.lookup
	for peer in empty sequence cursor cte lookup plpgsql; do
		ratio_row '' "beside it: ${bench_peer_name[$peer]} ÷ bare table" '' "p1.prepared.$peer" p1.prepared.bare
	done
	for mode in simple extended prepared; do
		rate_row P1 "one-row INSERTs, ${sent[$mode]}" 'per second' "${peers[@]/#/p1.$mode.}"
	done
}
