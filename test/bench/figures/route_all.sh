# shellcheck shell=bash
#
# ROUTE_ALL: leads that were there before attach, decided by CALL route_all in
# its batches, against one UPDATE that only writes the owner column of the same
# rows.

# route_all_fill TABLE: leads without owner, as vacuum leaves them.
route_all_fill() {
	lr_psql -d route_all -c 'SET leadroute.routing = off' \
		-c "INSERT INTO $1 (email, name, country, source) SELECT email, name, country, source FROM bench.source_narrow" \
		-c "VACUUM ANALYZE $1" -c "GRANT SELECT, UPDATE ON $1 TO app"
}

figure_route_all() {
	local peers=(routed bare) peer round leads work

	leads=$(size 300000 50000)
	make_database route_all 10 10
	lr_psql -d route_all -At -c "SELECT bench.make_source('narrow', $leads)" >/dev/null
	! wanted routed || lr_psql -d route_all -At -c "SELECT leadroute.grant_to('app', 'manager')" >/dev/null
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for peer in $(peers "$round" "${peers[@]}"); do
			make_leads route_all "leads_${peer}_$round" narrow "$peer"
			route_all_fill "leads_${peer}_$round"
			work="UPDATE leads_${peer}_$round SET owner_id = 1 + id % 10;"
			[ "$peer" != routed ] || work="SET client_min_messages = warning; CALL leadroute.route_all('leads_${peer}_$round');"
			timed "route_all.$peer" "$round" route_all "$work"
			check route_all "leads_${peer}_$round" "$peer"
			drop_leads route_all "leads_${peer}_$round" "$peer"
		done
	done
	verify route_all
	drop_database route_all

	ratio_row ROUTE_ALL "route_all of $leads leads: time ÷ UPDATE of their owner column" '' route_all.routed route_all.bare
	rate_row ROUTE_ALL "$leads leads" seconds "${peers[@]/#/route_all.}"
}
