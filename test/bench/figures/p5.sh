# shellcheck shell=bash
#
# P5: what a routed lead costs under 100,000 rules, against 10.  The rules are a
# mix of equalities, intervals and prefixes, at most 8 candidates a lead.

figure_p5() {
	local leads many round n
	local insert='INSERT INTO leads (email, country, postal, budget, source)
		SELECT email, country, postal, budget, source FROM bench.source_rules'

	wanted routed || return 0
	leads=$(size 300000 100000)
	many=$(size 100000 20000)
	for n in 10 1000 "$many"; do
		make_database "p5_$n" 10 50
		lr_psql -d "p5_$n" -At -c "SELECT bench.make_source('rules', $leads)" >/dev/null
		rule_mix "p5_$n" "$n"
	done
	record p5.read 1 "$(lr_psql -d "p5_$many" <<<"\\timing on
		INSERT INTO leads (country) VALUES (NULL);" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p')"
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for n in 10 1000 "$many"; do
			# The first statement loads the configuration and the caches.
			timed "p5.$n" "$round" "p5_$n" "$insert;" "$insert LIMIT 10000;"
		done
	done
	record p5.bytes 1 "$(lr_psql -d "p5_$many" -At -c \
		"SELECT round(bytes::numeric / rules) FROM leadroute.rule_index() WHERE database = current_database() AND is_current")"
	for n in 10 1000 "$many"; do
		verify "p5_$n"
		drop_database "p5_$n"
	done

	ratio_row P5 "$leads leads in one statement under $many rules (equality, range, prefix): time ÷ under 10 rules" '<= 1.3' "p5.$many" p5.10
	ratio_row '' '… under 1,000 rules' '' p5.1000 p5.10
	rate_row P5 "$leads leads under 10, 1,000, $many rules" seconds p5.10 p5.1000 "p5.$many"
	rate_row P5 "the first INSERT under $many rules, whose session reads them for all" ms p5.read
	rate_row P5 "shared memory for $many rules" 'bytes a rule' p5.bytes
}
