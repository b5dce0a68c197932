# shellcheck shell=bash
#
# COPY: any BEFORE ROW trigger makes it insert row by row, so the empty trigger
# is the fair peer; it is also shown what that alone costs.

figure_copy() {
	local peers=(routed bare never empty) peer round leads file=$LR_WORK/tmp/leads.copy

	leads=$(size 300000 50000)
	make_database copy 10 10
	lr_psql -d copy -c 'GRANT pg_read_server_files TO app' \
		-c "DO \$\$ BEGIN PERFORM bench.make_source('narrow', $leads); END \$\$" \
		-c "COPY (SELECT email, name, country, source FROM bench.source_narrow) TO '$file'"
	for ((round = 1; round <= BENCH_REPEATS; round++)); do
		for peer in $(peers "$round" "${peers[@]}"); do
			make_leads copy "leads_${peer}_$round" narrow "$peer"
			timed "copy.$peer" "$round" copy "COPY leads_${peer}_$round (email, name, country, source) FROM '$file';"
			check copy "leads_${peer}_$round" "$peer"
			drop_leads copy "leads_${peer}_$round" "$peer"
		done
	done
	verify copy
	drop_database copy

	ratio_row COPY "COPY of $leads leads, 10 rules, 10 members: time ÷ empty trigger" '' copy.routed copy.empty
	ratio_row COPY '… ÷ trigger never called' '' copy.routed copy.never
	ratio_row COPY '… ÷ bare table' '' copy.routed copy.bare
	ratio_row '' 'beside it: empty trigger ÷ bare table' '' copy.empty copy.bare
	ratio_row '' 'beside it: trigger never called ÷ bare table' '' copy.never copy.bare
	rate_row COPY "$leads leads" seconds "${peers[@]/#/copy.}"
}
