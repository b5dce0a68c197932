# shellcheck shell=bash disable=SC2034
#
# lib.sh: what test, demo and bench have in common.  Source it from bash:
#
#	set -euo pipefail
#	. "$(dirname "$0")/../bin/lib.sh"
#	lr_begin				# private work directory, removed on exit
#	lr_need server			# packages (also: pgtap, tap); installs what is missing
#	lr_build				# builds the checkout, stages it in $LR_STAGE
#	lr_cluster_init main "fsync = off" "max_connections = 50"
#	lr_cluster_start main
#	lr_psql -f something.sql
#
# What it promises:
# - Nothing of the system's PostgreSQL is touched: the extension is staged in a
#   private directory, servers listen on a unix socket in that directory only.
# - Servers refuse to run as root, and root's checkout may be readable by root
#   only.  So everything that the servers or the tests read is copied into the
#   work directory, and whatever lr_as runs is run by an unprivileged user.
# - On exit the servers started in the work directory are stopped, nothing else
#   is; the exit code stays what it was.
#
# Variables that may be set from outside:
#	PG_CONFIG		the PostgreSQL to use (default: pg_config of PATH, else the newest)
#	PG_MAJOR		the major version to use, when PG_CONFIG is not set
#	LR_USER			who runs the servers when root starts this (default: nobody)
#	KEEP_WORK=1		leaves the work directory behind, and says where it is
#	COPT, PROFILE	further compiler options, as PostgreSQL's makefiles know them
#	NO_WERROR=1		compiles with the same warnings, not as errors
#
# Variables that it sets: LR_TOP (checkout), LR_WORK, LR_STAGE, LR_BINDIR,
# LR_PKGLIBDIR, LR_PGXS (directory of PostgreSQL's makefiles), LR_MAJOR,
# LR_NODE (with the part node).

umask 022
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
LR_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
LR_MISSING=()

# The caller's connection settings must not lead us to the caller's server, nor
# its make flags into our build.
for lr_var in $(compgen -e PG || true); do
	case $lr_var in
		PG_CONFIG | PG_MAJOR) ;;
		*) unset "$lr_var" ;;
	esac
done
unset lr_var MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL GNUMAKEFLAGS DESTDIR

lr_say() {
	printf '%s\n' "$*"
}

lr_die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# ---------------------------------------------------------------------------
# Work directory and user
# ---------------------------------------------------------------------------

# Runs a command as the unprivileged user, in the work directory's environment.
lr_as() {
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
	elif command -v setpriv >/dev/null; then
		setpriv --reuid "$LR_USER" --regid "$(id -g "$LR_USER")" --init-groups -- "$@"
	else
		runuser -u "$LR_USER" -- "$@"
	fi
}

# Makes the work directory; must be called first.  The path is kept short:
# a socket's path has at most 107 bytes.
lr_begin() {
	local base=${TMPDIR:-/tmp}

	if [ "$(id -u)" -eq 0 ]; then
		LR_USER=${LR_USER:-nobody}
		id "$LR_USER" >/dev/null 2>&1 || LR_USER=postgres
		id "$LR_USER" >/dev/null 2>&1 || lr_die "there is neither a user nobody nor postgres; set LR_USER"
	else
		LR_USER=$(id -un)
	fi
	if ! [[ $base =~ ^/[A-Za-z0-9_./-]+$ ]] || [ ${#base} -gt 40 ] || [ ! -w "$base" ] ||
		! lr_as test -x "$base"; then
		base=/tmp
	fi
	LR_WORK=$(cd "$(mktemp -d "$base/lr.XXXXXX")" && pwd -P)
	trap lr_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	LR_STAGE=$LR_WORK/stage
	mkdir "$LR_STAGE" "$LR_WORK/home" "$LR_WORK/tmp"
	[ "$(id -u)" -ne 0 ] || chown "$LR_USER" "$LR_WORK" "$LR_WORK/home" "$LR_WORK/tmp"
	# TAP tests unset LC_ALL; then LANG decides the encoding of their clusters.
	LR_CALLER_HOME=${HOME:-/}
	export HOME=$LR_WORK/home TMPDIR=$LR_WORK/tmp LC_ALL=C LANG=C.UTF-8
	unset LANGUAGE
	cd "$LR_WORK" || exit 1
}

# Stops every server whose data directory lies in the work directory.  A pid
# file can be stale and its number another process's: the server is the one
# that has its data directory as working directory.
lr_stop_all() {
	local file pid

	while IFS= read -r -d '' file; do
		pid=$(head -n 1 "$file" 2>/dev/null) || continue
		[ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(dirname "$file")" ] || continue
		lr_as "$LR_BINDIR/pg_ctl" -D "$(dirname "$file")" -m immediate -s stop || true
	done < <(find "$LR_WORK" -name postmaster.pid -print0 2>/dev/null)
}

# EXIT trap.  A script that has something to do or to say at its end, however
# it ends, defines lr_at_end; it is given the exit code.
lr_end() {
	local rc=$?

	trap - EXIT
	trap '' INT TERM HUP
	set +e
	cd /
	[ -z "${LR_BINDIR:-}" ] || lr_stop_all
	! declare -F lr_at_end >/dev/null || lr_at_end "$rc"
	if [ -n "${KEEP_WORK:-}" ]; then
		lr_say "work directory kept: $LR_WORK"
	else
		rm -rf "$LR_WORK"
	fi
	exit "$rc"
}

# lr_copy PATH...: copies files or directories of the checkout (paths relative
# to it) to the same place under $LR_WORK/src, readable by the unprivileged
# user.  What does not exist is left out.
lr_copy() {
	local path

	for path; do
		[ -e "$LR_TOP/$path" ] || continue
		mkdir -p "$(dirname "$LR_WORK/src/$path")"
		cp -R "$LR_TOP/$path" "$(dirname "$LR_WORK/src/$path")/"
		chmod -R a+rX "$LR_WORK/src/$path"
	done
}

# lr_mkdir DIR...: makes directories that the unprivileged user owns.
lr_mkdir() {
	lr_as mkdir -p "$@"
}

# ---------------------------------------------------------------------------
# Packages
# ---------------------------------------------------------------------------

# Runs a command as root; fails where that is not possible.
lr_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
		sudo "$@"
	else
		return 1
	fi
}

# Does this pg_config lead to the server's headers?  That pgxs.mk is there does
# not say so: Debian has it in the package of the clients.
lr_has_headers() {
	[ -x "$1" ] && [ -f "$("$1" --includedir-server 2>/dev/null)/postgres.h" ]
}

# Sets LR_PG_CONFIG and what follows from it; false when no PostgreSQL with its
# server headers is there.
lr_find_postgres() {
	local candidate found=

	if [ -n "${PG_CONFIG:-}" ]; then
		found=$(command -v "$PG_CONFIG") || lr_die "there is no $PG_CONFIG"
	elif [ -n "${PG_MAJOR:-}" ]; then
		found=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
	else
		for candidate in pg_config $(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV); do
			candidate=$(command -v "$candidate") || continue
			lr_has_headers "$candidate" || continue
			found=$candidate
			break
		done
	fi
	lr_has_headers "$found" || return 1

	LR_PG_CONFIG=$found
	LR_BINDIR=$("$found" --bindir)
	LR_PKGLIBDIR=$("$found" --pkglibdir)
	LR_PGXS=$(cd "$(dirname "$("$found" --pgxs)")/.." && pwd -P)
	LR_VERSION=$("$found" --version | sed 's/^PostgreSQL \([^ ]*\).*/\1/')
	LR_MAJOR=${LR_VERSION%%[!0-9]*}
}

# The major version to install: the one asked for, that of the server that is
# there, else the distribution's.
lr_major_to_install() {
	local major=${PG_MAJOR:-${LR_MAJOR:-}}

	[ -n "$major" ] || major=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres |
		sed -n 's,.*/\([0-9]*\)/bin/postgres$,\1,p' | sort -n | tail -n 1)
	[ -n "$major" ] || major=$(apt-cache show postgresql 2>/dev/null |
		sed -n 's/^Depends:.*postgresql-\([0-9][0-9]*\).*/\1/p' | head -n 1)
	printf '%s' "$major"
}

lr_sharedir() {
	if [ -n "$LR_BINDIR" ]; then
		"$LR_PG_CONFIG" --sharedir
	else
		printf '/usr/share/postgresql/%s' "$1"
	fi
}

lr_has_python() {
	/usr/bin/python3 -c "import $1" 2>/dev/null
}

# Sets LR_NODE to the first Node.js of PATH that the unprivileged user can run,
# too: root may have one of its own.
lr_find_node() {
	while read -r LR_NODE; do
		! lr_as "$LR_NODE" --version >/dev/null 2>&1 || return 0
	done < <(type -ap node)
	return 1
}

# Where the checkout keeps, for the next run, what npm has installed for
# test/clients/package-lock.json.
lr_npm_dir() {
	printf '%s/.build/npm-%s' "$LR_TOP" "$(cksum <"$LR_TOP/test/clients/package-lock.json" | cut -d ' ' -f 1)"
}

# lr_node_modules DIR: puts what test/clients/package-lock.json names into
# DIR/node_modules.
lr_node_modules() {
	local dir

	dir=$(lr_npm_dir)
	mkdir -p "$LR_TOP/.build" 2>/dev/null && [ -w "$LR_TOP/.build" ] || [ -d "$dir" ] || dir=$LR_WORK/npm
	if [ ! -d "$dir" ]; then
		mkdir "$dir.$$"
		cp "$LR_TOP"/test/clients/package*.json "$dir.$$/"
		if ! (cd "$dir.$$" && npm ci --userconfig "$LR_CALLER_HOME/.npmrc" --ignore-scripts --no-audit --no-fund) >"$LR_WORK/npm.log" 2>&1; then
			tail -n 30 "$LR_WORK/npm.log" >&2
			rm -rf "$dir.$$"
			lr_die "npm could not install what test/clients/package-lock.json names"
		fi
		# Another run may have been faster.
		mv -T "$dir.$$" "$dir" 2>/dev/null || rm -rf "$dir.$$"
	fi
	cp -R "$dir/node_modules" "$1/"
	chmod -R a+rX "$1/node_modules"
}

# Fills LR_MISSING with the Debian packages that the parts named ask for and
# that are not there.  Looks for what is used, not for packages: other systems
# name them differently.
lr_find_missing() {
	local part major

	LR_MISSING=()
	lr_find_postgres || LR_BINDIR=
	major=$(lr_major_to_install)
	[ -n "$LR_BINDIR" ] || LR_MISSING+=("postgresql-server-dev-$major")
	[ -x "${LR_BINDIR:-/usr/lib/postgresql/$major/bin}/initdb" ] || LR_MISSING+=("postgresql-$major")
	[ -x "${LR_BINDIR:-/usr/lib/postgresql/$major/bin}/psql" ] || LR_MISSING+=("postgresql-client-$major")
	command -v make >/dev/null || LR_MISSING+=(make)
	command -v "${CC:-gcc}" >/dev/null || LR_MISSING+=(gcc)
	[ -f /usr/include/stdio.h ] || LR_MISSING+=(libc6-dev)
	for part; do
		case $part in
			server) ;;
			pgtap)
				[ -f "$(lr_sharedir "$major")/extension/pgtap.control" ] ||
					LR_MISSING+=("postgresql-$major-pgtap")
				command -v pg_prove >/dev/null || LR_MISSING+=(libtap-parser-sourcehandler-pgtap-perl)
				;;
			tap)
				perl -MTest::More -MFile::Temp -e1 2>/dev/null || LR_MISSING+=(perl)
				perl -MIPC::Run -e1 2>/dev/null || LR_MISSING+=(libipc-run-perl)
				;;
			# Programs of others with which test/t/13*.pl work.  Python's and
			# Ruby's are those of the system, where apt puts libraries.
			django)
				lr_has_python django || LR_MISSING+=(python3-django)
				lr_has_python psycopg2 || LR_MISSING+=(python3-psycopg2)
				;;
			psycopg2) lr_has_python psycopg2 || LR_MISSING+=(python3-psycopg2) ;;
			sqlalchemy)
				lr_has_python sqlalchemy || LR_MISSING+=(python3-sqlalchemy)
				lr_has_python psycopg2 || LR_MISSING+=(python3-psycopg2)
				;;
			node)
				lr_find_node || LR_MISSING+=(nodejs)
				[ -d "$(lr_npm_dir)" ] || command -v npm >/dev/null || LR_MISSING+=(npm)
				;;
			pgbouncer) command -v pgbouncer >/dev/null || LR_MISSING+=(pgbouncer) ;;
			activerecord)
				/usr/bin/ruby -e 'require "active_record"; require "pg"' 2>/dev/null ||
					LR_MISSING+=(ruby-activerecord ruby-pg)
				;;
			*) lr_die "lr_need: unknown part $part" ;;
		esac
	done
	[ ${#LR_MISSING[@]} -eq 0 ]
}

# lr_need PART...: sees to it that PostgreSQL and the parts named are there
# (server, pgtap, tap, the names of clients); installs with apt what is missing.
lr_need() {
	lr_find_missing "$@" && return
	command -v apt-get >/dev/null ||
		lr_die "missing: ${LR_MISSING[*]} (names of Debian's packages); install them by hand"
	lr_root true ||
		lr_die "missing: ${LR_MISSING[*]}; install them, or run this as root or where sudo works"
	if [ -z "$(lr_major_to_install)" ]; then
		lr_root "$LR_TOP/test/bin/install-packages"
		[ -n "$(lr_major_to_install)" ] || lr_die "apt knows no package postgresql"
		lr_find_missing "$@" || true
	fi
	lr_say "installing ${LR_MISSING[*]}"
	lr_root "$LR_TOP/test/bin/install-packages" "${LR_MISSING[@]}"
	hash -r
	lr_find_missing "$@" || lr_die "still missing after the installation: ${LR_MISSING[*]}"
}

# ---------------------------------------------------------------------------
# Build
# ---------------------------------------------------------------------------

# Makes the build directory's copy of the sources equal to the checkout's.  By
# content: then make rebuilds what changed whatever the files' times are.
lr_sync() {
	local dir=$1 file

	while IFS= read -r -d '' file; do
		mkdir -p "$dir/$(dirname "$file")"
		cmp -s "$LR_TOP/$file" "$dir/$file" || cp "$LR_TOP/$file" "$dir/$file"
	done < <(cd "$LR_TOP" && find Makefile leadroute.control src sql \( -name Makefile -o -name '*.control' \
		-o -path 'src/*.[ch]' -o -path 'sql/parts/*.sql' -o -path 'sql/leadroute--*--*.sql' \) -print0)
	while IFS= read -r -d '' file; do
		[ -e "$LR_TOP/$file" ] || rm -f "$dir/$file" "$dir/${file%.c}.o" "$dir/${file%.c}.d"
	done < <(cd "$dir" && find src sql \( -name '*.[ch]' -o -path 'sql/parts/*.sql' -o -path 'sql/leadroute--*--*.sql' \) -print0)
}

# Builds the checkout and stages it in $LR_STAGE.  Objects are kept in the
# checkout's .build, one directory for each server version and set of options,
# so that the next run compiles only what has changed; where that cannot be
# written they go to the work directory.
lr_build() {
	local dir options lock werror=1

	[ -z "${NO_WERROR:-}" ] || werror=
	options=$(printf '%s\n' "${CC:-}" "${COPT:-}" "${PROFILE:-}" "$werror" | cksum | cut -d ' ' -f 1)
	dir=$LR_TOP/.build/$LR_VERSION-$options
	if ! mkdir -p "$dir" 2>/dev/null || [ ! -w "$dir" ] ||
		! { : >>"$dir/lock"; } 2>/dev/null; then
		dir=$LR_WORK/build
		mkdir -p "$dir"
	fi
	exec {lock}>>"$dir/lock"
	flock "$lock"
	lr_sync "$dir"
	if ! make -s -C "$dir" -j "$(nproc)" PG_CONFIG="$LR_PG_CONFIG" WERROR="$werror" all >"$dir/make.log" 2>&1 ||
		! make -s -C "$dir" PG_CONFIG="$LR_PG_CONFIG" WERROR="$werror" DESTDIR="$LR_STAGE" install >>"$dir/make.log" 2>&1; then
		head -n 100 "$dir/make.log" >&2
		lr_die "the build failed; everything it said is in $dir/make.log"
	fi
	exec {lock}>&-
	chmod -R a+rX "$LR_STAGE"
}

# ---------------------------------------------------------------------------
# Throw-away clusters
# ---------------------------------------------------------------------------

# Prints the settings that let a server use the staged extension.  Debian's
# servers have extension_destdir; others have extension_control_path from 18 on.
lr_conf() {
	local known

	known=$("$LR_BINDIR/postgres" --describe-config | cut -f 1)
	printf "shared_preload_libraries = 'leadroute'\n"
	printf "dynamic_library_path = '%s:\$libdir'\n" "$LR_STAGE$LR_PKGLIBDIR"
	if grep -qx extension_destdir <<<"$known"; then
		printf "extension_destdir = '%s'\n" "$LR_STAGE"
	elif grep -qx extension_control_path <<<"$known"; then
		printf "extension_control_path = '%s:\$system'\n" "$LR_STAGE$("$LR_PG_CONFIG" --sharedir)"
	else
		lr_die "this server cannot use an extension that is not installed; run make install, then make installcheck"
	fi
}

# lr_cluster_init NAME [SETTING...]: makes a cluster in $LR_WORK/NAME with the
# superuser postgres, encoding UTF-8 and locale C; each SETTING is a line of
# postgresql.conf, the last one wins.
lr_cluster_init() {
	local name=$1 template=$LR_WORK/template

	shift
	if [ ! -d "$template" ]; then
		lr_as "$LR_BINDIR/initdb" -D "$template" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$LR_WORK/initdb.log" 2>&1 ||
			{ cat "$LR_WORK/initdb.log" >&2; lr_die "initdb failed"; }
	fi
	lr_as cp -R "$template" "$LR_WORK/$name"
	lr_as chmod 0700 "$LR_WORK/$name"
	lr_mkdir "$LR_WORK/$name.s"
	{
		lr_conf
		printf "listen_addresses = ''\n"
		printf "unix_socket_directories = '%s'\n" "$LR_WORK/$name.s"
		printf "log_line_prefix = '%%m [%%p] %%b '\n"
		printf '%s\n' "$@"
	} >>"$LR_WORK/$name/postgresql.conf"
}

# lr_cluster_use NAME: makes it the one that clients connect to.
lr_cluster_use() {
	export PGHOST=$LR_WORK/$1.s PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

# lr_cluster_start NAME: starts it and makes it the one that clients connect
# to.  Its log is $LR_WORK/NAME.log.
lr_cluster_start() {
	lr_as "$LR_BINDIR/pg_ctl" -D "$LR_WORK/$1" -l "$LR_WORK/$1.log" -s -w -t 120 start ||
		{ tail -n 30 "$LR_WORK/$1.log" >&2; lr_die "the server did not start"; }
	lr_cluster_use "$1"
}

# lr_cluster_stop NAME [MODE]
lr_cluster_stop() {
	lr_as "$LR_BINDIR/pg_ctl" -D "$LR_WORK/$1" -m "${2:-fast}" -s -w -t 120 stop
}

# lr_psql ARGUMENT...: psql as the unprivileged user on the cluster in use;
# stops at the first error.
lr_psql() {
	lr_as "$LR_BINDIR/psql" -X -q -v ON_ERROR_STOP=1 "$@"
}
