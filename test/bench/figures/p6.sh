# shellcheck shell=bash
#
# P6: what a routed lead costs in a team of 1,000 and of 10,000 members, against
# 10, for each method that pushes, and the same where a member_condition lets four
# fifths of them have the lead; beside it, while one of 100 members is away, and
# with a cap for each member.

p6_methods=(round_robin least_loaded longest_idle by_target top_producer best_match waterfall random)

# p6_database NAME MEMBERS LEADS
p6_database() {
	make_database "$1" 1 "$2"
	lr_psql -d "$1" -At -c "SELECT bench.make_source('narrow', $3)" \
		-c "SELECT bench.make_leads('leads', 'narrow')" \
		-c "SELECT leadroute.attach('leads', 'owner_id')" >/dev/null
	lr_psql -d "$1" -v members="$2" -f "$bench_dir/sql/one_team.sql"
}

figure_p6() {
	local leads round method n what key condition
	local insert='INSERT INTO leads (email, name, country, source)
		SELECT email, name, country, source FROM bench.source_narrow'

	wanted routed || return 0
	leads=$(size 300000 100000)
	for n in 10 1000 10000; do
		p6_database "p6_$n" "$n" "$leads"
	done
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for method in "${p6_methods[@]}"; do
			for condition in NULL "\$\$member.attributes -> 'sources' ? lead.source\$\$"; do
				key=p6.$method
				[ "$condition" = NULL ] || key=p6.fit.$method
				for n in 10 1000 10000; do
					lr_psql -d "p6_$n" -c "UPDATE leadroute.rule SET method = '$method', member_condition = $condition, member_rank =
						CASE '$method' WHEN 'best_match' THEN '(member.attributes ->> ''level'')::integer' END"
					# The first statement loads the configuration and the caches.
					timed "$key.$n" "$round" "p6_$n" "$insert;" "$insert LIMIT 10000;"
				done
			done
		done
	done
	for n in 10 1000 10000; do
		lr_psql -d "p6_$n" -c "UPDATE leadroute.rule SET method = 'round_robin', member_rank = NULL, member_condition = NULL" \
			-c "INSERT INTO leadroute.cap (name, each_member, period, max_leads) VALUES ('daily', true, 'day', 1000000000)"
		for ((round = 1; round <= BENCH_REPEATS; round++)); do
			timed "p6.cap.$n" "$round" "p6_$n" "$insert;" "$insert LIMIT 10000;"
		done
		lr_psql -d "p6_$n" -c "DELETE FROM leadroute.cap"
	done
	for n in 1000 10000; do
		lr_psql -d "p6_$n" -c "INSERT INTO leadroute.absence (member, during)
			SELECT 'm' || i, tstzrange(now(), NULL) FROM generate_series(50, $n, 100) i"
		for ((round = 1; round <= BENCH_REPEATS; round++)); do
			timed "p6.away.$n" "$round" "p6_$n" "$insert;" "$insert LIMIT 10000;"
		done
	done
	for n in 10 1000 10000; do
		check "p6_$n" leads routed
		verify "p6_$n"
		drop_database "p6_$n"
	done

	what="$leads leads in one statement to a team of 1,000 members: time ÷ to one of 10"
	for method in "${p6_methods[@]}"; do
		ratio_row P6 "$what, $method" '<= 1.2' "p6.$method.1000" "p6.$method.10"
		what='…'
	done
	what='… to a team of 10,000 members: time ÷ to one of 10'
	for method in "${p6_methods[@]}"; do
		ratio_row P6 "$what, $method" '<= 2' "p6.$method.10000" "p6.$method.10"
		what='…'
	done
	what='… to four fifths of 1,000 members, by member_condition: time ÷ to those of 10'
	for method in "${p6_methods[@]}"; do
		ratio_row P6 "$what, $method" '<= 1.2' "p6.fit.$method.1000" "p6.fit.$method.10"
		what='…'
	done
	what='… to four fifths of 10,000 members, by member_condition: time ÷ to those of 10'
	for method in "${p6_methods[@]}"; do
		ratio_row P6 "$what, $method" '<= 2' "p6.fit.$method.10000" "p6.fit.$method.10"
		what='…'
	done
	ratio_row '' '… 1,000 members, a cap for each of them, round_robin: time ÷ to 10' '' p6.cap.1000 p6.cap.10
	ratio_row '' '… 10,000 members' '' p6.cap.10000 p6.cap.10
	ratio_row '' '… 1,000 members of whom 10 are away, round_robin' '' p6.away.1000 p6.round_robin.10
	ratio_row '' '… 10,000 members of whom 100 are away, round_robin' '' p6.away.10000 p6.round_robin.10
	for method in "${p6_methods[@]}"; do
		rate_row P6 "$leads leads to 10, 1,000, 10,000 members, $method" seconds "p6.$method.10" "p6.$method.1000" "p6.$method.10000"
		rate_row P6 "… by member_condition to four fifths of them, $method" seconds "p6.fit.$method.10" "p6.fit.$method.1000" "p6.fit.$method.10000"
	done
	rate_row P6 "… a cap for each of them, round_robin" seconds p6.cap.10 p6.cap.1000 p6.cap.10000
}
