# How the tests are built and run; read by the GNUmakefile.

UNIT_SRC  := $(wildcard tests/unit/test_*.c)
UNIT_BIN  := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libbulkhead.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALLCFLAGS) -o $@ $< $(BUILD)/libbulkhead.a $(ALLLDFLAGS) $(LIBS) -lcmocka

# These tests make threads that are confined or crash.
$(BUILD)/unit/test_sandbox $(BUILD)/unit/test_crash: ALLLDFLAGS += -pthread

# Counts the calls of a function.
$(BUILD)/unit/test_many_hosts: ALLLDFLAGS += -Wl,--wrap=file_mark_order

# Its server chooses a protocol that was not offered.
$(BUILD)/unit/test_tls_client: ALLLDFLAGS += -Wl,--wrap=gnutls_alpn_get_selected_protocol

# Lets a digest fail.
$(BUILD)/unit/test_tls_client_known: ALLLDFLAGS += -Wl,--wrap=gnutls_hash_fast

# Have a clock of their own.
$(BUILD)/unit/test_worker_passwords $(BUILD)/unit/test_worker_connects: ALLLDFLAGS += -Wl,--wrap=clock_ns

# Decompresses what the server has compressed, lets allocations fail, and has a clock of its own.
$(BUILD)/unit/test_compress: ALLLDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=clock_ns
$(BUILD)/unit/test_compress: LIBS += $(shell $(PKG) --libs libbrotlidec)

# A test of bulkheadctl, whose objects are in no archive.
CTL_PARTS := $(filter-out %/main.o,$(CTL_OBJ))
CTL_TESTS := $(BUILD)/unit/test_ctl $(BUILD)/unit/test_ctl_screen
$(CTL_TESTS): $(CTL_PARTS)
$(CTL_TESTS): LIBS = $(CTL_PARTS) $(BUILD)/libbulkhead.a $(CTL_LIBS)
$(CTL_TESTS): CPPFLAGS += $(shell $(PKG) --cflags jansson)

unit-build: $(UNIT_BIN)

unit: $(UNIT_BIN)
	@failed=0; for t in $(UNIT_BIN); do $$t || failed=1; done; exit $$failed

# The next version, to test an upgrade in place: the same program with another version number and
# more counters (tests/next). It is a whole build of its own, since the memory of a child is another.
NEXT_LIST := $(BUILD)/next/list/ipc/counters.h
NEXT_MAKE  = $(MAKE) --no-print-directory BUILD=$(BUILD)/next VERSION=$(VERSION)+next \
             FIRST=-I$(BUILD)/next/list MORE_OBJ=$(BUILD)/next/count.o \
             LDFLAGS='$(LDFLAGS) -Wl,--wrap=ipc_counters_latency' $(BUILD)/next/bulkhead

$(NEXT_LIST): include/ipc/counters.h tests/next/counters.sed
	@mkdir -p $(@D)
	sed -f tests/next/counters.sed $< > $@

$(BUILD)/count.o: tests/next/count.c $(BUILD)/flags
	$(CC) $(CPPFLAGS) $(ALLCFLAGS) -c -o $@ $<

next: $(NEXT_LIST)
	+$(NEXT_MAKE)

# The same program with one more protocol, which has many exchanges on a connection (tests/many). Its
# list of protocols replaces the archive's.
MANY_OBJ  := $(patsubst tests/many/%.c,$(BUILD)/many/%.o,$(wildcard tests/many/*.c))

$(BUILD)/many/%.o: tests/many/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALLCFLAGS) -c -o $@ $<

$(BUILD)/many/bulkhead: $(MANY_OBJ) $(MAIN_OBJ) $(BUILD)/libbulkhead.a
	src/crash/link.sh $(BUILD)/many '$(NAMESCC)' '$(CC) $(filter-out $(STRIPPING),$(ALLLDFLAGS))' \
		'$(MANY_OBJ) $(MAIN_OBJ) $(BUILD)/libbulkhead.a $(LIBS)' '$(NM)'
	mv $(BUILD)/many/linked $@

many: $(BUILD)/many/bulkhead

# Fuzzers need clang's libFuzzer: make fuzz CC=clang SAN=fuzz BUILD=build/fuzz. SAN=fuzz builds the
# library with the coverage that guides the fuzzer, and the address and undefined-behaviour
# sanitizers with it.
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN  := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)

$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/libbulkhead.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALLCFLAGS) -fsanitize=fuzzer -o $@ $< $(BUILD)/libbulkhead.a $(ALLLDFLAGS) $(LIBS)

fuzz: $(FUZZ_BIN)

# The benchmarks (tests/bench/README.md).
BENCH_BIN := $(patsubst %,$(BUILD)/bench/%,client steps service)
$(BENCH_BIN): $(BUILD)/bench/%: tests/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALLCFLAGS) -pthread -o $@ $< $(ALLLDFLAGS) $(LIBS)

# A key and certificate of each kind, and a build whose workers sign themselves, to measure the cost of
# the keyholder: its object defines the same functions as an archive member and replaces that.
$(BUILD)/bench/%.key:
	@mkdir -p $(@D)
	openssl req -x509 -newkey $(BENCH_KEY_$*) -nodes -keyout $@ -out $(@:.key=.pem) -days 3650 \
		-subj /CN=localhost 2>/dev/null
BENCH_KEY_ecdsa := ec -pkeyopt ec_paramgen_curve:P-256
BENCH_KEY_rsa   := rsa:2048

$(BUILD)/bench/bulkhead-local: tests/bench/key_local.c $(MAIN_OBJ) $(BUILD)/libbulkhead.a \
		$(BUILD)/bench/ecdsa.key $(BUILD)/bench/rsa.key
	$(CC) $(CPPFLAGS) $(ALLCFLAGS) -DBENCH_FOLDER='"$(BUILD)/bench"' $(ALLLDFLAGS) -o $@ $< \
		$(MAIN_OBJ) $(BUILD)/libbulkhead.a $(LIBS)

bench: $(BUILD)/bulkhead $(BENCH_BIN) $(BUILD)/bench/bulkhead-local
	/usr/bin/env python3 tests/bench/bench.py $(BUILD) $(BENCH)

# The tools of the storms (tests/storm/README.md), always without a sanitizer: a library that is
# preloaded into a server must not bring another sanitizer than the server has.
STORM_BIN := $(BUILD)/storm/load $(BUILD)/storm/slow
STORM_LIB := $(BUILD)/storm/clock.so $(BUILD)/storm/scarce.so
STORM_FLAGS = -std=gnu11 -O2 -g $(WARNINGS) -MMD -MP $(shell $(PKG) --cflags gnutls)

$(STORM_BIN): $(BUILD)/storm/%: tests/storm/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(STORM_FLAGS) -pthread -o $@ $< $(shell $(PKG) --libs gnutls)

$(STORM_LIB): $(BUILD)/storm/%.so: tests/storm/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE $(STORM_FLAGS) -fPIC -shared -o $@ $<

storm-build: $(STORM_BIN) $(STORM_LIB)

storm: all storm-build
	BULKHEAD_BINARY=$(abspath $(BUILD)/bulkhead) /usr/bin/env python3 tests/storm/storm.py $(STORM)

.PHONY: unit unit-build fuzz bench storm storm-build next many
-include $(STORM_BIN:=.d) $(STORM_LIB:.so=.d)
-include $(BUILD)/count.d $(MANY_OBJ:.o=.d) $(UNIT_BIN:=.d) $(FUZZ_BIN:=.d)
