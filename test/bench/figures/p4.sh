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

# p4_measure KIND ROUND PEER SQL
p4_measure() {
	local table=leads_$1_$3_$2

	make_leads p4 "$table" narrow "$3"
	# The first statement loads the configuration and the caches.
	timed "p4.$1.$3" "$2" p4 "$4" "$(p4_slices "$table" 10000)"
	check p4 "$table" "$3"
	drop_leads p4 "$table" "$3"
}

# p4_memory KIND PEER SQL
p4_memory() {
	local table=leads_$1_$2_m

	make_leads p4 "$table" narrow "$2"
	grown "p4.$1.memory.$2" 1 p4 "$3" "$(p4_slices "$table" 10000)"
	check p4 "$table" "$2"
	drop_leads p4 "$table" "$2"
}

# p4_statement TABLE: all leads in one.
p4_statement() {
	printf 'INSERT INTO %s (email, name, country, source)
		SELECT email, name, country, source FROM bench.source_narrow;' "$1"
}

figure_p4() {
	local leads singles round peer

	leads=$(size 1000000 200000)
	singles=$(size 200000 50000)
	make_database p4 10 10
	lr_psql -d p4 -At -c "SELECT bench.make_source('narrow', $leads)" >/dev/null

	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for peer in $(peers "$round" bare routed); do
			p4_measure many "$round" "$peer" "$(p4_slices "leads_many_${peer}_$round" "$leads")"
			p4_measure one "$round" "$peer" "BEGIN; $(p4_slices "leads_one_${peer}_$round" "$leads") COMMIT;"
			p4_measure statement "$round" "$peer" "$(p4_statement "leads_statement_${peer}_$round")"
			p4_measure singlemany "$round" "$peer" "$(p4_single "leads_singlemany_${peer}_$round" "$singles" true)"
			p4_measure singleone "$round" "$peer" "$(p4_single "leads_singleone_${peer}_$round" "$singles" false)"
		done
	done
	for peer in $(peers 0 bare routed); do
		p4_memory one "$peer" "BEGIN; $(p4_slices "leads_one_${peer}_m" "$leads") COMMIT;"
		p4_memory statement "$peer" "$(p4_statement "leads_statement_${peer}_m")"
		p4_memory singleone "$peer" "$(p4_single "leads_singleone_${peer}_m" "$singles" false)"
	done
	verify p4
	drop_database p4

	ratio_row P4 "$leads leads in one transaction, 10,000 a statement: time ÷ transactions of 10,000" '<= 1.1' p4.one.routed p4.many.routed
	ratio_row P4 '… in one statement' '<= 1.1' p4.statement.routed p4.many.routed
	ratio_row P4 "$singles leads in one transaction, one a statement: time ÷ transactions of 10,000" '<= 1.1' p4.singleone.routed p4.singlemany.routed
	ratio_row '' 'CPU alone: 10,000 a statement' '' p4.one.routed.cpu p4.many.routed.cpu
	ratio_row '' 'CPU alone: one statement' '' p4.statement.routed.cpu p4.many.routed.cpu
	ratio_row '' 'CPU alone: one a statement' '' p4.singleone.routed.cpu p4.singlemany.routed.cpu
	ratio_row '' 'beside it: bare table, 10,000 a statement' '' p4.one.bare p4.many.bare
	ratio_row '' 'beside it: bare table, one statement' '' p4.statement.bare p4.many.bare
	ratio_row '' 'beside it: bare table, one a statement' '' p4.singleone.bare p4.singlemany.bare
	row P4 "memory beyond the bare table's and 8 MB, $leads leads in one transaction, bytes a lead" '<= 16' "$(p4_growth one "$leads")"
	row P4 '… in one statement' '<= 16' "$(p4_growth statement "$leads")"
	row P4 "… $singles leads in one transaction, one a statement" '<= 16' "$(p4_growth singleone "$singles")"
	rate_row P4 "$leads leads: transactions of 10,000" seconds p4.many.{routed,bare}
	rate_row P4 "$leads leads: one transaction" seconds p4.one.{routed,bare}
	rate_row P4 "$leads leads: one statement" seconds p4.statement.{routed,bare}
	rate_row P4 "$singles leads: one a statement, transactions of 10,000" seconds p4.singlemany.{routed,bare}
	rate_row P4 "$singles leads: one a statement, one transaction" seconds p4.singleone.{routed,bare}
	rate_row P4 "$leads leads: memory in one transaction" 'bytes more' p4.one.memory.{routed,bare}
	rate_row P4 "$leads leads: memory in one statement" 'bytes more' p4.statement.memory.{routed,bare}
	rate_row P4 "$singles leads: memory in one transaction, one a statement" 'bytes more' p4.singleone.memory.{routed,bare}
}

# p4_growth KIND LEADS
p4_growth() {
	local routed bare

	routed=$(median "p4.$1.memory.routed")
	bare=$(median "p4.$1.memory.bare")
	[ -z "$routed" ] || [ -z "$bare" ] || awk -v a="$routed" -v b="$bare" -v n="$2" \
		'BEGIN { g = (a - b - 8388608) / n; printf("%.1f", g < 0 ? 0 : g) }'
}
