# shellcheck shell=bash
#
# P7: the first INSERT on a new connection, 10,000 rules and 1,000 members,
# over one into a bare table.  Connecting is not measured.

# p7_first KEY ROUND TABLE: milliseconds of a first INSERT, the median of 20.
p7_first() {
	local i
	local sql="\\timing on
		INSERT INTO $3 (email, country, postal, budget, source) VALUES ('u@example.com', 'C1', '12345', 5, 'S1');"

	record "$1" "$2" "$(for ((i = 0; i < 20; i++)); do
		lr_psql -U app -d p7 <<<"$sql" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'
	done | sort -g | awk '{ v[NR] = $1 } END { print (v[10] + v[11]) / 2 }')"
}

figure_p7() {
	local round

	wanted routed || return 0
	make_database p7 10 1000
	rule_mix p7 10000
	lr_psql -d p7 -At -c "SELECT bench.make_leads('bare', 'rules')" >/dev/null
	lr_psql -d p7 -c 'GRANT INSERT ON ALL TABLES IN SCHEMA public TO app; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app'
	p7_first p7.warm 0 leads
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		p7_first p7.bare "$round" bare
		p7_first p7.routed "$round" leads
	done
	verify p7
	drop_database p7
	row P7 'first routed INSERT on a new connection, 10,000 rules and 1,000 members, over a bare one, ms' '<= 3' \
		"$(awk -v a="$(median p7.routed)" -v b="$(median p7.bare)" 'BEGIN { printf("%.1f", a - b) }')"
	rate_row P7 'first INSERT on a new connection' ms p7.routed p7.bare
}
