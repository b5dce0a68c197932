# shellcheck shell=bash
#
# P9: transactions that fail at REPEATABLE READ and SERIALIZABLE, 16 clients.
# Each client inserts one lead or ten, and updates leads of its own before and
# after.  A client's keys lie apart from the others', so that the bare table
# fails as little as it can; sequential scans are off for the same reason (and the
# compiler, which the price on them would set off).

figure_p9() {
	local transactions

	transactions=$(size 1000 100)
	p9_level p9_repeatable 'REPEATABLE READ' "$transactions"
	p9_level p9_serializable SERIALIZABLE "$transactions"
}

# p9_level DATABASE LEVEL TRANSACTIONS: so many for each client.
p9_level() {
	local peers=(routed bare cursor plpgsql) peer routed bare

	make_database "$1" 1000 50
	for peer in $(peers 0 "${peers[@]}"); do
		make_leads "$1" "leads_$peer" narrow "$peer"
		p9_fill "$1" "leads_$peer" "$peer"
		p9_measure "$1" "leads_$peer" "$peer" "$2" "$3"
		check "$1" "leads_$peer" "$peer"
	done
	verify "$1"
	drop_database "$1"

	routed=$(median "$1.routed")
	bare=$(median "$1.bare")
	[ -z "$routed" ] || [ -z "$bare" ] ||
		row P9 "$2, 16 clients, $((16 * $3)) transactions: failures that the bare table does not have" '<= 0' \
			"$((routed > bare ? routed - bare : 0))"
	rate_row P9 "$2, $((16 * $3)) transactions" failed "${peers[@]/#/$1.}"
}

# p9_fill DATABASE TABLE PEER: 2,000 leads a client.
p9_fill() {
	{
		[ "$3" = routed ] || printf 'ALTER TABLE %s DISABLE TRIGGER USER;\n' "$2"
		printf "INSERT INTO %s (id, email, name, country, source)
			SELECT c * 1000000000::bigint + i, 'u@example.com', 'Name', 'C' || i %% 100, 'S' || i %% 10
			FROM generate_series(0, 15) c, generate_series(1, 2000) i;\n" "$2"
		[ "$3" = routed ] || printf 'ALTER TABLE %s ENABLE TRIGGER USER;\n' "$2"
		printf 'VACUUM ANALYZE %s;\n' "$2"
	} | lr_psql -d "$1"
}

# p9_measure DATABASE TABLE PEER LEVEL TRANSACTIONS
p9_measure() {
	local failed

	PGOPTIONS='-c enable_seqscan=off -c enable_bitmapscan=off -c jit=off -c synchronous_commit=off' bench_pgbench "$1" \
		-M prepared -c 16 -j 2 -t "$5" --max-tries=1 --failures-detailed -D n=2000 \
		-f "$(script own_1 "$2" "$4")" -f "$(script own_10 "$2" "$4")"
	# Serialization failures and deadlocks.
	failed=$(awk '/^number of failed transactions:/ { print $5; exit }' <<<"$bench_output")
	[ -n "$failed" ] || lr_die "$bench_output"
	record "$1.$3" 1 "$failed"
	note "$1.$3: $failed of $((16 * $5)) transactions failed"
}
