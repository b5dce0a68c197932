# shellcheck shell=bash
#
# P12: the first decision after a crash, and after a restore (no checkpoint of
# the counters: all are counted again), with a long journal.

p12_insert="INSERT INTO leads_@ (email, name, country, source) VALUES ('u@example.com', 'Name', 'C1', 'S1');"

# p12_first CASE ROUND: the first routed INSERT since the start, then a bare
# one, each on a connection of its own.
p12_first() {
	local peer seconds

	for peer in routed bare; do
		seconds=$(printf '%s\n' "${p12_insert/@/$peer}" | cat "$bench_dir/sql/before.sql" - "$bench_dir/sql/after.sql" |
			lr_psql -U app -d p12 -At -F ' ' | cut -d ' ' -f 1)
		record "p12.$1.$peer" "$2" "$seconds"
		note "p12.$1.$peer: $seconds s"
	done
}

# p12_row CASE WHAT REACH
p12_row() {
	local value

	value=$(awk -F '\t' -v a="p12.$1.routed" -v b="p12.$1.bare" '
		$1 == a { x[$2] = $3 } $1 == b { y[$2] = $3 } END { for (r in x) print x[r] - y[r] }' "$bench_data" | sort -g |
		awk '{ v[NR] = $1 } END { if (NR) printf "%.3f %.3f – %.3f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }')
	row P12 "$2" "$3" "${value%% *}" "${value#* }"
}

figure_p12() {
	local rows slice round rounds

	if ! wanted routed || ! wanted bare; then
		return
	fi
	rows=$(size 10000000 500000)
	slice=$((rows / 10))
	rounds=$((BENCH_REPEATS > 3 ? 3 : BENCH_REPEATS))
	make_database p12 1000 50
	lr_psql -d p12 -At -c "SELECT bench.make_source('narrow', $slice)" >/dev/null
	make_leads p12 leads_bare narrow bare
	make_leads p12 leads_routed narrow routed
	for ((round = 1; round <= 10; round++)); do
		lr_psql -d p12 -U app -c 'INSERT INTO leads_routed (email, name, country, source)
			SELECT email, name, country, source FROM bench.source_narrow'
		note "p12: $((round * slice)) of $rows leads"
	done
	# The server's own recovery is not what is measured.
	lr_psql -d p12 -c CHECKPOINT

	for ((round = 1; round <= rounds; round++)); do
		lr_psql -d p12 -At -c 'SELECT leadroute.checkpoint_now()' >/dev/null
		lr_psql -d p12 -U app -c 'INSERT INTO leads_routed (email, name, country, source)
			SELECT email, name, country, source FROM bench.source_narrow WHERE n <= 20000'
		lr_cluster_stop bench immediate
		lr_cluster_start bench
		p12_first crash "$round"
	done
	check p12 leads_routed routed

	# Without the library there is no worker that writes the next checkpoint.
	for ((round = 1; round <= rounds; round++)); do
		lr_cluster_stop bench
		p12_start -o "-c shared_preload_libraries=''"
		lr_psql -d p12 -c 'DELETE FROM leadroute.checkpoint'
		lr_cluster_stop bench
		lr_cluster_start bench
		p12_first restore "$round"
	done
	check p12 leads_routed routed
	verify p12
	drop_database p12

	p12_row crash "first decision after a crash, $rows rows in the journal, 20,000 since the checkpoint: seconds beyond a bare INSERT" '<= 1'
	p12_row restore '… after a restore (no checkpoint)' '<= 30'
}

# p12_start ARGUMENT...: starts the cluster with other settings.
p12_start() {
	lr_as "$LR_BINDIR/pg_ctl" -D "$LR_WORK/bench" -l "$LR_WORK/bench.log" -s -w -t 120 "$@" start ||
		lr_die 'the server did not start'
}
