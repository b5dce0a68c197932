# shellcheck shell=bash
#
# P1, P2: one-row INSERTs, 8 clients, 1,000 rules, 50 members, async commit.

figure_p1() {
	local peers=(routed bare cte plpgsql lookup empty sequence cursor) peer round
	local what='one-row INSERTs, 8 clients, 1,000 rules, 50 members, async commit: rate'

	make_database p1 1000 50
	for peer in "${peers[@]}"; do
		! wanted "$peer" || make_leads p1 "leads_$peer" narrow "$peer"
	done
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for peer in $(peers "$round" "${peers[@]}"); do
			PGOPTIONS='-c synchronous_commit=off' tps "p1.$peer" "$round" p1 \
				-M prepared -c 8 -j 2 -T "$BENCH_SECONDS" \
				-f "$(script "$([ "$peer" = cte ] && echo cte || echo insert)" "leads_$peer")"
			check p1 "leads_$peer" "$peer"
		done
	done
	verify p1
	drop_database p1

	ratio_row P1 "$what ÷ hand-written CTE" '>= 1.05' p1.routed p1.cte
	ratio_row P1 "… ÷ bare table (aim: 0.90)" '>= 0.80' p1.routed p1.bare
	ratio_row P2 "… ÷ plpgsql with rules" '>= 4' p1.routed p1.plpgsql
	ratio_row P2 "… ÷ plpgsql with a lookup table" '' p1.routed p1.lookup
	for peer in empty sequence cursor cte lookup plpgsql; do
		ratio_row '' "beside it: ${bench_peer_name[$peer]} ÷ bare table" '' "p1.$peer" p1.bare
	done
	rate_row P1 'one-row INSERTs' 'per second' "${peers[@]/#/p1.}"
}
