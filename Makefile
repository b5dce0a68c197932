# leadroute: build, install, test.
#
#	make && make install	for the PostgreSQL of PG_CONFIG; needs its server headers
#	make test				everything, on a throw-away server; installs what it needs
#	make soak				test/t/036_chaos for LR_SOAK=600 seconds (LR_SEED=n repeats a
#							run), test/t/037_many_rules with LR_RULES=1000000
#	make demo				a tour, on a throw-away server; KEEP=1 leaves psql open in it
#	make installcheck		regress and isolation tests of what is installed
#	make bench, test-matrix, dist
#
# Narrow the tests:  make test ONLY=regress|isolation|tap|pgtap TESTS="name name"
# More options: WERROR=1 (warnings are errors), with_llvm=yes (bitcode for the
# server's JIT, off otherwise: nothing here gains from inlining), COPT=...

# The directory of the sources: where this file is, or VPATH.
LR_DIR := $(if $(VPATH),$(VPATH),$(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST)))))

# These run scripts that see to everything themselves, on a machine without
# PostgreSQL too; so they must not depend on its makefiles.
# What is set on make's command line is in their environment.
SCRIPTS_ONLY := test soak demo bench test-matrix dist

.DEFAULT_GOAL := all
.PHONY: $(SCRIPTS_ONLY)
test:
	@test/bin/run
soak:
	@LR_SOAK=$${LR_SOAK:-600} LR_RULES=$${LR_RULES:-1000000} ONLY=tap TESTS="036_chaos 037_many_rules" test/bin/run
demo:
	@test/demo/run
bench:
	@test/bench/run
test-matrix:
	@test/bin/matrix
dist:
	@test/bin/dist

ifneq ($(filter-out $(SCRIPTS_ONLY),$(or $(MAKECMDGOALS),all)),)

# A rule for these would find them in VPATH and never make them here.
$(shell mkdir -p $(patsubst $(LR_DIR)/%,%,$(wildcard $(LR_DIR)/src $(LR_DIR)/src/*/)) sql)

EXTENSION = leadroute
MODULE_big = leadroute
LR_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" '$(LR_DIR)/leadroute.control')

OBJS = $(patsubst $(LR_DIR)/%.c,%.o,$(sort $(wildcard $(LR_DIR)/src/*.c $(LR_DIR)/src/*/*.c)))

# The script of this version is assembled from its parts; those of upgrades are
# files.
LR_SQL = sql/leadroute--$(LR_VERSION).sql
LR_PARTS = $(sort $(wildcard $(LR_DIR)/sql/parts/[0-9]*.sql))
DATA_built = $(LR_SQL)
DATA = $(patsubst $(LR_DIR)/%,%,$(wildcard $(LR_DIR)/sql/leadroute--*--*.sql))

# installcheck starts its own server, because the library must be preloaded.
# PRELOADED=1: use the server that is running (pg_virtualenv with
# -o shared_preload_libraries=leadroute, as root, for example).
LR_TEMP = $(if $(PRELOADED),,--temp-config=$(LR_DIR)/test/bin/installcheck.conf --encoding=UTF8 --no-locale)
REGRESS = $(filter-out leadroute--%,$(patsubst $(LR_DIR)/sql/%.sql,%,$(sort $(wildcard $(LR_DIR)/sql/*.sql))))
REGRESS_OPTS = $(if $(LR_TEMP),--temp-instance=./tmp_check $(LR_TEMP))
ISOLATION = $(patsubst $(LR_DIR)/test/isolation/specs/%.spec,%,$(sort $(wildcard $(LR_DIR)/test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(LR_DIR)/test/isolation --outputdir=output_iso $(if $(LR_TEMP),--temp-instance=./tmp_check_iso $(LR_TEMP))

EXTRA_CLEAN = $(OBJS:.o=.d) $(wildcard leadroute-*.zip)

ifneq ($(origin with_llvm),command line)
override with_llvm := no
endif

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(shell $(PG_CONFIG) --includedir-server)/postgres.h),)
$(error $(PG_CONFIG) leads to no server headers: install postgresql-server-dev-15, or set PG_CONFIG)
endif

# The server's headers are the system's, so that our warnings are about us.
PG_CPPFLAGS = -I$(LR_DIR)/src -isystem $(shell $(PG_CONFIG) --includedir-server)
# Calls between our own files go straight there, not through a table: nobody
# replaces our functions by others of the same name.  A lead passes through
# many, each a branch that the processor would have to guess.  LTO: files are
# divided by concern, and what is called once a lead is inlined across them
# (LTO= for a quicker build).
LTO ?= -flto=auto
PG_CFLAGS = -MMD -MP -fno-semantic-interposition -fno-plt $(LTO)
SHLIB_LINK += -Wl,-Bsymbolic-functions
ifneq ($(WERROR),)
PG_CFLAGS += -Wall -Wextra -Wno-unused-parameter -Werror
endif

include $(PGXS)

# -MMD wrote which headers each object was made from.
-include $(wildcard $(OBJS:.o=.d))

$(OBJS): $(LR_DIR)/Makefile

$(LR_SQL): $(LR_PARTS) $(LR_DIR)/Makefile $(LR_DIR)/leadroute.control
	cat $(LR_PARTS) >$@.new
	mv $@.new $@

endif
