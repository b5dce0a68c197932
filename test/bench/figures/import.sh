# shellcheck shell=bash
#
# IMPORT: a bulk import of 1,000,000 leads by one COPY, and its memory.  Beside
# figure COPY it shows that the price of a lead does not grow with their number.

figure_import() {
	local peers=(routed bare empty) peer round leads file=$LR_WORK/tmp/import.copy copy

	leads=$(size 1000000 100000)
	make_database import 10 10
	lr_psql -d import -c 'GRANT pg_read_server_files TO app' \
		-c "DO \$\$ BEGIN PERFORM bench.make_source('narrow', $leads); END \$\$" \
		-c "COPY (SELECT email, name, country, source FROM bench.source_narrow) TO '$file'"
	for ((round = 1; round <= (BENCH_REPEATS < 3 ? BENCH_REPEATS : 3); round++)); do
		for peer in $(peers "$round" "${peers[@]}"); do
			copy="COPY leads_${peer}_$round (email, name, country, source) FROM '$file';"
			make_leads import "leads_${peer}_$round" narrow "$peer"
			timed "import.$peer" "$round" import "$copy"
			check import "leads_${peer}_$round" "$peer"
			drop_leads import "leads_${peer}_$round" "$peer"
		done
	done
	for peer in $(peers 0 routed empty); do
		make_leads import "leads_${peer}_m" narrow "$peer"
		grown "import.memory.$peer" 1 import "COPY leads_${peer}_m (email, name, country, source) FROM '$file';" ''
		drop_leads import "leads_${peer}_m" "$peer"
	done
	verify import
	drop_database import
	rm -f "$file"

	ratio_row IMPORT "COPY of $leads leads in one transaction: time ÷ empty trigger" '' import.routed import.empty
	ratio_row IMPORT '… ÷ bare table' '' import.routed import.bare
	rate_row IMPORT "$leads leads" seconds "${peers[@]/#/import.}"
	rate_row IMPORT "$leads leads: memory" 'bytes more' import.memory.{routed,empty}
}
