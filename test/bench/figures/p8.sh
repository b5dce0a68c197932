# shellcheck shell=bash
#
# P8: 16 clients that hold their transaction for 3 ms after the INSERT.

figure_p8() {
	local peers=(routed bare cursor plpgsql sequence) peer round
	local what='16 clients hold the transaction 3 ms after the INSERT: rate'

	make_database p8 1000 50
	for peer in "${peers[@]}"; do
		! wanted "$peer" || make_leads p8 "leads_$peer" narrow "$peer"
	done
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for peer in $(peers "$round" "${peers[@]}"); do
			tps "p8.$peer" "$round" p8 -M prepared -c 16 -j 2 -T "$BENCH_SECONDS" -f "$(script hold "leads_$peer")"
			check p8 "leads_$peer" "$peer"
		done
	done
	verify p8
	drop_database p8

	ratio_row P8 "$what ÷ bare table" '>= 0.95' p8.routed p8.bare
	for peer in cursor plpgsql sequence; do
		ratio_row '' "beside it: ${bench_peer_name[$peer]} ÷ bare table" '' "p8.$peer" p8.bare
	done
	rate_row P8 'transactions held for 3 ms' 'per second' "${peers[@]/#/p8.}"
}
