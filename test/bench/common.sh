# shellcheck shell=bash
#
# common.sh: what the figures share.  A figure (figures/*.sh) defines one
# function; it measures with the functions below, which write one line a
# measurement (key, round, value) to $bench_data, and ends with rows of ratios,
# which read them.  Peers alternate within a round and change their order from
# round to round; a ratio is taken within a round, and the median is reported.

bench_data=$LR_WORK/data.tsv
bench_table=$LR_WORK/table.md
bench_rates=$LR_WORK/rates.md

# What a reader meets as the name of a peer.
declare -A bench_peer_name=(
	[bare]='bare table'
	[never]='trigger never called'
	[empty]='empty trigger'
	[sequence]='sequence modulo'
	[cursor]='cursor row'
	[cte]='hand-written CTE'
	[lookup]='plpgsql, lookup table'
	[plpgsql]='plpgsql, rules'
	[routed]='leadroute'
)

note() {
	printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2
}

# wanted PEER: whether BENCH_PEERS leaves it in.
wanted() {
	[ -z "${BENCH_PEERS:-}" ] || [[ " $BENCH_PEERS " = *" $1 "* ]]
}

# peers ROUND PEER...: those wanted, in the order of that round.
peers() {
	local round=$1 peer i
	local list=()

	shift
	for peer; do
		! wanted "$peer" || list+=("$peer")
	done
	for ((i = 0; i < ${#list[@]}; i++)); do
		printf '%s\n' "${list[(i + round) % ${#list[@]}]}"
	done
}

# record KEY ROUND VALUE
record() {
	printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$bench_data"
}

# ---------------------------------------------------------------------------
# Databases and tables
# ---------------------------------------------------------------------------

# make_database NAME RULES MEMBERS: with the peers' and leadroute's
# configuration.  leadroute's is made when the first table is attached.
make_database() {
	lr_psql -c "CREATE DATABASE $1" postgres
	lr_psql -d "$1" -f "$bench_dir/sql/prepare.sql"
	lr_psql -d "$1" -v rules="$2" -v members="$3" -f "$bench_dir/sql/peers.sql"
	! wanted routed || lr_psql -d "$1" -c 'CREATE EXTENSION leadroute'
	bench_rules[$1]=$2
	bench_members[$1]=$3
}
declare -A bench_rules bench_members bench_configured

# rule_mix DATABASE RULES: one table, attached, and its rules.
rule_mix() {
	lr_psql -d "$1" -At -c "SELECT bench.make_leads('leads', 'rules')" >/dev/null
	lr_psql -d "$1" -At -c "SELECT leadroute.attach('leads', 'owner_id')" >/dev/null
	lr_psql -d "$1" -v rules="$2" -v members="${bench_members[$1]}" -f "$bench_dir/sql/rule_mix.sql"
	lr_psql -d "$1" -c 'GRANT INSERT ON ALL TABLES IN SCHEMA public TO app; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app'
}

# drop_database NAME: so that nothing of it is vacuumed while others measure.
drop_database() {
	lr_psql -c "DROP DATABASE $1" postgres
}

# make_leads DATABASE TABLE SHAPE PEER: a lead table as the peer has it.
make_leads() {
	lr_psql -d "$1" -At -c "SELECT bench.make_leads('$2', '$3')" >/dev/null
	case $4 in
		bare | cte) ;;
		never)
			lr_psql -d "$1" -c "CREATE TRIGGER peer BEFORE INSERT ON $2
				FOR EACH ROW WHEN (false) EXECUTE FUNCTION peer_empty()"
			;;
		routed)
			lr_psql -d "$1" -At -c "SELECT leadroute.attach('$2', 'owner_id')" >/dev/null
			[ -n "${bench_configured[$1]:-}" ] ||
				lr_psql -d "$1" -v rules="${bench_rules[$1]}" -v members="${bench_members[$1]}" \
					-f "$bench_dir/sql/routed.sql"
			bench_configured[$1]=yes
			;;
		*)
			lr_psql -d "$1" -c "CREATE TRIGGER peer BEFORE INSERT ON $2
				FOR EACH ROW EXECUTE FUNCTION peer_$4()"
			;;
	esac
}

# drop_leads DATABASE TABLE PEER: gives the room back; a routed table stays.
drop_leads() {
	[ "$3" = routed ] || lr_psql -d "$1" -c "DROP TABLE $2"
}

# check DATABASE TABLE PEER: ends everything when a routed table is not in order.
check() {
	local wrong

	[ "$3" = routed ] || return 0
	wrong=$(lr_psql -d "$1" -At -v leads="$2" -f "$bench_dir/sql/check.sql")
	[ -z "$wrong" ] || lr_die "$wrong"
}

# verify DATABASE: the same for leadroute's own bookkeeping.
verify() {
	local wrong

	wanted routed || return 0
	wrong=$(lr_psql -d "$1" -At -c 'SELECT * FROM leadroute.verify() LIMIT 10')
	[ -z "$wrong" ] || lr_die "$1: verify() says: $wrong"
}

# ---------------------------------------------------------------------------
# Measuring
# ---------------------------------------------------------------------------

# script TEMPLATE TABLE [LEVEL]: a pgbench script for a table; prints its path.
script() {
	local file=$LR_WORK/$1.$2.pgbench

	sed -e "s/@leads@/$2/g" -e "s/@level@/${3:-}/g" "$bench_dir/pgbench/$1.sql" >"$file"
	printf '%s' "$file"
}

# bench_pgbench DATABASE ARGUMENT...: pgbench as the role that only inserts
# leads; its output goes to $bench_output.  A client that gives up, for an error
# other than a serialization failure or deadlock, ends everything.
bench_pgbench() {
	local database=$1 rc=0

	shift
	bench_output=$(lr_as "$LR_BINDIR/pgbench" -n -U app "$@" "$database" 2>&1) || rc=$?
	if [ "$rc" -ne 0 ] || grep -q 'aborted' <<<"$bench_output"; then
		lr_die "pgbench failed: $(head -n 20 <<<"$bench_output")"
	fi
}

# tps KEY ROUND DATABASE ARGUMENT...
tps() {
	local key=$1 round=$2 value

	shift 2
	lr_psql -d "$1" -c CHECKPOINT
	bench_pgbench "$@"
	value=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' <<<"$bench_output")
	record "$key" "$round" "$value"
	note "$key: $value transactions a second"
}

# timed KEY ROUND DATABASE SQL [BEFORE]: runs SQL on a connection of its own,
# after BEFORE, which is not measured, and records its seconds (KEY) and the
# backend's CPU seconds (KEY.cpu).
timed() {
	local key=$1 round=$2 database=$3 seconds cpu

	lr_psql -d "$database" -c CHECKPOINT
	read -r seconds cpu < <({
		printf '%s\n' "${5:-}"
		cat "$bench_dir/sql/before.sql"
		printf '%s\n' "$4"
		cat "$bench_dir/sql/after.sql"
	} | lr_psql -U app -d "$database" -At -F ' ' | tail -n 1) || true
	[ -n "${cpu:-}" ] || lr_die "$key: the statement failed"
	record "$key" "$round" "$seconds"
	record "$key.cpu" "$round" "$cpu"
	note "$key: $seconds s, CPU $cpu s"
}

# grown KEY ROUND DATABASE SQL BEFORE: the same for the bytes by which the
# backend's own memory (not what it shares) has grown at most, seen every 20 ms.
grown() {
	local in out client backend least most now rc

	coproc lr_psql -U app -d "$3" -At
	client=$COPROC_PID
	exec {out}<&"${COPROC[0]}" {in}>&"${COPROC[1]}"
	# shellcheck disable=SC1083,SC2093
	exec {COPROC[0]}<&- {COPROC[1]}>&-
	printf '%s\nSELECT pg_backend_pid();\n' "$5" >&"$in"
	read -r backend <&"$out" || lr_die "$1: the preparation failed"
	least=$(own_memory "$backend")
	most=$least
	printf "%s\nSELECT 'done';\n" "$4" >&"$in"
	while true; do
		rc=0
		read -r -t 0.02 <&"$out" || rc=$?
		[ "$rc" -ne 0 ] || break
		[ "$rc" -gt 128 ] || lr_die "$1: the statement failed"
		now=$(own_memory "$backend")
		most=$((now > most ? now : most))
	done
	exec {in}>&- {out}<&-
	wait "$client"
	record "$1" "$2" "$(((most - least) * 1024))"
	note "$1: memory +$((most - least)) kB"
}

# own_memory PID: in kB.
own_memory() {
	sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

# ---------------------------------------------------------------------------
# Reporting
# ---------------------------------------------------------------------------

# median KEY: of all rounds.
median() {
	awk -F '\t' -v key="$1" '$1 == key { print $3 }' "$bench_data" | sort -g |
		awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# ratios KEY KEY: median, least, greatest of the first over the second.
ratios() {
	awk -F '\t' -v a="$1" -v b="$2" '
		$1 == a { x[$2] = $3 } $1 == b { y[$2] = $3 }
		END { for (r in x) if (r in y && y[r] > 0) print x[r] / y[r] }' "$bench_data" | sort -g |
		awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }'
}

# digits VALUE: three significant ones, or all before the point.
digits() {
	awk -v v="$1" 'BEGIN { printf((v >= 100 ? "%.0f" : "%.3g"), v) }'
}

# met VALUE REACH: "yes", "no", or nothing when there is no figure to reach.
met() {
	case $2 in
		'>='* | '<='*)
			awk -v v="$1" -v reach="${2:3}" -v op="${2:0:2}" \
				'BEGIN { print((op == ">=" ? v >= reach + 0 : v <= reach + 0) ? "yes" : "**no**") }'
			;;
		'') ;;
		*) lr_die "no such figure: $2" ;;
	esac
}

# row FIGURE WHAT REACH VALUE [RANGE]: a line of the table.  REACH is '>= x',
# '<= x' or empty; VALUE without a unit.
row() {
	local reach=${3/>=/≥}

	[ -n "$4" ] || return 0
	printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "${reach/<=/≤}" "$4" "${5:-}" "$(met "$4" "$3")" >>"$bench_table"
}

# ratio_row FIGURE WHAT REACH KEY KEY
ratio_row() {
	local median least greatest

	read -r median least greatest < <(ratios "$4" "$5") || return 0
	row "$1" "$2" "$3" "$(printf %.2f "$median")" "$(printf '%.2f – %.2f' "$least" "$greatest")"
}

# rate_row FIGURE WHAT UNIT KEY...: medians of what was measured, of any peers.
rate_row() {
	local figure=$1 what=$2 unit=$3 key value all=

	shift 3
	for key; do
		value=$(median "$key")
		[ -z "$value" ] || all+="${all:+, }${bench_peer_name[${key##*.}]:-${key##*.}} $(digits "$value")"
	done
	[ -z "$all" ] || printf '| %s | %s | %s | %s |\n' "$figure" "$what" "$unit" "$all" >>"$bench_rates"
}
