# shellcheck shell=bash
#
# P4: what many leads in one transaction cost, against the same in transactions
# of 10,000; and how the backend's memory grows.

# p4_slices TABLE LEADS: statements of 10,000 leads each.
p4_slices() {
	local from

	for ((from = 0; from < $2; from += 10000)); do
		printf 'INSERT INTO %s (email, name, country, source)
			SELECT email, name, country, source FROM bench.source_narrow WHERE n > %s AND n <= %s;\n' \
			"$1" "$from" "$((from + 10000))"
	done
}

# p4_single TABLE LEADS COMMIT: one-row statements.  COMMIT: after each 10,000.
p4_single() {
	printf "DO \$\$
	DECLARE
		i integer;
	BEGIN
		FOR i IN 1..%s LOOP
			INSERT INTO %s (email, name, country, source)
				VALUES ('u@example.com', 'Name', 'C' || i %% 100, 'S' || i %% 10);
			IF %s AND i %% 10000 = 0 THEN
				COMMIT;
			END IF;
		END LOOP;
	END \$\$;" "$2" "$1" "$3"
}

# p4_measure KIND ROUND PEER LEADS SQL
p4_measure() {
	local table=leads_$1_$3_$2

	make_leads p4 "$table" narrow "$3"
	# The first statement loads the configuration and the caches.
	timed "p4.$1.$3" "$2" p4 "$5" "$(p4_slices "$table" 10000)"
	check p4 "$table" "$3"
	drop_leads p4 "$table" "$3"
}

figure_p4() {
	local leads singles round peer grown

	leads=$(size 1000000 200000)
	singles=$(size 200000 50000)
	make_database p4 10 10
	lr_psql -d p4 -At -c "SELECT bench.make_source('narrow', $leads)" >/dev/null

	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for peer in $(peers "$round" bare routed); do
			p4_measure many "$round" "$peer" "$leads" "$(p4_slices "leads_many_${peer}_$round" "$leads")"
			p4_measure one "$round" "$peer" "$leads" "BEGIN; $(p4_slices "leads_one_${peer}_$round" "$leads") COMMIT;"
			p4_measure statement "$round" "$peer" "$leads" \
				"INSERT INTO leads_statement_${peer}_$round (email, name, country, source)
					SELECT email, name, country, source FROM bench.source_narrow;"
			p4_measure singlemany "$round" "$peer" "$singles" "$(p4_single "leads_singlemany_${peer}_$round" "$singles" true)"
			p4_measure singleone "$round" "$peer" "$singles" "$(p4_single "leads_singleone_${peer}_$round" "$singles" false)"
		done
	done
	verify p4

	ratio_row P4 "$leads leads in one transaction, 10,000 a statement: time ÷ transactions of 10,000" '<= 1.1' p4.one.routed p4.many.routed
	ratio_row P4 '… in one statement' '<= 1.1' p4.statement.routed p4.many.routed
	ratio_row P4 "$singles leads in one transaction, one a statement: time ÷ transactions of 10,000" '<= 1.1' p4.singleone.routed p4.singlemany.routed
	ratio_row '' 'beside it: bare table, 10,000 a statement' '' p4.one.bare p4.many.bare
	ratio_row '' 'beside it: bare table, one statement' '' p4.statement.bare p4.many.bare
	ratio_row '' 'beside it: bare table, one a statement' '' p4.singleone.bare p4.singlemany.bare
	for peer in one statement; do
		grown=$(p4_growth "$peer" "$leads")
		row P4 "memory beyond the bare table's and 8 MB, $leads leads in one $([ $peer = one ] && echo transaction || echo statement), bytes a lead" \
			'<= 16' "$grown"
	done
	grown=$(p4_growth singleone "$singles")
	row P4 "… $singles one-row statements in one transaction" '<= 16' "$grown"
	rate_row P4 "$leads leads: transactions of 10,000" seconds p4.many.{routed,bare}
	rate_row P4 "$leads leads: one transaction" seconds p4.one.{routed,bare}
	rate_row P4 "$leads leads: one statement" seconds p4.statement.{routed,bare}
	rate_row P4 "$leads leads: memory in one transaction" 'bytes more' p4.one.routed.memory p4.one.bare.memory
	rate_row P4 "$leads leads: memory in one statement" 'bytes more' p4.statement.routed.memory p4.statement.bare.memory
}

# p4_growth KIND LEADS
p4_growth() {
	local routed bare

	routed=$(median "p4.$1.routed.memory")
	bare=$(median "p4.$1.bare.memory")
	[ -z "$routed" ] || [ -z "$bare" ] || awk -v a="$routed" -v b="$bare" -v n="$2" \
		'BEGIN { g = (a - b - 8388608) / n; printf("%.1f", g < 0 ? 0 : g) }'
}
